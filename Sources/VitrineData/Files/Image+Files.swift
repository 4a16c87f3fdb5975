import VitrineFiles
public import VitrineImaging

extension Image {
  /// Reads a PNG or JPEG file.
  ///
  /// - Throws: `FileError`, `ImagingError`.
  public init(contentsOf path: String) throws {
    try self.init(decoding: InputFile.bytes(at: path, what: "picture", limit: 1 << 30))
  }

  /// Writes a PNG file, whole or not at all.
  ///
  /// - Throws: `FileError`, `ImagingError`.
  public func write(to path: String) throws {
    try OutputFiles.write(PNG.encode(self), to: path)
  }
}
