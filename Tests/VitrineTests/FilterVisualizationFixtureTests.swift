import Testing
import Vitrine
import VitrineTestSupport

@Suite("Filter visualisation of trained networks", .enabled(if: Fixtures.areAvailable))
struct FilterVisualizationFixtureTests {
  @Test(
    "agrees with the float64 reference at every stage, and so does the objective",
    arguments: [
      ("captum_cifar_cnn", "cat_0000", "/conv2/Conv_output_0", 1, 0.1),
      ("lenet_mnist", "digit7_t10k_00000", "/Relu_1_output_0", 8, 0.1),
    ])
  func reference(
    _ name: String, _ sample: String, _ layer: String, _ channel: Int, _ rate: Double
  ) throws {
    let folder = "golden/\(name)/\(sample)/"
    let start = try Fixtures.tensor(folder + "filtervis_start.npy")
    for (precision, limit) in [(Network.Precision.double, 2e-6), (.single, 1e-4)] {
      let network = try Network(
        ONNX.graph(contentsOf: Fixtures.path("models/\(name).onnx")),
        configuration: Network.Configuration(precision: precision))
      for (steps, array) in [(1, "after1"), (5, "after5"), (10, "after10"), (30, "result")] {
        let result = try FilterVisualization(
          layer: layer, channels: [channel],
          schedule: FilterVisualization.Schedule(steps: steps, learningRate: rate)
        ).explain(
          network, at: Inputs(start, for: network), target: .top, context: Context())
        let expected = try Fixtures.tensor(folder + "filtervis_\(array).npy")
        #expect(try relativeDistance(result.attribution.tensor, expected) < limit)
        guard steps == 30,
          case .numbers(let objective)? = result.diagnostics.first(where: {
            $0.name == "objective"
          })?.value
        else { continue }
        #expect(objective.count == 31)
        let values = try Tensor(objective, shape: [31])
        let reference = try Fixtures.tensor(folder + "filtervis_objective.npy")
        #expect(try relativeDistance(values, reference) < limit)
      }
    }
  }
}
