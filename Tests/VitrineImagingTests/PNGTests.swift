import Testing
import VitrineImaging

@Suite("PNG")
struct PNGTests {
  @Test("pictures of every colour type and depth are exact", arguments: ReferencePicture.pngs)
  func reference(_ picture: ReferencePicture) throws {
    let image = try Image(decoding: picture.bytes)
    #expect(image.width == picture.width && image.height == picture.height)
    #expect(image.channels == picture.channels)
    #expect(image.crc == picture.crc)
  }

  @Test("what is encoded comes back, with its texts", arguments: 1...4)
  func roundTrip(_ channels: Int) throws {
    let text = [
      TextEntry(keyword: "Title", text: "café\nsecond line"),
      TextEntry(keyword: "Model", text: "模型 α"),
    ]
    for (width, height) in [(1, 1), (1, 9), (7, 1), (40, 33), (5, 64), (3, 65), (2, 129)] {
      let image = try Image.formula(width: width, height: height, channels: channels)
      let file = try PNG.encode(image, text: text)
      let decoded = try DecodedImage(decoding: file)
      #expect(decoded.image == image)
      #expect(decoded.text == text)
      #expect(decoded.format == .png && decoded.warnings.isEmpty)
      #expect(try PNG.encode(image, text: text) == file)
    }
  }

