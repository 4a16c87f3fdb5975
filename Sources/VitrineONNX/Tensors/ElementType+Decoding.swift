import VitrineTensor

extension ElementType {
  /// The values of an integer type that fit `Int64`.
  var integerRange: ClosedRange<Int64> {
    switch self {
    case .int8: -0x80...0x7f
    case .int16: -0x8000...0x7fff
    case .int32: -0x8000_0000...0x7fff_ffff
    case .uint8: 0...0xff
    case .uint16: 0...0xffff
    case .uint32: 0...0xffff_ffff
    case .uint64: 0...Int64.max
    default: Int64.min...Int64.max
    }
  }

  /// Returns a tensor of a type whose elements in a file are those in memory.
  ///
  /// - Parameter fill: Writes the little-endian bytes of all elements.
  func unchangedTensor(
    _ shape: Shape, _ fill: (UnsafeMutableRawBufferPointer) throws(ONNXError) -> Void
  ) throws(ONNXError) -> Tensor {
    func filled<T: Scalar>(_ type: T.Type) throws(ONNXError) -> Tensor {
      try Tensor(uninitialized: shape, of: type) { (elements) throws(ONNXError) in
        try fill(UnsafeMutableRawBufferPointer(elements))
      }
    }
    switch self {
    case .float64: return try filled(Double.self)
    case .int64: return try filled(Int64.self)
    default: return try filled(Float.self)
    }
  }

  /// Returns a tensor of elements that are stored one after the other, little-endian, and widened.
  ///
  /// - Parameter bytes: Exactly as many as elements of `shape` take.
  func tensor(
    _ shape: Shape, _ bytes: UnsafeRawBufferPointer, _ label: String
  ) throws(ONNXError) -> Tensor {
    switch self {
    case .bool: return mapped(shape, bytes) { (byte: UInt8) in byte != 0 }
    case .float16: return mapped(shape, bytes, Float.init(half:))
    case .bfloat16: return mapped(shape, bytes, Float.init(brain:))
    case .int8: return mapped(shape, bytes) { (value: Int8) in Int64(value) }
    case .int16: return mapped(shape, bytes) { (value: Int16) in Int64(value) }
    case .int32: return mapped(shape, bytes) { (value: Int32) in Int64(value) }
    case .uint8: return mapped(shape, bytes) { (value: UInt8) in Int64(value) }
    case .uint16: return mapped(shape, bytes) { (value: UInt16) in Int64(value) }
    case .uint32: return mapped(shape, bytes) { (value: UInt32) in Int64(value) }
    case .uint64:
      var largest: UInt64 = 0
      let tensor = mapped(shape, bytes) { (value: UInt64) in
        largest = max(largest, value)
        return Int64(truncatingIfNeeded: value)
      }
      guard largest <= UInt64(Int64.max) else {
        throw .unsupported(
          "\(label) has the uint64 element \(largest); the largest supported is \(Int64.max)")
      }
      return tensor
    default:
      // The types stored unchanged go another way; `init(code:of:offset:)` lets no others through.
      throw .unsupported("\(label) has elements of type \(self)")
    }
  }

  private func mapped<Stored: FixedWidthInteger & BitwiseCopyable, T: Scalar>(
    _ shape: Shape, _ bytes: UnsafeRawBufferPointer, _ value: (Stored) -> T
  ) -> Tensor {
    Tensor(uninitialized: shape, of: T.self) { target in
      for index in target.indices {
        let offset = index &* MemoryLayout<Stored>.size
        target[index] = value(bytes.loadUnaligned(fromByteOffset: offset, as: Stored.self))
      }
    }
  }
}
