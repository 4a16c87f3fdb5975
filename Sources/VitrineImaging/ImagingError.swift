/// Why a picture could not be read, prepared or drawn.
public enum ImagingError: Error, Sendable, Equatable {
  /// The bytes start like neither a PNG nor a JPEG; carries up to eight of them.
  case unrecognizedFormat(firstBytes: [UInt8])

  /// The bytes break the rules of their format.
  ///
  /// `offset` counts bytes from the start of the file or, for `format` "deflate", of the stream.
  case malformed(format: String, offset: Int, reason: String)

  /// The bytes are valid but use a feature that is not read here.
  case unsupported(format: String, feature: String)

  /// A size found in the bytes is above the limit set by the caller.
  case limitExceeded(limit: String, found: Int, maximum: Int)

  /// A caller's value is outside what the operation accepts; the text says what is accepted.
  case invalidArgument(String)

  /// No preprocessing, colour map, … of that name exists.
  case unknownName(kind: String, name: String, known: [String])

  /// A map to be drawn holds no finite number.
  case noFiniteValues(count: Int)
}

extension ImagingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unrecognizedFormat(let firstBytes):
      let found =
        firstBytes.isEmpty ? "an empty file" : "bytes " + firstBytes.map(hex).joined(separator: " ")
      return "expected a PNG or JPEG picture, found \(found); convert the file to PNG or JPEG"
    case .malformed(let format, let offset, let reason):
      return "\(format) is damaged at byte \(offset): \(reason); get an intact copy of the file"
    case .unsupported(let format, let feature):
      return "\(format) uses \(feature), which is not supported; convert the file to 8-bit PNG"
    case .limitExceeded(let limit, let found, let maximum):
      return "the picture needs \(found) where \(maximum) are allowed (ImageLimits.\(limit)); "
        + "use a smaller picture, or raise the limit from Swift"
    case .invalidArgument(let message):
      return message
    case .unknownName(let kind, let name, let known):
      let suggestion = Spelling.closest(to: name, among: known).map { "; did you mean '\($0)'?" }
      return "unknown \(kind) '\(name)'\(suggestion ?? ""); known: "
        + known.joined(separator: ", ")
    case .noFiniteValues(let count):
      return "expected a map with finite numbers, found \(count) values and none of them finite; "
        + "check the model and its input for NaN"
    }
  }

  private func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return digits.count == 1 ? "0" + digits : digits
  }
}
