import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

/// Forwards the requirements that have no default: every refinement is then the core's own.
struct Unrefined: Differentiable {
  let network: Network

  var signature: Signature { network.signature }
  var layers: [Layer] { network.layers }
  var takesBatches: Bool { network.takesBatches }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    try network.evaluate(inputs, observing: sites)
  }

  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    try network.gradients(of: objective, withRespectTo: sites, at: inputs, rules: rules)
  }
}

@Suite("Refinements of the core") struct RefinementTests {
  private let points = [0.05, 0.3, 0.55, 0.8, 1].map {
    PathPoint(fraction: $0, weight: 0.3 - 0.1 * $0)
  }

  private func network(
    _ graph: Graph, _ precision: Network.Precision = .single, threads: Int = 2
  ) throws -> Network {
    try Network(graph, configuration: .init(precision: precision, threads: threads))
  }

  /// Objective, input and baseline of two samples.
  private func problem(_ example: Case, _ graph: Graph) throws -> (Objective, Tensor, Tensor) {
    (
      Objective(.output(graph.outputs[0].name), .elements([1, 0])),
      try Tensor.random([2] + example.input, seed: 3),
      try Tensor.random([2] + example.input, seed: 4)
    )
  }

  /// How far rounding, and nothing else, may take float32 sums apart; single units that flip at a few
  /// points are what takes most of it.
  private static let tolerance = 2e-5

