import Testing
import VitrineCore
import VitrineTensor

@Suite("Scores of variants")
struct VariantsTests {
  private let x: Inputs
  private let objective = Objective(.output("y"), .elements([0, 1]))

  init() throws {
    x = Inputs([("x", try Tensor([1, -2, 0.5, 3] as [Double], shape: [2, 2]))])
  }

  /// Variant k adds k to every element.
  private func scores(
    _ model: CountingModel, _ count: Int, memoryLimit: Int = 1 << 30
  ) throws -> [[Double]] {
    try model.scores(
      of: objective, at: x, variants: count, context: Context(memoryLimit: memoryLimit)
    ) { index, samples, inputs in
      let tensor = try #require(inputs["x"])
      #expect(tensor.shape[0] == samples.count)
      return inputs.replacing("x", with: try tensor.adding(Double(index)))
    }
  }

  @Test("each sample has its own row, in the order of the variants")
  func closedForm() throws {
    let found = try scores(CountingModel(), 3)
    for k in 0..<3 {
      let d = Double(k)
      #expect(found[0][k] == (1 + d) * (1 + d) + 2 * (d - 2) * (d - 2))
      #expect(found[1][k] == -3 * (0.5 + d) * (0.5 + d) + 0.5 * (3 + d) * (3 + d))
    }
  }

  @Test("how variants are cut into calls changes nothing")
  func chunks() throws {
    let free = CountingModel()
    let result = try scores(free, 20)
    #expect(free.batchSizes == [16, 4, 16, 4])
    let tight = CountingModel()
    #expect(try scores(tight, 20, memoryLimit: 3 * 16 * 32) == result)
    #expect(tight.batchSizes.max() == 3)
    let fixed = CountingModel(takesBatches: false)
    #expect(try scores(fixed, 20) == result)
    #expect(fixed.batchSizes == Array(repeating: 2, count: 20))
  }

  @Test("an objective for another number of samples is refused")
  func mismatch() {
    #expect(throws: CoreError.targetCount(expected: 2, found: 3)) {
      try CountingModel().scores(
        of: Objective(.output("y"), .elements([0, 1, 2])), at: x, variants: 1, context: Context()
      ) { $2 }
    }
  }

  @Test("a cancelled run stops before the model is called")
  func cancellation() {
    let cancellation = Cancellation()
    cancellation.cancel()
    let model = CountingModel()
    #expect(throws: CoreError.cancelled) {
      try model.scores(
        of: objective, at: x, variants: 1, context: Context(cancellation: cancellation)
      ) { $2 }
    }
    #expect(model.batchSizes == [])
  }
}
