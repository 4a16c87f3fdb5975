// Arrays in NumPy's `.npy` format, as bytes; reading and writing files is up to the caller.

extension Tensor {
  /// Creates a tensor from the bytes of a `.npy` file.
  ///
  /// Format versions 1.0 to 3.0, either byte order, row-major (C) or column-major (Fortran) order.
  /// `f4`, `f8`, `i8` and `b1` keep their type; `f2` becomes `float32` and `i1`, `i2`, `i4`, `u1`,
  /// `u2`, `u4` become `int64`, exactly. Everything else is refused, `u8` and complex numbers
  /// because they would not fit, objects because they are Python pickles.
  ///
  /// Source: the documentation of `numpy.lib.format`, NumPy 2.4.
  ///
  /// - Parameter bytes: The whole file: bytes after the last element are an error.
  /// - Throws: ``TensorError/malformedArrayFile(_:)``, ``TensorError/invalidShape(_:)``.
  /// - Complexity: O(`bytes.count`). Memory is allocated only when the number of bytes matches the
  ///   header: at most eight times `bytes.count` (for elements of one byte), twice that in Fortran
  ///   order.
  public init(npy bytes: UnsafeRawBufferPointer) throws(TensorError) {
    let header = try NPYHeader(bytes)
    let expected = header.shape.count * header.element.byteCount
    let found = bytes.count - header.dataOffset
    guard found == expected else {
      throw .malformedArrayFile(
        "expected \(expected) bytes of elements for shape \(header.shape) from byte "
          + "\(header.dataOffset), found \(found)")
    }
    // Column-major order is the row-major order of the transposed array.
    let shape =
      header.isFortranOrder ? try Shape(header.shape.dimensions.reversed()) : header.shape
    let elements = NPYElements(
      bytes: UnsafeRawBufferPointer(rebasing: bytes[header.dataOffset...]),
      isBigEndian: header.isBigEndian, shape: shape)
    let tensor =
      switch header.element {
      case .bool: elements.tensor { (word: UInt8) in word != 0 }
      case .int8: elements.tensor { (word: UInt8) in Int64(Int8(bitPattern: word)) }
      case .int16: elements.tensor { (word: UInt16) in Int64(Int16(bitPattern: word)) }
      case .int32: elements.tensor { (word: UInt32) in Int64(Int32(bitPattern: word)) }
      case .int64: elements.tensor { (word: UInt64) in Int64(bitPattern: word) }
      case .uint8: elements.tensor { (word: UInt8) in Int64(word) }
      case .uint16: elements.tensor { (word: UInt16) in Int64(word) }
      case .uint32: elements.tensor { (word: UInt32) in Int64(word) }
      case .float16: elements.tensor { (word: UInt16) in Float(halfPrecisionBits: word) }
      case .float32: elements.tensor { (word: UInt32) in Float(bitPattern: word) }
      case .float64: elements.tensor { (word: UInt64) in Double(bitPattern: word) }
      }
    self = header.isFortranOrder ? try tensor.transposed() : tensor
  }

  /// Creates a tensor from the bytes of a `.npy` file, see ``init(npy:)-(UnsafeRawBufferPointer)``.
  ///
  /// - Throws: ``TensorError/malformedArrayFile(_:)``, ``TensorError/invalidShape(_:)``.
  public init(npy bytes: [UInt8]) throws(TensorError) {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(TensorError) in try Tensor(npy: bytes) }
    }
    self = try result.get()
  }

  /// Returns the bytes of a `.npy` file with this tensor: format version 1.0, row-major order.
  ///
  /// The bytes are the same on every platform, little-endian, and the same as those of NumPy 2.4's
  /// `np.save`: the elements begin at a multiple of 64 bytes.
  ///
  /// - Complexity: O(`count`).
  public func npyBytes() -> [UInt8] {
    switch dataType {
    case .float32: npyBytes(descr: "<f4") { (element: Float) in element.bitPattern }
    case .float64: npyBytes(descr: "<f8") { (element: Double) in element.bitPattern }
    case .int64: npyBytes(descr: "<i8") { (element: Int64) in UInt64(bitPattern: element) }
    case .bool: npyBytes(descr: "|b1") { (element: Bool) in UInt8(element ? 1 : 0) }
    }
  }

  @inline(__always)
  private func npyBytes<T: Scalar, Word: FixedWidthInteger & BitwiseCopyable>(
    descr: String, _ word: (T) -> Word
  ) -> [UInt8] {
    let header = NPYHeader.bytes(descr: descr, shape: shape)
    let total = header.count + count * T.dataType.byteCount
    return [UInt8](unsafeUninitializedCapacity: total) { bytes, initializedCount in
      let file = UnsafeMutableRawBufferPointer(bytes)
      file.copyBytes(from: header)
      withElements(knownToBe: T.self) { elements in
        for i in 0..<elements.count {
          file.storeBytes(
            of: word(elements[i]).littleEndian,
            toByteOffset: header.count &+ i &* MemoryLayout<Word>.size, as: Word.self)
        }
      }
      initializedCount = total
    }
  }
}

/// The elements of a `.npy` file, exactly as many as the shape says.
private struct NPYElements {
  let bytes: UnsafeRawBufferPointer
  let isBigEndian: Bool
  let shape: Shape

  @inline(__always)
  func tensor<Word: FixedWidthInteger & BitwiseCopyable, T: Scalar>(
    _ element: (Word) -> T
  ) -> Tensor {
    Tensor(uninitialized: shape, of: T.self) { result in
      for i in 0..<result.count {
        let word = bytes.loadUnaligned(
          fromByteOffset: i &* MemoryLayout<Word>.size, as: Word.self)
        result[i] = element(isBigEndian ? Word(bigEndian: word) : Word(littleEndian: word))
      }
    }
  }
}

extension Float {
  /// Creates the number that 16 bits mean in IEEE 754 half precision, exactly.
  ///
  /// `Float16` would do, but does not exist on Intel Macs.
  fileprivate init(halfPrecisionBits bits: UInt16) {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10) & 0x1f
    let fraction = UInt32(bits) & 0x3ff
    switch exponent {
    case 0:
      let magnitude = Float(fraction) * 0x1p-24
      self = sign == 0 ? magnitude : -magnitude
    case 0x1f: self.init(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: self.init(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
