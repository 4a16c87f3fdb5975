/// The element type of a tensor.
///
/// Narrower integers and half-precision numbers of model files are widened when they are read.
public enum DataType: String, Sendable, Hashable, CaseIterable {
  /// IEEE 754 single precision, 4 bytes.
  case float32
  /// IEEE 754 double precision, 8 bytes.
  case float64
  /// Two's complement, 8 bytes.
  case int64
  /// One byte, 0 or 1.
  case bool

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .float32: 4
    case .float64, .int64: 8
    case .bool: 1
    }
  }

  /// Whether elements are real numbers, so that derivatives with respect to them exist.
  public var isFloatingPoint: Bool { self == .float32 || self == .float64 }
}
