import Testing
import VitrineImaging

@Suite("Animated PNG")
struct AnimationTests {
  /// A chunk as the PNG specification lays it out.
  private struct Chunk {
    let type: String
    let body: [UInt8]
  }

  /// Reads the chunks of a file without the reader under test.
  private func chunks(of file: [UInt8]) -> [Chunk] {
    var chunks: [Chunk] = []
    var offset = 8
    while offset + 12 <= file.count {
      let length = number(Array(file[offset..<offset + 4]))
      let type = String(decoding: file[offset + 4..<offset + 8], as: UTF8.self)
      chunks.append(Chunk(type: type, body: Array(file[offset + 8..<offset + 8 + length])))
      offset += 12 + length
    }
    return chunks
  }

  private func number(_ bytes: [UInt8]) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

  private func frames(_ count: Int, channels: Int) throws -> [Image] {
    let image = try Image.formula(width: 13, height: 9, channels: channels)
    return try (0..<count).map { shift in
      try Image(
        width: 13, height: 9, channels: channels, pixels: image.pixels.map { $0 &+ UInt8(shift) })
    }
  }

  @Test("chunks follow one another as the standard says", arguments: 1...4)
  func structure(_ channels: Int) throws {
    let file = try PNG.encodeAnimation(
      frames(3, channels: channels), milliseconds: 80, lastMilliseconds: 500, plays: 2,
      text: [TextEntry(keyword: "Title", text: "rise")])
    let chunks = chunks(of: file)
    #expect(
      chunks.map(\.type) == [
        "IHDR", "tEXt", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND",
      ])
    #expect(chunks[2].body == [0, 0, 0, 3, 0, 0, 0, 2])
    // One sequence over frame headers and frame data.
    let sequence = chunks.filter { $0.type == "fcTL" || $0.type == "fdAT" }
      .map { number(Array($0.body[0..<4])) }
    #expect(sequence == [0, 1, 2, 3, 4])
    for (chunk, delay) in zip(chunks.filter { $0.type == "fcTL" }, [80, 80, 500]) {
      #expect(chunk.body.count == 26)
      #expect(number(Array(chunk.body[4..<8])) == 13 && number(Array(chunk.body[8..<12])) == 9)
      #expect(chunk.body[12..<20].allSatisfy { $0 == 0 })
      #expect(number(Array(chunk.body[20..<22])) == delay)
      #expect(number(Array(chunk.body[22..<24])) == 1000)
      #expect(Array(chunk.body[24...]) == [0, 0])
    }
  }

  @Test("each frame, put into a file of its own, comes back exactly")
  func frameByFrame() throws {
    let frames = try frames(4, channels: 3)
    let file = try PNG.encodeAnimation(frames, milliseconds: 100)
    #expect(try Image(decoding: file) == frames[0])
    let data = chunks(of: file).filter { $0.type == "IDAT" || $0.type == "fdAT" }
    #expect(data.count == 4)
    for (frame, chunk) in zip(frames, data) {
      let compressed = chunk.type == "IDAT" ? chunk.body : Array(chunk.body.dropFirst(4))
      // The pixels of a frame alone are those of a still picture.
      let still = chunks(of: try PNG.encode(frame)).first { $0.type == "IDAT" }
      #expect(still?.body == compressed)
    }
    #expect(try PNG.encodeAnimation(frames, milliseconds: 100) == file)
  }

  @Test("frames of different sizes, no frames and times out of range are errors")
  func arguments() throws {
    let one = try frames(1, channels: 3)
    let other = try Image(width: 2, height: 9, color: .white)
    for (list, delay, plays) in [
      ([], 1, 0), (one + [other], 1, 0), (one + (try frames(1, channels: 1)), 1, 0),
      (one, -1, 0), (one, 65_536, 0), (one, 1, -1),
    ] {
      #expect(throws: ImagingError.self) {
        try PNG.encodeAnimation(list, milliseconds: delay, plays: plays)
      }
    }
  }
}
