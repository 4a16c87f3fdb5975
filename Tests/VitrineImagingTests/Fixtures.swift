import Foundation
import VitrineImaging

/// Files the fixtures folder holds; tests that need them are skipped where it is absent.
enum Fixtures {
  static let root: String? = {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let candidates: [String?] = [
      ProcessInfo.processInfo.environment["VITRINE_FIXTURES"],
      package.appendingPathComponent("../shared/fixtures").standardizedFileURL.path,
      package.appendingPathComponent("../../shared/fixtures").standardizedFileURL.path,
    ]
    return candidates.compactMap(\.self).first {
      FileManager.default.fileExists(atPath: $0 + "/FIXTURES.md")
    }
  }()

  static var areAvailable: Bool { root != nil }

  static func bytes(_ path: String) throws -> [UInt8] {
    guard let root else { throw CocoaError(.fileNoSuchFile) }
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: root + "/" + path)))
  }

  static func image(_ path: String) throws -> Image { try Image(decoding: bytes("images/" + path)) }

  /// The float32 values of a version 1 `.npy` file.
  static func array(_ path: String) throws -> [Float] {
    let bytes = try bytes("golden/" + path)
    let start = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
    return stride(from: start, to: bytes.count, by: 4).map { offset in
      let bits = bytes[offset..<(offset + 4)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      return Float(bitPattern: bits)
    }
  }
}

extension [UInt8] {
  /// Creates bytes from two hexadecimal digits each.
  init(hexadecimal: String) {
    let digits = hexadecimal.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
    self = stride(from: 0, to: digits.count - 1, by: 2).map { (start: Int) -> UInt8 in
      digits[start] << 4 | digits[start + 1]
    }
  }
}

extension Image {
  /// The CRC-32 of the samples, to compare with pictures other software made.
  var crc: UInt32 { CRC32.checksum(of: pixels[...]) }

  /// A picture whose samples follow the formula of the reference script.
  static func formula(width: Int, height: Int, channels: Int) throws -> Image {
    try Image(
      width: width, height: height, channels: channels,
      pixels: (0..<(width * height * channels)).map { (index: Int) -> UInt8 in
        UInt8(index * (index * 7 + 13) % 251)
      })
  }
}
