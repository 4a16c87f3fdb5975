import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

/// Small networks whose parameters have names.
struct NetworkDraft {
  private(set) var nodes: [Graph.Node] = []
  private(set) var constants: [String: Tensor] = [:]
  private var seed: UInt64

  init(seed: UInt64 = 1) { self.seed = seed }

  /// Adds a node and returns the name of its output.
  mutating func node(
    _ kind: String, _ inputs: [String], _ attributes: [String: Graph.Attribute] = [:]
  ) -> String {
    let name = "\(kind.lowercased())\(nodes.count)"
    nodes.append(
      Graph.Node(name: name, kind: kind, inputs: inputs, outputs: [name], attributes: attributes))
    return name
  }

  mutating func constant(_ name: String, _ tensor: Tensor) -> String {
    constants[name] = tensor
    return name
  }

  mutating func random(
    _ name: String, _ shape: [Int], in range: ClosedRange<Double> = -0.5...0.5
  ) throws -> String {
    seed += 1
    return constant(name, try Tensor.random(shape, in: range, seed: seed))
  }

  mutating func dense(_ name: String, _ input: String, _ inputs: Int, _ outputs: Int) throws
    -> String
  {
    let bound = 1 / Double(inputs).squareRoot()
    return node(
      "Gemm",
      [
        input, try random(name + ".weight", [outputs, inputs], in: -bound...bound),
        try random(name + ".bias", [outputs], in: -bound...bound),
      ], ["transB": .integer(1)])
  }

  mutating func convolution(
    _ name: String, _ input: String, _ inputs: Int, _ outputs: Int, kernel: Int, pad: Int = 0,
    stride: Int = 1, groups: Int = 1
  ) throws -> String {
    let bound = 1 / Double(inputs / groups * kernel * kernel).squareRoot()
    return node(
      "Conv",
      [
        input,
        try random(
          name + ".weight", [outputs, inputs / groups, kernel, kernel], in: -bound...bound),
        try random(name + ".bias", [outputs], in: -bound...bound),
      ],
      [
        "kernel_shape": .integers([Int64(kernel), Int64(kernel)]),
        "pads": .integers(Array(repeating: Int64(pad), count: 4)),
        "strides": .integers([Int64(stride), Int64(stride)]), "group": .integer(Int64(groups)),
      ])
  }

  mutating func normalization(_ name: String, _ input: String, _ channels: Int) throws -> String {
    node(
      "BatchNormalization",
      [
        input, try random(name + ".scale", [channels], in: 0.5...1.5),
        try random(name + ".bias", [channels]), try random(name + ".mean", [channels]),
        try random(name + ".variance", [channels], in: 0.5...2),
      ])
  }

  mutating func maxPool(_ input: String, _ size: Int64 = 2) -> String {
    node(
      "MaxPool", [input],
      ["kernel_shape": .integers([size, size]), "strides": .integers([size, size])])
  }

  /// Returns the graph from inputs `x`, `x1`, … to one output.
  func graph(
    _ inputs: [[Int]], output: String, integers: Set<Int> = [], opset: Int = 17
  ) -> Graph {
    Graph(
      opset: opset,
      inputs: inputs.enumerated().map { index, shape in
        Graph.Port(
          name: index == 0 ? "x" : "x\(index)",
          dataType: integers.contains(index) ? .int64 : .float32,
          dimensions: [.dynamic("batch")] + shape.map { .fixed($0) })
      },
      outputs: [Graph.Port(name: output, dataType: .float32, dimensions: nil)], nodes: nodes,
      constants: constants)
  }

  /// The network of LeCun et al. 1998 in today's usual form; input `[batch, 1, 28, 28]`.
  static func leNet(seed: UInt64 = 1) throws -> Graph {
    var draft = NetworkDraft(seed: seed &* 1000)
    var x = try draft.convolution("conv1", "x", 1, 6, kernel: 5)
    x = draft.maxPool(draft.node("Relu", [x]))
    x = try draft.convolution("conv2", x, 6, 16, kernel: 5)
    x = draft.maxPool(draft.node("Relu", [x]))
    x = draft.node("Flatten", [x])
    x = draft.node("Relu", [try draft.dense("fc1", x, 256, 120)])
    x = draft.node("Relu", [try draft.dense("fc2", x, 120, 84)])
    x = try draft.dense("fc3", x, 84, 10)
    return draft.graph([[1, 28, 28]], output: x)
  }

  /// Dense layers with an activation between them; input `[batch, widths[0]]`.
  static func perceptron(_ widths: [Int], activation: String = "Relu", seed: UInt64 = 1) throws
    -> Graph
  {
    var draft = NetworkDraft(seed: seed &* 1000)
    var x = "x"
    for layer in 1..<widths.count {
      x = try draft.dense("dense\(layer)", x, widths[layer - 1], widths[layer])
      if layer < widths.count - 1 { x = draft.node(activation, [x]) }
    }
    return draft.graph([[widths[0]]], output: x)
  }
}
