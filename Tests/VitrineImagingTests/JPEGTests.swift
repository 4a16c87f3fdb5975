import Testing
import VitrineImaging

@Suite("JPEG")
struct JPEGTests {
  @Test("every sample equals libjpeg-turbo's", arguments: ReferencePicture.jpegs)
  func reference(_ picture: ReferencePicture) throws {
    let decoded = try DecodedImage(decoding: picture.bytes, strict: true)
    #expect(decoded.image.width == picture.width && decoded.image.height == picture.height)
    #expect(decoded.image.channels == picture.channels)
    #expect(decoded.image.crc == picture.crc)
    #expect(decoded.format == .jpeg && decoded.warnings.isEmpty)
  }

  @Test("every prefix is an error if strict, else at most a picture with a warning")
  func truncation() throws {
    for name in ["4:2:0 baseline", "4:2:0 progressive", "4:2:0 with restart markers"] {
      let file = try bytes(name)
      for length in 0..<file.count {
        let prefix = Array(file[..<length])
        #expect(throws: ImagingError.self) { try DecodedImage(decoding: prefix, strict: true) }
        if let decoded = try? DecodedImage(decoding: prefix) {
          #expect(!decoded.warnings.isEmpty)
        }
      }
      let scanCut = try DecodedImage(decoding: Array(file.dropLast(12)))
      #expect(scanCut.image.width == 19 && scanCut.image.height == 13)
    }
  }

  @Test("no changed byte traps")
  func corruption() throws {
    for name in ["4:2:0 baseline", "4:4:4 progressive", "4:2:0 with restart markers", "YCCK"] {
      let file = try bytes(name)
      for index in file.indices {
        for value in [UInt8(0), 0x7F, 0xFF, file[index] ^ 1] {
          var broken = file
          broken[index] = value
          // Anything but a trap is right; a picture keeps within what the limits allow.
          let limits = ImageLimits(maximumPixels: 10_000)
          if let image = try? Image(decoding: broken, limits: limits) {
            #expect(image.width * image.height <= 10_000)
          }
        }
      }
    }
  }

