/// Compression to deflate data (RFC 1951) in a zlib wrapper; equal input gives equal bytes.
package enum Deflate {
  /// What one thread compresses at a time; the window before it serves it too.
  private static let pieceSize = 1 << 18

  /// Returns a zlib stream that holds `bytes`.
  ///
  /// - Complexity: O(`bytes.count`) time, over all cores; each position tries at most 16 earlier matches.
  package static func zlib(_ bytes: [UInt8]) -> [UInt8] {
    let count = max(1, (bytes.count + pieceSize - 1) / pieceSize)
    let blocks = concurrentPieces(count) {
      compressed(bytes, $0 * pieceSize..<min(($0 + 1) * pieceSize, bytes.count))
    }
    let checksum = Adler32.checksum(of: bytes)
    return [0x78, 0x9C] + blocks
      + [UInt32(24), 16, 8, 0].map { UInt8(truncatingIfNeeded: checksum >> $0) }
  }

  /// Returns blocks, of whole bytes, for some of the bytes.
  private static func compressed(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
    var writer = DeflateWriter()
    let isLast = range.upperBound == bytes.count
    var matcher = MatchFinder(bytes, range)
    repeat {
      let start = matcher.position
      let tokens = matcher.nextTokens()
      writer.appendBlock(
        tokens, stored: bytes[start..<matcher.position], isLast: isLast && matcher.isAtEnd)
    } while !matcher.isAtEnd
    // Nothing, stored, ends where a byte ends.
    if !isLast { writer.appendStored([], isLast: false) }
    writer.alignToByte()
    return writer.bytes
  }
}

/// A literal byte (`distance` 0) or a copy of earlier bytes.
struct DeflateToken {
  let length: UInt16
  let distance: UInt16

  init(literal: UInt8) {
    length = UInt16(literal)
    distance = 0
  }

  init(length: Int, distance: Int) {
    self.length = UInt16(truncatingIfNeeded: length)
    // 32768 fits 16 bits unsigned.
    self.distance = UInt16(truncatingIfNeeded: distance)
  }
}

// MARK: - LZ77

/// Turns bytes into literals and copies, looking one byte ahead for a longer copy (lazy matching).
private struct MatchFinder {
  private let bytes: [UInt8]
  private let end: Int
  private(set) var position: Int
  /// Latest position with a given hash of three bytes, plus one; 0 is none.
  private var heads = [Int32](repeating: 0, count: 1 << 15)
  /// The position before with the same hash, plus one, by position modulo the window.
  private var previous = [Int32](repeating: 0, count: 1 << 15)
  private var inserted: Int

  private static let window = 1 << 15
  private static let longest = 258
  private static let longestChain = 16
  private static let goodEnough = 64
  private static let tokensPerBlock = 1 << 14

