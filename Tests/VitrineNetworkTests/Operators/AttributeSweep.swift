import Testing
import VitrineNetwork
import VitrineTensor

/// Gives every attribute of a node hostile values, one at a time, and shows its operator hostile
/// shapes: an operator may refuse them, but must not trap or run away.
enum AttributeSweep {
  private static let numbers: [Int64] = [
    0, 1, -1, 2, .min, .max, 1 << 31, (1 << 31) - 1, 1 << 32, -(1 << 31), 1 << 62,
  ]

  private static let values: [Graph.Attribute] =
    numbers.map { .integer($0) }
    + [0, -1, .nan, .infinity, -.infinity, 1e300].map { .real($0) }
    + ["", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "none", "\u{0}"].map { .string($0) }
    + (0...6).flatMap { count in numbers.map { .integers(Array(repeating: $0, count: count)) } }
    + [
      .integers(Array(repeating: 1, count: 100_000)), .integers([1, .max]), .integers([.min, 1]),
      .integers([0, 0, .max, .max]), .integers([1, 1, 0, -1]), .reals([]), .reals([0.5]),
      .strings([]), .strings(["a"]), .tensor(Tensor([1.0])),
    ]

  /// Shapes of every small rank, and shapes with absurd extents.
  private static let shapes: [[Int]] = [
    [], [0], [1], [2, 3], [0, 0], [1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 2, 3, 3],
    [0, 3, 1 << 28, 1 << 28], [1 << 58, 0], [0, 1 << 58], [1 << 29, 1 << 29, 0],
    [0, 1 << 29, 1 << 29], [1, 1, 1, Int(Int32.max)], [1 << 40, 1, 1], [1 << 30, 1 << 28],
    [1, 0, 1 << 58], [1, 1 << 58, 0, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1],
  ]

  /// Largest output that a sweep also evaluates: announcing more is the caller's to refuse.
  private static let elementLimit = 4096

  /// - Parameters:
  ///   - attributes: All that the operator knows, with values that are right.
  ///   - inputs: Shapes that are right.
  static func run(
    _ type: any Operator.Type, _ kind: String, attributes: [String: Graph.Attribute] = [:],
    inputs: [[Int]], opset: Int = 20, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    func attempt(_ attributes: [String: Graph.Attribute], _ shapes: [[Int]?]) throws -> Bool {
      do {
        try exercise(
          type.init(NodeReader(kind, inputs: shapes.count, opset: opset, attributes)), shapes)
        return true
      } catch is OperatorError {
        return false
      }
    }
    let isRight = try attempt(attributes, inputs)
    #expect(isRight, "the unchanged node must run", sourceLocation: sourceLocation)
    for name in attributes.keys.sorted() {
      for value in values {
        var changed = attributes
        changed[name] = value
        _ = try attempt(changed, inputs)
      }
    }
    for index in inputs.indices {
      for shape in shapes {
        var changed = inputs as [[Int]?]
        changed[index] = shape
        _ = try attempt(attributes, changed)
      }
      var missing = inputs as [[Int]?]
      missing[index] = nil
      _ = try attempt(attributes, missing)
      _ = try attempt(attributes, Array(inputs[..<index]))
    }
    for shape in shapes { _ = try attempt(attributes, inputs.map { _ in shape }) }
    let isTooMany = try !attempt(attributes, inputs + Array(repeating: [1], count: 8))
    #expect(isTooMany, "inputs that do not exist", sourceLocation: sourceLocation)
  }

  /// Runs a node forth and back if its tensors are small.
  private static func exercise(_ node: some Operator, _ shapes: [[Int]?]) throws {
    let types = try shapes.map { try $0.map { ValueType(try Shape($0), .float32) } }
    let outputs = try node.infer(types)
    let small = (types.compactMap { $0 } + outputs).allSatisfy { $0.shape.count <= elementLimit }
    guard small else { return }
    let inputs = types.map { $0.map { Tensor(repeating: Float(0.5), shape: $0.shape) } }
    let results = try node.evaluate(inputs, Float.self)
    #expect(results.map(\.shape) == outputs.map(\.shape))
    let point = Point(inputs: inputs, outputs: results, wanted: inputs.map { $0 != nil })
    _ = try node.pullback(results, at: point, Float.self)
  }
}
