import VitrineFiles
import VitrineImaging

/// The bytes of a data file, decompressed if it is a gzip file.
enum DataFile {
  /// Most bytes of a file, as it lies on the disk and decompressed.
  static let byteLimit = 2 << 30

  /// - Throws: `FileError`, or `ImagingError` for damaged compression.
  static func bytes(at path: String) throws -> [UInt8] {
    try plain(InputFile.bytes(at: path, what: "data file", limit: byteLimit))
  }

  /// Returns the content of a gzip file, and other bytes as they are.
  static func plain(_ bytes: [UInt8]) throws -> [UInt8] {
    bytes.starts(with: [0x1F, 0x8B]) ? try Inflate.gzip(bytes, maxOutput: byteLimit) : bytes
  }
}
