/// The file formats pictures are read from.
public enum ImageFormat: String, Sendable, Equatable {
  /// Portable Network Graphics.
  case png = "PNG"
  /// JPEG, baseline or progressive.
  case jpeg = "JPEG"

  /// Tells the format by the first bytes, never by a file's name.
  public init(sniffing bytes: [UInt8]) throws(ImagingError) {
    if bytes.starts(with: PNG.signature) {
      self = .png
    } else if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else {
      throw .unrecognizedFormat(firstBytes: Array(bytes.prefix(8)))
    }
  }
}

/// A keyword with its text, stored in a PNG beside the pixels.
public struct TextEntry: Sendable, Equatable {
  /// What the text is about: 1 to 79 characters of Latin-1, such as `Title` or `Software`.
  public let keyword: String
  /// The text, any Unicode.
  public let text: String

  /// Creates an entry; ``PNG/encode(_:text:)`` checks the keyword.
  public init(keyword: String, text: String) {
    self.keyword = keyword
    self.text = text
  }
}

/// A picture with what else its file told.
public struct DecodedImage: Sendable, Equatable {
  /// The pixels, EXIF orientation of a JPEG already applied.
  public let image: Image
  /// The format found.
  public let format: ImageFormat
  /// One sentence per repair made while reading a damaged JPEG; empty for an intact file.
  public let warnings: [String]
  /// The uncompressed `tEXt` and `iTXt` entries of a PNG, in file order.
  public let text: [TextEntry]

  /// Decodes a PNG or JPEG told by its first bytes.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - limits: Largest picture accepted.
  ///   - strict: Whether a JPEG cut short is an error; if not, what is there is decoded, the rest
  ///     is gray, and ``warnings`` says so. A damaged PNG is always an error.
  /// - Throws: ``ImagingError`` for anything but an acceptable picture.
  /// - Complexity: O(`bytes.count` + samples).
  public init(
    decoding bytes: [UInt8], limits: ImageLimits = ImageLimits(), strict: Bool = false
  ) throws(ImagingError) {
    switch try ImageFormat(sniffing: bytes) {
    case .png: self = try PNG.decode(bytes, limits: limits)
    case .jpeg: self = try JPEG.decode(bytes, limits: limits, strict: strict)
    }
  }

  init(image: Image, format: ImageFormat, warnings: [String] = [], text: [TextEntry] = []) {
    self.image = image
    self.format = format
    self.warnings = warnings
    self.text = text
  }
}

extension Image {
  /// Decodes a PNG or JPEG told by its first bytes; see ``DecodedImage`` for warnings and texts.
  ///
  /// - Throws: ``ImagingError`` for anything but an acceptable picture.
  public init(
    decoding bytes: [UInt8], limits: ImageLimits = ImageLimits()
  ) throws(ImagingError) {
    self = try DecodedImage(decoding: bytes, limits: limits).image
  }
}
