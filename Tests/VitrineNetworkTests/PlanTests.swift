import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

/// A network small enough for debug builds that exercises one way of planning.
struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// Shape of one sample.
  let input: [Int]
  let build: @Sendable (inout GraphDraft) throws -> String

  init(
    _ name: String, _ input: [Int], _ build: @escaping @Sendable (inout GraphDraft) throws -> String
  ) {
    testDescription = name
    self.input = input
    self.build = build
  }

  func graph() throws -> Graph {
    var draft = GraphDraft()
    let output = try build(&draft)
    return draft.graph(input: [nil] + input, output: output)
  }
}

let cases: [Case] = [
  Case("convolution, normalisation, rectifier", [3, 9, 7]) { g in
    var x = try g.convolution("x", from: 3, to: 20)
    x = try g.normalization(x, channels: 20)
    x = g.node("Relu", [x])
    return try g.convolution(x, from: 20, to: 5, bias: false)
  },
  Case("a stem of stride 2 with an even kernel and uneven pads", [3, 11, 13]) { g in
    let x = try g.convolution("x", from: 3, to: 17, kernel: [4, 6], pads: [1, 3, 2, 0], stride: 2)
    return g.node("Relu", [x])
  },
  Case("a stem of stride 2 on odd maps, read twice", [2, 13, 11]) { g in
    let x = try g.convolution("x", from: 2, to: 20, stride: 2)
    let y = try g.convolution("x", from: 2, to: 20, kernel: [5, 5], stride: 2)
    return g.node("Add", [g.node("Relu", [x]), y])
  },
  Case("a stem of stride 4 with a large kernel", [3, 23, 27]) { g in
    let x = try g.convolution(
      "x", from: 3, to: 18, kernel: [11, 11], pads: [2, 2, 2, 2], stride: 4)
    return g.node("Relu", [x])
  },
  Case("a stem of stride 1 on even maps", [3, 12, 10]) { g in
    g.node("Relu", [try g.convolution("x", from: 3, to: 20)])
  },
  Case("a stem of stride 1 with a large kernel and uneven pads", [1, 14, 18]) { g in
    let x = try g.convolution("x", from: 1, to: 18, kernel: [4, 5], pads: [0, 3, 2, 1])
    return g.node("Relu", [x])
  },
  Case("a shortcut of stride 2 between convolutions", [16, 8, 8]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 16, to: 16)])
    let y = g.node("Relu", [try g.convolution(x, from: 16, to: 32, stride: 2)])
    let z = try g.convolution(y, from: 32, to: 32)
    return g.node(
      "Relu",
      [g.node("Add", [z, try g.convolution(x, from: 16, to: 32, kernel: [1, 1], stride: 2)])])
  },
  Case("stride 3, dilation 2", [18, 14, 11]) { g in
    var x = try g.convolution("x", from: 18, to: 33, stride: 3, dilation: 2)
    x = g.node("Relu", [x])
    return try g.convolution(x, from: 33, to: 16, kernel: [1, 1], stride: 2)
  },
  Case("groups that do not fill blocks", [12, 8, 8]) { g in
    let x = try g.convolution("x", from: 12, to: 24, groups: 4)
    return try g.convolution(g.node("Relu", [x]), from: 24, to: 40, groups: 8)
  },
  Case("depthwise, stride 2, then pointwise", [21, 9, 9]) { g in
    var x = try g.convolution("x", from: 21, to: 21, stride: 2, groups: 21)
    x = g.node(
      "Clip", [x, g.constant(Tensor(scalar: Float(0))), g.constant(Tensor(scalar: Float(0.4)))])
    return try g.convolution(x, from: 21, to: 8, kernel: [1, 1])
  },
  Case("depthwise with a multiplier and a large even kernel", [5, 12, 10]) { g in
    let x = try g.convolution("x", from: 5, to: 15, kernel: [6, 6], pads: [2, 2, 3, 3], groups: 5)
    return g.node("Relu", [x])
  },
  Case("one channel to several by a kernel of 9 × 9", [1, 16, 16]) { g in
    let x = try g.convolution("x", from: 1, to: 3, kernel: [9, 9])
    return g.pool("MaxPool", g.node("Relu", [x]), kernel: 2, stride: 2)
  },
  Case("depthwise with filters of 20 × 20, a multiplier and a padding", [6, 18, 24]) { g in
    let wide = g.node("Pad", ["x", g.integers([0, 0, 9, 9, 0, 0, 10, 10])])
    let x = try g.convolution(
      wide, from: 6, to: 18, kernel: [20, 20], pads: [0, 0, 0, 0], groups: 6, bias: false)
    let y = g.node("Relu", [try g.convolution(x, from: 18, to: 8, kernel: [1, 1])])
    return g.pool("MaxPool", y, kernel: 2, stride: 2)
  },
  Case("one channel to two by a kernel of 21 × 17", [1, 60, 40]) { g in
    let x = try g.convolution("x", from: 1, to: 2, kernel: [21, 17])
    return g.node("Relu", [x])
  },
  Case("paddings of zeros, one with two readers", [5, 7, 6]) { g in
    let a = g.node("Pad", ["x", g.integers([0, 0, 2, 1, 0, 0, 0, 3])])
    let x = g.node("Relu", [try g.convolution(a, from: 5, to: 20, pads: [0, 0, 1, 0], stride: 2)])
    let b = g.node("Pad", [x, g.integers([0, 0, 1, 1, 0, 0, 1, 1])])
    let left = try g.convolution(b, from: 20, to: 6, pads: [0, 0, 0, 0])
    let right = try g.convolution(b, from: 20, to: 6, kernel: [3, 3], pads: [0, 0, 0, 0])
    return g.node("Add", [left, right])
  },
  Case("a shortcut of every second pixel with channels of zeros", [16, 9, 8]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 16, to: 20)])
    let y = try g.convolution(x, from: 20, to: 40, stride: 2)
    let half = g.node(
      "Slice",
      [x, g.integers([0, 1]), g.integers([9, 8]), g.integers([2, 3]), g.integers([2, 2])])
    let wide = g.node("Pad", [half, g.integers([0, 10, 0, 0, 0, 10, 0, 0])])
    return g.node("Relu", [g.node("Add", [y, wide])])
  },
  Case("slices of channels", [24, 5, 6]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 24, to: 30, kernel: [1, 1])])
    let first = g.node("Slice", [x, g.integers([0]), g.integers([10]), g.integers([1])])
    let last = g.node(
      "Slice", [x, g.integers([11]), g.integers([30]), g.integers([1]), g.integers([2])])
    return g.node("Add", [first, last])
  },
  Case("constants for channels, and one for all", [3, 6, 5]) { g in
    var x = g.node("Sub", ["x", try g.weights([1, 3, 1, 1])])
    x = g.node("Div", [x, try g.weights([3, 1, 1], in: 0.5...2)])
    x = g.node("Add", [g.node("Relu", [x]), g.constant(Tensor(scalar: Float(0.25)))])
    x = try g.convolution(x, from: 3, to: 18)
    return g.node("Relu", [g.node("Mul", [x, try g.weights([18, 1, 1])])])
  },
  Case("channels gated by their averages", [5, 7, 6]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 5, to: 20)])
    let squeezed = try g.convolution(
      g.node("GlobalAveragePool", [x]), from: 20, to: 4, kernel: [1, 1])
    let gate = g.node(
      "Sigmoid", [try g.convolution(g.node("Relu", [squeezed]), from: 4, to: 20, kernel: [1, 1])])
    let y = g.node("Relu", [g.node("Mul", [x, gate])])
    return g.node("GlobalMaxPool", [try g.convolution(y, from: 20, to: 6)])
  },
  Case("rows with channels last", [3, 6, 5]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 3, to: 32)])
    let last = g.node("Transpose", [x], ["perm": .integers([0, 2, 3, 1])])
    return try g.dense(g.node("Flatten", [last]), from: 960, to: 7)
  },
  Case("rectifiers before pools, strides and another name", [16, 13, 13]) { g in
    var x = g.node("Relu", [try g.convolution("x", from: 16, to: 24)])
    x = g.node("Relu", [try g.convolution(x, from: 24, to: 24, stride: 2, groups: 24)])
    x = g.node("Dropout", [x])
    x = g.node("Relu", [try g.convolution(x, from: 24, to: 24)])
    x = g.pool("AveragePool", x, kernel: 3, stride: 2)
    x = g.node("Relu", [try g.convolution(x, from: 24, to: 24)])
    return g.node("GlobalAveragePool", [x])
  },
  Case("one-dimensional", [6, 30]) { g in
    var x = try g.convolution("x", from: 6, to: 18, kernel: [5], pads: [2, 2])
    x = g.node("Relu", [x])
    return try g.convolution(x, from: 18, to: 4, kernel: [3], pads: [0, 1], stride: 2)
  },
  Case("residual blocks", [16, 6, 6]) { g in
    let a = g.node("Relu", [try g.convolution("x", from: 16, to: 16)])
    var y = g.node("Relu", [try g.convolution(a, from: 16, to: 16)])
    y = try g.normalization(try g.convolution(y, from: 16, to: 16, bias: false), channels: 16)
    let b = g.node("Relu", [g.node("Add", [y, a])])
    let z = try g.convolution(b, from: 16, to: 16)
    return g.node("Relu", [g.node("Add", [b, z])])
  },
  Case("a value added to itself and to its input", [16, 4, 4]) { g in
    let y = try g.convolution("x", from: 16, to: 16)
    let twice = g.node("Add", [y, y])
    return g.node("Add", [twice, "x"])
  },
  Case("concatenation of whole blocks", [8, 7, 7]) { g in
    let squeeze = g.node("Relu", [try g.convolution("x", from: 8, to: 16, kernel: [1, 1])])
    let left = g.node("Relu", [try g.convolution(squeeze, from: 16, to: 32, kernel: [1, 1])])
    let right = g.node("Relu", [try g.convolution(squeeze, from: 16, to: 20)])
    let both = g.node("Concat", [left, right], ["axis": .integer(1)])
    return g.pool("MaxPool", both, kernel: 3, stride: 2)
  },
  Case("a value in several concatenations", [16, 6, 6]) { g in
    let a = g.node("Relu", [try g.convolution("x", from: 16, to: 16)])
    let ab = g.node("Concat", ["x", a], ["axis": .integer(1)])
    let b = g.node("Relu", [try g.convolution(ab, from: 32, to: 16)])
    let abc = g.node("Concat", [ab, b, a], ["axis": .integer(1)])
    return try g.convolution(abc, from: 64, to: 4)
  },
  Case("dense blocks, each concatenation continuing the one before", [16, 6, 6]) { g in
    let axis: [String: Graph.Attribute] = ["axis": .integer(1)]
    let a = try g.convolution("x", from: 16, to: 32)
    let b = g.node("Relu", [try g.convolution(a, from: 32, to: 16)])
    let ab = g.node("Concat", [a, b], axis)
    let c = try g.convolution(g.node("Relu", [ab]), from: 48, to: 16)
    let abc = g.node("Concat", [a, b, c], axis)
    let d = g.node("Relu", [try g.convolution(abc, from: 64, to: 20)])
    let all = g.node("Concat", [a, b, c, "x", d], axis)
    let side = try g.convolution(g.node("Concat", [a, b, "x"], axis), from: 64, to: 4)
    let pooled = g.pool("AveragePool", all, kernel: 2, stride: 2)
    let other = g.pool("MaxPool", side, kernel: 2, stride: 2)
    return try g.convolution(g.node("Concat", [pooled, other], axis), from: 104, to: 4)
  },
  Case("normalisations in front of convolutions, in a dense block and behind it", [16, 9, 9]) { g in
    var pieces = [try g.convolution("x", from: 16, to: 32)]
    var whole = pieces[0]
    for channels in [32, 48, 64] {
      let a = g.node("Relu", [try g.normalization(whole, channels: channels)])
      let b = try g.convolution(a, from: channels, to: 24, kernel: [1, 1])
      let c = g.node("Relu", [try g.normalization(b, channels: 24)])
      pieces.append(try g.convolution(c, from: 24, to: 16))
      whole = g.node("Concat", pieces, ["axis": .integer(1)])
    }
    // Of negative factors, with pixels that no window reads.
    let scaled = g.node("Mul", [whole, try g.weights([1, 80, 1, 1])])
    let d = try g.convolution(
      g.node("Relu", [scaled]), from: 80, to: 16, kernel: [1, 1], stride: 2)
    let e = g.node("Relu", [try g.normalization(g.node("Tanh", [d]), channels: 16)])
    let f = g.node("Relu", [try g.convolution(e, from: 16, to: 32, groups: 2)])
    // The normalised value has a mask of its own.
    return try g.convolution(try g.normalization(f, channels: 32), from: 32, to: 4)
  },
  Case("concatenation of broken blocks", [3, 5, 5]) { g in
    let a = g.node("Relu", [try g.convolution("x", from: 3, to: 6)])
    let b = g.node("Concat", [a, "x"], ["axis": .integer(1)])
    return try g.convolution(b, from: 9, to: 4)
  },
  Case("overlapping and padded maxima", [17, 9, 11]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 17, to: 18)])
    let y = g.pool("MaxPool", x, kernel: 3, stride: 2, pad: 1)
    return g.pool("MaxPool", y, kernel: 2, stride: 2, ["ceil_mode": .integer(1)])
  },
  Case("averages", [16, 9, 9]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 16, to: 16)])
    let y = g.pool(
      "AveragePool", x, kernel: 3, stride: 2, pad: 1, ["count_include_pad": .integer(1)])
    let z = g.pool("AveragePool", y, kernel: 2, stride: 1, pad: 1)
    return g.pool("AveragePool", z, kernel: 3, stride: 2, ["ceil_mode": .integer(1)])
  },
  Case("global average, dense layers, softmax", [5, 6, 6]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 5, to: 24)])
    let y = g.node("Flatten", [g.node("GlobalAveragePool", [x])])
    let hidden = g.node("Relu", [try g.dense(y, from: 24, to: 19)])
    return g.node("Softmax", [try g.dense(hidden, from: 19, to: 7)], ["axis": .integer(-1)])
  },
  Case("flattened maps, MatMul with bias, dropout", [4, 5, 5]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 4, to: 10)])
    let y = g.node("Dropout", [g.node("Flatten", [x])])
    let product = g.node("MatMul", [y, try g.weights([250, 12])])
    let z = g.node("Tanh", [g.node("Add", [product, try g.weights([12])])])
    return try g.dense(z, from: 12, to: 3)
  },
  Case("mean over space and reshape", [6, 5, 4]) { g in
    let x = g.node("LeakyRelu", [try g.convolution("x", from: 6, to: 18)], ["alpha": .real(0.2)])
    let y = g.node(
      "ReduceMean", [x], ["axes": .integers([2, 3]), "keepdims": .integer(1)])
    let flat = g.node("Reshape", [y, g.integers([0, -1])])
    return try g.dense(flat, from: 18, to: 5)
  },
  Case("smooth activations and gates", [7, 5, 5]) { g in
    let x = try g.convolution("x", from: 7, to: 16)
    let gate = g.node("Sigmoid", [try g.convolution(x, from: 16, to: 16, kernel: [1, 1])])
    let elu = g.node("Elu", [x])
    let product = g.node("Mul", [elu, gate])
    let swish = g.node("HardSwish", [try g.normalization(product, channels: 16)])
    return g.node("Softplus", [g.node("HardSigmoid", [g.node("Add", [swish, gate])])])
  },
  Case("normalisation by itself", [19, 4, 4]) { g in
    let x = g.node("Relu", [try g.normalization("x", channels: 19)])
    return try g.normalization(g.pool("MaxPool", x, kernel: 2, stride: 2), channels: 19)
  },
  Case("operators without kernels in between", [16, 8, 8]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 16, to: 16)])
    let half = g.node(
      "Slice",
      [x, g.integers([0, 0]), g.integers([8, 8]), g.integers([2, 3]), g.integers([2, 2])])
    let padded = g.node("Pad", [half, g.integers([0, 8, 0, 0, 0, 8, 0, 0])])
    let y = try g.convolution(padded, from: 32, to: 16)
    let z = g.node("Transpose", [y], ["perm": .integers([0, 2, 3, 1])])
    return g.node("Mul", [g.node("Abs", [z]), g.node("Neg", [z])])
  },
  Case("maps large enough for minimal filtering, of all paddings", [20, 13, 12]) { g in
    var x = g.node("Relu", [try g.convolution("x", from: 20, to: 33)])
    x = g.node("Relu", [try g.convolution(x, from: 33, to: 16, pads: [0, 0, 0, 0])])
    x = try g.normalization(
      try g.convolution(x, from: 16, to: 20, pads: [2, 2, 2, 2]), channels: 20)
    x = g.node("Relu", [g.node("Add", ["x", x])])
    return try g.convolution(x, from: 20, to: 5, pads: [1, 0, 2, 1])
  },
  Case("minimal filtering of many channels", [70, 9, 9]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 70, to: 48)])
    let y = g.node(
      "Clip",
      [
        try g.convolution(x, from: 48, to: 70), g.constant(Tensor(scalar: Float(0))),
        g.constant(Tensor(scalar: Float(6))),
      ])
    return g.node("Add", [y, try g.convolution(x, from: 48, to: 70)])
  },
  Case("a value read with and without its neighbours", [4, 7, 7]) { g in
    let x = g.node("Relu", [try g.convolution("x", from: 4, to: 16)])
    let wide = try g.convolution(x, from: 16, to: 16, kernel: [5, 5])
    let pooled = g.pool("MaxPool", x, kernel: 3, stride: 1, pad: 1)
    return g.node("Add", [g.node("Add", [wide, pooled]), x])
  },
]

