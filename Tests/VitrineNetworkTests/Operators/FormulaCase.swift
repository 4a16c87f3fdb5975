import Testing
import VitrineNetwork
import VitrineTensor

/// A node, inputs that a formula gives, and the output that onnxruntime computes from them.
///
/// Outputs are those of onnxruntime 1.31.1 on CPU in float32, without graph optimisations, with seven
/// digits.
struct FormulaCase: CustomTestStringConvertible, Sendable {
  /// Rounding of seven digits and of sums of a few dozen products in float32.
  static let tolerance = 2e-6

  let testDescription: String
  private let node: NodeReader
  private let inputs: [[Int]]
  private let scale: Double
  private let raised: Int?
  private let shape: [Int]
  private let output: [Double]

  /// - Parameters:
  ///   - inputs: Shapes. Element `i` of input `k` is `((37 i + 11 k) mod 129 - 64) / 64 · scale`.
  ///   - raised: The input that 2 is added to, so that it is positive.
  ///   - output: Numbers, separated by white space.
  init(
    _ name: String, _ kind: String, opset: Int, _ attributes: [String: Graph.Attribute] = [:],
    inputs: [[Int]], scale: Double = 1, raised: Int? = nil, shape: [Int], output: String
  ) {
    testDescription = name
    node = NodeReader(kind, inputs: inputs.count, opset: opset, attributes)
    self.inputs = inputs
    self.scale = scale
    self.raised = raised
    self.shape = shape
    self.output = output.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
  }

  /// Checks shape and elements of the first output, in both precisions.
  func check(with operators: [String: any Operator.Type]) throws {
    let type = try #require(operators[node.node.kind])
    let subject = try type.init(node)
    let tensors: [Tensor?] = try inputs.enumerated().map { index, shape in
      let elements = (0..<shape.reduce(1, *)).map { i -> Double in
        let numerator = (37 * i + 11 * index) % 129 - 64
        return Double(numerator) / 64 * scale + (index == raised ? 2 : 0)
      }
      return try Tensor(elements, shape: shape)
    }
    let announced = try subject.infer(PullbackCheck.valueTypes(of: tensors))
    #expect(announced.first?.shape.dimensions == shape)
    let outputs = try subject.evaluate(tensors, Double.self)
    #expect(outputs.map(\.shape) == announced.map(\.shape))
    let elements = try #require(outputs.first).elements(of: Double.self)
    #expect(PullbackCheck.relativeDistance(elements, to: output) < Self.tolerance)
    try PullbackCheck.comparePrecisions(subject, inputs: tensors, tolerance: Self.tolerance)
  }
}
