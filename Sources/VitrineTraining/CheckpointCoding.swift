import VitrineTensor

/// Writes numbers and tensors, little-endian, one after the other.
struct CheckpointWriter {
  private(set) var bytes: [UInt8] = []

  mutating func write(_ value: UInt64) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func write(_ value: Int) { write(UInt64(bitPattern: Int64(value))) }

  mutating func write(_ value: Double) { write(value.bitPattern) }

  mutating func write(_ text: String) {
    let utf8 = Array(text.utf8)
    write(utf8.count)
    bytes.append(contentsOf: utf8)
  }

  mutating func write(_ values: [Double]) {
    write(values.count)
    for value in values { write(value) }
  }

  /// Writes the elements of a real tensor; its shape and type are known to the reader.
  mutating func write(_ tensor: Tensor) {
    // All machines that Swift runs on are little-endian.
    tensor.withBytes { bytes.append(contentsOf: $0) }
  }
}

/// Reads what ``CheckpointWriter`` wrote; every length is checked before it is used.
struct CheckpointReader {
  private let bytes: ArraySlice<UInt8>
  private var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var isAtEnd: Bool { position == bytes.endIndex }

  mutating func unsigned() throws -> UInt64 {
    try take(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func integer(in range: ClosedRange<Int>, _ what: String) throws -> Int {
    let value = Int(Int64(bitPattern: try unsigned()))
    guard range.contains(value) else {
      throw TrainingError.invalidCheckpoint("\(what): expected \(range), found \(value)")
    }
    return value
  }

  mutating func double() throws -> Double { Double(bitPattern: try unsigned()) }

  mutating func doubles(_ what: String) throws -> [Double] {
    let count = try integer(in: 0...(bytes.endIndex - position) / 8, what)
    return try (0..<count).map { _ in try double() }
  }

  mutating func string(_ what: String) throws -> String {
    let count = try integer(in: 0...(bytes.endIndex - position), what)
    return String(decoding: try take(count), as: UTF8.self)
  }

  /// Returns a tensor of the shape and type of `model`.
  mutating func tensor(like model: Tensor) throws -> Tensor {
    let source = try take(model.count * model.dataType.byteCount)
    var result = Tensor(zeros: model.shape, model.dataType)
    result.withMutableBytes { target in
      source.withUnsafeBytes { target.copyMemory(from: $0) }
    }
    return result
  }

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= bytes.endIndex - position else {
      throw TrainingError.invalidCheckpoint(
        "expected \(count) more bytes, found \(bytes.endIndex - position): the file is cut off")
    }
    defer { position += count }
    return bytes[position..<position + count]
  }
}

/// A checksum that finds damage, FNV-1a of 64 bits over words of eight bytes.
package func checkpointChecksum(_ bytes: [UInt8]) -> UInt64 {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  bytes.withUnsafeBytes { bytes in
    var position = 0
    while position + 8 <= bytes.count {
      let word = UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      hash = (hash ^ word) &* 0x100_0000_01b3
      hash ^= hash >> 29
      position += 8
    }
    while position < bytes.count {
      hash = (hash ^ UInt64(bytes[position])) &* 0x100_0000_01b3
      position += 1
    }
  }
  return hash
}
