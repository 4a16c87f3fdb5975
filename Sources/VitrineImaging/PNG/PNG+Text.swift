extension TextEntry {
  /// Reads the body of an uncompressed `tEXt` or `iTXt` chunk; nil if it is compressed or broken.
  init?(chunk name: String, _ body: ArraySlice<UInt8>) {
    let fields = body.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard fields.count == 2, (1...79).contains(fields[0].count) else { return nil }
    let keyword = Self.latin1(fields[0])
    if name == "tEXt" {
      self.init(keyword: keyword, text: Self.latin1(fields[1]))
      return
    }
    // Compression flag and method, language tag, translated keyword, text.
    guard fields[1].count >= 4, fields[1].first == 0 else { return nil }
    let rest = fields[1].dropFirst(2)
      .split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard rest.count == 3 else { return nil }
    self.init(keyword: keyword, text: String(decoding: rest[2], as: UTF8.self))
  }

  /// Returns the chunk type and body: `tEXt` for text in Latin-1, `iTXt` in UTF-8 for any other.
  func chunk() throws(ImagingError) -> (type: String, body: [UInt8]) {
    let keywordBytes = keyword.unicodeScalars.map(\.value)
    let isPrintable = keywordBytes.allSatisfy {
      (32...126).contains($0) || (161...255).contains($0)
    }
    guard (1...79).contains(keywordBytes.count), isPrintable, keyword.first != " ",
      keyword.last != " "
    else {
      throw .invalidArgument(
        "expected a PNG keyword of 1 to 79 printable Latin-1 characters without outer spaces, "
          + "found '\(keyword)'")
    }
    let key = keywordBytes.map { UInt8(truncatingIfNeeded: $0) } + [0]
    let values = text.unicodeScalars.map(\.value)
    if values.allSatisfy({ $0 == 10 || (32...126).contains($0) || (160...255).contains($0) }) {
      return ("tEXt", key + values.map { UInt8(truncatingIfNeeded: $0) })
    }
    return ("iTXt", key + [0, 0, 0, 0] + text.utf8.filter { $0 != 0 })
  }

  private static func latin1(_ bytes: ArraySlice<UInt8>) -> String {
    var text = ""
    for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
  }
}