  /// - Parameter range: What to find tokens for; copies may begin before it.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    self.bytes = bytes
    end = range.upperBound
    position = range.lowerBound
    inserted = max(0, position - Self.window)
  }

  var isAtEnd: Bool { position == end }

  /// Returns the tokens of one block and moves past the bytes they stand for.
  mutating func nextTokens() -> [DeflateToken] {
    var tokens: [DeflateToken] = []
    while position < end, tokens.count < Self.tokensPerBlock {
      let match = longestMatch(at: position)
      if match.length < 3 {
        tokens.append(DeflateToken(literal: bytes[position]))
        position += 1
        continue
      }
      if match.length < Self.goodEnough, position + 1 < end,
        longestMatch(at: position + 1).length > match.length
      {
        tokens.append(DeflateToken(literal: bytes[position]))
        position += 1
        continue
      }
      tokens.append(DeflateToken(length: match.length, distance: match.distance))
      position += match.length
    }
    return tokens
  }

  private mutating func longestMatch(at start: Int) -> (length: Int, distance: Int) {
    insert(upTo: start)
    let limit = min(Self.longest, end - start)
    guard limit >= 3 else { return (0, 0) }
    var best = (length: 2, distance: 0)
    var candidate = Int(heads[hash(at: start)]) - 1
    var remaining = Self.longestChain
    bytes.withUnsafeBytes { bytes in
      while candidate >= 0, start - candidate <= Self.window, remaining > 0 {
        if bytes[candidate + best.length] == bytes[start + best.length] {
          let length = Self.equalBytes(bytes, candidate, start, limit)
          if length > best.length {
            best = (length, start - candidate)
            if length == limit { break }
          }
        }
        let older = Int(previous[candidate & (Self.window - 1)]) - 1
        // An entry overwritten since then points forward: the chain has left the window.
        if older >= candidate { break }
        candidate = older
        remaining -= 1
      }
    }
    return best.length < 3 ? (0, 0) : best
  }

  /// Returns how many bytes at two places are equal, at most `limit`; eight are compared at once.
  private static func equalBytes(
    _ bytes: UnsafeRawBufferPointer, _ first: Int, _ second: Int, _ limit: Int
  ) -> Int {
    var length = 0
    while length + 8 <= limit {
      let a = bytes.loadUnaligned(fromByteOffset: first + length, as: UInt64.self)
      let b = bytes.loadUnaligned(fromByteOffset: second + length, as: UInt64.self)
      if a != b {
        return length + (UInt64(littleEndian: a) ^ UInt64(littleEndian: b)).trailingZeroBitCount / 8
      }
      length += 8
    }
    while length < limit, bytes[first + length] == bytes[second + length] { length += 1 }
    return length
  }

  /// Enters all positions before `end` into the hash chains.
  private mutating func insert(upTo end: Int) {
    while inserted < end {
      if inserted + 3 <= bytes.count {
        let hash = hash(at: inserted)
        previous[inserted & (Self.window - 1)] = heads[hash]
        heads[hash] = Int32(truncatingIfNeeded: inserted + 1)
      }
      inserted += 1
    }
  }

  private func hash(at index: Int) -> Int {
    let three =
      UInt32(bytes[index]) | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2]) << 16
    return Int((three &* 0x9E37_79B1) >> 17)
  }
}

// MARK: - Blocks

/// Writes deflate blocks, each in the cheapest of the three forms.
private struct DeflateWriter {
  private(set) var bytes: [UInt8] = []
  private var bits: UInt64 = 0
  private var bitCount = 0

  mutating func alignToByte() {
    if bitCount > 0 { bytes.append(UInt8(truncatingIfNeeded: bits)) }
    bits = 0
    bitCount = 0
  }

  private mutating func append(_ value: Int, _ count: Int) {
    bits |= UInt64(truncatingIfNeeded: value) << UInt64(bitCount)
    bitCount += count
    while bitCount >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: bits))
      bits >>= 8
      bitCount -= 8
    }
  }

  mutating func appendBlock(
    _ tokens: [DeflateToken], stored: ArraySlice<UInt8>, isLast: Bool
  ) {
    var literalCounts = [Int](repeating: 0, count: 286)
    var distanceCounts = [Int](repeating: 0, count: 30)
    var extraBits = 0
    for token in tokens {
      if token.distance == 0 {
        literalCounts[Int(token.length)] += 1
      } else {
        let length = DeflateSymbols.length(Int(token.length))
        let distance = DeflateSymbols.distance(Int(token.distance))
        literalCounts[257 + length] += 1
        distanceCounts[distance] += 1
        extraBits += DeflateTables.lengthExtra[length] + DeflateTables.distanceExtra[distance]
      }
    }
    literalCounts[256] = 1

    let literalLengths = PrefixCodeLengths.limited(literalCounts, to: 15)
    let distanceLengths = PrefixCodeLengths.limited(distanceCounts, to: 15)
    let header = DynamicHeader(literals: literalLengths, distances: distanceLengths)
    func cost(_ counts: [Int], _ lengths: [UInt8]) -> Int {
      zip(counts, lengths).reduce(0) { $0 + $1.0 * Int($1.1) }
    }
    let dynamicCost =
      header.bitCount + cost(literalCounts, literalLengths)
      + cost(distanceCounts, distanceLengths) + extraBits
    let fixedCost =
      cost(literalCounts, DeflateTables.fixedLiteralLengths) + 5 * distanceCounts.reduce(0, +)
      + extraBits
    let storedCost = stored.count * 8 + 40 * (stored.count / 65_535 + 1)

    if storedCost < min(dynamicCost, fixedCost) {
      appendStored(stored, isLast: isLast)
    } else if fixedCost <= dynamicCost {
      append(isLast ? 1 : 0, 1)
      append(1, 2)
      append(
        tokens, DeflateTables.fixedLiteralLengths, [UInt8](repeating: 5, count: 30))
    } else {
      append(isLast ? 1 : 0, 1)
      append(2, 2)
      for (value, count) in header.fields { append(value, count) }
      append(tokens, literalLengths, distanceLengths)
    }
  }

  mutating func appendStored(_ stored: ArraySlice<UInt8>, isLast: Bool) {
    var start = stored.startIndex
    repeat {
      let end = min(start + 65_535, stored.endIndex)
      append(isLast && end == stored.endIndex ? 1 : 0, 1)
      append(0, 2)
      alignToByte()
      append(end - start, 16)
      append((end - start) ^ 0xFFFF, 16)
      bytes.append(contentsOf: stored[start..<end])
      start = end
    } while start < stored.endIndex
  }

  private mutating func append(
    _ tokens: [DeflateToken], _ literalLengths: [UInt8], _ distanceLengths: [UInt8]
  ) {
    let literals = PrefixCodeLengths.reversedCodes(literalLengths)
    let distances = PrefixCodeLengths.reversedCodes(distanceLengths)
    for token in tokens {
      let value = Int(token.length)
      if token.distance == 0 {
        append(literals[value], Int(literalLengths[value]))
        continue
      }
      let length = DeflateSymbols.length(value)
      append(literals[257 + length], Int(literalLengths[257 + length]))
      append(value - DeflateTables.lengthBase[length], DeflateTables.lengthExtra[length])
      let distance = DeflateSymbols.distance(Int(token.distance))
      append(distances[distance], Int(distanceLengths[distance]))
      append(
        Int(token.distance) - DeflateTables.distanceBase[distance],
        DeflateTables.distanceExtra[distance])
    }
    append(literals[256], Int(literalLengths[256]))
  }
}

