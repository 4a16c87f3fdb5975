import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

/// Builds small graphs for tests: every method adds a node and returns the name of its output.
struct GraphDraft {
  private(set) var nodes: [Graph.Node] = []
  private(set) var constants: [String: Tensor] = [:]
  private var seed: UInt64 = 1

  /// Adds a node with one output.
  mutating func node(
    _ kind: String, _ inputs: [String], _ attributes: [String: Graph.Attribute] = [:]
  ) -> String {
    let name = "\(kind.lowercased())\(nodes.count)"
    nodes.append(
      Graph.Node(name: name, kind: kind, inputs: inputs, outputs: [name], attributes: attributes))
    return name
  }

  /// Adds a constant of seeded random numbers.
  mutating func weights(
    _ shape: [Int], in range: ClosedRange<Double> = -0.5...0.5
  ) throws -> String {
    seed += 1
    return constant(try Tensor.random(shape, in: range, seed: seed))
  }

  mutating func constant(_ tensor: Tensor) -> String {
    let name = "constant\(constants.count)"
    constants[name] = tensor
    return name
  }

  mutating func integers(_ values: [Int64]) -> String { constant(Tensor(values)) }

  mutating func convolution(
    _ input: String, from inputs: Int, to outputs: Int, kernel: [Int] = [3, 3],
    pads: [Int64]? = nil, stride: Int64 = 1, dilation: Int64 = 1, groups: Int = 1, bias: Bool = true
  ) throws -> String {
    var names = [input, try weights([outputs, inputs / groups] + kernel)]
    if bias { names.append(try weights([outputs])) }
    let same = kernel.map { Int64($0 / 2) }
    return node(
      "Conv", names,
      [
        "kernel_shape": .integers(kernel.map(Int64.init)), "pads": .integers(pads ?? same + same),
        "strides": .integers(kernel.map { _ in stride }),
        "dilations": .integers(kernel.map { _ in dilation }), "group": .integer(Int64(groups)),
      ])
  }

  mutating func normalization(_ input: String, channels: Int) throws -> String {
    node(
      "BatchNormalization",
      [
        input, try weights([channels], in: 0.5...1.5), try weights([channels]),
        try weights([channels]), try weights([channels], in: 0.5...2),
      ])
  }

  mutating func pool(
    _ kind: String, _ input: String, kernel: Int64, stride: Int64, pad: Int64 = 0,
    _ attributes: [String: Graph.Attribute] = [:]
  ) -> String {
    node(
      kind, [input],
      attributes.merging([
        "kernel_shape": .integers([kernel, kernel]), "strides": .integers([stride, stride]),
        "pads": .integers([pad, pad, pad, pad]),
      ]) { first, _ in first })
  }

  mutating func dense(_ input: String, from inputs: Int, to outputs: Int) throws -> String {
    node(
      "Gemm", [input, try weights([outputs, inputs]), try weights([outputs])],
      ["transB": .integer(1)])
  }

  /// Returns the graph with one input `x`; a `nil` extent is free.
  func graph(input: [Int?], output: String) -> Graph {
    Graph(
      opset: 17,
      inputs: [
        Graph.Port(
          name: "x", dataType: .float32,
          dimensions: input.map { $0.map { .fixed($0) } ?? .dynamic("batch") })
      ],
      outputs: [Graph.Port(name: output, dataType: .float32, dimensions: nil)], nodes: nodes,
      constants: constants)
  }
}