@Suite("Plans") struct PlanTests {
  /// Sums of at most a few thousand float32 products against float64: about 20 roundings of 6e-8.
  static let tolerance = 2e-6

  private func network(
    _ graph: Graph, _ precision: Network.Precision, threads: Int = 2
  ) throws -> Network {
    try Network(graph, configuration: .init(precision: precision, threads: threads))
  }

  @Test("a planned network has the reference's outputs and gradients", arguments: cases)
  func agreesWithReference(_ example: Case) throws {
    let graph = try example.graph()
    let x = try Tensor.random([2] + example.input, seed: 7)
    let exact = try network(graph, .double)
    for precision in [Network.Precision.single, .exact] {
      let planned = try network(graph, precision)
      let inputs = try Inputs(x, for: planned)
      let output = Site.output(graph.outputs[0].name)
      #expect(
        try relativeDistance(
          planned.evaluate(inputs, observing: [output])[0],
          exact.evaluate(inputs, observing: [output])[0]) < Self.tolerance)
      let objective = Objective(output, .elements([1]))
      let found = try planned.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
      let wanted = try exact.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
      #expect(try relativeDistance(found.tensors[0], wanted.tensors[0]) < Self.tolerance * 5)
    }
  }

  @Test("every layer can be observed, although kernels fuse most of them away", arguments: cases)
  func observesEveryLayer(_ example: Case) throws {
    let graph = try example.graph()
    let x = try Tensor.random([1] + example.input, seed: 8)
    let planned = try network(graph, .single)
    let exact = try network(graph, .double)
    let inputs = try Inputs(x, for: planned)
    let sites = planned.layers.map { Site.layer($0.name) }
    let together = try planned.evaluate(inputs, observing: sites)
    for (site, value) in zip(sites, together) {
      let alone = try planned.evaluate(inputs, observing: [site])[0]
      let wanted = try exact.evaluate(inputs, observing: [site])[0]
      #expect(try relativeDistance(value, wanted) < Self.tolerance, "\(site)")
      #expect(try relativeDistance(alone, wanted) < Self.tolerance, "\(site)")
    }
  }

  @Test("gradients reach every layer, alone and together", arguments: cases)
  func differentiatesEveryLayer(_ example: Case) throws {
    let graph = try example.graph()
    let x = try Tensor.random([2] + example.input, seed: 9)
    let planned = try network(graph, .single)
    let exact = try network(graph, .double)
    let inputs = try Inputs(x, for: planned)
    // Not the sum, which is constant after a softmax.
    let objective = Objective(
      .output(graph.outputs[0].name),
      .weighted([(element: 0, weight: 1), (element: 2, weight: -2)]))
    let sites = planned.layers.map { Site.layer($0.name) } + [.input("x")]
    let wanted = try exact.gradients(
      of: objective, withRespectTo: sites, at: inputs, rules: .gradient)
    let found = try planned.gradients(
      of: objective, withRespectTo: sites, at: inputs, rules: .gradient)
    for (index, site) in sites.enumerated() {
      let alone = try planned.gradients(
        of: objective, withRespectTo: [site], at: inputs, rules: .gradient)
      #expect(
        try relativeDistance(found.tensors[index], wanted.tensors[index]) < Self.tolerance * 5,
        "\(site)")
      #expect(
        try relativeDistance(alone.tensors[0], wanted.tensors[index]) < Self.tolerance * 5,
        "\(site)")
    }
  }

  @Test("guided and deconvnet rules agree with the reference", arguments: cases)
  func appliesRules(_ example: Case) throws {
    let graph = try example.graph()
    let x = try Tensor.random([2] + example.input, seed: 10)
    let planned = try network(graph, .single)
    let exact = try network(graph, .double)
    let inputs = try Inputs(x, for: planned)
    let objective = Objective(.output(graph.outputs[0].name), .elements([0]))
    for rules in [BackwardRules.guided, .deconvnet] {
      let found = try planned.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: rules)
      let wanted = try exact.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: rules)
      #expect(try relativeDistance(found.tensors[0], wanted.tensors[0]) < Self.tolerance * 5)
      #expect(found.applications == wanted.applications)
      #expect(found.applications.count == graph.nodes.filter { $0.kind == "Relu" }.count)
    }
  }

  @Test("results are the same bits for any thread count, and alone or in a batch", arguments: cases)
  func isDeterministic(_ example: Case) throws {
    let graph = try example.graph()
    let batch = try Tensor.random([3] + example.input, seed: 11)
    let output = Site.output(graph.outputs[0].name)
    let objective = Objective(output, .elements([1]))
    var seen: [(Tensor, Tensor)] = []
    for threads in 1...3 {
      let network = try network(graph, .single, threads: threads)
      let inputs = try Inputs(batch, for: network)
      seen.append(
        (
          try network.evaluate(inputs, observing: [output])[0],
          try network.gradients(
            of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient
          ).tensors[0]
        ))
    }
    #expect(seen.dropFirst().allSatisfy { $0.0 == seen[0].0 && $0.1 == seen[0].1 })
    let network = try network(graph, .single)
    for n in 0..<3 {
      let sample = try batch.sliced(axis: 0, n..<n + 1)
      let inputs = try Inputs(sample, for: network)
      #expect(
        try network.evaluate(inputs, observing: [output])[0] == seen[0].0.sliced(axis: 0, n..<n + 1)
      )
      let gradient = try network.gradients(
        of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient)
      #expect(try gradient.tensors[0] == seen[0].1.sliced(axis: 0, n..<n + 1))
    }
  }

  @Test("a batch that goes through a plan in parts gets the same bits", arguments: cases)
  func cutBatches(_ example: Case) throws {
    let graph = try example.graph()
    let whole = try network(graph, .single)
    let output = Site.output(graph.outputs[0].name)
    let objective = Objective(output, .elements([1]))
    let inputs = try Inputs(Tensor.random([5] + example.input, seed: 23), for: whole)
    let sample = try Inputs(Tensor.random([1] + example.input, seed: 24), for: whole)
    let baseline = try Inputs(Tensor(zeros: Shape([1] + example.input)), for: whole)
    let points = (0..<7).map { PathPoint(fraction: Double($0) / 7, weight: 1 / 7.0) }
    func results(_ network: Network) throws -> [Tensor] {
      try network.evaluate(inputs, observing: [output])
        + network.gradients(
          of: objective, withRespectTo: [.input("x")], at: inputs, rules: .gradient
        ).tensors
        + network.pathGradients(
          of: objective, from: baseline, to: sample, at: points, withRespectTo: [.input("x")],
          context: Context())
    }
    let wanted = try results(whole)
    // Such that values of one or a few samples fit, and weights do not.
    for cacheBytes in [2, 8, 32, 128].map({ $0 << 10 }) {
      var configuration = Network.Configuration(threads: 2)
      configuration.cacheBytes = cacheBytes
      #expect(try results(Network(graph, configuration: configuration)) == wanted)
    }
  }

  @Test("in a dense block only convolutions have a backward pass")
  func denseBlock() throws {
    var g = GraphDraft()
    var pieces = [try g.convolution("x", from: 8, to: 32)]
    var whole = pieces[0]
    for channels in [32, 48, 64] {
      let a = g.node("Relu", [try g.normalization(whole, channels: channels)])
      pieces.append(try g.convolution(a, from: channels, to: 16))
      whole = g.node("Concat", pieces, ["axis": .integer(1)])
    }
    let y = try g.convolution(whole, from: 80, to: 4)
    let network = try Network(g.graph(input: [nil, 8, 9, 9], output: y))
    let x = Inputs([("x", try Tensor.random([1, 8, 9, 9], seed: 1))])
    let times = try network.layerTimes {
      _ = try network.gradients(
        of: Objective(.output(y), .sum), withRespectTo: [.input("x")], at: x, rules: .gradient)
    }
    let backward = times.filter(\.isBackward)
    #expect(backward.count == 5 && backward.allSatisfy { $0.kinds.hasPrefix("Conv") })
    #expect(times.count { $0.kinds.hasPrefix("BatchNormalization") } == 3)
  }

  @Test("in exact mode, too, a sample's class gives the same bits alone and beside other classes")
  func exactClasses() throws {
    var g = GraphDraft()
    let y = try g.convolution("x", from: 3, to: 112, kernel: [11, 11], stride: 4)
    let network = try Network(
      g.graph(input: [nil, 3, 24, 24], output: y),
      configuration: .init(precision: .exact, threads: 2))
    let x = try Tensor.random([3, 3, 24, 24], seed: 1)
    func gradient(_ samples: Range<Int>, _ elements: [Int]) throws -> Tensor {
      try network.gradients(
        of: Objective(.output(y), .elements(elements)), withRespectTo: [.input("x")],
        at: Inputs([("x", try x.sliced(axis: 0, samples))]), rules: .gradient
      ).tensors[0]
    }
    let elements = [0, 50, 100].map { $0 * 36 + 14 }
    let together = try gradient(0..<3, elements)
    for n in 0..<3 {
      #expect(
        try gradient(n..<n + 1, [elements[n]]) == together.sliced(axis: 0, n..<n + 1))
    }
  }

  @Test("a Jacobian has the gradient of each output in its rows", arguments: cases)
  func jacobianRows(_ example: Case) throws {
    let graph = try example.graph()
    let x = try Tensor.random([2] + example.input, seed: 12)
    let network = try network(graph, .single)
    let inputs = try Inputs(x, for: network)
    let output = Site.output(graph.outputs[0].name)
    let elements = [2, 0, 1]
    let jacobian = try network.jacobian(
      of: output, elements: elements, withRespectTo: [.input("x")], at: inputs, rules: .gradient,
      context: Context())
    #expect(jacobian.tensors[0].shape.dimensions == [2, 3] + example.input)
    for (row, element) in elements.enumerated() {
      let gradient = try network.gradients(
        of: Objective(output, .elements([element])), withRespectTo: [.input("x")], at: inputs,
        rules: .gradient)
      #expect(try jacobian.tensors[0].select(axis: 1, index: row) == gradient.tensors[0])
      #expect(
        try jacobian.values.converted(to: .float64).select(axis: 1, index: row)
          .elements(of: Double.self) == gradient.values)
    }
  }

  @Test("a Jacobian of more outputs than one backward pass takes repeats the pass")
  func repeatedBackward() throws {
    let example = Case("many outputs", [2, 4, 4]) { g in
      let x = g.pool(
        "MaxPool", g.node("Relu", [try g.convolution("x", from: 2, to: 20)]), kernel: 2, stride: 2)
      return try g.dense(g.node("Flatten", [x]), from: 80, to: 301)
    }
    let graph = try example.graph()
    let network = try network(graph, .single)
    let inputs = try Inputs(try Tensor.random([1] + example.input, seed: 14), for: network)
    let output = Site.output(graph.outputs[0].name)
    let jacobian = try network.jacobian(
      of: output, elements: nil, withRespectTo: [.input("x")], at: inputs, rules: .gradient,
      context: Context())
    #expect(jacobian.tensors[0].shape.dimensions == [1, 301] + example.input)
    for element in [0, 149, 150, 151, 300] {
      let gradient = try network.gradients(
        of: Objective(output, .elements([element])), withRespectTo: [.input("x")], at: inputs,
        rules: .gradient)
      #expect(try jacobian.tensors[0].select(axis: 1, index: element) == gradient.tensors[0])
    }
  }
}
