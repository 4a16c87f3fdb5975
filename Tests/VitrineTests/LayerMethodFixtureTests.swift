import Testing
import Vitrine
import VitrineTestSupport

/// A trained network with float64 results of another implementation.
private struct Example: Sendable, CustomTestStringConvertible {
  let model: String
  let golden: String
  let target: Int
  /// Of `gradcam0`, `gradcam1`…
  let layers: [String]

  var testDescription: String { "\(model) \(golden)" }
}

private let small = [
  Example(
    model: "lenet_mnist", golden: "lenet_mnist/digit7_t10k_00000", target: 7,
    layers: ["/Relu_1_output_0"]),
  Example(
    model: "captum_cifar_cnn", golden: "captum_cifar_cnn/ship_0000", target: 8,
    layers: ["/conv2/Conv_output_0"]),
]

private let large = [
  Example(
    model: "resnet20_cifar10", golden: "resnet20_cifar10/cat_0000", target: 3,
    layers: ["/layer3/layer3.2/Relu_1_output_0", "/layer2/layer2.2/Relu_1_output_0"]),
  Example(
    model: "squeezenet_imagenet", golden: "squeezenet_imagenet/kitten", target: 281,
    layers: ["fire9/concat_1"]),
]

#if DEBUG
  private let runnable = small
#else
  private let runnable = small + large
#endif

/// In debug builds the larger networks are left out, which take long there.
@Suite(
  "Methods that look through layers, on trained networks",
  .enabled(if: Fixtures.areAvailable, "../shared/fixtures is not there"))
struct LayerMethodFixtureTests {
  @Test("maps and guided gradients are those of the float64 reference", arguments: runnable)
  fileprivate func agrees(_ example: Example) throws {
    let graph = try ONNX.graph(contentsOf: Fixtures.path("models/\(example.model).onnx"))
    let x = try Fixtures.tensor("golden/\(example.golden)/input.npy")
    for (precision, limit) in [(Network.Precision.double, 2e-6), (.single, 1e-4)] {
      let network = try Network(graph, configuration: .init(precision: precision))
      func check(_ method: any Explainer, _ array: String) throws {
        let result = try method.explain(
          network, at: Inputs(x, for: network), target: .index(example.target), context: Context())
        let expected = try Fixtures.tensor("golden/\(example.golden)/\(array).npy")
        let distance = try relativeDistance(result.attribution.tensor, expected)
        #expect(distance < limit, "\(array) at \(precision)")
      }
      try check(GuidedBackpropagation(), "guided_backprop")
      try check(Deconvnet(), "deconvnet")
      for (k, layer) in example.layers.enumerated() {
        try check(GradCAM(layers: [layer]), "gradcam\(k)_raw")
        try check(GradCAM(layers: [layer], upsample: true), "gradcam\(k)_bilinear")
      }
      try check(GuidedGradCAM(layers: [example.layers[0]]), "guided_gradcam")
    }
  }

  @Test("without a name the last layer with height and width is taken, here the second pooling")
  func defaultLayer() throws {
    let graph = try ONNX.graph(contentsOf: Fixtures.path("models/lenet_mnist.onnx"))
    let network = try Network(graph)
    let x = try Fixtures.tensor("golden/lenet_mnist/digit7_t10k_00000/input.npy")
    let result = try GradCAM().explain(
      network, at: Inputs(x, for: network), target: .top, context: Context())
    #expect(result.attribution.tensor.shape.dimensions == [1, 1, 4, 4])
    #expect(result.diagnostics.first { $0.name == "layer" }?.value == .texts(["/MaxPool_1"]))
  }
}
