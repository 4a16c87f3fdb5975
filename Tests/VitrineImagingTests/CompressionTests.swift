import Testing
import VitrineImaging

@Suite("Checksums")
struct ChecksumTests {
  @Test("CRC-32 and Adler-32 give the published check values")
  func publishedValues() {
    #expect(CRC32.checksum(of: Array("123456789".utf8)[...]) == 0xCBF4_3926)
    #expect(Adler32.checksum(of: Array("Wikipedia".utf8)) == 0x11E6_0398)
    #expect(CRC32.checksum(of: []) == 0)
    #expect(Adler32.checksum(of: []) == 1)
  }
}

@Suite("Inflate")
struct InflateTests {
  private static let sentence =
    [UInt8](String(repeating: "the quick brown fox ", count: 20).utf8) + Array(0..<64)

  /// Written by zlib with dynamic codes.
  private static let dynamic = [UInt8](
    hexadecimal: """
      78da45d13996c53008445149cc68b07fef7fb15dc70a482bba3c5a67f2d07962b52ec6e2b676761bc2628f63\
      954132353cb677ac96164f0e1bba04eb3e6d38b168be91ded558976524c550959c9eabd120db8af570d76053\
      9b3bb19a8b6d9fd94612d6e931151cf66358870c4ef1edebaf5da49f482027cb29643cbe8054122b64a42d20\
      fb502fa48a3a90a32b1512ab03f936f24252e0209bbf6c51484e322057cc51489661409aaf534894a4f9958c\
      426225fd4a9e42a264eb5fc9a79028b9c757d20b8992fbfd4a462151327e5f492e24d6585fc928244aaa7d25\
      b39028e9f7dd544894f4fb6e2e244af27d7716122bdf773f8544c97edffd161225e9be3b0a8992e7be3b0b89\
      9279df2d85c49af7dd594894fc070dae1311
      """)
  private static let dynamicContents = (0..<700).map { (i: Int) -> UInt8 in
    let first = i * i * i / 7 % 5
    return UInt8(first * (i % 3) + i % 11)
  }
  /// Written by zlib with fixed codes.
  private static let fixed = [UInt8](
    hexadecimal: """
      78da2bc94855282ccd4cce56482aca2fcf5348cbaf502819151b303106462666165636760e4e2e6e1e5e3e7e\
      0141216111513171094929691959397905452565155535750d4d2d6d1d5d3d7d03432363135333730b4b2b6b\
      1b5b3b7b0034789a5d
      """)
  private static let gzip = [UInt8](
    hexadecimal: """
      1f8b08000000000002032bcb2c29cacc4b5528234003003a17484f28000000
      """)

  @Test("streams written by zlib with dynamic, fixed and no codes are read back")
  func zlibStreams() throws {
    #expect(try Inflate.zlib(Self.dynamic, maxOutput: 700) == Self.dynamicContents)
    #expect(try Inflate.zlib(Self.fixed, maxOutput: 1000) == Self.sentence)
    let stored: [UInt8] = [0x78, 0x01, 1, 3, 0, 0xFC, 0xFF, 97, 98, 99, 0x02, 0x4D, 0x01, 0x27]
    #expect(try Inflate.zlib(stored, maxOutput: 3) == Array("abc".utf8))
    #expect(try Inflate.raw(Array(Self.fixed.dropFirst(2)), maxOutput: 1000) == Self.sentence)
  }

