/// A stretch of a file's bytes, read front to back in protobuf's wire format.
///
/// A nested message is a cursor of its own over a part of the same bytes, so that every error knows
/// its offset in the file, and nothing is copied. Whoever reads ONNX with it goes down a fixed
/// number of levels (graphs inside attributes are skipped by their length), so no nesting in the
/// file can exhaust the stack.
///
/// Source: "Protocol Buffers: Encoding", protobuf.dev. Stricter than it asks: groups, wire types 6
/// and 7, and known fields of another wire type are errors.
package struct ByteCursor {
  /// How the value of a field is stored.
  package enum WireType: UInt64, Sendable {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case fixed32 = 5
  }

  /// The head of a field; its value comes next.
  package struct Field: Sendable, Equatable {
    package let number: Int
    package let wireType: WireType
    package let offset: Int
  }

  package let source: ByteSource
  package private(set) var position: Int
  package let end: Int

  package init(_ source: ByteSource) {
    self.source = source
    position = 0
    end = source.count
  }

  private init(_ source: ByteSource, _ range: Range<Int>) {
    self.source = source
    position = range.lowerBound
    end = range.upperBound
  }

  // MARK: - Fields

  /// Reads the head of the next field, or returns `nil` at the end.
  package mutating func nextField() throws(ONNXError) -> Field? {
    guard position < end else { return nil }
    let offset = position
    let key = try varint()
    let number = key >> 3
    guard number >= 1, number < 1 << 29 else {
      throw .malformed(
        reason: "field number \(number) is outside 1...536870911", offset: offset)
    }
    guard let wireType = WireType(rawValue: key & 7) else {
      throw .malformed(
        reason: "field \(number) has wire type \(key & 7), expected 0, 1, 2 or 5", offset: offset)
    }
    return Field(number: Int(number), wireType: wireType, offset: offset)
  }

  /// Passes over the value of a field.
  package mutating func skip(_ field: Field) throws(ONNXError) {
    switch field.wireType {
    case .varint: _ = try varint()
    case .fixed64: try advance(by: 8)
    case .lengthDelimited: _ = try lengthDelimited()
    case .fixed32: try advance(by: 4)
    }
  }

  // MARK: - Values of one field

  package mutating func integer(_ field: Field) throws(ONNXError) -> Int64 {
    try expect(.varint, field)
    return Int64(bitPattern: try varint())
  }

  /// Reads an `int32` or an enumeration: as protobuf does, from the lower 32 bits.
  package mutating func integer32(_ field: Field) throws(ONNXError) -> Int {
    Int(Int32(truncatingIfNeeded: try integer(field)))
  }

  package mutating func float(_ field: Field) throws(ONNXError) -> Float {
    try expect(.fixed32, field)
    return Float(bitPattern: try fixed(UInt32.self))
  }

  /// Returns where the bytes of a field are, and moves behind them.
  package mutating func range(_ field: Field) throws(ONNXError) -> Range<Int> {
    try expect(.lengthDelimited, field)
    return try lengthDelimited()
  }

  package mutating func message(_ field: Field) throws(ONNXError) -> ByteCursor {
    ByteCursor(source, try range(field))
  }

  /// Reads text that has to be UTF-8 of at most `limit` bytes.
  package mutating func name(_ field: Field, limit: Int) throws(ONNXError) -> String {
    let range = try range(field)
    try ONNXLimits.check(range.count, "nameBytes", limit)
    let valid = try source.withBytes(range) { (bytes) throws(ONNXError) in
      String(validating: bytes, as: UTF8.self)
    }
    guard let text = valid else {
      throw .malformed(reason: "a name is not valid UTF-8", offset: range.lowerBound)
    }
    return text
  }

  /// Reads bytes as text; what is not UTF-8 becomes U+FFFD.
  package mutating func string(_ field: Field) throws(ONNXError) -> String {
    try source.withBytes(try range(field)) { (bytes) throws(ONNXError) in
      String(decoding: bytes, as: UTF8.self)
    }
  }

  // MARK: - Values of a repeated field, packed or not

  /// Calls `body` with each integer of one occurrence of a repeated field.
  package mutating func forEachInteger(
    _ field: Field, _ body: (Int64) throws(ONNXError) -> Void
  ) throws(ONNXError) {
    guard field.wireType == .lengthDelimited else {
      return try body(try integer(field))
    }
    var values = try message(field)
    while values.position < values.end { try body(Int64(bitPattern: try values.varint())) }
  }

  /// Calls `body` with each number of one occurrence of a repeated `float` or `double` field, as
  /// its bits.
  package mutating func forEachFixed<Bits: FixedWidthInteger>(
    _ field: Field, _ type: Bits.Type, _ body: (Bits) throws(ONNXError) -> Void
  ) throws(ONNXError) {
    guard field.wireType == .lengthDelimited else {
      try expect(Bits.bitWidth == 32 ? .fixed32 : .fixed64, field)
      return try body(try fixed(type))
    }
    var values = try message(field)
    while values.position < values.end { try body(try values.fixed(type)) }
  }

  /// Passes over one occurrence of a repeated numeric field and returns how many numbers it holds.
  package mutating func count(
    _ field: Field, of type: WireType
  ) throws(ONNXError) -> Int {
    guard field.wireType == .lengthDelimited else {
      try expect(type, field)
      try skip(field)
      return 1
    }
    let range = try lengthDelimited()
    switch type {
    case .fixed32: return range.count / 4
    case .fixed64: return range.count / 8
    case .varint:
      return try source.withBytes(range) { (bytes) throws(ONNXError) in
        bytes.reduce(0) { $1 < 0x80 ? $0 + 1 : $0 }
      }
    case .lengthDelimited: return 1
    }
  }

  // MARK: - The wire

  /// Reads an integer of 1 to 10 bytes, 7 bits in each, least significant first.
  package mutating func varint() throws(ONNXError) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = try source.byte(at: position)
      position += 1
      // The tenth byte has room for one bit, and cannot announce an eleventh.
      if shift == 63, byte > 1 {
        throw .malformed(reason: "an integer has more than 64 bits", offset: start)
      }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw .malformed(reason: "the data ends inside an integer", offset: start)
  }

  private mutating func fixed<Bits: FixedWidthInteger>(
    _ type: Bits.Type
  ) throws(ONNXError) -> Bits {
    let start = position
    try advance(by: Bits.bitWidth / 8)
    return try source.withBytes(start..<position) { (bytes) throws(ONNXError) in
      Bits(littleEndian: bytes.loadUnaligned(as: Bits.self))
    }
  }

  private mutating func lengthDelimited() throws(ONNXError) -> Range<Int> {
    let offset = position
    let length = try varint()
    guard let count = Int(exactly: length), count <= end - position else {
      throw .malformed(
        reason: "a field of \(length) bytes is announced, \(end - position) are left",
        offset: offset)
    }
    let start = position
    position += count
    return start..<position
  }

  private mutating func advance(by count: Int) throws(ONNXError) {
    guard count <= end - position else {
      throw .malformed(
        reason: "a number of \(count) bytes is announced, \(end - position) are left",
        offset: position)
    }
    position += count
  }

  private func expect(_ wireType: WireType, _ field: Field) throws(ONNXError) {
    guard field.wireType == wireType else {
      throw .malformed(
        reason: "field \(field.number) has wire type \(field.wireType.rawValue), "
          + "expected \(wireType.rawValue)", offset: field.offset)
    }
  }
}
