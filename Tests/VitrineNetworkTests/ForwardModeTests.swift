import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

@Suite("Forward mode")
struct ForwardModeTests {
  /// Convolutions, pooling, normalisations, branches and products of values that all depend on the input.
  private func mixed(batch: Int?) throws -> (graph: Graph, inner: String) {
    var g = GraphDraft()
    var x = try g.normalization(
      g.node("Relu", [try g.convolution("x", from: 2, to: 4, groups: 2)]), channels: 4)
    x = g.node("LRN", [x], ["size": .integer(3)])
    let left = g.pool("MaxPool", x, kernel: 3, stride: 1, pad: 1)
    let right = g.pool("AveragePool", x, kernel: 3, stride: 1, pad: 1)
    let joined = g.node("Concat", [left, right], ["axis": .integer(1)])
    let gated = g.node("Mul", [joined, g.node("Sigmoid", [joined])])
    let bent = g.node("PRelu", [gated, try g.weights([8, 1, 1])])
    let inner = g.node("Sub", [bent, g.node("ReduceMean", [bent], ["axes": .integers([2, 3])])])
    let rows = g.node("Reshape", [inner, g.integers([0, 8, 30])])
    let columns = g.node("Transpose", [rows], ["perm": .integers([0, 2, 1])])
    let similarities = g.node("Softmax", [g.node("MatMul", [rows, columns])])
    let mixed = g.node("MatMul", [similarities, rows])
    let largest = g.node("ReduceMax", [mixed], ["axes": .integers([2]), "keepdims": .integer(0)])
    let lengths = g.node("ReduceL2", [mixed], ["axes": .integers([2]), "keepdims": .integer(0)])
    let ratio = g.node(
      "Div", [largest, g.node("Add", [lengths, g.constant(Tensor(scalar: Float(1)))])])
    let output = g.node("LogSoftmax", [try g.dense(ratio, from: 8, to: 5)])
    return (g.graph(input: [batch, 2, 5, 6], output: output), inner)
  }

  private func unit(_ index: Int, _ input: Tensor) throws -> Tensor {
    let count = input.count / input.shape[0]
    let numbers = (0..<input.count).map { $0 % count == index ? 1.0 : 0 }
    return try Tensor(numbers, shape: input.shape.dimensions).converted(to: input.dataType)
  }

  /// Returns the Jacobian column by column, in the order of ``Differentiable/jacobian``'s.
  private func forward(
    _ network: Network, _ site: Site, at x: Tensor
  ) throws -> [Double] {
    let count = x.count / x.shape[0]
    let columns = try network.directionalDerivatives(
      of: site, along: (0..<count).map { Inputs([("x", try unit($0, x))]) },
      at: Inputs(x, for: network), context: Context()
    ).map { try $0.converted(to: .float64).elements(of: Double.self) }
    return columns[0].indices.flatMap { k in columns.map { $0[k] } }
  }

  private func compare(
    _ network: Network, _ site: Site, at x: Tensor, within tolerance: Double,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(network.forwardModeObstacle(to: site) == nil, sourceLocation: sourceLocation)
    let reverse = try network.jacobian(
      of: site, elements: nil, withRespectTo: [.input("x")], at: Inputs(x, for: network),
      rules: .gradient, context: Context())
    let expected = try reverse.tensors[0].converted(to: .float64).elements(of: Double.self)
    let found = try forward(network, site, at: x)
    let distance = try relativeDistance(Tensor(found), Tensor(expected))
    #expect(distance < tolerance, sourceLocation: sourceLocation)
  }

  @Test("it agrees with reverse mode, at outputs and inside, in both precisions")
  func agreesWithReverse() throws {
    let (graph, inner) = try mixed(batch: nil)
    let output = Site.output(graph.outputs[0].name)
    let x = try Tensor.random([2, 2, 5, 6], seed: 8, .float64)
    let exact = try Network(graph, configuration: .init(precision: .double))
    try compare(exact, output, at: x, within: 1e-12)
    try compare(exact, .layer(inner), at: x, within: 1e-12)
    try compare(try Network(graph), output, at: x.converted(to: .float32), within: 1e-4)
  }

  @Test("a file for one sample takes tangents of a batch, cut as the inputs are")
  func fixedBatch() throws {
    let graph = try mixed(batch: 1).graph
    let network = try Network(graph, configuration: .init(precision: .double))
    let x = try Tensor.random([3, 2, 5, 6], seed: 9, .float64)
    try compare(network, .output(graph.outputs[0].name), at: x, within: 1e-12)
  }

  @Test("the derivative along any direction is that of central differences")
  func direction() throws {
    let graph = try mixed(batch: nil).graph
    let site = Site.output(graph.outputs[0].name)
    let network = try Network(graph, configuration: .init(precision: .double))
    let x = try Tensor.random([1, 2, 5, 6], seed: 10, .float64)
    let t = try Tensor.random([1, 2, 5, 6], seed: 11, .float64)
    let found = try network.directionalDerivatives(
      of: site, along: [Inputs([("x", t)])], at: Inputs(x, for: network), context: Context())[0]
    let h = 1e-6
    let ends = try [h, -h].map {
      try network.evaluate(
        Inputs(x.adding(t.scaled(by: $0)), for: network), observing: [site])[0]
    }
    let expected = try ends[0].subtracting(ends[1]).divided(by: 2 * h)
    #expect(try relativeDistance(found, expected) < 1e-8)
  }

  @Test("an operator without forward mode is named before anything runs")
  func obstacle() throws {
    var g = GraphDraft()
    let bounded = g.node("Clip", ["x", g.node("ReduceMin", ["x"], ["keepdims": .integer(0)])])
    let network = try Network(g.graph(input: [nil, 4], output: bounded))
    let site = Site.output(bounded)
    let obstacle = try #require(network.forwardModeObstacle(to: site))
    #expect(obstacle.contains("'clip1'") && obstacle.contains("operator Clip and its input 1"))
    let x = try Inputs(Tensor.random([1, 4], seed: 1), for: network)
    #expect(throws: CoreError.notApplicable(obstacle + "; differentiate in reverse")) {
      try network.directionalDerivatives(of: site, along: [x], at: x, context: Context())
    }
  }

  @Test("tangents must have the shapes of the inputs, and a cancelled run stops")
  func errors() throws {
    let graph = try mixed(batch: nil).graph
    let network = try Network(graph)
    let site = Site.output(graph.outputs[0].name)
    let x = try Inputs(Tensor.random([1, 2, 5, 6], seed: 1), for: network)
    for wrong in [
      Inputs([("x", try Tensor.random([1, 2, 5], seed: 1))]),
      Inputs([("y", try Tensor.random([1, 2, 5, 6], seed: 1))]),
    ] {
      #expect(throws: NetworkError.self) {
        try network.directionalDerivatives(of: site, along: [wrong], at: x, context: Context())
      }
    }
    let cancellation = Cancellation()
    cancellation.cancel()
    #expect(throws: CoreError.cancelled) {
      try network.directionalDerivatives(
        of: site, along: [x, x], at: x, context: Context(cancellation: cancellation))
    }
  }
}
