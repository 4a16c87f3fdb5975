// Elementwise arithmetic.
//
// Operands of different shapes are broadcast as in NumPy; operands of different types are refused,
// never converted. Integers wrap around on overflow, as everywhere in model formats.

extension Tensor {
  // MARK: - Two tensors

  /// Returns the elementwise sum, with broadcasting.
  ///
  /// - Returns: A tensor of the common shape, see ``Shape/broadcast(with:)``.
  /// - Throws: ``TensorError/typeMismatch(expected:found:operation:)`` if the types differ,
  ///   ``TensorError/cannotBroadcast(_:_:)`` if the shapes do not fit,
  ///   ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(number of elements of the result).
  public func adding(_ other: Tensor) throws(TensorError) -> Tensor {
    try combined(with: other, "addition", { $0 + $1 }, { $0 + $1 }, { $0 &+ $1 })
  }

  /// Returns the elementwise difference, with broadcasting.
  ///
  /// - Throws: As ``adding(_:)-(Tensor)``.
  /// - Complexity: O(number of elements of the result).
  public func subtracting(_ other: Tensor) throws(TensorError) -> Tensor {
    try combined(with: other, "subtraction", { $0 - $1 }, { $0 - $1 }, { $0 &- $1 })
  }

  /// Returns the elementwise product, with broadcasting.
  ///
  /// - Throws: As ``adding(_:)-(Tensor)``.
  /// - Complexity: O(number of elements of the result).
  public func multiplied(by other: Tensor) throws(TensorError) -> Tensor {
    try combined(with: other, "multiplication", { $0 * $1 }, { $0 * $1 }, { $0 &* $1 })
  }

  /// Returns the elementwise quotient, with broadcasting.
  ///
  /// Real numbers follow IEEE 754: x/0 is ±∞ and 0/0 is NaN. Integers are truncated towards zero as
  /// in C and ONNX (NumPy's `//` rounds down), and the smallest integer divided by -1 wraps around
  /// to itself.
  ///
  /// - Throws: ``TensorError/divisionByZero(operation:)`` if an integer divisor is zero; otherwise
  ///   as ``adding(_:)-(Tensor)``.
  /// - Complexity: O(number of elements of the result).
  public func divided(by other: Tensor) throws(TensorError) -> Tensor {
    let operation = "division"
    if other.dataType == .int64, dataType == .int64 {
      let hasZero = other.withElements(knownToBe: Int64.self) { $0.contains(0) }
      if hasZero { throw .divisionByZero(operation: operation) }
    }
    return try combined(
      with: other, operation, { $0 / $1 }, { $0 / $1 },
      { $0.dividedReportingOverflow(by: $1).partialValue })
  }

  /// Returns the elementwise larger of two, with broadcasting; NaN if either is NaN.
  ///
  /// Of 0 and -0, which are equal, the result is the receiver's.
  ///
  /// - Throws: As ``adding(_:)-(Tensor)``.
  /// - Complexity: O(number of elements of the result).
  public func maximum(with other: Tensor) throws(TensorError) -> Tensor {
    try combined(
      with: other, "maximum", { $0 >= $1 || $0 != $0 ? $0 : $1 },
      { $0 >= $1 || $0 != $0 ? $0 : $1 }, { $0 >= $1 ? $0 : $1 })
  }

  /// Returns the elementwise smaller of two, with broadcasting; NaN if either is NaN.
  ///
  /// Of 0 and -0, which are equal, the result is the receiver's.
  ///
  /// - Throws: As ``adding(_:)-(Tensor)``.
  /// - Complexity: O(number of elements of the result).
  public func minimum(with other: Tensor) throws(TensorError) -> Tensor {
    try combined(
      with: other, "minimum", { $0 <= $1 || $0 != $0 ? $0 : $1 },
      { $0 <= $1 || $0 != $0 ? $0 : $1 }, { $0 <= $1 ? $0 : $1 })
  }

  // MARK: - A tensor and a constant

  /// Returns the tensor with a constant added to each element.
  ///
  /// As in NumPy, the constant is first rounded to the type of the elements.
  ///
  /// - Throws: ``TensorError/notRepresentable(value:type:operation:)`` if the elements are integers
  ///   and the constant is not; ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(`count`).
  public func adding(_ constant: Double) throws(TensorError) -> Tensor {
    try adding(scalar(constant, "addition"))
  }

  /// Returns the tensor with a constant subtracted from each element.
  ///
  /// - Throws: As ``adding(_:)-(Double)``.
  /// - Complexity: O(`count`).
  public func subtracting(_ constant: Double) throws(TensorError) -> Tensor {
    try subtracting(scalar(constant, "subtraction"))
  }

  /// Returns the tensor with each element multiplied by a constant.
  ///
  /// - Throws: As ``adding(_:)-(Double)``.
  /// - Complexity: O(`count`).
  public func scaled(by factor: Double) throws(TensorError) -> Tensor {
    try multiplied(by: scalar(factor, "multiplication"))
  }

