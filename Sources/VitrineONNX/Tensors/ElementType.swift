import VitrineTensor

/// The element types of ONNX tensors, with the numbers that stand for them in a file.
///
/// Source: `TensorProto.DataType` in onnx.proto, IR version 14.
enum ElementType: Int64, Sendable {
  case float32 = 1
  case uint8 = 2
  case int8 = 3
  case uint16 = 4
  case int16 = 5
  case int32 = 6
  case int64 = 7
  case string = 8
  case bool = 9
  case float16 = 10
  case float64 = 11
  case uint32 = 12
  case uint64 = 13
  case complex64 = 14
  case complex128 = 15
  case bfloat16 = 16
  case float8e4m3fn = 17
  case float8e4m3fnuz = 18
  case float8e5m2 = 19
  case float8e5m2fnuz = 20
  case uint4 = 21
  case int4 = 22
  case float4e2m1 = 23
  case float8e8m0 = 24
  case uint2 = 25
  case int2 = 26
  case float6e2m3 = 27
  case float6e3m2 = 28

  /// The type that holds the elements in memory, or `nil` if Vitrine has none for them.
  var dataType: DataType? {
    switch self {
    case .float32, .float16, .bfloat16: .float32
    case .float64: .float64
    case .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64: .int64
    case .bool: .bool
    default: nil
    }
  }

  /// Bytes of one element in a file; 0 for types without a ``dataType``.
  var byteCount: Int {
    switch self {
    case .bool, .int8, .uint8: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    default: 0
    }
  }

  /// Whether a file's bytes are the elements' bytes in memory.
  var isStoredUnchanged: Bool { self == .float32 || self == .float64 || self == .int64 }

  /// Whether elements are floating-point numbers of fewer bits than the type that holds them.
  var isHalfPrecision: Bool { self == .float16 || self == .bfloat16 }

  /// Returns the type with a number, if tensors of it can be held.
  init(code: Int64, of owner: String, offset: Int) throws(ONNXError) {
    guard let type = ElementType(rawValue: code) else {
      throw .malformed(
        reason: "\(owner) has element type \(code), expected 1...28", offset: offset)
    }
    guard type.dataType != nil else {
      throw .unsupported(
        "\(owner) has elements of type \(type); supported are float16, bfloat16, float32, float64, "
          + "bool, and signed and unsigned integers of 8 to 64 bits")
    }
    self = type
  }
}
