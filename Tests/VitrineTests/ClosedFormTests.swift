import Testing
import Vitrine
import VitrineTestSupport

/// Networks of the runtime whose attributions are known in closed form; x' is zero throughout.
@Suite("Attributions that are known in closed form")
struct ClosedFormTests {
  /// Returns a network of two inputs: score = v · max(Wx + b, 0) + c.
  private func rectifier(
    _ weights: [Float], _ bias: [Float], _ effects: [Float], _ constant: Float = 0
  ) throws -> Network {
    let units = effects.count
    let nodes = [
      Graph.Node(
        name: "hidden", kind: "Gemm", inputs: ["x", "W", "b"], outputs: ["hidden"],
        attributes: ["transB": .integer(1)]),
      Graph.Node(name: "relu", kind: "Relu", inputs: ["hidden"], outputs: ["relu"]),
      Graph.Node(
        name: "score", kind: "Gemm", inputs: ["relu", "v", "c"], outputs: ["score"],
        attributes: ["transB": .integer(1)]),
    ]
    return try network(
      nodes,
      [
        "W": Tensor(weights, shape: [units, 2]), "b": Tensor(bias, shape: [units]),
        "v": Tensor(effects, shape: [1, units]), "c": Tensor([constant], shape: [1]),
      ])
  }

  private func network(_ nodes: [Graph.Node], _ constants: [String: Tensor]) throws -> Network {
    try Network(
      Graph(
        opset: 17,
        inputs: [
          Graph.Port(name: "x", dataType: .float32, dimensions: [.dynamic("batch"), .fixed(2)])
        ],
        outputs: [Graph.Port(name: "score", dataType: .float32, dimensions: nil)], nodes: nodes,
        constants: constants),
      configuration: .init(precision: .double))
  }

  /// Compares the two numbers of a method at one point.
  private func expect(
    _ explainer: any Explainer, _ network: Network, at x: [Double], _ expected: [Double],
    within tolerance: Double = 1e-15, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let found = try explainer.explain(
      network, at: Inputs(Tensor(x, shape: [1, 2]), for: network), target: .index(0),
      context: Context()
    ).attribution.tensor.converted(to: .float64).elements(of: Double.self)
    #expect(
      zip(found, expected).allSatisfy { ($0 - $1).magnitude <= tolerance },
      "expected \(expected), found \(found)", sourceLocation: sourceLocation)
  }

  @Test("of a rectifier that is on for the last part of the path: that part of each input")
  func partOfThePath() throws {
    // F = max(x + y − 1, 0) at (3, 1) is on from α = 1/4: A = 3/4 (3, 1), and F = 3.
    let network = try rectifier([1, 1], [-1], [1])
    // Four steps have an edge at 1/4, so the middles are exact.
    try expect(IntegratedGradients(steps: 4, rule: .middle), network, at: [3, 1], [2.25, 0.75])
    // Without the factor x − x': how long it is on.
    try expect(
      IntegratedGradients(steps: 4, rule: .middle, multiplyByInputs: false), network, at: [3, 1],
      [0.75, 0.75])
    // The quadrature of the defaults does not know where the kink is: one of 50 points, at most.
    try expect(IntegratedGradients(), network, at: [3, 1], [2.25, 0.75], within: 3.0 / 50)
    try expect(GradientMagnitude(), network, at: [3, 1], [1, 1])
    // Without x nothing is left of 3, and without y 2.
    try expect(Occlusion(), network, at: [3, 1], [3, 1])
  }

  @Test("of the smaller of two numbers: all to the smaller one")
  func minimum() throws {
    // min(x, y) = x − max(x − y, 0), and x = max(x, 0) for the point examined.
    let network = try rectifier([1, 0, 1, -1], [0, 0], [1, -1])
    try expect(IntegratedGradients(), network, at: [1, 3], [1, 0])
    try expect(IntegratedGradients(), network, at: [3, 1], [0, 1])
    // With either covered, the smaller one is zero.
    try expect(Occlusion(), network, at: [1, 3], [1, 1])
  }

  @Test("sensitivity: where the score saturates, the path sees what the gradient does not")
  func saturation() throws {
    // F = 1 − max(1 − x, 0) at 2, the example of Sundararajan, Taly, Yan (2017), §2.1; y is not used.
    let network = try rectifier([-1, 0], [1], [-1], 1)
    try expect(IntegratedGradients(steps: 2, rule: .middle), network, at: [2, 5], [1, 0])
    try expect(Occlusion(), network, at: [2, 5], [1, 0])
    try expect(GradientMagnitude(), network, at: [2, 5], [0, 0])
    try expect(InputJacobian(timing: false), network, at: [2, 5], [0, 0])
    try expect(GuidedBackpropagation(), network, at: [2, 5], [0, 0])
  }

  @Test("implementation invariance: units split, scaled and permuted change nothing")
  func implementations() throws {
    // F = max(x − 1, 0) − max(y, 0), and the same with units in another order and the first in two parts
    // of different scale.
    let one = try rectifier([1, 0, 0, 1], [-1, 0], [1, -1])
    let split = try rectifier([0, 1, 1, 0, 2, 0], [0, -1, -2], [-1, 0.5, 0.25])
    for steps in [3, 6, 50] {
      let method = try IntegratedGradients(steps: steps, rule: .middle)
      let x = try Tensor([3, 1] as [Double], shape: [1, 2])
      let results = try [one, split].map { network in
        try method.explain(
          network, at: Inputs(x, for: network), target: .index(0), context: Context()
        ).attribution.tensor
      }
      #expect(try relativeDistance(results[0], results[1]) < 1e-15)
    }
    // On from α = 1/3: 3 · 2/3 for x, and all of −1 for y.
    try expect(IntegratedGradients(steps: 3, rule: .middle), one, at: [3, 1], [2, -1])
    try expect(IntegratedGradients(steps: 3, rule: .middle), split, at: [3, 1], [2, -1])
  }

  @Test("of a product: half to each factor, all of it when either is covered")
  func product() throws {
    let x = Graph.Node(
      name: "first", kind: "Gather", inputs: ["x", "zero"], outputs: ["first"],
      attributes: ["axis": .integer(1)])
    let y = Graph.Node(
      name: "second", kind: "Gather", inputs: ["x", "one"], outputs: ["second"],
      attributes: ["axis": .integer(1)])
    let product = Graph.Node(
      name: "score", kind: "Mul", inputs: ["first", "second"], outputs: ["score"])
    let network = try network(
      [x, y, product], ["zero": Tensor([0] as [Int64]), "one": Tensor([1] as [Int64])])
    // Quadratic: the gradient is linear along the path, and any symmetric rule is exact.
    for rule in [IntegratedGradients.Rule.gaussLegendre, .middle, .trapezoid] {
      try expect(
        IntegratedGradients(rule: rule), network, at: [3, -4], [-6, -6], within: 1e-14)
    }
    try expect(Occlusion(), network, at: [3, -4], [-12, -12])
    try expect(InputJacobian(timing: false), network, at: [3, -4], [-4, 3])
  }
}
