import Testing
import VitrineImaging

@Suite("Image")
struct ImageTests {
  @Test("samples must fill the picture exactly")
  func sampleCount() throws {
    #expect(throws: ImagingError.self) {
      try Image(width: 2, height: 2, channels: 3, pixels: [0])
    }
    #expect(throws: ImagingError.self) { try Image(width: 0, height: 2, channels: 1, pixels: []) }
    #expect(throws: ImagingError.self) {
      try Image(width: 1, height: 1, channels: 5, pixels: [0, 0, 0, 0, 0])
    }
    #expect(throws: ImagingError.self) {
      try Image(width: .max, height: 2, channels: 1, pixels: [])
    }
  }

  @Test("gray is Pillow's luma")
  func luma() throws {
    let picture = try Image.formula(width: 23, height: 17, channels: 3)
    #expect(picture.convertedToGray().crc == 0x21BB_3C89)
  }

  @Test("alpha is composited on the stated background")
  func compositing() throws {
    let picture = try Image(
      width: 3, height: 1, channels: 4, pixels: [200, 100, 0, 0, 200, 100, 0, 255, 200, 100, 0, 51])
    let onWhite = picture.convertedToRGB()
    #expect(onWhite.pixels == [255, 255, 255, 200, 100, 0, 244, 224, 204])
    #expect(picture.convertedToRGB(background: .black).pixels == [0, 0, 0, 200, 100, 0, 40, 20, 0])
    let gray = try Image(width: 1, height: 1, channels: 2, pixels: [10, 0])
    #expect(gray.composited(on: .gray).pixels == [128])
    #expect(gray.composited(on: Color(red: 1, green: 2, blue: 3)).pixels == [1, 2, 3])
  }

  @Test("the centre is cropped with the odd pixel left at the right and bottom")
  func cropping() throws {
    let row = try Image(width: 5, height: 1, channels: 1, pixels: [0, 1, 2, 3, 4])
    #expect(try row.centerCropped(width: 2, height: 1).pixels == [1, 2])
    #expect(try row.centerCropped(width: 3, height: 1).pixels == [1, 2, 3])
    #expect(row.croppedToSquare().pixels == [2])
    #expect(throws: ImagingError.self) { try row.centerCropped(width: 6, height: 1) }
    #expect(throws: ImagingError.self) { try row.centerCropped(width: 0, height: 1) }
  }

  @Test(
    "the format is told by the first bytes", arguments: [[], [0x47, 0x49, 0x46], [0xFF, 0xD8]])
  func unknownFormat(_ bytes: [UInt8]) {
    #expect(throws: ImagingError.unrecognizedFormat(firstBytes: bytes)) {
      try Image(decoding: bytes)
    }
  }

  @Test("errors say on one line what was expected, what was found and what to do")
  func messages() {
    let errors: [ImagingError] = [
      .unrecognizedFormat(firstBytes: [1, 255]), .noFiniteValues(count: 4),
      .malformed(format: "PNG", offset: 33, reason: "a broken chunk"),
      .unsupported(format: "JPEG", feature: "arithmetic coding"),
      .limitExceeded(limit: "maximumPixels", found: 10, maximum: 9),
      .unknownName(kind: "colour map", name: "virdis", known: ["gray", "viridis"]),
    ]
    #expect(errors.allSatisfy { !$0.description.contains("\n") && $0.description.contains("; ") })
    #expect(
      errors[5].description
        == "unknown colour map 'virdis'; did you mean 'viridis'?; known: gray, viridis")
  }
}
