/// A prefix code of a `DHT` segment.
struct JPEGHuffmanTable {
  private static let fastBits = 9

  /// By the next nine bits: length × 256 + symbol, or 0 where the code is longer or absent.
  private var fast = [UInt16](repeating: 0, count: 1 << fastBits)
  /// By length: one above the largest code, left-aligned in 16 bits.
  private var ends = [Int](repeating: 0, count: 17)
  /// By length: index of the first symbol less the first code.
  private var offsets = [Int](repeating: 0, count: 17)
  private let symbols: [UInt8]

  /// Creates the code, or nil if the counts promise more codes than their lengths allow.
  ///
  /// - Parameters:
  ///   - counts: Number of codes of length 1...16.
  ///   - symbols: One per code, by ascending code.
  init?(counts: ArraySlice<UInt8>, symbols: [UInt8]) {
    self.symbols = symbols
    var code = 0
    var index = 0
    for (lengthIndex, count) in counts.enumerated() {
      let length = lengthIndex + 1
      offsets[length] = index - code
      for _ in 0..<count {
        guard code < 1 << length, index < symbols.count else { return nil }
        if length <= Self.fastBits {
          let entry = UInt16(length) << 8 | UInt16(symbols[index])
          let first = code << (Self.fastBits - length)
          for slot in first..<(first + 1 << (Self.fastBits - length)) { fast[slot] = entry }
        }
        code += 1
        index += 1
      }
      ends[length] = code << (16 - length)
      code <<= 1
    }
  }

  /// Returns the symbol whose code starts the 16 bits, and its length; nil if there is none.
  func decode(_ bits: UInt16) -> (symbol: UInt8, length: Int)? {
    let entry = fast[Int(bits >> UInt16(16 - Self.fastBits))]
    if entry != 0 { return (UInt8(truncatingIfNeeded: entry), Int(entry >> 8)) }
    let bits = Int(bits)
    for length in (Self.fastBits + 1)...16 where bits < ends[length] {
      return (symbols[offsets[length] + bits >> (16 - length)], length)
    }
    return nil
  }
}
