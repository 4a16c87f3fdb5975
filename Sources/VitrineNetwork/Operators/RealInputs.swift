import VitrineCore
import VitrineTensor

/// The shapes of a node's inputs where all inputs hold real numbers.
struct RealInputs {
  private let names: [String]
  private let shapes: [Shape?]

  /// Checks that there are as many inputs as names, the last `optional` of which may be missing.
  init(_ inputs: [ValueType?], _ names: String..., optional: Int = 0) throws {
    try self.init(inputs.map { $0.map { ($0.shape, $0.dataType) } }, names, optional)
  }

  /// Checks the same of the tensors of a run.
  init(_ inputs: [Tensor?], _ names: String..., optional: Int = 0) throws {
    try self.init(inputs.map { $0.map { ($0.shape, $0.dataType) } }, names, optional)
  }

  private init(_ inputs: [(Shape, DataType)?], _ names: [String], _ optional: Int) throws {
    guard inputs.count <= names.count else {
      throw OperatorError(
        "expected at most \(names.count) inputs (\(names.joined(separator: ", "))), "
          + "found \(inputs.count)")
    }
    for (index, name) in names.enumerated() {
      guard index < inputs.count, let (_, dataType) = inputs[index] else {
        if index >= names.count - optional { continue }
        throw OperatorError("input '\(name)' is missing")
      }
      guard dataType.isFloatingPoint else {
        throw OperatorError("input '\(name)': expected real numbers, found \(dataType)")
      }
    }
    self.names = names
    shapes = inputs.map { $0?.0 }
  }

  /// The shape of a required input.
  func shape(_ index: Int) throws -> Shape {
    guard let shape = optionalShape(index) else {
      throw OperatorError("input '\(names[index])' is missing")
    }
    return shape
  }

  func optionalShape(_ index: Int) -> Shape? {
    index < shapes.count ? shapes[index] : nil
  }
}

extension OperatorError {
  /// Returns what `body` returns, and throws its error as that of an operator.
  static func wrapping<Result>(
    _ body: () throws(TensorError) -> Result
  ) throws(OperatorError) -> Result {
    do { return try body() } catch { throw OperatorError(error.description) }
  }
}

extension Shape {
  /// Creates the shape of an output, which attributes can make absurdly large.
  init(output dimensions: [Int]) throws(OperatorError) {
    self = try OperatorError.wrapping { () throws(TensorError) in try Shape(dimensions) }
  }
}

extension [Tensor?] {
  /// Returns an input that the shape rule has found present.
  func required(_ index: Int) throws -> Tensor {
    guard let tensor = optional(index) else { throw OperatorError("input \(index) is missing") }
    return tensor
  }

  func optional(_ index: Int) -> Tensor? {
    index < count ? self[index] : nil
  }
}

extension Point {
  func wants(_ input: Int) -> Bool {
    input < wanted.count && wanted[input]
  }

  /// Returns the cotangent of the only output, or `nil` for zero.
  ///
  /// - Throws: An ``OperatorError`` if its shape is not that of the output.
  func cotangent(_ cotangents: [Tensor?], of output: Shape) throws -> Tensor? {
    guard let cotangent = cotangents.optional(0) else { return nil }
    guard cotangent.shape == output else {
      throw OperatorError("expected a cotangent of shape \(output), found \(cotangent.shape)")
    }
    return cotangent
  }

  /// Throws unless the rule is the gradient or one of `rules`.
  func checkRule(isIn rules: Set<BackwardRule> = []) throws {
    guard rule == .gradient || rules.contains(rule) else {
      throw OperatorError("backward rule '\(rule)' is not defined here")
    }
  }
}
