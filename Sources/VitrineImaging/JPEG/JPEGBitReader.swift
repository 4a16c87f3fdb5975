/// Bits of one entropy-coded segment, highest first, byte stuffing removed.
struct JPEGBitReader {
  private let bytes: [UInt8]
  private var position = 0
  private var bits: UInt64 = 0
  private var count = 0
  private var padding = 0

  /// Takes the bytes between two markers, in which `FF 00` stands for `FF`.
  init(_ stuffed: ArraySlice<UInt8>) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(stuffed.count)
    var afterFF = false
    for byte in stuffed {
      if afterFF, byte == 0 {
        afterFF = false
        continue
      }
      // A second FF is a fill byte.
      if !(afterFF && byte == 0xFF) { bytes.append(byte) }
      afterFF = byte == 0xFF
    }
    self.bytes = bytes
  }

  /// Whether more bits were taken than there are; the missing ones were zeros.
  var isOverrun: Bool { count < padding }

  private mutating func refill() {
    while count <= 48 {
      bits <<= 8
      if position < bytes.count {
        bits |= UInt64(bytes[position])
        position += 1
      } else {
        padding += 8
      }
      count += 8
    }
  }

  /// Returns the next `length` bits, 0...16, as an unsigned number.
  mutating func take(_ length: Int) -> Int {
    if count < 16 { refill() }
    count -= length
    return Int(bits >> UInt64(count) & (1 << UInt64(length) - 1))
  }

  /// Returns the next number of `length` bits, whose first bit is 0 for the negative half.
  mutating func takeSigned(_ length: Int) -> Int {
    if length == 0 { return 0 }
    let value = take(length)
    return value < 1 << (length - 1) ? value - 1 << length + 1 : value
  }

  /// Returns the next symbol, or nil if the bits match no code.
  mutating func take(_ table: JPEGHuffmanTable) -> Int? {
    if count < 16 { refill() }
    guard let found = table.decode(UInt16(truncatingIfNeeded: bits >> UInt64(count - 16))) else {
      return nil
    }
    count -= found.length
    return Int(found.symbol)
  }
}