  @Test("damage between restart markers is confined")
  func restart() throws {
    let file = try bytes("4:2:0 with restart markers")
    let intact = try Image(decoding: file)
    // Overwrite the entropy-coded bytes before the first restart marker with zeros.
    let scan = try #require(file.indices.first { file[$0] == 0xFF && file[$0 + 1] == 0xDA })
    let marker = try #require(
      file.indices.first { $0 > scan && file[$0] == 0xFF && file[$0 + 1] == 0xD0 })
    var broken = file
    broken.removeSubrange((scan + 14)..<marker)
    let decoded = try DecodedImage(decoding: broken)
    #expect(decoded.warnings.count == 1)
    // Chroma interpolation reaches one pixel into the neighbouring unit, which starts at column 16.
    #expect(decoded.image.pixels[(18 * 3)..<(19 * 3)] == intact.pixels[(18 * 3)..<(19 * 3)])
    #expect(throws: ImagingError.self) { try DecodedImage(decoding: broken, strict: true) }
  }

  @Test("frame headers that cannot be served are errors with a reason")
  func frames() {
    func reason(_ marker: UInt8, _ body: [UInt8]) -> String {
      do {
        _ = try Image(decoding: [0xFF, 0xD8] + JPEGBuilder.segment(marker, body) + [0xFF, 0xD9])
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    let frame = JPEGBuilder.frame
    #expect(reason(0xC0, frame(65_535, 65_535, [0x11, 0x11, 0x11])).contains("maximumPixels"))
    #expect(reason(0xC0, frame(9000, 9000, [0x11, 0x11, 0x11])).contains("cannot hold"))
    #expect(reason(0xC0, frame(0, 4, [0x11])).contains("0x4"))
    #expect(reason(0xC0, frame(4, 0, [0x11])).contains("4x0"))
    #expect(reason(0xC0, frame(4, 4, [0x11, 0x11])).contains("2 colour components"))
    #expect(
      reason(0xC0, frame(4, 4, [UInt8](repeating: 0x11, count: 255))).contains("255 colour"))
    #expect(reason(0xC0, frame(4, 4, [0x00])).contains("sampling 0x0"))
    #expect(reason(0xC0, frame(4, 4, [0xFF])).contains("sampling 15x15"))
    #expect(reason(0xC0, frame(4, 4, [0x31, 0x21, 0x11])).contains("fractional"))
    #expect(reason(0xC0, [12] + frame(4, 4, [0x11]).dropFirst()).contains("12-bit"))
    #expect(reason(0xC0, []).contains("too short"))
    #expect(reason(0xC3, frame(4, 4, [0x11])).contains("lossless"))
    #expect(reason(0xC5, frame(4, 4, [0x11])).contains("hierarchical"))
    #expect(reason(0xC9, frame(4, 4, [0x11])).contains("arithmetic"))
    #expect(reason(0xDA, [1, 1, 0, 0, 63, 0]).contains("before the frame"))
    #expect(reason(0xC0, frame(4, 4, [0x11])).contains("before its first scan"))
  }

  @Test("tables no JPEG may have are errors")
  func tables() {
    let manyCodes: [UInt8] = [0, 3] + [UInt8](repeating: 0, count: 15) + [0, 1, 2]
    let cut: [UInt8] = [0] + [UInt8](repeating: 255, count: 16)
    let tableFifteen: [UInt8] = [0x1F] + [UInt8](repeating: 0, count: 16)
    let largeCategory: [UInt8] = [0, 1] + [UInt8](repeating: 0, count: 15) + [16]
    for table in [manyCodes, cut, tableFifteen, largeCategory, [0, 1]] {
      let file = [0xFF, 0xD8] + JPEGBuilder.segment(0xC4, table) + [0xFF, 0xD9]
      #expect(throws: ImagingError.self) { try Image(decoding: file) }
    }
    for table: [UInt8] in [[0], [4] + [UInt8](repeating: 1, count: 64), [0x10, 1]] {
      let file = [0xFF, 0xD8] + JPEGBuilder.segment(0xDB, table) + [0xFF, 0xD9]
      #expect(throws: ImagingError.self) { try Image(decoding: file) }
    }
    for length: [UInt8] in [[0, 0], [0, 1], [0xFF, 0xFF]] {
      #expect(throws: ImagingError.self) { try Image(decoding: [0xFF, 0xD8, 0xFF, 0xE1] + length) }
    }
  }

  @Test("tables of the smallest picture, 16-bit quantisation included, make one gray level")
  func smallest() throws {
    // DC difference 3 (category 2, bits 11) times a step of 0x0102 is 774; over 8 that is 96.75.
    let image = try Image(decoding: JPEGBuilder.smallest())
    #expect(image.width == 8 && image.height == 8 && image.channels == 1)
    #expect(image.pixels.allSatisfy { $0 == 128 + 97 })
  }

  @Test("the number of scans is limited")
  func scans() {
    let file = JPEGBuilder.smallest(scans: 101)
    #expect(throws: ImagingError.limitExceeded(limit: "maximumScans", found: 101, maximum: 100)) {
      try Image(decoding: file)
    }
  }

  @Test("EXIF data that point outside themselves are ignored")
  func exif() throws {
    let identifier: [UInt8] = [0x45, 0x78, 0x69, 0x66, 0, 0]
    for tiff: [UInt8] in [
      [], [0x4D, 0x4D, 0, 42, 0xFF, 0xFF, 0xFF, 0xFF], [0x49, 0x49, 42, 0, 8, 0, 0, 0, 255, 255],
      [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 9, 0, 0, 0],
    ] {
      var file = JPEGBuilder.smallest()
      file.insert(contentsOf: JPEGBuilder.segment(0xE1, identifier + tiff), at: 2)
      #expect(try Image(decoding: file).pixels[0] == 225)
    }
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    try #require(ReferencePicture.jpegs.first { $0.testDescription == name }).bytes
  }
}

/// Writes JPEG files piece by piece, valid or not.
enum JPEGBuilder {
  static func segment(_ marker: UInt8, _ body: [UInt8]) -> [UInt8] {
    let length = body.count + 2
    return [0xFF, marker, UInt8(length >> 8), UInt8(length & 255)] + body
  }

  static func frame(_ width: Int, _ height: Int, _ sampling: [UInt8]) -> [UInt8] {
    var body: [UInt8] = [8]
    for side in [height, width] { body += [UInt8(side >> 8), UInt8(side & 255)] }
    body.append(UInt8(sampling.count))
    for (index, factors) in sampling.enumerated() {
      body += [UInt8(truncatingIfNeeded: index + 1), factors, 0]
    }
    return body
  }

  /// An 8×8 gray picture of one level; the only DC code stands for category 2, the only AC code for
  /// the end of the block.
  static func smallest(scans: Int = 1) -> [UInt8] {
    let oneCode: [UInt8] = [1] + [UInt8](repeating: 0, count: 15)
    var steps: [UInt8] = [0x10]
    for _ in 0..<64 { steps += [1, 2] }
    var file: [UInt8] = [0xFF, 0xD8]
    file += segment(0xDB, steps)
    file += segment(0xC0, frame(8, 8, [0x11]))
    file += segment(0xC4, [0x00] + oneCode + [2])
    file += segment(0xC4, [0x10] + oneCode + [0])
    for _ in 0..<scans {
      // Bits 0 11 0, padded with ones.
      file += segment(0xDA, [1, 1, 0, 0, 63, 0]) + [0b0110_1111]
    }
    return file + [0xFF, 0xD9]
  }
}
