import Synchronization
import Testing
import VitrineCore
import VitrineTensor

@Suite("Mean and variance of gradients")
struct GradientMomentsTests {
  private let x: Inputs
  private let objective = Objective(.output("y"), .elements([0, 1]))

  init() throws {
    x = Inputs([("x", try Tensor([1, -2, 0.5, 3] as [Double], shape: [2, 2]))])
  }

  /// Adds 0, 1, 4, 9… to every element.
  private func moved(_ index: Int, _ inputs: Inputs) throws -> Inputs {
    guard let x = inputs["x"] else { return inputs }
    return inputs.replacing("x", with: try x.adding(Double(index * index)))
  }

  private func moments(
    _ model: CountingModel, _ count: Int, memoryLimit: Int = 1 << 30
  ) throws -> GradientMoments {
    try model.gradientMoments(
      of: objective, withRespectTo: [.input("x")], at: x, variants: count,
      context: Context(memoryLimit: memoryLimit)
    ) { index, _, inputs in try moved(index, inputs) }
  }

  @Test("they are those of the closed form, each sample with its own element")
  func closedForm() throws {
    let found = try moments(CountingModel(), 5)
    // F_k = Σ_i W_ki x_i²: the gradient is 2 W_ki times the moved x.
    for j in 0..<4 {
      let weight = 2 * QuadraticModel.weights[j / 2][j % 2]
      let gradients = (0..<5).map { weight * ([1, -2, 0.5, 3][j] + Double($0 * $0)) }
      let mean = gradients.reduce(0, +) / 5
      let variance = gradients.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
      #expect(abs(try found.means[0].elements(of: Double.self)[j] - mean) < 1e-12)
      #expect(abs(try found.variances[0].elements(of: Double.self)[j] - variance) < 1e-11)
    }
  }

  @Test("calls hold at most 16 rows, fewer where memory is short, and the bits are the same")
  func chunks() throws {
    let free = CountingModel()
    let result = try moments(free, 20)
    #expect(free.batchSizes == [16, 16, 8])
    for rows in [1, 3, 7] {
      let tight = CountingModel()
      let other = try moments(tight, 20, memoryLimit: rows * 16 * 32)
      #expect(other.means == result.means && other.variances == result.variances)
      #expect(tight.batchSizes.max() == rows && tight.batchSizes.reduce(0, +) == 40)
    }
  }

  @Test("a model that takes no batches gets its inputs as they come, once for each variant")
  func fixedBatch() throws {
    let model = CountingModel(takesBatches: false)
    let found = try moments(model, 5)
    let expected = try moments(CountingModel(), 5)
    #expect(found.means == expected.means && found.variances == expected.variances)
    #expect(model.batchSizes == [2, 2, 2, 2, 2])
  }

  @Test("variants are made in order: all samples of one, then those of the next")
  func order() throws {
    var calls: [String] = []
    _ = try CountingModel().gradientMoments(
      of: objective, withRespectTo: [.input("x")], at: x, variants: 3, context: Context()
    ) { index, samples, inputs in
      calls.append("\(index) of \(samples)")
      return inputs
    }
    #expect(
      calls == ["0 of 0..<1", "0 of 1..<2", "1 of 0..<1", "1 of 1..<2", "2 of 0..<1", "2 of 1..<2"])
  }

  @Test("progress counts to the end, and a cancelled run stops")
  func progress() throws {
    let reports = Mutex<[Int]>([])
    _ = try CountingModel().gradientMoments(
      of: objective, withRespectTo: [.input("x")], at: x, variants: 10,
      context: Context(onProgress: { report in reports.withLock { $0.append(report.done) } })
    ) { _, _, inputs in inputs }
    #expect(reports.withLock(\.self) == [16, 20])
    let cancellation = Cancellation()
    cancellation.cancel()
    #expect(throws: CoreError.cancelled) {
      try CountingModel().gradientMoments(
        of: objective, withRespectTo: [.input("x")], at: x, variants: 1,
        context: Context(cancellation: cancellation)
      ) { _, _, inputs in inputs }
    }
  }
}
