import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

/// Graphs that once trapped or gave wrong numbers.
@Suite("Unusual graphs") struct RegressionTests {
  private func check(
    _ name: Comment, input: [Int], batch: Int? = nil,
    _ build: (inout GraphDraft) throws -> String
  ) throws {
    var draft = GraphDraft()
    let output = try build(&draft)
    let graph = draft.graph(input: input.map { $0 }, output: output)
    let planned = try Network(graph)
    let exact = try Network(graph, configuration: .init(precision: .double))
    let shape = batch.map { [$0] + input.dropFirst() } ?? input
    let inputs = try Inputs(try Tensor.random(shape, seed: 5), for: planned)
    let site = Site.output(output)
    let found = try planned.evaluate(inputs, observing: [site])[0]
    let wanted = try exact.evaluate(inputs, observing: [site])[0]
    #expect(try relativeDistance(found, wanted) < PlanTests.tolerance, name)
    let objective = Objective(site, .elements([0]))
    let gradient = try planned.gradients(
      of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
    let reference = try exact.gradients(
      of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
    #expect(
      try relativeDistance(gradient.tensors[0], reference.tensors[0]) < PlanTests.tolerance * 5,
      name)
  }

  @Test("what follows a node without a kernel is not absorbed by it")
  func fusionIntoReference() throws {
    try check("broadcasting Add, Relu", input: [1, 6, 4, 4]) { g in
      let mean = g.node("ReduceMean", ["x"], ["axes": .integers([1])])
      return g.node("Relu", [g.node("Add", ["x", mean])])
    }
    try check("MatMul of two computed values, Relu", input: [1, 5]) { g in
      let columns = g.node("Transpose", ["x"])
      return g.node("Relu", [g.node("MatMul", [columns, "x"])])
    }
    try check("MatMul of rank 3, bias, Relu", input: [1, 4, 6]) { g in
      let product = g.node("MatMul", ["x", try g.weights([6, 3])])
      return g.node("Relu", [g.node("Add", [product, try g.weights([4, 1])])])
    }
    try check("convolution with computed weights, Relu", input: [1, 3, 5, 5]) { g in
      let weights = g.node(
        "Reshape",
        [g.node("ReduceMean", ["x"], ["axes": .integers([2, 3])]), g.integers([1, 3, 1, 1])])
      return g.node("Relu", [g.node("Conv", ["x", weights])])
    }
    try check("Gemm with a column as summand, Relu", input: [2, 4]) { g in
      let product = g.node("Gemm", ["x", try g.weights([4, 3]), try g.weights([2, 1])])
      return g.node("Relu", [product])
    }
    try check("constant times computed, Relu, Transpose", input: [4, 3]) { g in
      let product = g.node("MatMul", [try g.weights([2, 4]), "x"])
      return g.node("Transpose", [g.node("Relu", [product])])
    }
  }

  @Test("a mean is the global average only over height and width")
  func meanOverOtherAxes() throws {
    for (shape, axes) in [
      ([2, 3, 2, 3], [0, 1]), ([3, 3, 3, 3], [1, 2]), ([1, 8, 1, 8], [0, 1]),
    ] {
      try check("mean of \(shape) over \(axes)", input: shape) { g in
        g.node(
          "ReduceMean", ["x"],
          ["axes": .integers(axes.map(Int64.init)), "keepdims": .integer(0)])
      }
    }
  }

  @Test("numbers without axes have gradients")
  func scalars() throws {
    try check("sum of squares", input: [1, 5]) { g in
      g.node("ReduceSum", [g.node("Mul", ["x", "x"])], ["keepdims": .integer(0)])
    }
    try check("a number in between", input: [1, 5]) { g in
      let sum = g.node("ReduceSum", ["x"], ["keepdims": .integer(0)])
      return g.node("Mul", [g.node("Tanh", [sum]), "x"])
    }
  }

  @Test("samples are never mixed by running them together, and a mixing graph is never cut")
  func mixingGraphs() throws {
    // A softmax over the samples of a fixed batch of one, two transpositions around one, and rows moved
    // by a negative pad before them and a positive one after.
    for build in [
      { (g: inout GraphDraft) in g.node("Softmax", ["x"], ["axis": .integer(0)]) },
      { (g: inout GraphDraft) in g.node("Pad", ["x", g.integers([-1, 0, 1, 0])]) },
      { (g: inout GraphDraft) in
        let columns = g.node("Transpose", ["x"])
        return g.node("Transpose", [g.node("Softmax", [columns], ["axis": .integer(1)])])
      },
    ] {
      var draft = GraphDraft()
      let output = build(&draft)
      let graph = draft.graph(input: [1, 3], output: output)
      let network = try Network(graph)
      let batch = try Tensor.random([3, 3], seed: 2)
      let together = try network.evaluate(
        Inputs(batch, for: network), observing: [.output(output)])[0]
      for n in 0..<3 {
        let sample = try Inputs(batch.sliced(axis: 0, n..<n + 1), for: network)
        #expect(
          try network.evaluate(sample, observing: [.output(output)])[0]
            == together.sliced(axis: 0, n..<n + 1))
      }
    }
    var draft = GraphDraft()
    let output = draft.node("Softmax", ["x"], ["axis": .integer(0)])
    let network = try Network(draft.graph(input: [nil, 4], output: output))
    let rows = try Inputs(try Tensor.random([1000, 4], seed: 3), for: network)
    let sums = try network.evaluate(rows, observing: [.output(output)])[0].sum(axes: [0])
    #expect(try sums.elements(of: Float.self).allSatisfy { abs($0 - 1) < 1e-4 })
  }

