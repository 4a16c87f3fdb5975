import Synchronization
import Testing
import VitrineCore
import VitrineTensor

@Suite("The default Jacobian")
struct DefaultJacobianTests {
  private let inputs = Inputs([
    ("x", (try? Tensor([1, 2, -3, 0.5] as [Double], shape: [2, 2])) ?? Tensor([] as [Double]))
  ])

  private func jacobian(
    _ model: QuadraticModel = QuadraticModel(), elements: [Int]? = nil, context: Context = Context()
  ) throws -> Jacobian {
    try model.jacobian(
      of: .output("y"), elements: elements, withRespectTo: [.input("x")], at: inputs,
      rules: .gradient, context: context)
  }

  @Test("rows are 2 W_ki x_i for every sample, samples outermost")
  func closedForm() throws {
    let result = try jacobian()
    #expect(result.tensors[0].shape.dimensions == [2, 3, 2])
    #expect(
      try result.tensors[0].elements(of: Double.self) == [2, 8, -6, 2, 0, 4, -6, 2, 18, 0.5, 0, 1])
    #expect(result.values.shape.dimensions == [2, 3])
    #expect(
      try result.values.elements(of: Double.self) == [9, -1, 4, 9.5, -26.875, 0.25])
  }

  @Test("some elements give their rows, in the order asked for")
  func someElements() throws {
    let result = try jacobian(elements: [2, 0])
    #expect(try result.tensors[0].elements(of: Double.self) == [0, 4, 2, 8, 0, 1, -6, 2])
    #expect(try result.values.elements(of: Double.self) == [4, 9, 0.25, 9.5])
    #expect(try jacobian(elements: []).values.shape.dimensions == [2, 0])
  }

  @Test("an element outside the output is an error")
  func outOfRange() {
    #expect(throws: CoreError.elementOutOfRange(element: 3, count: 3, site: "y")) {
      try jacobian(elements: [3])
    }
  }

  @Test("a model whose rows differ in shape is refused before their bytes are copied")
  func brokenModel() {
    for row in 0..<3 {
      #expect(throws: CoreError.self) { try jacobian(QuadraticModel(brokenRow: row)) }
    }
  }

  @Test("progress counts rows, and a cancelled run stops")
  func progressAndCancellation() throws {
    let done = Mutex<[Progress]>([])
    _ = try jacobian(
      context: Context(onProgress: { progress in done.withLock { $0.append(progress) } }))
    #expect(
      done.withLock { $0 } == (1...3).map { Progress(done: $0, total: 3, unit: "outputs") })

    let cancellation = Cancellation()
    cancellation.cancel()
    #expect(throws: CoreError.cancelled) {
      try jacobian(context: Context(cancellation: cancellation))
    }
  }
}
