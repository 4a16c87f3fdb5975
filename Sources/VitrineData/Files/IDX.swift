public import VitrineTensor

/// The format of the MNIST family: a type, up to 255 extents, big-endian elements; often a gzip file.
///
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", file formats.
public enum IDX {
  /// Reads a file of pictures of bytes `[sample, height, width]`.
  ///
  /// - Returns: `[sample, 1, height, width]`, `float32`, pixels in 0...1.
  /// - Throws: `FileError`, or ``DataError`` if the file holds anything else.
  public static func pictures(contentsOf path: String) throws -> Tensor {
    let file = try IDXFile(DataFile.bytes(at: path))
    guard file.type == 0x08, file.extents.count == 3 else {
      throw DataError.malformed(
        format: "IDX", offset: 2,
        reason: "expected pictures of bytes, three extents, found type \(file.type) with "
          + "\(file.extents.count)")
    }
    let shape = try Shape([file.extents[0], 1, file.extents[1], file.extents[2]])
    return Tensor(uninitialized: shape, of: Float.self) { pixels in
      file.bytes.withUnsafeBufferPointer { bytes in
        for i in pixels.indices { pixels[i] = Float(bytes[file.start + i]) / 255 }
      }
    }
  }

  /// Reads a file of any type and rank.
  ///
  /// - Returns: Integers as `int64`, real numbers in their own type.
  /// - Throws: `FileError`, ``DataError``.
  public static func tensor(contentsOf path: String) throws -> Tensor {
    try IDXFile(DataFile.bytes(at: path)).tensor()
  }

  /// Reads a file from its bytes; see ``tensor(contentsOf:)``.
  public static func tensor(_ bytes: [UInt8]) throws -> Tensor {
    try IDXFile(DataFile.plain(bytes)).tensor()
  }

  /// Reads pictures with their class numbers.
  ///
  /// - Parameters:
  ///   - pictures: A file of bytes `[sample, height, width]`.
  ///   - labels: A file of bytes `[sample]`.
  /// - Returns: `[sample, 1, height, width]`, pixels in 0...1; `int64` class numbers; classes `0` to `9`.
  /// - Throws: `FileError`, ``DataError`` if the files do not belong together.
  public static func dataSet(pictures: String, labels: String) throws -> LabeledData {
    try LabeledData(
      inputs: self.pictures(contentsOf: pictures), targets: tensor(contentsOf: labels),
      classes: (0..<10).map(String.init))
  }
}

/// A file whose header fits its bytes.
private struct IDXFile {
  let bytes: [UInt8]
  let type: UInt8
  let extents: [Int]
  /// Where the elements begin.
  let start: Int

  init(_ bytes: [UInt8]) throws(DataError) {
    guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0 else {
      throw .malformed(format: "IDX", offset: 0, reason: "expected two zero bytes and a type")
    }
    let rank = Int(bytes[3])
    guard rank >= 1, rank <= 8 else {
      throw .malformed(format: "IDX", offset: 3, reason: "expected 1 to 8 extents, found \(rank)")
    }
    start = 4 + 4 * rank
    guard bytes.count >= start else {
      throw .malformed(
        format: "IDX", offset: bytes.count, reason: "the file ends inside its extents")
    }
    type = bytes[2]
    let size: Int
    switch type {
    case 0x08, 0x09: size = 1
    case 0x0B: size = 2
    case 0x0C, 0x0D: size = 4
    case 0x0E: size = 8
    default:
      throw .malformed(
        format: "IDX", offset: 2,
        reason: "expected element type 8, 9, 11, 12, 13 or 14, found \(type)")
    }
    extents = (0..<rank).map { axis in
      bytes[4 + 4 * axis..<8 + 4 * axis].reduce(0) { $0 << 8 | Int($1) }
    }
    var count = size
    for extent in extents {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow, product <= bytes.count - start else {
        throw .malformed(
          format: "IDX", offset: 4,
          reason: "extents \(extents) need more than the \(bytes.count - start) bytes that follow")
      }
      count = product
    }
    guard count == bytes.count - start else {
      throw .malformed(
        format: "IDX", offset: start + count,
        reason: "extents \(extents) need \(count) bytes, found \(bytes.count - start)")
    }
    self.bytes = bytes
  }

  func tensor() throws -> Tensor {
    let shape = try Shape(extents)
    func integers<I: FixedWidthInteger>(_: I.Type) -> Tensor {
      Tensor(uninitialized: shape, of: Int64.self) { elements in
        bytes.withUnsafeBytes { bytes in
          for i in elements.indices {
            let word = bytes.loadUnaligned(
              fromByteOffset: start + i * MemoryLayout<I>.size, as: I.self)
            elements[i] = Int64(truncatingIfNeeded: I(bigEndian: word))
          }
        }
      }
    }
    func reals<T: Scalar, Bits: FixedWidthInteger>(_ value: (Bits) -> T) -> Tensor {
      Tensor(uninitialized: shape, of: T.self) { elements in
        bytes.withUnsafeBytes { bytes in
          for i in elements.indices {
            let word = bytes.loadUnaligned(
              fromByteOffset: start + i * MemoryLayout<Bits>.size, as: Bits.self)
            elements[i] = value(Bits(bigEndian: word))
          }
        }
      }
    }
    switch type {
    case 0x08: return integers(UInt8.self)
    case 0x09: return integers(Int8.self)
    case 0x0B: return integers(Int16.self)
    case 0x0C: return integers(Int32.self)
    case 0x0D: return reals { Float(bitPattern: $0) }
    default: return reals { Double(bitPattern: $0) }
    }
  }
}