  @Test("large batches are cut without a trace, and constants come once")
  func largeBatches() throws {
    var draft = GraphDraft()
    let hidden = draft.node("Relu", [try draft.dense("x", from: 4, to: 8)])
    let output = try draft.dense(hidden, from: 8, to: 3)
    let graph = draft.graph(input: [nil, 4], output: output)
    let network = try Network(graph)
    let rows = try Tensor.random([700, 4], seed: 4)
    let sites: [Site] = [.output(output), .layer("constant1")]
    let values = try network.evaluate(Inputs(rows, for: network), observing: sites)
    #expect(values[0].shape.dimensions == [700, 3])
    #expect(values[1].shape.dimensions == [8])
    for n in [0, 255, 256, 699] {
      let alone = try Inputs(rows.sliced(axis: 0, n..<n + 1), for: network)
      #expect(
        try network.evaluate(alone, observing: [.output(output)])[0]
          == values[0].sliced(axis: 0, n..<n + 1))
    }
  }

  @Test("a one-sided clip leaves infinity")
  func openClip() throws {
    var draft = GraphDraft()
    let output = draft.node("Clip", ["x", draft.constant(Tensor(scalar: Float(0)))])
    let network = try Network(draft.graph(input: [1, 3], output: output))
    let inputs = try Inputs(Tensor([Float.infinity, -.infinity, 2], shape: [1, 3]), for: network)
    #expect(
      try network.evaluate(inputs, observing: [.output(output)])[0].elements(of: Float.self)
        == [.infinity, 0, 2])
  }

  @Test("integers cannot be explained by a gradient")
  func integerTarget() throws {
    var draft = GraphDraft()
    let output = draft.node("ArgMax", ["x"], ["axis": .integer(1)])
    let network = try Network(draft.graph(input: [1, 3], output: output))
    let inputs = try Inputs(try Tensor.random([1, 3], seed: 1), for: network)
    #expect(throws: NetworkError.self) {
      try network.gradients(
        of: Objective(.output(output), .elements([0])), withRespectTo: [.input("x")], at: inputs,
        rules: .gradient)
    }
  }

  @Test("the memory limit holds for all values together")
  func memoryOfAllValues() throws {
    var draft = GraphDraft()
    var x = "x"
    var sums: [String] = []
    for _ in 0..<20 {
      x = draft.node("Sigmoid", [x])
      sums.append(x)
    }
    let output = draft.node("Concat", sums, ["axis": .integer(3)])
    let graph = draft.graph(input: [1, 1, 256, 256], output: output)
    for precision in Network.Precision.allCases {
      // The result alone has 5 MiB in float32.
      let network = try Network(
        graph, configuration: .init(precision: precision, memoryLimit: 12 << 20))
      let inputs = try Inputs(try Tensor.random([1, 1, 256, 256], seed: 1), for: network)
      #expect(throws: NetworkError.self) {
        try network.evaluate(inputs, observing: [.output(output)])
      }
    }
  }

  @Test("long chains and wide concatenations are planned in time proportional to their length")
  func largeGraphs() throws {
    var draft = GraphDraft()
    var x = "x"
    var pieces: [String] = []
    for _ in 0..<4000 {
      x = draft.node("Relu", [x])
      pieces.append(x)
    }
    let output = draft.node("Concat", pieces, ["axis": .integer(1)])
    let network = try Network(draft.graph(input: [1, 16], output: output))
    let inputs = try Inputs(try Tensor.random([1, 16], seed: 1), for: network)
    let value = try network.evaluate(inputs, observing: [.output(output)])[0]
    #expect(value.shape.dimensions == [1, 64_000])
  }
}