  /// Returns the tensor with each element divided by a constant.
  ///
  /// - Throws: As ``divided(by:)-(Tensor)`` and ``adding(_:)-(Double)``.
  /// - Complexity: O(`count`).
  public func divided(by divisor: Double) throws(TensorError) -> Tensor {
    try divided(by: scalar(divisor, "division"))
  }

  /// Returns the tensor with each element below a bound raised to it.
  ///
  /// - Throws: As ``adding(_:)-(Double)``.
  /// - Complexity: O(`count`).
  public func maximum(with bound: Double) throws(TensorError) -> Tensor {
    try maximum(with: scalar(bound, "maximum"))
  }

  /// Returns the tensor with each element above a bound lowered to it.
  ///
  /// - Throws: As ``adding(_:)-(Double)``.
  /// - Complexity: O(`count`).
  public func minimum(with bound: Double) throws(TensorError) -> Tensor {
    try minimum(with: scalar(bound, "minimum"))
  }

  // MARK: - One tensor

  /// Returns the tensor with the sign of each element changed.
  ///
  /// The smallest integer wraps around to itself.
  ///
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(`count`).
  public func negated() throws(TensorError) -> Tensor {
    switch dataType {
    case .float32: return mapped(Float.self) { -$0 }
    case .float64: return mapped(Double.self) { -$0 }
    case .int64: return mapped(Int64.self) { 0 &- $0 }
    case .bool: throw .unsupportedType(.bool, operation: "negation")
    }
  }

  /// Returns the absolute value of each element.
  ///
  /// The smallest integer, whose absolute value is too large, wraps around to itself.
  ///
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(`count`).
  public func absolute() throws(TensorError) -> Tensor {
    switch dataType {
    case .float32: return mapped(Float.self) { $0.magnitude }
    case .float64: return mapped(Double.self) { $0.magnitude }
    case .int64: return mapped(Int64.self) { $0 < 0 ? 0 &- $0 : $0 }
    case .bool: throw .unsupportedType(.bool, operation: "absolute value")
    }
  }

  // MARK: - Loops

  /// Makes a tensor without axes of the same type.
  private func scalar(_ value: Double, _ operation: String) throws(TensorError) -> Tensor {
    switch dataType {
    case .float32: return Tensor(scalar: Float(value))
    case .float64: return Tensor(scalar: value)
    case .int64:
      guard let integer = Int64(exactly: value) else {
        throw .notRepresentable(value: value, type: .int64, operation: operation)
      }
      return Tensor(scalar: integer)
    case .bool: throw .unsupportedType(.bool, operation: operation)
    }
  }

  @inline(__always)
  private func combined(
    with other: Tensor, _ operation: String,
    _ float: (Float, Float) -> Float, _ double: (Double, Double) -> Double,
    _ integer: (Int64, Int64) -> Int64
  ) throws(TensorError) -> Tensor {
    guard dataType == other.dataType else {
      throw .typeMismatch(expected: dataType, found: other.dataType, operation: operation)
    }
    let common = try shape.broadcast(with: other.shape)
    switch dataType {
    case .float32: return combined(with: other, to: common, float)
    case .float64: return combined(with: other, to: common, double)
    case .int64: return combined(with: other, to: common, integer)
    case .bool: throw .unsupportedType(.bool, operation: operation)
    }
  }

  // Always inlined, with the closure, so that each operation gets loops that vectorise.
  @inline(__always)
  private func combined<T: Scalar>(
    with other: Tensor, to common: Shape, _ operation: (T, T) -> T
  ) -> Tensor {
    let walk = StridedWalk(
      dimensions: common.dimensions, left: shape.strides(broadcastTo: common),
      right: other.shape.strides(broadcastTo: common))
    let count = walk.runLength
    return withElements(knownToBe: T.self) { left in
      other.withElements(knownToBe: T.self) { right in
        Tensor(uninitialized: common, of: T.self) { result in
          var start = 0
          walk.forEachRun { a, b in
            switch (walk.leftStep, walk.rightStep) {
            case (1, 1):
              for i in 0..<count { result[start &+ i] = operation(left[a &+ i], right[b &+ i]) }
            case (1, 0):
              let y = right[b]
              for i in 0..<count { result[start &+ i] = operation(left[a &+ i], y) }
            case (0, 1):
              let x = left[a]
              for i in 0..<count { result[start &+ i] = operation(x, right[b &+ i]) }
            case (let leftStep, let rightStep):
              for i in 0..<count {
                result[start &+ i] = operation(
                  left[a &+ i &* leftStep], right[b &+ i &* rightStep])
              }
            }
            start &+= count
          }
        }
      }
    }
  }

  @inline(__always)
  private func mapped<T: Scalar>(_ type: T.Type, _ operation: (T) -> T) -> Tensor {
    withElements(knownToBe: T.self) { source in
      Tensor(uninitialized: shape, of: T.self) { result in
        for i in 0..<source.count { result[i] = operation(source[i]) }
      }
    }
  }
}
