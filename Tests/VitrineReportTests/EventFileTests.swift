import Foundation
import Testing
import VitrineImaging
import VitrineReport

@Suite("TensorBoard event files")
struct EventFileTests {
  @Test("CRC-32C of the examples of RFC 3720, appendix B.4")
  func checksums() {
    #expect(CRC32C.checksum(of: [UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum(of: [UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(of: Array(0..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum(of: (0..<32).reversed()) == 0x113F_DB5C)
  }

  /// Checked once with the `tensorboard` package, which reads this very file.
  @Test("a number is a record of the bytes that TensorFlow writes")
  func records() throws {
    let folder = "/tmp/vitrine-events-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let events = try EventFile(in: folder, time: 1000)
    try events.add(0.5, tag: "loss", step: 300, time: 1001)
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: events.path)))
    // Header record: length 24, its checksum, wall time 1000, step 0, "brain.Event:2", checksum.
    #expect(Array(bytes[0..<8]) == [26, 0, 0, 0, 0, 0, 0, 0])
    let second = 8 + 4 + 26 + 4
    let content = Array(bytes[(second + 12)...].dropLast(4))
    var expected: [UInt8] = [0x09]
    withUnsafeBytes(of: (1001.0).bitPattern.littleEndian) { expected += Array($0) }
    expected += [0x10, 0xAC, 0x02, 0x2A, 13, 0x0A, 11, 0x0A, 4] + Array("loss".utf8)
    expected += [0x15, 0, 0, 0, 0x3F]
    #expect(content == expected)
    #expect(bytes[second] == UInt8(content.count))
  }

  @Test("a picture travels as a PNG with its size")
  func pictures() throws {
    let folder = "/tmp/vitrine-events-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let events = try EventFile(in: folder + "/run", time: 1000)
    let image = try Image(width: 3, height: 2, channels: 3, pixels: [UInt8](0..<18))
    try events.add(image, tag: "a/b", step: 1, time: 1001)
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: events.path)))
    let png = try PNG.encode(image)
    let start = try #require(bytes.indices.first { bytes[$0...].starts(with: png) })
    // height 2, width 3, three channels, then the bytes.
    #expect(Array(bytes[start - 8..<start - 2]) == [8, 2, 0x10, 3, 0x18, 3])
    #expect(throws: (any Error).self) { try EventFile(in: "/proc/none") }
  }
}
