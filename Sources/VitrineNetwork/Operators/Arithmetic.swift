package import VitrineTensor

/// Combines two tensors, broadcast together, element by element.
///
/// Integers wrap around at the ends of their range; dividing one by zero is an error.
package struct Arithmetic: Operator {
  /// A function by its ONNX name.
  package enum Function: String, CaseIterable, Sendable {
    case add = "Add"
    case divide = "Div"
    case modulo = "Mod"
    case multiply = "Mul"
    case power = "Pow"
    case subtract = "Sub"
  }

  package let function: Function
  /// Whether `Mod` truncates the quotient, so that the result has the sign of the dividend, instead
  /// of taking its floor, so that it has the sign of the divisor.
  private let truncatesQuotient: Bool
  private let moduloAcceptsReals: Bool

  package init(_ node: NodeReader) throws {
    function = try Function(kindOf: node)
    try node.expect(inputs: 2...2)
    let fmod = function == .modulo ? try node.integer("fmod", default: 0) : 0
    guard fmod == 0 || fmod == 1 else {
      throw OperatorError("attribute 'fmod' must be 0 or 1, found \(fmod)")
    }
    truncatesQuotient = fmod == 1
    // Until opset 28 the floor form was for integers only.
    moduloAcceptsReals = truncatesQuotient || node.opset >= 28
  }

  package var pushforwardRule: PushforwardRule { .elementwise }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let (a, b) = (try inputs.required(0, "A"), try inputs.required(1, "B"))
    try a.expect(.float32, .int64, as: "A")
    try b.expect(.float32, .int64, as: "B")
    if function != .power { try b.expectSameType(as: a) }
    if function == .modulo && !moduloAcceptsReals && a.dataType.isFloatingPoint {
      throw OperatorError("real inputs need attribute 'fmod' to be 1 before opset 28")
    }
    return [ValueType(try a.shape.checkedBroadcast(with: b.shape), a.dataType.inferred)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (a, b) = (try inputs.required(0, "A"), try inputs.required(1, "B"))
    return [
      a.dataType == .int64 ? try evaluateIntegers(a, b) : try evaluateReals(a, b, T.self)
    ]
  }

  private func evaluateReals<T: RealScalar>(
    _ a: Tensor, _ b: Tensor, _: T.Type
  ) throws -> Tensor {
    switch function {
    case .add: try zipElements(a, b, of: T.self) { $0 + $1 }
    case .divide: try zipElements(a, b, of: T.self) { $0 / $1 }
    case .multiply: try zipElements(a, b, of: T.self) { $0 * $1 }
    case .power:
      // An exponent may be an integer.
      try zipElements(a, b.converted(to: T.dataType), of: T.self) { T.pow($0, $1) }
    case .subtract: try zipElements(a, b, of: T.self) { $0 - $1 }
    case .modulo:
      truncatesQuotient
        ? try zipElements(a, b, of: T.self) { $0.truncatingRemainder(dividingBy: $1) }
        : try zipElements(a, b, of: T.self) { floorRemainder($0, $1) }
    }
  }

  private func evaluateIntegers(_ a: Tensor, _ b: Tensor) throws -> Tensor {
    switch function {
    case .add: return try zipElements(a, b, of: Int64.self) { $0 &+ $1 }
    case .divide:
      return try zipElements(a, b, of: Int64.self) { x, y in
        guard y != 0 else { throw OperatorError("an integer is divided by zero") }
        return x.dividedReportingOverflow(by: y).partialValue
      }
    case .modulo:
      return try zipElements(a, b, of: Int64.self) { x, y in
        guard y != 0 else { throw OperatorError("an integer is divided by zero") }
        let remainder = x.remainderReportingOverflow(dividingBy: y).partialValue
        let isOnOtherSide = remainder != 0 && (remainder < 0) != (y < 0)
        return truncatesQuotient || !isOnOtherSide ? remainder : remainder &+ y
      }
    case .multiply: return try zipElements(a, b, of: Int64.self) { $0 &* $1 }
    case .power:
      if b.dataType == .int64 { return try zipElements(a, b, of: Int64.self, integerPower) }
      let (base, exponent) = (a.converted(to: .float64), b.converted(to: .float64))
      return try zipElements(base, exponent, of: Double.self) { Double.pow($0, $1) }
        .converted(to: .int64)
    case .subtract: return try zipElements(a, b, of: Int64.self) { $0 &- $1 }
    }
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let a = try point.inputs.required(0, "A")
    let b = try point.inputs.required(1, "B").converted(to: T.dataType)
    return try point.pulledBack(cotangents) { index in
      // A real exponent of an integer base changes no real number.
      guard let g = cotangents[0], a.dataType != .int64 else { return nil }
      let full =
        try index == 0 ? cotangentOfFirst(g, a, b, T.self) : cotangentOfSecond(g, a, b, T.self)
      return try unbroadcast(full, to: index == 0 ? a.shape : b.shape, T.self)
    }
  }

  private func cotangentOfFirst<T: RealScalar>(
    _ g: Tensor, _ a: Tensor, _ b: Tensor, _: T.Type
  ) throws -> Tensor {
    switch function {
    case .add, .subtract, .modulo: g
    case .multiply: try zipElements(g, b, of: T.self) { $0 * $1 }
    case .divide: try zipElements(g, b, of: T.self) { $0 / $1 }
    case .power:
      try zipElements(g, a, b, of: T.self) { $2 == 0 ? 0 : $0 * $2 * T.pow($1, $2 - 1) }
    }
  }

  private func cotangentOfSecond<T: RealScalar>(
    _ g: Tensor, _ a: Tensor, _ b: Tensor, _: T.Type
  ) throws -> Tensor {
    switch function {
    case .add: g
    case .subtract: try mapElements(g, of: T.self) { -$0 }
    case .multiply: try zipElements(g, a, of: T.self) { $0 * $1 }
    case .divide: try zipElements(g, a, b, of: T.self) { -$0 * ($1 / $2) / $2 }
    case .power:
      // 0 to a power is 0 in a neighbourhood of every positive exponent.
      try zipElements(g, a, b, of: T.self) {
        $1 == 0 && $2 >= 0 ? 0 : $0 * T.pow($1, $2) * T.log($1)
      }
    case .modulo:
      try zipElements(g, a, b, of: T.self) {
        -$0 * ($1 / $2).rounded(truncatesQuotient ? .towardZero : .down)
      }
    }
  }
}

