#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A Swift type that can be the element of a tensor: `Float`, `Double`, `Int64` or `Bool`.
public protocol Scalar: BitwiseCopyable, Sendable, Equatable {
  /// The name of this type among the element types of tensors.
  static var dataType: DataType { get }
  /// The value written to fresh memory: zero or `false`.
  static var zero: Self { get }
}

extension Float: Scalar {
  public static var dataType: DataType { .float32 }
}

extension Double: Scalar {
  public static var dataType: DataType { .float64 }
}

extension Int64: Scalar {
  public static var dataType: DataType { .int64 }
}

extension Bool: Scalar {
  public static var dataType: DataType { .bool }
  public static var zero: Bool { false }
}

/// A real number with the elementary functions that operators need: `Float` or `Double`.
///
/// `Double`'s functions are the platform's libm, which differ between platforms in the last place.
/// `Float`'s are computed in double precision and rounded once: that hides the difference except
/// where the result lies within libm's error of the middle between two neighbouring floats.
public protocol RealScalar: Scalar, BinaryFloatingPoint {
  /// Returns e to the power of `x`.
  static func exp(_ x: Self) -> Self
  /// Returns the natural logarithm: -∞ at 0, NaN below.
  static func log(_ x: Self) -> Self
  /// Returns the hyperbolic tangent, in -1...1.
  static func tanh(_ x: Self) -> Self
  /// Returns the error function, in -1...1.
  static func erf(_ x: Self) -> Self
  /// Returns the sine of `x` radians.
  static func sin(_ x: Self) -> Self
  /// Returns the cosine of `x` radians.
  static func cos(_ x: Self) -> Self
  /// Returns `x` to the power of `y`, with C's special cases.
  static func pow(_ x: Self, _ y: Self) -> Self
}

extension Double: RealScalar {
  public static func exp(_ x: Double) -> Double { systemExp(x) }
  public static func log(_ x: Double) -> Double { systemLog(x) }
  public static func tanh(_ x: Double) -> Double { systemTanh(x) }
  public static func erf(_ x: Double) -> Double { systemErf(x) }
  public static func sin(_ x: Double) -> Double { systemSin(x) }
  public static func cos(_ x: Double) -> Double { systemCos(x) }
  public static func pow(_ x: Double, _ y: Double) -> Double { systemPow(x, y) }
}

extension Float: RealScalar {
  public static func exp(_ x: Float) -> Float { Float(systemExp(Double(x))) }
  public static func log(_ x: Float) -> Float { Float(systemLog(Double(x))) }
  public static func tanh(_ x: Float) -> Float { Float(systemTanh(Double(x))) }
  public static func erf(_ x: Float) -> Float { Float(systemErf(Double(x))) }
  public static func sin(_ x: Float) -> Float { Float(systemSin(Double(x))) }
  public static func cos(_ x: Float) -> Float { Float(systemCos(Double(x))) }
  public static func pow(_ x: Float, _ y: Float) -> Float {
    Float(systemPow(Double(x), Double(y)))
  }
}

// MARK: - The platform's libm, under names that the static members above do not hide

private func systemExp(_ x: Double) -> Double { exp(x) }
private func systemLog(_ x: Double) -> Double { log(x) }
private func systemTanh(_ x: Double) -> Double { tanh(x) }
private func systemErf(_ x: Double) -> Double { erf(x) }
private func systemSin(_ x: Double) -> Double { sin(x) }
private func systemCos(_ x: Double) -> Double { cos(x) }
private func systemPow(_ x: Double, _ y: Double) -> Double { pow(x, y) }
