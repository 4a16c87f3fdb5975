import Synchronization
import Testing
import VitrineCore
import VitrineTensor

@Suite("Gradient ascent")
struct GradientAscentTests {
  private let x: Inputs
  private let objective = Objective(.output("y"), .elements([0, 1]))

  init() throws {
    x = Inputs([("x", try Tensor([1, -2, 0.5, 3] as [Double], shape: [2, 2]))])
  }

  private func ascend(
    _ model: some Differentiable, from start: Inputs? = nil, step: AscentStep, count: Int,
    context: Context = Context()
  ) throws -> AscentResult {
    try model.ascend(
      objective, from: start ?? x, at: start ?? x, by: step, count: count, context: context)
  }

  @Test("steps are those of the closed form, each sample with its own gradient and length")
  func closedForm() throws {
    let result = try ascend(
      QuadraticModel(), step: AscentStep(length: 0.5, decay: 0.1), count: 3)
    for n in 0..<2 {
      var place = [[1, -2], [0.5, 3]][n]
      for step in 0..<3 {
        let weights = QuadraticModel.weights[n]
        let value = weights[0] * place[0] * place[0] + weights[1] * place[1] * place[1]
        #expect(abs(result.values[step][n] - value) < 1e-12)
        let gradient = [2 * weights[0] * place[0], 2 * weights[1] * place[1]]
        let rms = ((gradient[0] * gradient[0] + gradient[1] * gradient[1]) / 2).squareRoot()
        for i in 0..<2 { place[i] = 0.9 * (place[i] + 0.5 * gradient[i] / (rms + 1e-8)) }
      }
      let found = try result.positions[0].elements(of: Double.self)
      for i in 0..<2 { #expect(abs(found[2 * n + i] - place[i]) < 1e-14) }
    }
    #expect(result.values.count == 3 && result.dataType == .float64)
  }

  @Test("taken in two parts, an ascent is the same")
  func parts() throws {
    let step = AscentStep(length: 0.3)
    let whole = try ascend(QuadraticModel(), step: step, count: 5)
    let first = try ascend(QuadraticModel(), step: step, count: 2)
    let second = try ascend(
      QuadraticModel(), from: Inputs([("x", first.positions[0])]), step: step, count: 3)
    #expect(second.positions[0] == whole.positions[0])
    #expect(first.values + second.values == whole.values)
    #expect(try ascend(QuadraticModel(), step: step, count: 0).positions[0] == x["x"])
  }

  @Test("it ends before a step for which a sample has no gradient")
  func vanishing() throws {
    // The gradient of the first sample is zero at the origin; the second one would move.
    let start = Inputs([("x", try Tensor([0, 0, 0.5, 3] as [Double], shape: [2, 2]))])
    let result = try ascend(
      QuadraticModel(), from: start, step: AscentStep(length: 1), count: 4)
    #expect(result.values.isEmpty && result.dataType == nil)
    #expect(result.positions[0] == start["x"])
  }

  @Test("samples move alike whatever axis counts them, and all is one sample where none does")
  func axes() throws {
    var generator = RandomGenerator(seed: 1)
    let shape = try Shape([3, 2, 11])
    let position = try generator.normalTensor(shape, .float64)
    let direction = try generator.normalTensor(shape)
    let step = AscentStep(length: 2, decay: 0.25)
    for axis in 0..<3 {
      let moved = try step.moved(position, along: direction, batchAxis: axis)
      for n in 0..<position.shape[axis] {
        let alone = try step.moved(
          position.select(axis: axis, index: n), along: direction.select(axis: axis, index: n),
          batchAxis: nil)
        #expect(try moved.select(axis: axis, index: n) == alone)
      }
    }
    let moved = try step.moved(position, along: direction, batchAxis: nil)
    let move = try moved.scaled(by: 1 / 0.75).subtracting(position).elements(of: Double.self)
    #expect(abs(move.reduce(0) { $0 + $1 * $1 } / 66 - 4) < 1e-6)
  }

  @Test("positions that do not fit, and objectives that are not numbers, are errors")
  func errors() throws {
    let wrong = Inputs([("x", Tensor(zeros: try Shape([2, 3]), .float64))])
    #expect(
      throws: CoreError.shapeMismatch(
        what: "start of input 'x'", expected: [2, 2], found: [2, 3])
    ) {
      try QuadraticModel().ascend(
        objective, from: wrong, at: x, by: AscentStep(length: 1), count: 1, context: Context())
    }
    #expect(throws: CoreError.inputCount(expected: ["x"], found: 1)) {
      try QuadraticModel().ascend(
        objective, from: Inputs([("z", wrong.tensors[0].value)]), at: x,
        by: AscentStep(length: 1), count: 1, context: Context())
    }
    #expect(throws: CoreError.notFinite("the objective at output 'y'")) {
      try ascend(QuadraticModel(), step: AscentStep(length: 1e200), count: 3)
    }
    // A model whose gradient has a sample too many.
    #expect(throws: CoreError.self) {
      try ascend(QuadraticModel(brokenRow: 0), step: AscentStep(length: 1), count: 1)
    }
  }

  @Test("progress counts the steps, also as a part of a whole, and a cancelled run stops")
  func progress() throws {
    let reports = Mutex<[Progress]>([])
    let context = Context(onProgress: { report in reports.withLock { $0.append(report) } })
    _ = try ascend(
      QuadraticModel(), step: AscentStep(length: 1), count: 2,
      context: context.part(after: 5, of: 10).part(after: 1, of: 3))
    #expect(
      reports.withLock(\.self)
        == [7, 8].map { Progress(done: $0, total: 10, unit: "steps") })
    let cancellation = Cancellation()
    cancellation.cancel()
    #expect(throws: CoreError.cancelled) {
      try ascend(
        QuadraticModel(), step: AscentStep(length: 1), count: 1,
        context: Context(cancellation: cancellation).part(after: 0, of: 1))
    }
  }
}