/// Returns `x - ⌊x / y⌋ · y`, exactly: it has the sign of `y`.
private func floorRemainder<T: RealScalar>(_ x: T, _ y: T) -> T {
  let remainder = x.truncatingRemainder(dividingBy: y)
  if remainder == 0 { return T(signOf: y, magnitudeOf: 0) }
  return (remainder < 0) != (y < 0) ? remainder + y : remainder
}

/// Returns `base` to the power `exponent`, truncated to an integer, by repeated squaring.
private func integerPower(_ base: Int64, _ exponent: Int64) throws -> Int64 {
  if exponent < 0 {
    switch base {
    case 0: throw OperatorError("an integer is divided by zero")
    case 1: return 1
    case -1: return exponent & 1 == 0 ? 1 : -1
    default: return 0
    }
  }
  var (result, square, rest): (Int64, Int64, Int64) = (1, base, exponent)
  while rest > 0 {
    if rest & 1 == 1 { result &*= square }
    square &*= square
    rest >>= 1
  }
  return result
}

/// Combines any number of tensors, broadcast together, element by element.
///
/// The first of several operands that attain a maximum or minimum takes its whole cotangent; NaN
/// counts as the greatest and the least number.
package struct VariadicArithmetic: Operator {
  /// A function by its ONNX name.
  package enum Function: String, CaseIterable, Sendable {
    case maximum = "Max"
    case mean = "Mean"
    case minimum = "Min"
    case sum = "Sum"
  }

  package let function: Function

  package init(_ node: NodeReader) throws {
    function = try Function(kindOf: node)
    try node.expect(inputs: 1...Int.max)
  }

  package var pushforwardRule: PushforwardRule { .elementwise }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let first = try inputs.required(0, "data_0")
    var shape = first.shape
    for index in inputs.indices {
      let name = "data_\(index)"
      let input = try inputs.required(index, name)
      switch function {
      case .maximum, .minimum: try input.expect(.float32, .int64, as: name)
      case .mean, .sum: try input.expect(.float32, as: name)
      }
      try input.expectSameType(as: first)
      shape = try shape.checkedBroadcast(with: input.shape)
    }
    return [ValueType(shape, first.dataType.inferred)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    var result = try inputs.required(0, "data_0")
    for index in inputs.indices.dropFirst() {
      let input = try inputs.required(index, "data_\(index)")
      switch (function, result.dataType) {
      case (.maximum, .int64):
        result = try zipElements(result, input, of: Int64.self) { max($0, $1) }
      case (.minimum, .int64):
        result = try zipElements(result, input, of: Int64.self) { min($0, $1) }
      case (.maximum, _):
        result = try zipElements(result, input, of: T.self) { $1 > $0 || $1.isNaN ? $1 : $0 }
      case (.minimum, _):
        result = try zipElements(result, input, of: T.self) { $1 < $0 || $1.isNaN ? $1 : $0 }
      case (.mean, _), (.sum, _): result = try zipElements(result, input, of: T.self) { $0 + $1 }
      }
    }
    if function == .mean {
      let count = T(inputs.count)
      result = try mapElements(result, of: T.self) { $0 / count }
    }
    return [result]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    // What operands before `next` have left of the cotangent of an extremum.
    var rest = cotangents.first ?? nil
    var next = 0
    return try point.pulledBack(cotangents) { index in
      guard var g = rest else { return nil }
      let input = try point.inputs.required(index, "data_\(index)")
      let y = point.outputs[0]
      switch function {
      case .sum: break
      case .mean:
        let count = T(point.inputs.count)
        g = try mapElements(g, of: T.self) { $0 / count }
      case .maximum, .minimum:
        while next < index {
          let earlier = try point.inputs.required(next, "data_\(next)")
          g = try zipElements(g, earlier, y, of: T.self) { isSame($1, $2) ? 0 : $0 }
          next += 1
        }
        rest = g
        g = try zipElements(g, input, y, of: T.self) { isSame($1, $2) ? $0 : 0 }
      }
      return try unbroadcast(g, to: input.shape, T.self)
    }
  }
}

private func isSame<T: RealScalar>(_ x: T, _ y: T) -> Bool { x == y || (x.isNaN && y.isNaN) }
