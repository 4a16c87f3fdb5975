import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Jacobian")
struct InputJacobianTests {
  private func explain(
    _ model: any Model, _ tensor: Tensor, target: Target = .top, _ options: [String: String] = [:],
    context: Context = Context()
  ) throws -> Explanation {
    try InputJacobian(options).explain(
      model, at: Inputs(tensor, for: model), target: target, context: context)
  }

  private func number(_ name: String, in explanation: Explanation) -> Double? {
    guard
      case .number(let value)? = explanation.diagnostics.first(where: { $0.name == name })?.value
    else { return nil }
    return value
  }

  @Test("of a linear model it is the weights, for every sample")
  func linear() throws {
    let weights: [Float] = [0.5, -1, 2, 0, 1.5, 0.25, -0.75, 1, -2, 0.5, 1, -1]
    let result = try explain(AnalyticModel.linear, .random([2, 4], seed: 4))
    #expect(result.attribution.tensor.shape.dimensions == [2, 3, 4])
    #expect(try result.attribution.tensor.elements(of: Float.self) == weights + weights)
    #expect(result.attribution.axes == [.batch, .output, .feature])
    #expect(result.explained.elements == [])
  }

  @Test("values are those of every output")
  func values() throws {
    let x = try Tensor([1, -0.5, 2, 0] as [Double], shape: [1, 4])
    let result = try explain(AnalyticModel.quadratic, x)
    #expect(result.explained.values == [-10.5, 3.125])
    #expect(
      try result.attribution.tensor.elements(of: Double.self)
        == [2, -2, -12, 0, -2, -0.5, 4, 0])
  }

  @Test("of an image model it agrees with central differences, row by row")
  func image() throws {
    let model = AnalyticModel.image
    let tensor = try Tensor.random([2, 2, 5, 4], seed: 9, .float64)
    let result = try explain(model, tensor)
    #expect(result.attribution.axes == [.batch, .output, .channel, .height, .width])
    #expect(result.attribution.tensor.shape.dimensions == [2, 2, 2, 5, 4])
    let rows = try result.attribution.tensor.elements(of: Double.self)
    for k in 0..<2 {
      let differences = try model.centralDifferences(
        of: Objective(.output("output"), .elements([k])), withRespectTo: "input",
        at: Inputs(tensor, for: model))
      let row = Array(rows[40 * k..<40 * (k + 1)] + rows[80 + 40 * k..<80 + 40 * (k + 1)])
      // Piecewise linear: only rounding is left, 1e-16 / 1e-5.
      try #expect(relativeDistance(Tensor(row, shape: [2, 2, 5, 4]), differences) < 1e-9)
    }
  }

  @Test("rows are of the logits unless probabilities are asked for, whose rows sum to zero")
  func scores() throws {
    let tensor = try Tensor.random([1, 4], seed: 2, .float64)
    let logits = try explain(AnalyticModel.classifier, tensor)
    #expect(logits.explained.site == .layer("logits") && logits.explained.skippedSoftmax)
    let shares = try explain(
      AnalyticModel.classifier, tensor, target: Target(.top, score: .probability))
    #expect(shares.explained.site == .output("output"))
    let rows = try shares.attribution.tensor.elements(of: Double.self)
    for i in 0..<4 { #expect(abs(rows[i] + rows[4 + i] + rows[8 + i]) < 1e-15) }
  }

  @Test("some outputs, or the one of the target, give their rows alone")
  func someRows() throws {
    let tensor = try Tensor.random([1, 4], seed: 2)
    let some = try explain(AnalyticModel.linear, tensor, ["outputs": "2,0"])
    #expect(
      try some.attribution.tensor.elements(of: Float.self) == [-2, 0.5, 1, -1, 0.5, -1, 2, 0])
    #expect(
      some.diagnostics.contains { $0.name == "outputs" && $0.value == .numbers([2, 0]) })
    let one = try explain(AnalyticModel.linear, tensor, target: .index(1))
    #expect(one.attribution.tensor.shape.dimensions == [1, 1, 4])
    #expect(try one.attribution.tensor.elements(of: Float.self) == [1.5, 0.25, -0.75, 1])
    #expect(one.explained.elements == [1])
  }

  @Test("rows that do not exist, or are chosen twice or by sample, are errors")
  func wrongRows() throws {
    let tensor = try Tensor.random([2, 4], seed: 2)
    let model = AnalyticModel.linear
    #expect(throws: CoreError.elementOutOfRange(element: 3, count: 3, site: "output")) {
      try explain(model, tensor, ["outputs": "0,3"])
    }
    #expect(throws: CoreError.elementOutOfRange(element: -1, count: 3, site: "output")) {
      try explain(model, tensor, target: .index(-1))
    }
    #expect(throws: CoreError.self) {
      try explain(model, tensor, target: .index(0), ["outputs": "0"])
    }
    for choice in [Target.Choice.perSample([0, 1]), .weighted([(0, 1)])] {
      #expect(throws: CoreError.self) { try explain(model, tensor, target: Target(choice)) }
    }
  }

  @Test("forward mode is refused by a model without it, and auto does without")
  func noForwardMode() throws {
    let tensor = try Tensor.random([1, 4], seed: 2)
    #expect(
      throws: CoreError.notApplicable(
        "mode=forward: this model has no forward mode; use mode=reverse")
    ) { try explain(AnalyticModel.linear, tensor, ["mode": "forward"]) }
    let wide = AnalyticModel(
      dimensions: [1], axes: [.feature],
      functions: [.affine("logits", weights: [[1], [2], [3]], bias: [0, 0, 0])])
    let result = try explain(wide, try Tensor.random([1, 1], seed: 2))
    #expect(result.diagnostics.contains { $0.name == "mode" && $0.value == .text("reverse") })
  }

  @Test("forward mode gives the Jacobian of reverse mode, and auto takes it for few inputs")
  func forwardMode() throws {
    let network = try Network(
      Graph(
        opset: 17,
        inputs: [
          Graph.Port(name: "x", dataType: .float32, dimensions: [.dynamic("N"), .fixed(2)])
        ],
        outputs: [
          Graph.Port(name: "y", dataType: .float32, dimensions: [.dynamic("N"), .fixed(3)])
        ],
        nodes: [
          Graph.Node(name: "dense", kind: "Gemm", inputs: ["x", "w", "b"], outputs: ["h"]),
          Graph.Node(name: "tanh", kind: "Tanh", inputs: ["h"], outputs: ["y"]),
        ],
        constants: [
          "w": try Tensor.random([2, 3], seed: 1), "b": try Tensor.random([3], seed: 2),
        ]), configuration: .init(precision: .double))
    let x = try Tensor.random([4, 2], seed: 3, .float64)
    let reverse = try explain(network, x, ["mode": "reverse"])
    for mode in ["forward", "auto"] {
      let forward = try explain(network, x, ["mode": mode])
      #expect(forward.diagnostics.contains { $0.name == "mode" && $0.value == .text("forward") })
      #expect(forward.attribution.tensor.shape.dimensions == [4, 3, 2])
      #expect(
        try relativeDistance(forward.attribution.tensor, reverse.attribution.tensor) < 1e-14)
      #expect(forward.explained.values == reverse.explained.values)
    }
    let some = try explain(network, x, ["mode": "forward", "outputs": "2,0"])
    let rows = try explain(network, x, ["mode": "reverse", "outputs": "2,0"])
    #expect(try relativeDistance(some.attribution.tensor, rows.attribution.tensor) < 1e-14)
  }

  @Test("a result larger than the memory limit is refused before it is computed")
  func memoryLimit() throws {
    let tensor = try Tensor.random([1, 2, 5, 4], seed: 2)
    // 2 outputs × 40 elements × 4 bytes
    let model = AnalyticModel.image
    _ = try explain(model, tensor, context: Context(memoryLimit: 320))
    #expect(throws: CoreError.self) {
      try explain(model, tensor, context: Context(memoryLimit: 319))
    }
    _ = try explain(model, tensor, ["outputs": "1"], context: Context(memoryLimit: 160))
  }

  @Test("times are positive, and the naive estimate is one forward pass per input element")
  func timing() throws {
    let tensor = try Tensor.random([2, 2, 5, 4], seed: 2)
    let result = try explain(AnalyticModel.image, tensor)
    let forward = try #require(number("forward-seconds", in: result))
    let jacobian = try #require(number("jacobian-seconds", in: result))
    #expect(forward > 0 && jacobian > 0)
    #expect(number("jacobian-to-forward-ratio", in: result) == jacobian / forward)
    #expect(number("finite-difference-seconds", in: result) == 40 * forward)
    let untimed = try explain(AnalyticModel.image, tensor, ["timing": "false", "ranking": "0"])
    #expect(untimed.diagnostics.map(\.name) == ["mode"])
  }

  @Test("central differences give the same rows, and need no gradients")
  func finiteDifferences() throws {
    let tensor = try Tensor.random([2, 2, 5, 4], seed: 3, .float64)
    let exact = try explain(AnalyticModel.image, tensor)
    let differences = try explain(
      BlackBox(AnalyticModel.image), tensor, ["mode": "finite-difference"])
    #expect(differences.attribution.axes == exact.attribution.axes)
    #expect(differences.explained.values == exact.explained.values)
    // Piecewise linear: only rounding is left, 1e-16 / 1e-5.
    let distance = try relativeDistance(
      differences.attribution.tensor, exact.attribution.tensor)
    #expect(distance < 1e-9)
  }

  @Test("central differences of a quadratic model are exact, whatever the step")
  func step() throws {
    let x = try Tensor([1, -0.5, 2, 0] as [Double], shape: [1, 4])
    let result = try explain(
      AnalyticModel.quadratic, x, ["mode": "finite-difference", "epsilon": "0.25"])
    #expect(
      try result.attribution.tensor.elements(of: Double.self)
        == [2, -2, -12, 0, -2, -0.5, 4, 0])
  }

  @Test("the comparison with central differences finds agreement, and disagreement")
  func comparison() throws {
    let tensor = try Tensor.random([2, 2, 5, 4], seed: 6, .float64)
    let all = try explain(AnalyticModel.image, tensor, ["compare": "1000"])
    #expect(number("compared-elements", in: all) == 40)
    #expect(try #require(number("largest-difference", in: all)) < 1e-9)
    let some = try explain(AnalyticModel.image, tensor, ["compare": "7"])
    #expect(number("compared-elements", in: some) == 7)
    // A step across the rectifier's kinks makes the difference wrong, and the report says by how much.
    let coarse = try explain(AnalyticModel.image, tensor, ["compare": "1000", "epsilon": "5"])
    #expect(try #require(number("largest-relative-difference", in: coarse)) > 0.01)
  }

  @Test("the most and the least influential elements are ranked for each output")
  func ranking() throws {
    let result = try explain(
      AnalyticModel.linear, .random([1, 4], seed: 4), ["ranking": "2", "outputs": "0,2"])
    func texts(_ name: String) -> [String] {
      guard case .texts(let lines)? = result.diagnostics.first(where: { $0.name == name })?.value
      else { return [] }
      return lines
    }
    // Rows 0.5, -1, 2, 0 and -2, 0.5, 1, -1: equal strength keeps the order of the elements.
    #expect(
      texts("most-influential") == [
        "output 0: input[2] 2.0, input[1] -1.0", "output 2: input[0] -2.0, input[2] 1.0",
      ])
    #expect(
      texts("least-influential") == [
        "output 0: input[3] 0.0, input[0] 0.5", "output 2: input[1] 0.5, input[2] 1.0",
      ])
  }

  @Test("several inputs get one Jacobian each")
  func severalInputs() throws {
    let inputs = Inputs([
      ("a", try Tensor([1, 2, 3] as [Float], shape: [1, 3])),
      ("b", try Tensor([-1, 0.5, 4] as [Float], shape: [1, 3])),
      ("row", Tensor([1] as [Int64])),
    ])
    let result = try InputJacobian().explain(
      GatedModel(), at: inputs, target: .top, context: Context())
    #expect(result.attributions.map(\.name) == ["a", "b"])
    #expect(
      try result.attributions[1].tensor.elements(of: Float.self) == [1, -4, 1.5, 0.25, 6, -3])
    #expect(result.warnings.count == 1)
  }
}
