/// Decompression of deflate data, bare or inside a zlib or gzip wrapper (RFC 1950, 1951, 1952).
///
/// Output never exceeds `maxOutput` bytes, and memory follows the bytes really produced, so that a
/// small hostile stream cannot claim much.
package enum Inflate {
  /// Returns the contents of a zlib stream, its Adler-32 checked.
  ///
  /// - Parameters:
  ///   - bytes: The stream; bytes after its end are an error.
  ///   - maxOutput: Most bytes to produce; one more is an error.
  /// - Throws: ``ImagingError`` with the offset of the damage.
  package static func zlib(_ bytes: [UInt8], maxOutput: Int) throws(ImagingError) -> [UInt8] {
    guard bytes.count >= 2 else {
      throw damage(bytes.count, "the two bytes of the zlib header are missing")
    }
    let method = bytes[0] & 0x0F
    let window = bytes[0] >> 4
    guard method == 8, window <= 7, (UInt16(bytes[0]) << 8 | UInt16(bytes[1])) % 31 == 0 else {
      throw damage(0, "the zlib header is wrong")
    }
    guard bytes[1] & 0x20 == 0 else {
      throw .unsupported(format: "deflate", feature: "a preset dictionary")
    }
    var inflater = Inflater(bytes, from: 2, maxOutput: maxOutput)
    try inflater.run()
    let end = inflater.nextByte
    guard bytes.count - end >= 4 else {
      throw damage(bytes.count, "the Adler-32 checksum is missing")
    }
    let stored = bytes[end..<(end + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let output = inflater.takeOutput()
    guard stored == Adler32.checksum(of: output) else {
      throw damage(end, "the Adler-32 checksum does not match the data")
    }
    guard bytes.count == end + 4 else {
      throw damage(end + 4, "\(bytes.count - end - 4) bytes follow the end of the zlib stream")
    }
    return output
  }

  /// Returns the contents of bare deflate data; bytes after its end are ignored.
  package static func raw(_ bytes: [UInt8], maxOutput: Int) throws(ImagingError) -> [UInt8] {
    var inflater = Inflater(bytes, from: 0, maxOutput: maxOutput)
    try inflater.run()
    return inflater.takeOutput()
  }

  /// Returns the contents of all members of a gzip file, their CRC-32 and lengths checked.
  package static func gzip(_ bytes: [UInt8], maxOutput: Int) throws(ImagingError) -> [UInt8] {
    var output: [UInt8] = []
    var position = 0
    repeat {
      position = try skipGzipHeader(bytes, from: position)
      var inflater = Inflater(bytes, from: position, maxOutput: maxOutput - output.count)
      try inflater.run()
      position = inflater.nextByte
      let member = inflater.takeOutput()
      guard bytes.count - position >= 8 else {
        throw damage(bytes.count, "the gzip checksum and length are missing")
      }
      func littleEndian(_ start: Int) -> UInt32 {
        (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
      }
      guard littleEndian(position) == CRC32.checksum(of: member[...]) else {
        throw damage(position, "the gzip CRC-32 does not match the data")
      }
      guard littleEndian(position + 4) == UInt32(truncatingIfNeeded: member.count) else {
        throw damage(position + 4, "the gzip length does not match the data")
      }
      position += 8
      if output.isEmpty { output = member } else { output.append(contentsOf: member) }
    } while position < bytes.count
    return output
  }

  private static func skipGzipHeader(
    _ bytes: [UInt8], from start: Int
  ) throws(ImagingError) -> Int {
    guard bytes.count - start >= 10 else {
      throw damage(bytes.count, "the ten bytes of the gzip header are missing")
    }
    guard bytes[start] == 0x1F, bytes[start + 1] == 0x8B, bytes[start + 2] == 8 else {
      throw damage(start, "the gzip header is wrong")
    }
    let flags = bytes[start + 3]
    guard flags & 0xE0 == 0 else { throw damage(start + 3, "reserved gzip flags are set") }
    var position = start + 10
    if flags & 0x04 != 0 {
      guard bytes.count - position >= 2 else { throw damage(position, "the gzip header is cut") }
      position += 2 + Int(bytes[position]) + Int(bytes[position + 1]) << 8
    }
    for flag in [UInt8(0x08), 0x10] where flags & flag != 0 {
      guard position < bytes.count, let end = bytes[position...].firstIndex(of: 0) else {
        throw damage(bytes.count, "the gzip header is cut")
      }
      position = end + 1
    }
    if flags & 0x02 != 0 { position += 2 }
    guard position <= bytes.count else { throw damage(bytes.count, "the gzip header is cut") }
    return position
  }

  static func damage(_ offset: Int, _ reason: String) -> ImagingError {
    .malformed(format: "deflate", offset: offset, reason: reason)
  }
}

// MARK: - The decoder

/// One pass over deflate data.
private struct Inflater {
  private let input: [UInt8]
  private var position: Int
  /// Bits read from `input` but not consumed, lowest first.
  private var bits: UInt64 = 0
  private var bitCount = 0
  /// Zero bits supplied after the end of the input; real decoding must not consume them.
  private var paddingBits = 0

  private var output: [UInt8]
  private var produced = 0
  private let maxOutput: Int

  init(_ input: [UInt8], from start: Int, maxOutput: Int) {
    self.input = input
    self.position = start
    self.maxOutput = max(0, maxOutput)
    let guess = min(self.maxOutput, 4 * (input.count - start) + 64)
    output = [UInt8](repeating: 0, count: guess)
  }

  /// Offset of the first whole byte not consumed.
  var nextByte: Int { position - (bitCount - paddingBits) / 8 }

  mutating func takeOutput() -> [UInt8] {
    output.removeLast(output.count - produced)
    return output
  }

  mutating func run() throws(ImagingError) {
    var isLast = false
    while !isLast {
      isLast = try take(1) == 1
      switch try take(2) {
      case 0: try copyStored()
      case 1: try decode(literals: FixedCodes.literals, distances: FixedCodes.distances)
      case 2:
        let (literals, distances) = try readDynamicCodes()
        try decode(literals: literals, distances: distances)
      default: throw Inflate.damage(nextByte, "block type 3 does not exist")
      }
    }
  }

  // MARK: Bits

  /// Makes at least 32 bits available, zeros after the end of the input.
  private mutating func refill() {
    while bitCount <= 56 {
      if position < input.count {
        bits |= UInt64(input[position]) << UInt64(bitCount)
        position += 1
      } else {
        paddingBits += 8
      }
      bitCount += 8
    }
  }

  private mutating func consume(_ count: Int) throws(ImagingError) {
    bits >>= UInt64(count)
    bitCount -= count
    if bitCount < paddingBits { throw Inflate.damage(input.count, "the data ends too early") }
  }

  /// Returns the next `count` bits, at most 16.
  private mutating func take(_ count: Int) throws(ImagingError) -> Int {
    if bitCount < 16 { refill() }
    let value = Int(bits & (1 << UInt64(count) - 1))
    try consume(count)
    return value
  }

  // MARK: Blocks

  private mutating func copyStored() throws(ImagingError) {
    try consume((bitCount - paddingBits) % 8)
    let length = try take(16)
    let complement = try take(16)
    guard length == complement ^ 0xFFFF else {
      throw Inflate.damage(nextByte, "a stored block's length and its complement disagree")
    }
    let start = nextByte
    guard input.count - start >= length else {
      throw Inflate.damage(input.count, "the data ends inside a stored block")
    }
    try reserve(length)
    for offset in 0..<length { output[produced + offset] = input[start + offset] }
    produced += length
    position = start + length
    bits = 0
    bitCount = 0
    paddingBits = 0
  }

  private mutating func decode(
    literals: InflateCode, distances: InflateCode
  ) throws(ImagingError) {
    while true {
      let symbol = try next(literals)
      if symbol < 256 {
        try reserve(1)
        output[produced] = UInt8(truncatingIfNeeded: symbol)
        produced += 1
        continue
      }
      if symbol == 256 { return }
      guard symbol <= 285 else { throw Inflate.damage(nextByte, "a length code does not exist") }
      let lengthCode = symbol - 257
      let length =
        try DeflateTables.lengthBase[lengthCode] + take(DeflateTables.lengthExtra[lengthCode])
      let distanceCode = try next(distances)
      guard distanceCode < 30 else {
        throw Inflate.damage(nextByte, "a distance code does not exist")
      }
      let distance =
        try DeflateTables.distanceBase[distanceCode]
        + take(DeflateTables.distanceExtra[distanceCode])
      guard distance <= produced else {
        throw Inflate.damage(nextByte, "a distance points before the start of the data")
      }
      try reserve(length)
      for target in produced..<(produced + length) { output[target] = output[target - distance] }
      produced += length
    }
  }

  private mutating func next(_ code: InflateCode) throws(ImagingError) -> Int {
    if bitCount < 16 { refill() }
    guard let (symbol, length) = code.decode(UInt16(truncatingIfNeeded: bits)) else {
      throw Inflate.damage(nextByte, "bits match no code")
    }
    try consume(length)
    return symbol
  }

  private mutating func readDynamicCodes() throws(ImagingError) -> (InflateCode, InflateCode) {
    let literalCount = try take(5) + 257
    let distanceCount = try take(5) + 1
    let lengthCodeCount = try take(4) + 4
    guard literalCount <= 286, distanceCount <= 30 else {
      throw Inflate.damage(nextByte, "a block declares too many codes")
    }
    var codeLengths = [UInt8](repeating: 0, count: 19)
    for symbol in DeflateTables.codeLengthOrder.prefix(lengthCodeCount) {
      codeLengths[symbol] = UInt8(truncatingIfNeeded: try take(3))
    }
    guard let lengthCode = InflateCode(lengths: codeLengths[...], allowsSingleBit: false) else {
      throw Inflate.damage(nextByte, "the code of code lengths is not a prefix code")
    }
    var lengths: [UInt8] = []
    lengths.reserveCapacity(literalCount + distanceCount)
    while lengths.count < literalCount + distanceCount {
      let symbol = try next(lengthCode)
      if symbol < 16 {
        lengths.append(UInt8(truncatingIfNeeded: symbol))
        continue
      }
      var repeated: UInt8 = 0
      if symbol == 16 {
        guard let last = lengths.last else {
          throw Inflate.damage(nextByte, "a code length repeats nothing")
        }
        repeated = last
      }
      let count = try symbol == 16 ? 3 + take(2) : symbol == 17 ? 3 + take(3) : 11 + take(7)
      guard lengths.count + count <= literalCount + distanceCount else {
        throw Inflate.damage(nextByte, "code lengths repeat past their end")
      }
      lengths.append(contentsOf: repeatElement(repeated, count: count))
    }
    guard lengths[256] != 0 else {
      throw Inflate.damage(nextByte, "a block has no code for its end")
    }
    guard
      let literals = InflateCode(lengths: lengths[..<literalCount], allowsSingleBit: true),
      let distances = InflateCode(lengths: lengths[literalCount...], allowsSingleBit: true)
    else { throw Inflate.damage(nextByte, "code lengths do not form a prefix code") }
    return (literals, distances)
  }

  /// Makes room for `count` more bytes, growing by doubling up to the limit.
  private mutating func reserve(_ count: Int) throws(ImagingError) {
    if produced + count <= output.count { return }
    guard produced + count <= maxOutput else {
      throw Inflate.damage(nextByte, "the data is longer than the \(maxOutput) bytes expected")
    }
    let size = min(maxOutput, max(2 * output.count, produced + count))
    output.append(contentsOf: repeatElement(0, count: size - output.count))
  }
}

// MARK: - Prefix codes

/// A prefix code read from the low end of a bit buffer.
private struct InflateCode {
  private static let fastBits = 10

  /// By the next ten bits: symbol × 16 + length, or 0 where the code is longer or absent.
  private var fast: [UInt16]
  /// Number of codes of each length.
  private var counts = [Int](repeating: 0, count: 16)
  /// Symbols in order of their codes.
  private var symbols: [UInt16] = []

  /// Creates the canonical code of the given lengths, or nil if they form none.
  ///
  /// A code that leaves bit patterns unused is accepted, like zlib does, only if it has no symbol
  /// or a single one of length 1.
  init?(lengths: ArraySlice<UInt8>, allowsSingleBit: Bool) {
    for length in lengths { counts[Int(length)] += 1 }
    counts[0] = 0
    var unused = 1
    for length in 1...15 {
      unused = 2 * unused - counts[length]
      if unused < 0 { return nil }
    }
    if unused > 0 {
      let isSmall = counts[2...].allSatisfy { $0 == 0 } && counts[1] <= 1
      guard allowsSingleBit, isSmall else { return nil }
    }

    var nextIndex = [Int](repeating: 0, count: 17)
    var nextCode = [Int](repeating: 0, count: 17)
    for length in 1...15 {
      nextIndex[length + 1] = nextIndex[length] + counts[length]
      nextCode[length + 1] = (nextCode[length] + counts[length]) << 1
    }
    symbols = [UInt16](repeating: 0, count: nextIndex[16])
    fast = [UInt16](repeating: 0, count: 1 << Self.fastBits)
    for (symbol, lengthByte) in lengths.enumerated() where lengthByte != 0 {
      let length = Int(lengthByte)
      symbols[nextIndex[length]] = UInt16(truncatingIfNeeded: symbol)
      nextIndex[length] += 1
      let code = nextCode[length]
      nextCode[length] += 1
      if length > Self.fastBits { continue }
      let entry = UInt16(truncatingIfNeeded: symbol << 4 | length)
      var pattern = InflateCode.reversed(code, length)
      while pattern < fast.count {
        fast[pattern] = entry
        pattern += 1 << length
      }
    }
  }

  /// Returns the symbol at the low end of `bits` and its length, or nil if no code matches.
  func decode(_ bits: UInt16) -> (symbol: Int, length: Int)? {
    let entry = fast[Int(bits) & (1 << Self.fastBits - 1)]
    if entry != 0 { return (Int(entry >> 4), Int(entry & 15)) }
    var code = 0
    var first = 0
    var index = 0
    for length in 1...15 {
      code |= Int(bits >> UInt16(length - 1)) & 1
      let count = counts[length]
      if code - first < count { return (Int(symbols[index + code - first]), length) }
      index += count
      first = (first + count) << 1
      code <<= 1
    }
    return nil
  }

  private static func reversed(_ code: Int, _ length: Int) -> Int {
    (0..<length).reduce(0) { $0 | (code >> $1 & 1) << (length - 1 - $1) }
  }
}

/// The codes of blocks that bring none of their own.
private enum FixedCodes {
  static let literals = code(DeflateTables.fixedLiteralLengths)
  static let distances = code([UInt8](repeating: 5, count: 32))

  private static func code(_ lengths: [UInt8]) -> InflateCode {
    guard let code = InflateCode(lengths: lengths[...], allowsSingleBit: false) else {
      preconditionFailure("the fixed codes of RFC 1951 are complete")
    }
    return code
  }
}