  @Test("keywords no PNG may have are errors", arguments: ["", " a", "a ", "a\u{1}b", "α"])
  func keywords(_ keyword: String) throws {
    let image = try Image(width: 1, height: 1, color: .white)
    #expect(throws: ImagingError.self) {
      try PNG.encode(image, text: [TextEntry(keyword: keyword, text: "")])
    }
  }

  @Test("every prefix of a file and every changed byte is an error")
  func damage() throws {
    let file = try PNG.encode(Image.formula(width: 5, height: 4, channels: 3))
    for length in 0..<file.count {
      #expect(throws: ImagingError.self) { try Image(decoding: Array(file[..<length])) }
    }
    for index in file.indices {
      for flip in [UInt8(1), 0x20, 0x80] {
        var broken = file
        broken[index] ^= flip
        #expect(throws: ImagingError.self) { try Image(decoding: broken) }
      }
    }
  }

  @Test("headers no PNG may have are errors")
  func headers() {
    let combinations: [(depth: UInt8, type: UInt8)] = [
      (0, 0), (3, 0), (32, 0), (1, 2), (4, 2), (16, 3), (4, 4), (2, 6), (8, 1), (8, 5), (8, 7),
    ]
    for (depth, type) in combinations {
      let file = PNGBuilder.file(
        header: PNGBuilder.header(1, 1, depth: depth, type: type), rows: [0, 0])
      #expect(throws: ImagingError.self) { try Image(decoding: file) }
    }
    for (width, height) in [(0, 1), (1, 0), (0x8000_0000, 1)] {
      let file = PNGBuilder.file(header: PNGBuilder.header(width, height), rows: [0, 0])
      #expect(throws: ImagingError.self) { try Image(decoding: file) }
    }
    for tail: [UInt8] in [[1, 0, 0], [0, 1, 0], [0, 0, 2]] {
      let header = PNGBuilder.header(1, 1).dropLast(3) + tail
      let file = PNGBuilder.file(header: Array(header), rows: [0, 0])
      #expect(throws: ImagingError.self) { try Image(decoding: file) }
    }
  }

  @Test("chunks missing, repeated or out of order are errors")
  func chunkOrder() throws {
    let signature = PNGBuilder.signature
    let header = PNGBuilder.chunk("IHDR", PNGBuilder.header(1, 1))
    let palette = PNGBuilder.chunk("PLTE", [1, 2, 3])
    let indexed = PNGBuilder.chunk("IHDR", PNGBuilder.header(1, 1, type: 3))
    let data = PNGBuilder.chunk("IDAT", Deflate.zlib([0, 0]))
    let end = PNGBuilder.chunk("IEND", [])
    let other = PNGBuilder.chunk("teSt", [1])
    #expect(try Image(decoding: signature + header + other + data + end).pixels == [0])
    #expect(try Image(decoding: signature + indexed + palette + data + end).pixels == [1, 2, 3])
    let broken: [[UInt8]] = [
      data + end, header + end, header + data, header + header + data + end,
      header + palette + data + end, indexed + data + end, indexed + data + palette + end,
      indexed + palette + palette + data + end, header + data + other + data + end,
      header + PNGBuilder.chunk("CRIT", []) + data + end,
      header + PNGBuilder.chunk("tRNS", [1]) + data + end,
      indexed + PNGBuilder.chunk("tRNS", [1]) + palette + data + end,
      indexed + palette + PNGBuilder.chunk("tRNS", [1, 2]) + data + end,
      indexed + PNGBuilder.chunk("PLTE", [1, 2]) + data + end,
      header + [0x80, 0, 0, 0, 0x49, 0x44, 0x41, 0x54],
      header + [0xFF, 0xFF, 0xFF, 0xFF, 0x49, 0x44, 0x41, 0x54] + [UInt8](repeating: 0, count: 16),
    ]
    for body in broken {
      #expect(throws: ImagingError.self) { try Image(decoding: signature + body) }
    }
  }

  @Test("image data too short, too long, wrongly filtered or outside the palette are errors")
  func imageData() {
    let header = PNGBuilder.header(2, 2)
    for rows: [UInt8] in [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 5, 0, 0]] {
      #expect(throws: ImagingError.self) {
        try Image(decoding: PNGBuilder.file(header: header, rows: rows))
      }
    }
    let palette = PNGBuilder.chunk("PLTE", [1, 2, 3])
    let indexed = PNGBuilder.file(
      header: PNGBuilder.header(1, 1, type: 3), rows: [0, 1], before: palette)
    #expect(throws: ImagingError.self) { try Image(decoding: indexed) }
  }

  @Test("a bomb is stopped by what its header declares")
  func bomb() {
    let rows = [UInt8](repeating: 0, count: 2_000_000)
    let small = PNGBuilder.file(header: PNGBuilder.header(8, 8), rows: rows)
    #expect(throws: ImagingError.self) { try Image(decoding: small) }
    let huge = PNGBuilder.file(
      header: PNGBuilder.header(0x7FFF_FFFF, 0x7FFF_FFFF, depth: 16, type: 6), rows: [])
    #expect(
      throws: ImagingError.limitExceeded(
        limit: "maximumSide", found: 0x7FFF_FFFF, maximum: 65_535)
    ) { try Image(decoding: huge) }
    let empty = PNGBuilder.file(header: PNGBuilder.header(9000, 9000, type: 2), rows: [])
    #expect(throws: ImagingError.self) { try Image(decoding: empty) }
  }

  @Test("limits are kept and can be raised to anything without trapping")
  func limits() throws {
    let file = PNGBuilder.file(
      header: PNGBuilder.header(4, 3), rows: [UInt8](repeating: 0, count: 15))
    #expect(throws: ImagingError.limitExceeded(limit: "maximumPixels", found: 12, maximum: 11)) {
      try Image(decoding: file, limits: ImageLimits(maximumPixels: 11))
    }
    #expect(throws: ImagingError.limitExceeded(limit: "maximumChunks", found: 3, maximum: 2)) {
      try Image(decoding: file, limits: ImageLimits(maximumChunks: 2))
    }
    #expect(throws: ImagingError.self) {
      try Image(decoding: file, limits: ImageLimits(maximumFileBytes: 20))
    }
    let unlimited = ImageLimits(
      maximumPixels: .max, maximumSide: .max, maximumDecodedBytes: .max, maximumFileBytes: .max,
      maximumScans: .max, maximumChunks: .max)
    #expect(try Image(decoding: file, limits: unlimited).width == 4)
    let huge = PNGBuilder.file(
      header: PNGBuilder.header(0x7FFF_FFFF, 0x7FFF_FFFF, depth: 16, type: 6), rows: [])
    #expect(throws: ImagingError.self) { try Image(decoding: huge, limits: unlimited) }
  }
}

/// Writes PNG files piece by piece, valid or not.
enum PNGBuilder {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  static func header(_ width: Int, _ height: Int, depth: UInt8 = 8, type: UInt8 = 0) -> [UInt8] {
    fourBytes(width) + fourBytes(height) + [depth, type, 0, 0, 0]
  }

  static func chunk(_ type: String, _ body: [UInt8]) -> [UInt8] {
    let checked = Array(type.utf8) + body
    return fourBytes(body.count) + checked + fourBytes(Int(CRC32.checksum(of: checked[...])))
  }

  static func file(header: [UInt8], rows: [UInt8], before: [UInt8] = []) -> [UInt8] {
    signature + chunk("IHDR", header) + before + chunk("IDAT", Deflate.zlib(rows))
      + chunk("IEND", [])
  }

  private static func fourBytes(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
