/// Bytes in protobuf's wire format, written front to back.
///
/// The counterpart of ``ByteCursor``; repeated numbers are written packed.
package struct ByteWriter: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func integer(_ field: Int, _ value: Int64) {
    key(field, .varint)
    varint(UInt64(bitPattern: value))
  }

  package mutating func float(_ field: Int, _ value: Float) {
    key(field, .fixed32)
    append(value.bitPattern)
  }

  package mutating func string(_ field: Int, _ text: String) {
    data(field, text.utf8)
  }

  package mutating func data(_ field: Int, _ data: some Collection<UInt8>) {
    key(field, .lengthDelimited)
    varint(UInt64(data.count))
    bytes.append(contentsOf: data)
  }

  package mutating func integers(_ field: Int, _ values: [Int64]) {
    message(field) { packed in
      for value in values { packed.varint(UInt64(bitPattern: value)) }
    }
  }

  package mutating func floats(_ field: Int, _ values: [Float]) {
    message(field) { packed in
      for value in values { packed.append(value.bitPattern) }
    }
  }

  package mutating func doubles(_ field: Int, _ values: [Double]) {
    message(field) { packed in
      for value in values { packed.append(value.bitPattern) }
    }
  }

  /// Writes a nested message with whatever `body` writes as its content.
  package mutating func message(_ field: Int, _ body: (inout ByteWriter) -> Void) {
    key(field, .lengthDelimited)
    let start = bytes.count
    body(&self)
    var length = ByteWriter()
    length.varint(UInt64(bytes.count - start))
    bytes.insert(contentsOf: length.bytes, at: start)
  }

  package mutating func key(_ field: Int, _ wireType: ByteCursor.WireType) {
    varint(UInt64(field) << 3 | wireType.rawValue)
  }

  package mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ bits: some FixedWidthInteger) {
    withUnsafeBytes(of: bits.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
