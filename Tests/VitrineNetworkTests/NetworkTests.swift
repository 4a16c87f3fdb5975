import Dispatch
import Synchronization
import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

@Suite("Network") struct NetworkTests {
  /// A smooth network, so that central differences are exact to their own error.
  private func smooth(input: [Int?] = [nil, 2, 5, 5]) throws -> Graph {
    var g = GraphDraft()
    var x = g.node("Tanh", [try g.convolution("x", from: 2, to: 4)])
    x = g.pool("AveragePool", x, kernel: 2, stride: 2)
    x = g.node("Sigmoid", [try g.dense(g.node("Flatten", [x]), from: 16, to: 6)])
    let logits = try g.dense(x, from: 6, to: 3)
    let output = g.node("Softmax", [logits], ["axis": .integer(-1)])
    return g.graph(input: input, output: output)
  }

  @Test("float64 gradients agree with central differences")
  func centralDifferences() throws {
    let network = try Network(try smooth(), configuration: .init(precision: .double))
    let inputs = try Inputs(try Tensor.random([2, 2, 5, 5], seed: 3, .float64), for: network)
    for score in Score.allCases {
      let site = try #require(network.site(of: score, output: network.signature.outputs[0].name))
      let objective = Objective(site, .elements([2, 0]))
      let gradient = try network.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
      let differences = try network.centralDifferences(
        of: objective, withRespectTo: "x", at: inputs)
      #expect(try relativeDistance(gradient.tensors[0], differences) < 1e-8)
    }
  }

  @Test("the logit is explained where a softmax ends the graph")
  func scoreSites() throws {
    let network = try Network(try smooth())
    let output = network.signature.outputs[0].name
    #expect(network.site(of: .probability, output: output) == .output(output))
    #expect(network.site(of: .logit, output: output) == .layer("gemm6"))
  }

