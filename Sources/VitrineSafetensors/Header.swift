/// The header of a safetensors file: where each tensor is.
///
/// A file is a length of 8 bytes, little-endian, a JSON object of that length, and the tensors' bytes.
/// The object has for each tensor `{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}`, and
/// may have texts by name under `__metadata__`.
///
/// Source: the format's description, huggingface/safetensors README, section "Format".
struct Header {
  struct Entry {
    let name: String
    let type: StoredType
    let shape: [Int]
    /// Within the bytes that follow the header.
    let range: Range<Int>
  }

  static let byteLimit = 100_000_000
  private static let entryLimit = 1_000_000
  private static let nameLimit = 4096
  private static let rankLimit = 32

  let entries: [Entry]
  let metadata: [String: String]

  /// Reads the JSON text and checks that the tensors fill the data without holes or overlaps.
  ///
  /// - Parameter dataCount: Bytes that follow the header.
  init(_ bytes: [UInt8], dataCount: Int) throws(SafetensorsError) {
    var reader = HeaderReader(bytes)
    var entries: [Entry] = []
    var names: Set<String> = []
    var metadata: [String: String] = [:]
    var hasMetadata = false
    try reader.object { (reader, name) throws(SafetensorsError) in
      if name == "__metadata__" {
        guard !hasMetadata else { throw reader.failure("'__metadata__' stands twice") }
        hasMetadata = true
        try reader.object { (reader, key) throws(SafetensorsError) in
          guard metadata[key] == nil else {
            throw reader.failure("'\(printable(key))' stands twice")
          }
          metadata[key] = try reader.string()
        }
        return
      }
      guard name.utf8.count <= Self.nameLimit else {
        throw .limitExceeded(
          what: "bytes of a name", found: name.utf8.count, limit: Self.nameLimit)
      }
      guard !name.utf8.contains(0) else { throw reader.failure("a name has a zero byte") }
      guard names.insert(name).inserted else {
        throw reader.failure("tensor '\(printable(name))' stands twice")
      }
      guard entries.count < Self.entryLimit else {
        throw .limitExceeded(
          what: "number of tensors", found: entries.count + 1, limit: Self.entryLimit)
      }
      entries.append(try Self.entry(name, &reader, dataCount: dataCount))
    }
    try reader.end()
    entries.sort {
      $0.range.lowerBound == $1.range.lowerBound
        ? ($0.range.upperBound, $0.name) < ($1.range.upperBound, $1.name)
        : $0.range.lowerBound < $1.range.lowerBound
    }
    var position = 0
    for entry in entries {
      guard entry.range.lowerBound == position else {
        throw .malformed(
          reason:
            "tensor '\(printable(entry.name))' starts at byte \(entry.range.lowerBound) of the "
            + "data, expected \(position): tensors must not overlap or leave holes", offset: nil)
      }
      position = entry.range.upperBound
    }
    guard position == dataCount else {
      throw .malformed(
        reason: "the tensors take \(position) bytes, the file has \(dataCount) for them",
        offset: nil)
    }
    self.entries = entries
    self.metadata = metadata
  }

  private static func entry(
    _ name: String, _ reader: inout HeaderReader, dataCount: Int
  ) throws(SafetensorsError) -> Entry {
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    try reader.object { (reader, key) throws(SafetensorsError) in
      switch key {
      case "dtype" where typeName == nil: typeName = try reader.string()
      case "shape" where shape == nil: shape = try reader.integers(atMost: rankLimit)
      case "data_offsets" where offsets == nil: offsets = try reader.integers(atMost: 2)
      default: throw reader.failure("unexpected member '\(printable(key))' of a tensor")
      }
    }
    guard let typeName, let shape, let offsets, offsets.count == 2 else {
      throw reader.failure(
        "tensor '\(printable(name))' needs dtype, shape and two data_offsets")
    }
    guard let type = StoredType(rawValue: typeName) else {
      throw .unsupportedType(tensor: printable(name), type: printable(typeName))
    }
    guard offsets[0] <= offsets[1], offsets[1] <= dataCount else {
      throw reader.failure(
        "tensor '\(printable(name))' has data_offsets \(offsets), the data are \(dataCount) bytes")
    }
    var count = type.byteCount
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw reader.failure("tensor '\(printable(name))' has the absurd shape \(shape)")
      }
      count = product
    }
    guard count == offsets[1] - offsets[0] else {
      throw reader.failure(
        "tensor '\(printable(name))' of shape \(shape) takes \(count) bytes, its data_offsets span "
          + "\(offsets[1] - offsets[0])")
    }
    return Entry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }
}

/// Returns text of the file in a form that is fit for a message: one line, not too long.
func printable(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars.prefix(120) {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return text.unicodeScalars.count > 120 ? result + "…" : result
}
