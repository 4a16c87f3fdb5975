import Testing
import VitrineCore
import VitrineNetwork
import VitrineONNX
import VitrineTensor
import VitrineTestSupport

/// A trained network with float64 results of another implementation.
private struct Example: Sendable, CustomTestStringConvertible {
  let model: String
  let golden: String
  /// The explained class.
  let target: Int
  /// What a plain float32 run of that implementation was off by, where that is more than rounding.
  var gradientNoise = 1e-5

  var testDescription: String { "\(model) \(golden)" }
}

private let examples: [Example] = [
  Example(model: "resnet20_cifar10", golden: "resnet20_cifar10/cat_0000", target: 3),
  Example(model: "resnet20_cifar10_folded", golden: "resnet20_cifar10/ship_0000", target: 8),
  Example(model: "lenet_mnist", golden: "lenet_mnist/digit7_t10k_00000", target: 7),
  Example(model: "captum_cifar_cnn", golden: "captum_cifar_cnn/cat_0000", target: 3),
  Example(model: "mnist_vit", golden: "mnist_vit/digit7_t10k_00000", target: 7),
  Example(model: "mnist_lstm", golden: "mnist_lstm/digit8_t10k_00061", target: 8),
  Example(model: "iris_mlp", golden: "iris_mlp/row0", target: 0),
  Example(model: "titanic_quantus", golden: "titanic_quantus/row0", target: 1),
  Example(model: "squeezenet_imagenet", golden: "squeezenet_imagenet/kitten", target: 281),
  Example(
    model: "squeezenet_imagenet_fp16weights", golden: "squeezenet_imagenet/kitten", target: 281),
  Example(model: "augnet", golden: "augnet/sample", target: 0, gradientNoise: 1e-2),
]

#if DEBUG
  private let runnable = examples.filter {
    !$0.model.hasPrefix("squeezenet") && !$0.model.hasPrefix("augnet")
      && !$0.model.hasPrefix("resnet")
  }
#else
  private let runnable = examples
#endif

/// In debug builds the larger networks are left out: unoptimised reference operators take minutes.
@Suite("Trained networks", .enabled(if: Fixtures.areAvailable, "../shared/fixtures is not there"))
struct FixtureTests {
  @Test("logits and gradients are those of the float64 reference", arguments: runnable)
  fileprivate func agrees(_ example: Example) throws {
    let graph = try ONNX.graph(contentsOf: Fixtures.path("models/\(example.model).onnx"))
    let x = try Fixtures.tensor("golden/\(example.golden)/input.npy")
    let logits = try Fixtures.tensor("golden/\(example.golden)/logits.npy")
    let gradient = try Fixtures.tensor("golden/\(example.golden)/gradient.npy")
    // The stored arrays are rounded to float32; DESIGN §7 holds the limits.
    for (precision, limit) in [(Network.Precision.double, 2e-6), (.exact, 1e-5), (.single, 1e-4)] {
      let network = try Network(graph, configuration: .init(precision: precision))
      let inputs = try Inputs(x, for: network)
      let site = try #require(network.site(of: .logit, output: network.signature.outputs[0].name))
      #expect(try relativeDistance(network.evaluate(inputs, observing: [site])[0], logits) < limit)
      let found = try network.gradients(
        of: Objective(site, .elements([example.target])),
        withRespectTo: [.input(network.signature.inputs[0].name)], at: inputs, rules: .gradient)
      let gradientLimit = precision == .double ? limit : max(limit, example.gradientNoise)
      #expect(try relativeDistance(found.tensors[0], gradient) < gradientLimit)
    }
  }
}