  @Test("a gzip file of two members is read as one")
  func gzipMembers() throws {
    let text = [UInt8](String(repeating: "vitrine ", count: 5).utf8)
    #expect(try Inflate.gzip(Self.gzip, maxOutput: 40) == text)
    #expect(try Inflate.gzip(Self.gzip + Self.gzip, maxOutput: 80) == text + text)
    for length in 0..<Self.gzip.count {
      #expect(throws: ImagingError.self) {
        try Inflate.gzip(Array(Self.gzip[..<length]), maxOutput: 40)
      }
    }
  }

  @Test("every prefix of a stream is an error")
  func truncation() {
    for stream in [Self.dynamic, Self.fixed] {
      for length in 0..<stream.count {
        #expect(throws: ImagingError.self) {
          try Inflate.zlib(Array(stream[..<length]), maxOutput: 1000)
        }
      }
    }
  }

  @Test("no single changed byte goes unnoticed or traps")
  func corruption() {
    for index in Self.dynamic.indices.dropFirst(2) {
      for flip in [UInt8(1), 0x10, 0x80, 0xFF] {
        var stream = Self.dynamic
        stream[index] ^= flip
        // A flipped padding bit before the checksum changes nothing.
        let contents = try? Inflate.zlib(stream, maxOutput: 100_000)
        #expect(contents == nil || contents == Self.dynamicContents)
      }
    }
  }

  @Test("output stops at the limit given")
  func outputLimit() {
    let bomb = Deflate.zlib([UInt8](repeating: 0, count: 1_000_000))
    #expect(bomb.count < 2000)
    #expect(throws: ImagingError.self) { try Inflate.zlib(bomb, maxOutput: 1000) }
    #expect(throws: ImagingError.self) { try Inflate.zlib(Self.fixed, maxOutput: 463) }
  }

  @Test(
    "data that break the rules of RFC 1951 are errors",
    arguments: [
      ("block type 3", "07"),
      ("stored length without its complement", "0103000000616263"),
      ("distance before the start", "030200"),
      ("over-subscribed code lengths", "0500000000ffffff"),
      ("incomplete code lengths", "05c081080000000010"),
      ("more than 286 literal codes", "fdff"),
      ("nothing at all", ""),
    ])
  func malformed(_ name: String, _ hexadecimal: String) {
    #expect(throws: ImagingError.self, "\(name)") {
      try Inflate.raw([UInt8](hexadecimal: hexadecimal), maxOutput: 100)
    }
  }
}

@Suite("Deflate")
struct DeflateTests {
  @Test("what is compressed comes back, for every kind of data and length")
  func roundTrip() throws {
    var state: UInt32 = 1
    func random() -> UInt8 {
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(truncatingIfNeeded: state >> 24)
    }
    for length in [0, 1, 2, 3, 4, 257, 258, 259, 1000, 40_000, 70_000] {
      let kinds: [[UInt8]] = [
        [UInt8](repeating: 7, count: length),
        (0..<length).map { UInt8(truncatingIfNeeded: $0 / 3 % 11) },
        (0..<length).map { _ in random() },
        (0..<length).map { _ in random() & random() & random() },
      ]
      for data in kinds {
        let stream = Deflate.zlib(data)
        #expect(try Inflate.zlib(stream, maxOutput: length) == data)
        #expect(stream.count <= length + 5 * (length / 8000 + 1) + 6)
        #expect(stream == Deflate.zlib(data))
      }
    }
  }

  @Test("pieces that are compressed side by side copy from those before them")
  func pieces() throws {
    var state: UInt32 = 1
    let block = (0..<20_000).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(truncatingIfNeeded: state >> 24)
    }
    let data = (0..<40).flatMap { _ in block }
    let stream = Deflate.zlib(data)
    #expect(try Inflate.zlib(stream, maxOutput: data.count) == data)
    // The ends of pieces.
    for length in [(1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1 << 19] {
      let part = Array(data[..<length])
      #expect(try Inflate.zlib(Deflate.zlib(part), maxOutput: length) == part)
    }
    // The block once, and copies of up to 258 bytes; four pieces of 256 KiB would hold it four times.
    #expect(stream.count < 2 * block.count)
    #expect(stream == Deflate.zlib(data))
  }

  @Test("Fibonacci frequencies, which want codes longer than 15 bits, survive")
  func deepTree() throws {
    var data: [UInt8] = []
    var (a, b) = (1, 1)
    for symbol in UInt8(0)..<19 {
      data += [UInt8](repeating: symbol, count: a)
      (a, b) = (b, a + b)
    }
    // An order without matches: stride through the data.
    let mixed = data.indices.map { data[$0 * 4999 % data.count] }
    #expect(try Inflate.zlib(Deflate.zlib(mixed), maxOutput: mixed.count) == mixed)
  }
}