  @Test("gradients along a path are those of the core", arguments: cases)
  func followsPaths(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x, start) = try problem(example, graph)
    let exact = Unrefined(network: try network(graph, .double))
    let sites = [Site.input("x")] + exact.layers.prefix(2).map { .layer($0.name) }
    let wanted = try exact.pathGradients(
      of: objective, from: Inputs([("x", start)]), to: Inputs([("x", x)]), at: points,
      withRespectTo: sites, context: Context())
    for precision in [Network.Precision.single, .exact] {
      let found = try network(graph, precision).pathGradients(
        of: objective, from: Inputs([("x", start)]), to: Inputs([("x", x)]), at: points,
        withRespectTo: sites, context: Context())
      for (a, b) in zip(found, wanted) {
        #expect(a.shape == b.shape && a.dataType == .float64)
        #expect(try relativeDistance(a, b) < Self.tolerance)
      }
    }
  }

  @Test("averages over variants are those of the core", arguments: cases)
  func averagesVariants(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x, noise) = try problem(example, graph)
    let sites = [Site.input("x")]
    func average(_ model: some Differentiable) throws -> Tensor {
      try model.averageGradients(
        of: objective, withRespectTo: sites, at: Inputs([("x", x)]), weights: [0.2, 0, -1, 0.5, 2],
        context: Context()
      ) { index, samples, inputs in
        let noise = try noise.sliced(axis: 0, samples).multiplied(
          by: Tensor(scalar: Float(index) / 4))
        return Inputs([("x", try #require(inputs["x"]).adding(noise))])
      }[0]
    }
    let wanted = try average(Unrefined(network: try network(graph, .double)))
    let found = try average(network(graph))
    #expect(found.shape == wanted.shape && found.dataType == .float64)
    #expect(try relativeDistance(found, wanted) < Self.tolerance)
  }

  @Test(
    "averages are the same bits for any thread count, and alone or in a batch", arguments: cases)
  func averagesDeterministically(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x, start) = try problem(example, graph)
    func path(_ samples: Range<Int>, _ objective: Objective, threads: Int) throws -> Tensor {
      try network(graph, threads: threads).pathGradients(
        of: objective, from: Inputs([("x", start.sliced(axis: 0, samples))]),
        to: Inputs([("x", x.sliced(axis: 0, samples))]), at: points,
        withRespectTo: [.input("x")], context: Context())[0]
    }
    let both = try path(0..<2, objective, threads: 1)
    #expect(try path(0..<2, objective, threads: 3) == both)
    for n in 0..<2 {
      let alone = try path(n..<n + 1, objective.selecting([n], of: 2), threads: 2)
      #expect(try both.sliced(axis: 0, n..<n + 1) == alone)
    }
  }

  /// A start, and an objective with a gradient there: one element may be off.
  private func ascent(_ example: Case, _ graph: Graph) throws -> (Objective, Tensor) {
    let x = try Tensor.random([2] + example.input, seed: 3)
    let output = Site.output(graph.outputs[0].name)
    let value = try network(graph).evaluate(Inputs([("x", x)]), observing: [output])[0]
    let weights = try Tensor.random(value.shape.dimensions, seed: 5)
    return (Objective(output, .cotangent(weights)), x)
  }

  @Test("an ascent is that of the core, bit for bit, in each precision", arguments: cases)
  func ascends(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x) = try ascent(example, graph)
    for precision in Network.Precision.allCases {
      let network = try network(graph, precision)
      // Not representable in float32.
      let start = try x.converted(to: .float64).scaled(by: 1 / 3)
      func ascend(_ model: some Differentiable) throws -> AscentResult {
        try model.ascend(
          objective, from: Inputs([("x", start)]), at: Inputs([("x", x)]),
          by: AscentStep(length: 0.1, decay: 0.01), count: 4, context: Context())
      }
      let (found, wanted) = (try ascend(network), try ascend(Unrefined(network: network)))
      #expect(found.positions == wanted.positions && found.values == wanted.values)
      #expect(found.values.count == 4 && found.dataType == wanted.dataType)
    }
  }

  @Test(
    "ascents are the same bits for any thread count, and alone or in a batch", arguments: cases)
  func ascendsDeterministically(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x) = try ascent(example, graph)
    func position(_ samples: Range<Int>, threads: Int) throws -> Tensor {
      let inputs = Inputs([("x", try x.sliced(axis: 0, samples))])
      return try network(graph, threads: threads).ascend(
        objective.selecting(Array(samples), of: 2), from: inputs, at: inputs,
        by: AscentStep(length: 0.1), count: 3, context: Context()
      ).positions[0]
    }
    let both = try position(0..<2, threads: 1)
    #expect(try position(0..<2, threads: 3) == both)
    for n in 0..<2 {
      let alone = try position(n..<n + 1, threads: 2)
      #expect(try both.sliced(axis: 0, n..<n + 1) == alone)
    }
  }

  @Test("samples that run one after the other all stop where the first one has to")
  func ascendsTogether() throws {
    // One sample at a time, for the graph bakes the batch into a shape: max(0, -Σx - 2), whose gradient
    // vanishes where the mean is above -1/2.
    var g = GraphDraft()
    let flat = g.node("Reshape", ["x", g.integers([1, 4])])
    let sum = g.node("ReduceSum", [flat, g.integers([1])])
    let two = g.constant(Tensor([2 as Float]))
    let output = g.node("Relu", [g.node("Neg", [g.node("Add", [sum, two])])])
    let network = try network(g.graph(input: [1, 4], output: output))
    #expect(network.takesBatches)
    let starts = try Tensor(
      [-2, -8, -0.6].flatMap { [Float](repeating: $0, count: 4) }, shape: [3, 4])
    func ascend(
      _ samples: Range<Int>, _ model: some Differentiable, count: Int = 9
    ) throws -> AscentResult {
      let inputs = Inputs([("x", try starts.sliced(axis: 0, samples))])
      return try model.ascend(
        Objective(.output(output), .sum), from: inputs, at: inputs,
        by: AscentStep(length: 0.25, decay: 0.5), count: count, context: Context())
    }
    // x goes to (x - 1/4)/2: from -2 by -1.125 and -0.6875, from -8 in five steps, from -0.6 in one.
    #expect(try (0..<3).map { try ascend($0..<$0 + 1, network).values.count } == [3, 5, 1])
    let together = try ascend(0..<3, network)
    #expect(together.values.count == 1)
    for (value, wanted) in zip(together.values[0], [6, 30, 0.4]) {
      #expect(abs(value - wanted) < 1e-6)
    }
    for n in 0..<3 {
      let alone = try ascend(n..<n + 1, network, count: 1).positions[0]
      #expect(try together.positions[0].sliced(axis: 0, n..<n + 1) == alone)
    }
    #expect(try ascend(0..<3, Unrefined(network: network)).positions == together.positions)
  }

  @Test("a value on several ways behind the stem gets the sum over them")
  func stemHasSeveralEnds() throws {
    var g = GraphDraft()
    let a = try g.convolution("x", from: 2, to: 16)
    let b = try g.normalization(a, channels: 16)
    let c = g.node("Relu", [b])
    // `a` is read by an affine operator and by a nonlinear one; the second branch starts at the input.
    let d = g.node("Mul", [c, a])
    let e = g.node("Relu", [try g.convolution("x", from: 2, to: 16, kernel: [1, 1])])
    let f = g.node("Add", [d, e])
    let graph = g.graph(input: [nil, 2, 6, 6], output: f)
    let x = try Tensor.random([1, 2, 6, 6], seed: 1)
    let objective = Objective(.output(graph.outputs[0].name), .sum)
    func path(_ model: some Differentiable) throws -> [Tensor] {
      try model.pathGradients(
        of: objective, from: Inputs([("x", Tensor(zeros: x.shape))]), to: Inputs([("x", x)]),
        at: points, withRespectTo: [.input("x"), .layer(a), .layer(c)], context: Context())
    }
    let found = try path(network(graph))
    let wanted = try path(Unrefined(network: try network(graph, .double)))
    for (a, b) in zip(found, wanted) { #expect(try relativeDistance(a, b) < Self.tolerance) }
  }

  @Test("scores under covered boxes are those of whole variants", arguments: cases)
  func coversBoxes(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x, cover) = try problem(example, graph)
    let extents = Array(x.shape.dimensions.dropFirst(2))
    // Boxes of several sizes, at the corners and anywhere.
    let boxes = (0..<9).map { index in
      Box(
        [0..<2, 0..<example.input[0]]
          + extents.enumerated().map { axis, extent in
            let size = min(extent, 1 + (index + axis) % 3)
            let start = index * (extent - size) / 8
            return start..<start + size
          })
    }
    for precision in [Network.Precision.single, .exact] {
      let network = try network(graph, precision)
      func scores(_ model: some Model) throws -> [[Double]] {
        try model.scores(
          of: objective, at: Inputs([("x", x)]), covering: "x", with: cover, in: boxes,
          context: Context())
      }
      let found = try scores(network)
      let wanted = try scores(Unrefined(network: network))
      #expect(found.map(\.count) == [9, 9])
      for (a, b) in zip(found.flatMap(\.self), wanted.flatMap(\.self)) {
        #expect((a - b).magnitude <= 2e-6 * max(1, b.magnitude))
      }
    }
  }

  @Test("boxes of a larger map give what whole variants give")
  func coversBoxesExactly() throws {
    var g = GraphDraft()
    var y = g.node("Relu", [try g.convolution("x", from: 3, to: 20, kernel: [5, 5], stride: 2)])
    y = g.pool("MaxPool", y, kernel: 3, stride: 2, pad: 1)
    let a = g.node("Relu", [try g.convolution(y, from: 20, to: 32)])
    let b = g.node("Relu", [try g.convolution(y, from: 20, to: 16, kernel: [1, 1])])
    y = g.node("Concat", [a, b], ["axis": .integer(1)])
    let z = try g.convolution(
      g.node("Relu", [try g.convolution(y, from: 48, to: 48)]), from: 48, to: 48)
    y = g.node("Relu", [g.node("Add", [y, z])])
    y = g.pool("AveragePool", y, kernel: 2, stride: 2)
    y = g.node("Relu", [try g.convolution(y, from: 48, to: 40, kernel: [1, 1])])
    y = g.node("Flatten", [g.node("GlobalAveragePool", [y])])
    let graph = g.graph(input: [nil, 3, 96, 88], output: y)
    let x = try Tensor.random([1, 3, 96, 88], seed: 1)
    let boxes = stride(from: 0, through: 80, by: 8).map {
      Box([0..<1, 0..<3, $0..<$0 + 16, 80 - $0..<88 - $0 / 2])
    }
    let network = try network(graph)
    func scores(_ model: some Model) throws -> [[Double]] {
      try model.scores(
        of: Objective(.output(y), .elements([33])), at: Inputs([("x", x)]), covering: "x",
        with: Tensor(zeros: x.shape), in: boxes, context: Context())
    }
    // The same sums, some of them in other blocks: a few units in the last place.
    for (a, b) in zip(try scores(network)[0], try scores(Unrefined(network: network))[0]) {
      #expect((a - b).magnitude <= 2e-6 * max(1, b.magnitude))
    }
  }

  @Test("gradients come with the values of the same pass", arguments: cases)
  func observesWithGradients(_ example: Case) throws {
    let graph = try example.graph()
    let (objective, x, _) = try problem(example, graph)
    let network = try network(graph)
    let inputs = Inputs([("x", x)])
    let sites = network.layers.suffix(3).map { Site.layer($0.name) } + [.input("x")]
    let found = try network.gradients(
      of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient, observing: sites)
    let wanted = try Unrefined(network: network).gradients(
      of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient, observing: sites)
    #expect(found.values == wanted.values)
    #expect(try relativeDistance(found.tensors[0], wanted.tensors[0]) < Self.tolerance)
    for (a, b) in zip(found.observed, wanted.observed) {
      #expect(try relativeDistance(a, b) < Self.tolerance)
    }
  }
}
