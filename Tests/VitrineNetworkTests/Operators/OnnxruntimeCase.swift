import Testing
import VitrineNetwork
import VitrineTensor

/// A node, its inputs, and the outputs that another implementation computes of them.
///
/// The tables of these in the tests of each family were computed by onnxruntime 1.31.1 on the CPU, in
/// `float32`; hence the tolerance of 2e-6, relative for numbers above 1.
struct OnnxruntimeCase: Sendable, CustomTestStringConvertible {
  /// A tensor as a literal.
  enum Literal: Sendable {
    case reals([Int], [Double])
    case integers([Int], [Int64])
    case booleans([Int], [Bool])
    /// The real numbers 0, 1, 2, ….
    case counting([Int])

    func tensor() throws -> Tensor {
      switch self {
      case .reals(let shape, let values): try Tensor(values, shape: shape)
      case .integers(let shape, let values): try Tensor(values, shape: shape)
      case .booleans(let shape, let values): try Tensor(values, shape: shape)
      case .counting(let shape):
        try Tensor((0..<shape.reduce(1, *)).map(Double.init), shape: shape)
      }
    }
  }

  static let tolerance = 2e-6

  let kind: String
  let opset: Int
  let attributes: [String: Graph.Attribute]
  let inputs: [Literal?]
  let outputs: [Literal]

  init(
    _ kind: String, opset: Int, _ attributes: [String: Graph.Attribute] = [:],
    inputs: [Literal?], outputs: [Literal]
  ) {
    self.kind = kind
    self.opset = opset
    self.attributes = attributes
    self.inputs = inputs
    self.outputs = outputs
  }

  var testDescription: String { "\(kind) \(opset) \(attributes.keys.sorted())" }

  /// The node, as a reader of it.
  var reader: NodeReader {
    let node = Graph.Node(
      name: "test", kind: kind,
      inputs: inputs.enumerated().map { $1 == nil ? "" : "x\($0)" },
      outputs: outputs.indices.map { "y\($0)" }, attributes: attributes)
    return NodeReader(node, opset: opset)
  }

  /// Evaluates the node in both precisions and compares shapes, types and elements, also with what
  /// `infer` announces.
  func check(_ operators: [String: any Operator.Type]) throws {
    let type = try #require(operators[kind], "\(self)")
    let node = try type.init(reader)
    let given = try inputs.map { try $0?.tensor() }
    let expected = try outputs.map { try $0.tensor() }
    let announced = try node.infer(PullbackCheck.valueTypes(of: given))
    try #require(announced.count == expected.count, "\(self)")
    try compare(try node.evaluate(given, Double.self), with: expected, announced, .float64)
    let singles = given.map { $0.map { single($0) } }
    try compare(try node.evaluate(singles, Float.self), with: expected, announced, .float32)
  }

  private func single(_ tensor: Tensor) -> Tensor {
    tensor.dataType == .float64 ? tensor.converted(to: .float32) : tensor
  }

  private func compare(
    _ found: [Tensor], with expected: [Tensor], _ announced: [ValueType], _ precision: DataType
  ) throws {
    try #require(found.count == expected.count, "\(self)")
    for index in expected.indices {
      let (a, b, type) = (found[index], expected[index], announced[index])
      let isReal = b.dataType == .float64
      #expect(a.shape == b.shape && type.shape == b.shape, "\(self)")
      #expect(a.dataType == (isReal ? precision : b.dataType), "\(self)")
      #expect(type.dataType == (isReal ? .float32 : b.dataType), "\(self)")
      if isReal {
        let pairs = zip(
          try a.converted(to: .float64).elements(of: Double.self),
          try b.elements(of: Double.self))
        #expect(pairs.allSatisfy(isClose), "\(self): \(pairs.map(\.0))")
      } else {
        #expect(a == b, "\(self)")
      }
    }
  }

  private func isClose(_ a: Double, _ b: Double) -> Bool {
    a == b || (a.isNaN && b.isNaN) || abs(a - b) <= Self.tolerance * max(1, abs(b))
  }
}
