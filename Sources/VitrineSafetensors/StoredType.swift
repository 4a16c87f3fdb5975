import VitrineTensor

/// The element types of safetensors files, by their names.
enum StoredType: String {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case uint32 = "U32"
  case int32 = "I32"
  case float32 = "F32"
  case uint64 = "U64"
  case int64 = "I64"
  case float64 = "F64"

  init(_ type: DataType) {
    self =
      switch type {
      case .float32: .float32
      case .float64: .float64
      case .int64: .int64
      case .bool: .bool
      }
  }

  /// The type that holds the elements in memory.
  var dataType: DataType {
    switch self {
    case .bool: .bool
    case .float16, .bfloat16, .float32: .float32
    case .float64: .float64
    default: .int64
    }
  }

  /// Bytes of one element in a file.
  var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    }
  }

  /// Whether a file's bytes are the elements' bytes in memory.
  var isStoredUnchanged: Bool { self == .float32 || self == .float64 || self == .int64 }

  /// Returns a tensor of elements that are stored one after the other, little-endian, and widened.
  ///
  /// - Parameter bytes: Exactly as many as elements of `shape` take.
  /// - Returns: `nil` if an element does not fit.
  func tensor(_ shape: Shape, _ bytes: UnsafeRawBufferPointer) -> Tensor? {
    switch self {
    case .bool: return mapped(shape, bytes) { (byte: UInt8) in byte != 0 }
    case .float16: return mapped(shape, bytes, Float.init(half:))
    case .bfloat16: return mapped(shape, bytes, Float.init(brain:))
    case .float32: return mapped(shape, bytes) { (bits: UInt32) in Float(bitPattern: bits) }
    case .float64: return mapped(shape, bytes) { (bits: UInt64) in Double(bitPattern: bits) }
    case .int8: return mapped(shape, bytes) { (value: Int8) in Int64(value) }
    case .int16: return mapped(shape, bytes) { (value: Int16) in Int64(value) }
    case .int32: return mapped(shape, bytes) { (value: Int32) in Int64(value) }
    case .int64: return mapped(shape, bytes) { (value: Int64) in value }
    case .uint8: return mapped(shape, bytes) { (value: UInt8) in Int64(value) }
    case .uint16: return mapped(shape, bytes) { (value: UInt16) in Int64(value) }
    case .uint32: return mapped(shape, bytes) { (value: UInt32) in Int64(value) }
    case .uint64:
      var fits = true
      let tensor = mapped(shape, bytes) { (value: UInt64) in
        fits = fits && value <= UInt64(Int64.max)
        return Int64(truncatingIfNeeded: value)
      }
      return fits ? tensor : nil
    }
  }

  private func mapped<Stored: FixedWidthInteger & BitwiseCopyable, T: Scalar>(
    _ shape: Shape, _ bytes: UnsafeRawBufferPointer, _ value: (Stored) -> T
  ) -> Tensor {
    Tensor(uninitialized: shape, of: T.self) { target in
      for index in target.indices {
        let offset = index &* MemoryLayout<Stored>.size
        let stored = bytes.loadUnaligned(fromByteOffset: offset, as: Stored.self)
        target[index] = value(Stored(littleEndian: stored))
      }
    }
  }
}
