import Synchronization
import Testing
import VitrineCore
import VitrineTensor

@Suite("Gradients along a path")
struct PathGradientsTests {
  private let x: Inputs
  private let start: Inputs
  private let objective = Objective(.output("y"), .elements([0, 1]))

  init() throws {
    x = Inputs([("x", try Tensor([1, -2, 0.5, 3] as [Double], shape: [2, 2]))])
    start = Inputs([("x", try Tensor([0, 1, 2, 0] as [Double], shape: [2, 2]))])
  }

  private func points(_ count: Int) -> [PathPoint] {
    (0..<count).map { PathPoint(fraction: Double($0) / 7, weight: 0.25 + Double($0)) }
  }

  private func sum(
    _ model: CountingModel, _ count: Int, memoryLimit: Int = 1 << 30
  ) throws -> Tensor {
    try model.pathGradients(
      of: objective, from: start, to: x, at: points(count), withRespectTo: [.input("x")],
      context: Context(memoryLimit: memoryLimit))[0]
  }

  @Test("the sum is that of the closed form, each sample with its own element")
  func closedForm() throws {
    let found = try sum(CountingModel(), 3).elements(of: Double.self)
    // F_k = Σ_i W_ki x_i²: the gradient at a point is 2 W_ki times the point.
    var expected = [0.0, 0, 0, 0]
    for j in 0..<4 {
      let (a, b): (Double, Double) = ([0, 1, 2, 0][j], [1, -2, 0.5, 3][j])
      let weight = QuadraticModel.weights[j / 2][j % 2]
      for point in points(3) {
        let place: Double = a + point.fraction * (b - a)
        expected[j] += point.weight * 2 * weight * place
      }
    }
    for (found, expected) in zip(found, expected) { #expect(abs(found - expected) < 1e-14) }
  }

  @Test("calls hold at most 16 rows, fewer where memory is short, and the bits are the same")
  func chunks() throws {
    let free = CountingModel()
    let result = try sum(free, 40)
    #expect(free.batchSizes == [16, 16, 16, 16, 16])
    // Three rows of 2 float64 numbers, with 32 times as much for the model.
    let tight = CountingModel()
    #expect(try sum(tight, 40, memoryLimit: 3 * 16 * 32) == result)
    #expect(tight.batchSizes.max() == 3 && tight.batchSizes.reduce(0, +) == 80)
    let single = CountingModel()
    #expect(try sum(single, 40, memoryLimit: 0) == result)
    #expect(single.batchSizes.max() == 1)
  }

  @Test("a model that takes no batches gets its inputs as they come, once for each point")
  func fixedBatch() throws {
    let model = CountingModel(takesBatches: false)
    #expect(try sum(model, 5) == sum(CountingModel(), 5))
    #expect(model.batchSizes == [2, 2, 2, 2, 2])
  }

  @Test("points are in the type of the baselines, and end exactly at the input")
  func ends() throws {
    let model = CountingModel()
    let end = try model.pathGradients(
      of: objective, from: start, to: x, at: [PathPoint(fraction: 1, weight: 1)],
      withRespectTo: [.input("x")], context: Context())[0]
    let gradient = try model.gradients(
      of: objective, withRespectTo: [.input("x")], at: x, rules: .gradient)
    #expect(end == gradient.tensors[0])
  }

  @Test("a baseline that does not fit is refused")
  func mismatch() throws {
    let wrong = Inputs([("x", Tensor(zeros: try Shape([1, 2]), .float64))])
    #expect(
      throws: CoreError.shapeMismatch(
        what: "baseline of input 'x'", expected: [2, 2], found: [1, 2])
    ) {
      try CountingModel().pathGradients(
        of: objective, from: wrong, to: x, at: points(1), withRespectTo: [.input("x")],
        context: Context())
    }
    #expect(throws: CoreError.targetCount(expected: 2, found: 3)) {
      try CountingModel().pathGradients(
        of: Objective(.output("y"), .elements([0, 1, 2])), from: start, to: x, at: points(1),
        withRespectTo: [.input("x")], context: Context())
    }
  }

  @Test("progress counts to the end, and a cancelled run stops")
  func progress() throws {
    let reports = Mutex<[Progress]>([])
    _ = try CountingModel().pathGradients(
      of: objective, from: start, to: x, at: points(20), withRespectTo: [.input("x")],
      context: Context(onProgress: { report in reports.withLock { $0.append(report) } }))
    #expect(reports.withLock { $0.map(\.done) } == [16, 32, 40])
    let cancellation = Cancellation()
    cancellation.cancel()
    #expect(throws: CoreError.cancelled) {
      try CountingModel().pathGradients(
        of: objective, from: start, to: x, at: points(1), withRespectTo: [.input("x")],
        context: Context(cancellation: cancellation))
    }
  }
}
