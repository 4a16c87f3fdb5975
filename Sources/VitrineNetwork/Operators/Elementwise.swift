package import VitrineTensor

/// Operators that compute each element from the elements at the same place.
package enum Elementwise {
  package static let operators: [String: any Operator.Type] = {
    var operators: [String: any Operator.Type] = ["Cast": Cast.self, "CastLike": CastLike.self]
    for function in ElementaryFunction.Function.allCases {
      operators[function.rawValue] = ElementaryFunction.self
    }
    for function in Arithmetic.Function.allCases { operators[function.rawValue] = Arithmetic.self }
    for function in VariadicArithmetic.Function.allCases {
      operators[function.rawValue] = VariadicArithmetic.self
    }
    return operators
  }()
}

/// Applies a function of one number to every element.
///
/// Functions that are constant between their jumps (`Sign` and the roundings) have no derivative to
/// speak of: their pullback is zero.
package struct ElementaryFunction: Operator {
  /// A function by its ONNX name.
  package enum Function: String, CaseIterable, Sendable {
    case absolute = "Abs"
    case ceiling = "Ceil"
    case cosine = "Cos"
    case exponential = "Exp"
    case floor = "Floor"
    case logarithm = "Log"
    case negative = "Neg"
    case reciprocal = "Reciprocal"
    /// To the nearest integer, to the even one of two.
    case round = "Round"
    case sign = "Sign"
    case sine = "Sin"
    case squareRoot = "Sqrt"

    fileprivate var acceptsIntegers: Bool {
      self == .absolute || self == .negative || self == .sign
    }
  }

  package let function: Function

  package init(_ node: NodeReader) throws {
    function = try Function(kindOf: node)
    try node.expect(inputs: 1...1)
  }

  package var pushforwardRule: PushforwardRule { .symmetric }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let x = try inputs.required(0, "X")
    if function.acceptsIntegers {
      try x.expect(.float32, .int64, as: "X")
    } else {
      try x.expect(.float32, as: "X")
    }
    return [ValueType(x.shape, x.dataType.inferred)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let x = try inputs.required(0, "X")
    if x.dataType == .int64 { return [try evaluateIntegers(x)] }
    let y =
      switch function {
      case .absolute: try mapElements(x, of: T.self) { abs($0) }
      case .ceiling: try mapElements(x, of: T.self) { $0.rounded(.up) }
      case .cosine: try mapElements(x, of: T.self) { T.cos($0) }
      case .exponential: try mapElements(x, of: T.self) { T.exp($0) }
      case .floor: try mapElements(x, of: T.self) { $0.rounded(.down) }
      case .logarithm: try mapElements(x, of: T.self) { T.log($0) }
      case .negative: try mapElements(x, of: T.self) { -$0 }
      case .reciprocal: try mapElements(x, of: T.self) { 1 / $0 }
      case .round: try mapElements(x, of: T.self) { $0.rounded(.toNearestOrEven) }
      case .sign: try mapElements(x, of: T.self) { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
      case .sine: try mapElements(x, of: T.self) { T.sin($0) }
      case .squareRoot: try mapElements(x, of: T.self) { $0.squareRoot() }
      }
    return [y]
  }

  /// Integers wrap around: the magnitude of the least one is itself.
  private func evaluateIntegers(_ x: Tensor) throws -> Tensor {
    switch function {
    case .absolute: try mapElements(x, of: Int64.self) { $0 < 0 ? 0 &- $0 : $0 }
    case .negative: try mapElements(x, of: Int64.self) { 0 &- $0 }
    case .sign: try mapElements(x, of: Int64.self) { $0.signum() }
    default: throw OperatorError("input 'X' must be real, found integer")
    }
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let x = try point.inputs.required(0, "X")
    let y = point.outputs[0]
    return try point.pulledBack(cotangents) { _ in
      guard let g = cotangents[0] else { return nil }
      switch function {
      case .absolute:
        return try zipElements(g, x, of: T.self) { $1 > 0 ? $0 : $1 < 0 ? -$0 : 0 }
      case .cosine: return try zipElements(g, x, of: T.self) { -$0 * T.sin($1) }
      case .exponential: return try zipElements(g, y, of: T.self) { $0 * $1 }
      case .logarithm: return try zipElements(g, x, of: T.self) { $0 / $1 }
      case .negative: return try mapElements(g, of: T.self) { -$0 }
      case .reciprocal: return try zipElements(g, y, of: T.self) { -$0 * $1 * $1 }
      case .sine: return try zipElements(g, x, of: T.self) { $0 * T.cos($1) }
      case .squareRoot: return try zipElements(g, y, of: T.self) { $0 / (2 * $1) }
      case .ceiling, .floor, .round, .sign: return nil
      }
    }
  }
}

extension RawRepresentable where RawValue == String {
  /// Returns the member that is called like the node's operator.
  init(kindOf node: NodeReader) throws(OperatorError) {
    guard let member = Self(rawValue: node.node.kind) else {
      throw OperatorError("'\(node.node.kind)' is not one of these operators")
    }
    self = member
  }
}