  @Test("a file exported for one sample takes a batch")
  func fixedBatch() throws {
    let free = try Network(try smooth())
    let fixed = try Network(try smooth(input: [1, 2, 5, 5]))
    let batch = try Tensor.random([3, 2, 5, 5], seed: 4)
    let output = Site.output(free.signature.outputs[0].name)
    #expect(
      try fixed.evaluate(Inputs(batch, for: fixed), observing: [output])
        == free.evaluate(Inputs(batch, for: free), observing: [output]))
  }

  @Test("a graph that bakes the batch into a shape is run sample by sample")
  func bakedBatch() throws {
    var g = GraphDraft()
    let flat = g.node("Reshape", ["x", g.integers([1, 12])])
    let output = try g.dense(flat, from: 12, to: 5)
    let graph = g.graph(input: [1, 3, 4], output: output)
    let network = try Network(graph)
    let batch = try Tensor.random([4, 3, 4], seed: 5)
    let inputs = try Inputs(batch, for: network)
    let site = Site.output(graph.outputs[0].name)
    let together = try network.evaluate(inputs, observing: [site])[0]
    #expect(together.shape.dimensions == [4, 5])
    let objective = Objective(site, .elements([0, 1, 2, 3]))
    let gradients = try network.gradients(
      of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
    for n in 0..<4 {
      let sample = try Inputs(batch.sliced(axis: 0, n..<n + 1), for: network)
      #expect(
        try network.evaluate(sample, observing: [site])[0] == together.sliced(axis: 0, n..<n + 1))
      let alone = try network.gradients(
        of: Objective(site, .elements([n])), withRespectTo: [.input("x")], at: sample,
        rules: .gradient)
      #expect(try alone.tensors[0] == gradients.tensors[0].sliced(axis: 0, n..<n + 1))
      #expect(alone.values == [gradients.values[n]])
    }
  }

  @Test("any number of callers get the same bits")
  func concurrentCallers() throws {
    let network = try Network(try smooth())
    let inputs = try Inputs(try Tensor.random([2, 2, 5, 5], seed: 6), for: network)
    let objective = Objective(.layer("gemm6"), .elements([1]))
    let expected = try network.gradients(
      of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient
    ).tensors[0]
    let matches = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 64) { _ in
      let found = try? network.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient
      ).tensors[0]
      if found == expected { matches.add(1, ordering: .relaxed) }
    }
    #expect(matches.load(ordering: .relaxed) == 64)
  }

  @Test("layers are found by node name and by tensor name")
  func siteNames() throws {
    var graph = try smooth()
    graph.nodes[0] = Graph.Node(
      name: "first/Conv", kind: "Conv", inputs: graph.nodes[0].inputs, outputs: ["conv0"],
      attributes: graph.nodes[0].attributes)
    let network = try Network(graph)
    let inputs = try Inputs(try Tensor.random([1, 2, 5, 5], seed: 6), for: network)
    let values = try network.evaluate(
      inputs, observing: [.layer("first/Conv"), .layer("conv0"), .layer("x")])
    #expect(values[0] == values[1])
    #expect(values[2] == inputs["x"])
    #expect(network.layers[0].name == "first/Conv")
    #expect(network.layers[0].aliases == ["conv0"])
    #expect(network.layers[0].dimensions == [1, 4, 5, 5])
    #expect(
      throws: NetworkError.unknownSite(name: "first/Cnov", suggestion: "first/Conv")
    ) { try network.evaluate(inputs, observing: [.layer("first/Cnov")]) }
  }

  @Test("inputs that do not fit are refused with both shapes")
  func wrongInputs() throws {
    let network = try Network(try smooth())
    let wrong = try Inputs(try Tensor.random([1, 3, 5, 5], seed: 1), for: network)
    #expect(
      throws: NetworkError.invalidInput(
        name: "x", expected: "shape [N, 2, 5, 5]", found: "[1, 3, 5, 5]")
    ) { try network.evaluate(wrong, observing: [.input("x")]) }
    let integers = try Inputs(
      Tensor(zeros: Shape([1, 2, 5, 5]), .int64), for: network)
    #expect(throws: NetworkError.self) {
      try network.evaluate(integers, observing: [.input("x")])
    }
  }

  @Test("an objective must depend on what it is differentiated with respect to")
  func independentSite() throws {
    let network = try Network(try smooth())
    let inputs = try Inputs(try Tensor.random([1, 2, 5, 5], seed: 1), for: network)
    #expect(throws: NetworkError.self) {
      try network.gradients(
        of: Objective(.layer("conv0"), .sum), withRespectTo: [.layer("gemm6")], at: inputs,
        rules: .gradient)
    }
  }

  @Test("a rule that cannot be applied is an error, not a plain gradient")
  func inapplicableRule() throws {
    let network = try Network(try smooth())
    let inputs = try Inputs(try Tensor.random([1, 2, 5, 5], seed: 1), for: network)
    let rules = BackwardRules([.init(.layer("tanh1"), .guided)])
    #expect(
      throws: NetworkError.ruleNotApplicable(rule: "guided", node: "tanh1", kind: "Tanh")
    ) {
      try network.gradients(
        of: Objective(.layer("gemm6"), .sum), withRespectTo: [.input("x")], at: inputs,
        rules: rules)
    }
  }

  @Test("a constant that would fill the memory is refused before it is made")
  func memoryLimit() throws {
    var g = GraphDraft()
    let huge = g.node("ConstantOfShape", [g.integers([200_000, 200_000])])
    let output = g.node("Add", ["x", huge])
    let graph = g.graph(input: [nil, 4], output: output)
    #expect(throws: NetworkError.self) {
      try Network(graph, configuration: .init(memoryLimit: 1 << 30))
    }
  }

  @Test("parameters and multiply–adds are counted")
  func counts() throws {
    let network = try Network(try smooth())
    #expect(network.parameterCount == 4 * 2 * 9 + 4 + 16 * 6 + 6 + 6 * 3 + 3)
    #expect(network.multiplyAdds() == 25 * 4 * 2 * 9 + 16 * 6 + 6 * 3)
  }
}

