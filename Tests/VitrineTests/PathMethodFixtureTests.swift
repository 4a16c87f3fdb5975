import Testing
import Vitrine
import VitrineTestSupport

/// A trained network with float64 results of another implementation.
private struct Example: Sendable, CustomTestStringConvertible {
  let golden: String
  let target: Int
  var rules = IntegratedGradients.Rule.allCases
  var occlusionPrecisions = Network.Precision.allCases.filter { $0 != .exact }

  var model: String { String(golden.prefix { $0 != "/" }) }
  var testDescription: String { golden }
}

#if DEBUG
  // Larger networks take long in debug builds; the command-line check covers them.
  private let runnable = [
    Example(golden: "iris_mlp/row0", target: 0), Example(golden: "titanic_quantus/row0", target: 1),
    Example(golden: "lenet_mnist/digit7_t10k_00000", target: 7),
  ]
#else
  private let runnable = [
    Example(golden: "iris_mlp/row0", target: 0), Example(golden: "titanic_quantus/row0", target: 1),
    Example(golden: "lenet_mnist/digit7_t10k_00000", target: 7),
    Example(golden: "captum_cifar_cnn/ship_0000", target: 8),
    Example(golden: "resnet20_cifar10/ship_0000", target: 8),
    // Gauss–Legendre is left out: on the picture's white ground max pooling meets exact ties, which
    // rounding breaks. In PyTorch itself nodes moved by one part in 1e15 move that array by 9e-4.
    // Of the other rules the reference has `middle` only. 729 float64 passes would take minutes.
    Example(
      golden: "squeezenet_imagenet/kitten", target: 281, rules: [.middle],
      occlusionPrecisions: [.single]),
  ]
#endif

@Suite(
  "Methods that evaluate many inputs, on trained networks",
  .enabled(if: Fixtures.areAvailable, "../shared/fixtures is not there"))
struct PathMethodFixtureTests {
  @Test("integrated gradients by every rule are those of the reference", arguments: runnable)
  fileprivate func integratedGradients(_ example: Example) throws {
    let graph = try ONNX.graph(contentsOf: Fixtures.path("models/\(example.model).onnx"))
    let x = try Fixtures.tensor("golden/\(example.golden)/input.npy")
    let network = try Network(graph, configuration: .init(precision: .double))
    let names: [IntegratedGradients.Rule: String] = [
      .gaussLegendre: "gausslegendre", .left: "left", .middle: "middle", .right: "right",
      .trapezoid: "trapezoid_51pts",
    ]
    for rule in example.rules {
      let name = try #require(names[rule])
      let found = try IntegratedGradients(rule: rule).explain(
        network, at: Inputs(x, for: network), target: .index(example.target), context: Context())
      let expected = try Fixtures.tensor("golden/\(example.golden)/ig50_\(name).npy")
      // The stored arrays are rounded to float32 (DESIGN §7).
      #expect(try relativeDistance(found.attribution.tensor, expected) < 2e-6, "\(name)")
    }
  }

  @Test(
    "occlusion is that of the reference, the same in every channel",
    arguments: runnable.filter { !["iris_mlp", "titanic_quantus"].contains($0.model) })
  fileprivate func occlusion(_ example: Example) throws {
    let graph = try ONNX.graph(contentsOf: Fixtures.path("models/\(example.model).onnx"))
    let x = try Fixtures.tensor("golden/\(example.golden)/input.npy")
    let expected = try Fixtures.tensor("golden/\(example.golden)/occlusion.npy")
    for precision in example.occlusionPrecisions {
      let limit = precision == .double ? 2e-6 : 1e-4
      let network = try Network(graph, configuration: .init(precision: precision))
      // The windows of the reference are the defaults: 4 by 2 of 28 and 32 pixels, 16 by 8 of 224.
      let found = try Occlusion().explain(
        network, at: Inputs(x, for: network), target: .index(example.target), context: Context()
      ).attribution.tensor
      #expect(found.shape == x.shape)
      for channel in 0..<x.shape[1] {
        let map = try found.select(axis: 1, index: channel)
        #expect(try relativeDistance(map, expected) < limit)
      }
    }
  }
}