/// Which code stands for a length or a distance.
private enum DeflateSymbols {
  static func length(_ length: Int) -> Int { Int(lengths[length - 3]) }

  static func distance(_ distance: Int) -> Int {
    if distance <= 4 { return distance - 1 }
    // Two codes per power of two, told apart by the second highest bit.
    let high = Int.bitWidth - 1 - (distance - 1).leadingZeroBitCount
    return 2 * high + ((distance - 1) >> (high - 1) & 1)
  }

  private static let lengths: [UInt8] = (3...258).map { length in
    UInt8(DeflateTables.lengthBase.lastIndex { $0 <= length } ?? 0)
  }
}

/// The description of its codes that opens a dynamic block.
private struct DynamicHeader {
  /// Values with their widths in bits.
  private(set) var fields: [(Int, Int)] = []

  var bitCount: Int { fields.reduce(0) { $0 + $1.1 } }

  init(literals: [UInt8], distances: [UInt8]) {
    let literalCount = max(257, (literals.lastIndex { $0 != 0 } ?? 0) + 1)
    let distanceCount = max(1, (distances.lastIndex { $0 != 0 } ?? 0) + 1)
    let runs = Self.runs(Array(literals[..<literalCount] + distances[..<distanceCount]))
    var counts = [Int](repeating: 0, count: 19)
    for run in runs { counts[run.symbol] += 1 }
    let lengths = PrefixCodeLengths.limited(counts, to: 7)
    let codes = PrefixCodeLengths.reversedCodes(lengths)
    let order = DeflateTables.codeLengthOrder
    let stored = max(4, (order.lastIndex { lengths[$0] != 0 } ?? 0) + 1)

    fields += [(literalCount - 257, 5), (distanceCount - 1, 5), (stored - 4, 4)]
    fields += order[..<stored].map { (Int(lengths[$0]), 3) }
    for run in runs {
      fields.append((codes[run.symbol], Int(lengths[run.symbol])))
      if run.extraBits > 0 { fields.append((run.extra, run.extraBits)) }
    }
  }

  private typealias Run = (symbol: Int, extra: Int, extraBits: Int)

  /// Code lengths with repetitions folded into symbols 16, 17 and 18.
  private static func runs(_ lengths: [UInt8]) -> [Run] {
    var runs: [Run] = []
    var start = 0
    while start < lengths.count {
      let value = lengths[start]
      var end = start
      while end < lengths.count, lengths[end] == value { end += 1 }
      var count = end - start
      if value != 0 {
        runs.append((Int(value), 0, 0))
        count -= 1
      }
      while count >= 3 {
        let taken: Int
        if value != 0 {
          taken = min(count, 6)
          runs.append((16, taken - 3, 2))
        } else if count <= 10 {
          taken = count
          runs.append((17, taken - 3, 3))
        } else {
          taken = min(count, 138)
          runs.append((18, taken - 11, 7))
        }
        count -= taken
      }
      for _ in 0..<count { runs.append((Int(value), 0, 0)) }
      start = end
    }
    return runs
  }
}