@Suite("Wiring") struct WiringTests {
  private func graph(_ nodes: [Graph.Node], output: String = "y") -> Graph {
    Graph(
      opset: 17,
      inputs: [Graph.Port(name: "x", dataType: .float32, dimensions: [.dynamic(""), .fixed(4)])],
      outputs: [Graph.Port(name: output, dataType: .float32, dimensions: nil)], nodes: nodes)
  }

  private func node(_ kind: String, _ inputs: [String], _ output: String) -> Graph.Node {
    Graph.Node(name: kind + output, kind: kind, inputs: inputs, outputs: [output])
  }

  @Test("nodes may stand in any order")
  func unsorted() throws {
    let network = try Network(
      graph([node("Exp", ["b"], "y"), node("Neg", ["a"], "b"), node("Abs", ["x"], "a")]))
    #expect(network.layers.map(\.name) == ["Absa", "Negb", "Expy"])
  }

  @Test("a cycle is refused and named")
  func cycle() {
    #expect(
      throws: NetworkError.malformedGraph("it has a cycle through Addy, Reluz")
    ) { try Network(graph([node("Add", ["x", "z"], "y"), node("Relu", ["y"], "z")])) }
    #expect(throws: NetworkError.self) {
      try Network(graph([node("Relu", ["y"], "y")]))
    }
  }

  @Test("random acyclic graphs are accepted in any order, and refused with one edge turned back")
  func randomGraphs() throws {
    var random = RandomGenerator(seed: 1)
    for _ in 0..<50 {
      let count = 2 + random.index(below: 12)
      var nodes = (0..<count).map { i in
        node(
          "Add", [i == 0 ? "x" : "v\(random.index(below: i))", i == 0 ? "x" : "v\(i - 1)"], "v\(i)")
      }
      let shuffled = random.shuffledIndices(count).map { nodes[$0] }
      _ = try Network(graph(shuffled, output: "v\(count - 1)"))
      let early = random.index(below: count - 1)
      nodes[early] = node("Add", [nodes[early].inputs[0], "v\(count - 1)"], "v\(early)")
      #expect(throws: NetworkError.self) {
        try Network(graph(nodes, output: "v\(count - 1)"))
      }
    }
  }

  @Test("a missing value is named, with what may have been meant")
  func missing() {
    #expect(
      throws: NetworkError.malformedGraph(
        "node Reluy reads 'middel', which nothing writes; did you mean 'middle'?")
    ) {
      try Network(graph([node("Abs", ["x"], "middle"), node("Relu", ["middel"], "y")]))
    }
    #expect(throws: NetworkError.malformedGraph("nothing writes the output 'y'")) {
      try Network(graph([node("Relu", ["x"], "z")]))
    }
  }

  @Test("a value written twice is refused")
  func writtenTwice() {
    #expect(throws: NetworkError.malformedGraph("the value 'y' is written twice")) {
      try Network(graph([node("Relu", ["x"], "y"), node("Abs", ["x"], "y")]))
    }
  }

  @Test("all unsupported operators are named at once")
  func unsupported() {
    let nodes = [
      node("Frobnicate", ["x"], "a"), node("Relu", ["a"], "b"), node("Frobnicate", ["b"], "c"),
      Graph.Node(
        name: "s", kind: "Scaler", domain: "ai.onnx.ml", inputs: ["c"], outputs: ["y"]),
    ]
    #expect(
      throws: NetworkError.unsupportedOperators(
        [
          .init(kind: "Frobnicate", domain: "", count: 2, firstNode: "Frobnicatea"),
          .init(kind: "Scaler", domain: "ai.onnx.ml", count: 1, firstNode: "s"),
        ], opset: 17)
    ) { try Network(graph(nodes)) }
  }
}
