import Testing
import VitrineTensor

@Suite("The .npy format")
struct NPYTests {
  /// `np.save` of `np.array([[1.5, -2.25, np.inf], [0.1, -0.0, 3e-45]], "<f4")`, NumPy 2.4.6.
  static let savedByNumPy = bytes(
    hex: """
      934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046
      616c73652c20277368617065273a2028322c2033292c207d202020202020202020202020202020202020202020
      202020202020202020202020202020202020202020202020202020202020202020202020200a0000c03f000010
      c00000807fcdcccc3d0000008002000000
      """)
  static let saved: [Float] = [1.5, -2.25, .infinity, 0.1, -0.0, 0x1p-148]

  private static func bytes(hex: String) -> [UInt8] {
    let digits = hex.compactMap { $0.hexDigitValue }
    return stride(from: 0, to: digits.count - 1, by: 2).map {
      UInt8(digits[$0] * 16 + digits[$0 + 1])
    }
  }

  /// Builds a file around any header text.
  private func file(
    _ text: String, version: [UInt8] = [1, 0], length: Int? = nil, data: [UInt8] = []
  ) -> [UInt8] {
    let length = length ?? text.utf8.count
    let lengthBytes = (0..<(version[0] == 1 ? 2 : 4)).map {
      UInt8(truncatingIfNeeded: length >> (8 * $0))
    }
    return [0x93] + Array("NUMPY".utf8) + version + lengthBytes + Array(text.utf8) + data
  }

  private func file(
    descr: String, shape: String, fortran: String = "False", data hex: String
  ) -> [UInt8] {
    file(
      "{'descr': '\(descr)', 'fortran_order': \(fortran), 'shape': \(shape), }\n",
      data: Self.bytes(hex: hex))
  }

  /// Returns the reason for which a file is refused; anything else than a refusal is an issue.
  private func refusal(_ bytes: [UInt8]) -> String {
    do {
      let tensor = try Tensor(npy: bytes)
      Issue.record("read as \(tensor)")
      return ""
    } catch {
      let text = error.description
      #expect(!text.contains("\n"))
      #expect(text.utf8.allSatisfy { (0x20..<0x7f).contains($0) })
      return text
    }
  }

  // MARK: - Reading what NumPy writes

  @Test("a file saved by NumPy is read, and written again to the byte")
  func numPyFile() throws {
    let tensor = try Tensor(npy: Self.savedByNumPy)
    #expect(try tensor == Tensor(Self.saved, shape: [2, 3]))
    #expect(tensor.npyBytes() == Self.savedByNumPy)
  }

  @Test("versions 2.0 and 3.0 have a length of four bytes")
  func versions() throws {
    for version: UInt8 in [2, 3] {
      var bytes = Self.savedByNumPy
      bytes[6] = version
      bytes.insert(contentsOf: [0, 0], at: 10)
      #expect(try Tensor(npy: bytes) == Tensor(Self.saved, shape: [2, 3]))
    }
  }

  @Test("every type is widened exactly, in either byte order")
  func types() throws {
    // The element bytes that NumPy 2.4.6 saves for these arrays.
    func read(_ descr: String, _ count: Int, _ hex: String) throws -> Tensor {
      try Tensor(npy: file(descr: descr, shape: "(\(count),)", data: hex))
    }
    #expect(try read(">f4", 3, "3fc00000c01000003dcccccd") == Tensor([1.5, -2.25, 0.1] as [Float]))
    #expect(try read("<f8", 2, "9a9999999999b93f9c7500883ce437fe") == Tensor([0.1, -1e300]))
    #expect(try read(">f8", 1, "3fb999999999999a") == Tensor([0.1]))
    #expect(try read("|b1", 3, "010001") == Tensor([true, false, true]))
    #expect(try read("|i1", 3, "807fff") == Tensor([-128, 127, -1] as [Int64]))
    #expect(try read("|u1", 2, "00ff") == Tensor([0, 255] as [Int64]))
    #expect(try read(">i2", 2, "80000001") == Tensor([-32768, 1] as [Int64]))
    #expect(try read("<u2", 2, "ffff0100") == Tensor([65535, 1] as [Int64]))
    #expect(try read("<i4", 2, "0000008005000000") == Tensor([-2_147_483_648, 5] as [Int64]))
    #expect(try read(">u4", 2, "ffffffff00000007") == Tensor([4_294_967_295, 7] as [Int64]))
    #expect(try read("<i8", 1, "feffffffffffffff") == Tensor([Int64(-2)]))
    // np.array([1, -2.5, 65504, 6e-8, np.inf, 0.333], "<f2")
    let half: [Float] = [1, -2.5, 65504, 0x1p-24, .infinity, 0.333_007_812_5]
    #expect(try read("<f2", 6, "003c00c1ff7b0100007c5435") == Tensor(half))
  }