/// Huffman's code lengths and the canonical codes that go with them.
private enum PrefixCodeLengths {
  /// Returns the lengths of an optimal prefix code, none above `limit`.
  ///
  /// Lengths come from Huffman's tree; where it is too deep, leaves are moved up until Kraft's
  /// inequality holds again, which costs little and keeps ties deterministic (by symbol). A lone
  /// symbol gets a companion, since decoders refuse incomplete codes.
  static func limited(_ counts: [Int], to limit: Int) -> [UInt8] {
    var lengths = [UInt8](repeating: 0, count: counts.count)
    var symbols = counts.indices.filter { counts[$0] > 0 }
    for symbol in counts.indices.prefix(2) where symbols.count < 2 && !symbols.contains(symbol) {
      symbols.append(symbol)
    }
    symbols.sort { (counts[$0], $0) < (counts[$1], $1) }
    var perLength = depthCounts(symbols.map { counts[$0] })

    // Fold what is too deep into the limit, then repay the excess in units of 2^-limit.
    var excess = -(1 << limit)
    for (depth, count) in perLength.enumerated() where depth > 0 {
      if depth > limit {
        perLength[limit] += count
        perLength[depth] = 0
        excess += count
      } else {
        excess += count << (limit - depth)
      }
    }
    while excess > 0 {
      perLength[limit] -= 1
      let depth = (1..<limit).last { perLength[$0] > 0 } ?? 1
      perLength[depth] -= 1
      perLength[depth + 1] += 2
      excess -= 1
    }

    var next = symbols.makeIterator()
    for depth in stride(from: min(limit, perLength.count - 1), through: 1, by: -1) {
      for _ in 0..<perLength[depth] {
        if let symbol = next.next() { lengths[symbol] = UInt8(truncatingIfNeeded: depth) }
      }
    }
    return lengths
  }

  /// Returns how many leaves Huffman's tree has at each depth, for weights in ascending order.
  private static func depthCounts(_ weights: [Int]) -> [Int] {
    let leaves = weights.count
    var nodeWeights = weights
    var parents = [Int](repeating: 0, count: 2 * leaves - 1)
    var nextLeaf = 0
    var nextInner = leaves
    func takeLightest() -> Int {
      // Leaves and inner nodes are both made in ascending order: two queues suffice.
      if nextLeaf < leaves,
        nextInner >= nodeWeights.count || nodeWeights[nextLeaf] <= nodeWeights[nextInner]
      {
        nextLeaf += 1
        return nextLeaf - 1
      }
      nextInner += 1
      return nextInner - 1
    }
    while nodeWeights.count < 2 * leaves - 1 {
      let first = takeLightest()
      let second = takeLightest()
      parents[first] = nodeWeights.count
      parents[second] = nodeWeights.count
      nodeWeights.append(nodeWeights[first] + nodeWeights[second])
    }
    var depths = [Int](repeating: 0, count: nodeWeights.count)
    var counts = [Int](repeating: 0, count: max(leaves + 1, 17))
    for node in stride(from: nodeWeights.count - 2, through: 0, by: -1) {
      depths[node] = depths[parents[node]] + 1
      if node < leaves { counts[depths[node]] += 1 }
    }
    return counts
  }

  /// Returns each symbol's canonical code with its bits in writing order (lowest first).
  static func reversedCodes(_ lengths: [UInt8]) -> [Int] {
    var counts = [Int](repeating: 0, count: 17)
    for length in lengths where length > 0 { counts[Int(length) + 1] += 1 }
    var next = [Int](repeating: 0, count: 17)
    for length in 1...16 { next[length] = (next[length - 1] + counts[length]) << 1 }
    return lengths.map { lengthByte in
      let length = Int(lengthByte)
      if length == 0 { return 0 }
      let code = next[length]
      next[length] += 1
      return (0..<length).reduce(0) { $0 | (code >> $1 & 1) << (length - 1 - $1) }
    }
  }
}