  @Test("every half-precision number has the value of the standard's formula")
  func halfPrecision() throws {
    let patterns = (0...UInt16.max)
    let bytes = file(
      "{'descr': '<f2', 'fortran_order': False, 'shape': (65536,)}",
      data: patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] })
    let values = try Tensor(npy: bytes).elements(of: Float.self)
    var differences = 0
    for (bits, value) in zip(patterns, values) {
      let fraction = Double(bits & 0x3ff) / 1024
      let exponent = Int(bits >> 10 & 0x1f)
      let magnitude: Double =
        switch exponent {
        case 0: fraction * 0x1p-14
        case 31: fraction == 0 ? .infinity : .nan
        default: (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
      let same = magnitude.isNaN ? value.isNaN : Double(value.magnitude) == magnitude
      if !same || (value.sign == .minus) != (bits >> 15 == 1) { differences += 1 }
    }
    #expect(differences == 0)
  }

  @Test("Fortran order is converted to row-major order")
  func fortranOrder() throws {
    // np.asfortranarray(np.arange(6).reshape(2, 3) - 2)
    let matrix = try Tensor(
      npy: file(
        descr: "<i8", shape: "(2, 3)", fortran: "True",
        data: "feffffffffffffff0100000000000000ffffffffffffffff0200000000000000"
          + "00000000000000000300000000000000"))
    #expect(try matrix == Tensor([-2, -1, 0, 1, 2, 3] as [Int64], shape: [2, 3]))
    // np.asfortranarray(np.arange(24, dtype=">u1").reshape(2, 3, 4))
    let cube = try Tensor(
      npy: file(
        descr: "|u1", shape: "(2, 3, 4)", fortran: "True",
        data: "000c04100814010d05110915020e06120a16030f07130b17"))
    #expect(try cube == Tensor((0..<24).map { Int64($0) }, shape: [2, 3, 4]))
  }

  @Test("any byte but 0 means true")
  func otherTruths() throws {
    let tensor = try Tensor(npy: file(descr: "|b1", shape: "(3,)", data: "02ff00"))
    #expect(tensor == Tensor([true, true, false]))
  }

  @Test("headers are read in any order, spacing and quotes that Python allows")
  func headerForms() throws {
    let expected = try Tensor([7] as [Int64], shape: [1])
    for text in [
      "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }",
      "{\"shape\":(1,),\"fortran_order\":False,\"descr\":\"|u1\"}",
      "  { 'fortran_order' : True , 'shape' : ( 1 , ) , 'descr' : '>u1' }  \n\n",
      "{'descr': '<u1', 'fortran_order': False, 'shape': (1L,), }",
    ] {
      #expect(try Tensor(npy: file(text, data: [7])) == expected, "\(text)")
    }
  }

  // MARK: - Writing

  @Test("everything written is read back equal")
  func roundTrip() throws {
    for dimensions in [[], [0], [1], [7], [2, 3], [3, 0, 2], [1, 2, 3, 4, 5]] {
      let count = dimensions.reduce(1, *)
      let numbers = try Tensor((0..<count).map { Double($0) - 2.5 }, shape: dimensions)
      for type in DataType.allCases {
        let tensor = numbers.converted(to: type)
        let bytes = tensor.npyBytes()
        #expect(try Tensor(npy: bytes) == tensor)
        #expect((bytes.count - count * type.byteCount) % 64 == 0)
      }
    }
    let special = Tensor([Double.nan, -.nan, .infinity, -0.0, .leastNonzeroMagnitude])
    #expect(try Tensor(npy: special.npyBytes()) == special)
  }

  @Test("headers are those of NumPy to the byte")
  func headersOfNumPy() throws {
    // CRC-32 of the headers that NumPy 2.4.6 writes for zeros of these shapes.
    let expected: [([Int], Int, UInt32)] = [
      ([], 128, 0xadd3_7f75), ([1], 128, 0x7128_3f95), ([7], 128, 0xe84e_6ac7),
      ([0], 128, 0xfc69_dbcd), ([2, 3], 128, 0xb6a0_a652),
      ([1, 3, 224, 224], 128, 0x7d18_9aa0), ([123_456, 1], 128, 0xff37_8279),
      ([Int](repeating: 1, count: 20), 192, 0xed15_7482),
      ([1, 2, 3, 4, 5, 6, 7, 8], 128, 0x1b80_498c),
    ]
    for (dimensions, length, checksum) in expected {
      let bytes = Tensor(zeros: try Shape(dimensions)).npyBytes()
      #expect(crc32(bytes.prefix(length)) == checksum, "shape \(dimensions)")
      #expect(bytes[length - 1] == UInt8(ascii: "\n"))
    }
  }

  private func crc32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return ~crc
  }

  // MARK: - Refusing what is wrong

  @Test("a file cut anywhere, or with a byte too many, is refused")
  func truncation() {
    for length in 0..<Self.savedByNumPy.count {
      _ = refusal(Array(Self.savedByNumPy.prefix(length)))
    }
    let reason = refusal(Self.savedByNumPy + [0])
    #expect(reason.contains("expected 24 bytes of elements"))
    #expect(reason.contains("found 25"))
  }

  @Test("a file with any one byte of its header changed is read or refused, never a crash")
  func mutation() {
    for position in 0..<128 {
      for value: UInt8 in [0x00, 0x20, 0x27, 0x28, 0x2c, 0x2d, 0x39, 0x4f, 0x7d, 0x80, 0xff] {
        var bytes = Self.savedByNumPy
        bytes[position] = value
        if let tensor = try? Tensor(npy: bytes) { #expect(tensor.count == 6) }
      }
    }
  }

  @Test(
    "types that are not plain numbers are refused with the reason",
    arguments: [
      ("|O", "pickles"), ("|V8", "records"), ("<c8", "complex"), ("<U5", "text"), ("|S3", "text"),
      ("<M8[ns]", "dates"), ("<u8", "int64"), ("<f16", "astype"), ("f4", "expected elements"),
      ("=f4", "expected elements"), ("|f4", "expected elements"), ("", "expected elements"),
      ("<", "expected elements"), ("<f4 ", "expected elements"), ("<i3", "expected elements"),
    ])
  func refusedTypes(descr: String, reason: String) {
    #expect(refusal(file(descr: descr, shape: "(1,)", data: "00000000")).contains(reason))
  }

  @Test("structured types are refused with the reason")
  func structuredType() {
    let text = "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }"
    #expect(refusal(file(text)).contains("structured"))
  }

  @Test("header lengths beyond the file or the limit are refused before anything is allocated")
  func headerLength() {
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }"
    #expect(refusal(file(text, length: 60_000)).contains("expected 60000 bytes of header"))
    #expect(refusal(file(text, version: [2, 0], length: 4_294_967_295)).contains("at most 65536"))
    #expect(refusal(file(text, length: 0)).contains("expected '{'"))
    #expect(refusal(file(text, length: text.utf8.count - 1)).contains("end of the header"))
  }

  @Test("unknown versions and other magic bytes are refused")
  func versionsAndMagic() {
    for version: [UInt8] in [[0, 0], [1, 1], [4, 0], [255, 255]] {
      #expect(refusal(file("{}", version: version)).contains("version"))
    }
    #expect(refusal([0x50, 0x4b, 0x03, 0x04] + Self.savedByNumPy).contains("NUMPY"))
    #expect(refusal([]).contains("found 0 bytes"))
  }

  @Test(
    "shapes that the bytes cannot have are refused before anything is allocated",
    arguments: [
      "(1000000000000,)", "(4611686018427387904, 4611686018427387904)", "(9223372036854775807,)",
      "(9223372036854775808,)", "(99999999999999999999999999,)", "(0, 9223372036854775807, 8)",
      "(-1,)", "(2)", "2", "(2.0,)", "(0x2,)", "(02,)", "(1_0,)", "(,)", "(1,,2)", "(1, 2",
      "((2,),)",
      "[2]", "None", "('2',)", "(2, 3) + (4,)", "(2 3)", "(+2,)",
      "(" + String(repeating: "1, ", count: 33) + ")",
      "(" + String(repeating: "(", count: 20_000),
    ])
  func hostileShapes(shape: String) {
    _ = refusal(file(descr: "<f4", shape: shape, data: "00000000"))
  }

  @Test(
    "headers that are not the dictionary of the format are refused",
    arguments: [
      "", " ", "{", "{}", "{}x", "not a dictionary", "[1]", "{'descr': '<f4'}",
      "{'descr': '<f4', 'fortran_order': False}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
      "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': false, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': Truely, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} trailing",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}}",
      "{'descr': '<f4' 'fortran_order': False, 'shape': (1,)}",
      "{'descr'= '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{,'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1,),,}",
      "{'descr': '<f4\", 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': '\u{1b}[31m', 'fortran_order': False, 'shape': (1,)}",
      "{'é': '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{descr: '<f4', 'fortran_order': False, 'shape': (1,)}",
      "{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': (1,)}",
      "{'" + String(repeating: "d", count: 30_000),
    ])
  func hostileHeaders(text: String) {
    _ = refusal(file(text, data: [0, 0, 0, 0]))
  }
}
