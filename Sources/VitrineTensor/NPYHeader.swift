/// The header of a `.npy` file: type of the elements, their order in memory and the shape.
///
/// A file is `\x93NUMPY`, two bytes of version, the length of the header text (2 bytes little-endian
/// in version 1, 4 in versions 2 and 3), the text and the elements. The text is a Python dictionary
/// of literals with the keys `descr`, `fortran_order` and `shape`.
///
/// Source: the documentation of `numpy.lib.format`, NumPy 2.4.
struct NPYHeader {
  /// Longest header text read, in bytes. NumPy itself stops at 10,000 characters.
  static let textLimit = 65_536
  /// Largest number of axes read, in the format as in NumPy before version 2.
  static let rankLimit = 32

  let element: NPYElement
  let isBigEndian: Bool
  /// Whether the first axis is the one along which neighbours are adjacent in memory.
  let isFortranOrder: Bool
  let shape: Shape
  /// Where the elements begin, in bytes from the start of the file.
  let dataOffset: Int

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads the header at the start of a file's bytes.
  ///
  /// - Throws: ``TensorError/malformedArrayFile(_:)``, ``TensorError/invalidShape(_:)``.
  init(_ file: UnsafeRawBufferPointer) throws(TensorError) {
    let magic = NPYHeader.magic
    guard file.count >= magic.count + 2 else {
      throw .malformedArrayFile(
        "expected a header of at least \(magic.count + 4) bytes, found \(file.count) bytes in all")
    }
    guard file.prefix(magic.count).elementsEqual(magic) else {
      throw .malformedArrayFile(
        "expected \\x93NUMPY at byte 0, found \(printable(file.prefix(magic.count)))")
    }
    let (major, minor) = (file[magic.count], file[magic.count + 1])
    guard (1...3).contains(major), minor == 0 else {
      throw .malformedArrayFile(
        "expected format version 1.0, 2.0 or 3.0 at byte 6, found \(major).\(minor)")
    }
    let lengthBytes = major == 1 ? 2 : 4
    let textStart = magic.count + 2 + lengthBytes
    guard file.count >= textStart else {
      throw .malformedArrayFile(
        "expected \(lengthBytes) bytes of header length at byte 8, found \(file.count - 8)")
    }
    var textLength = 0
    for i in (0..<lengthBytes).reversed() {
      textLength = textLength << 8 | Int(file[magic.count + 2 + i])
    }
    guard textLength <= NPYHeader.textLimit else {
      throw .malformedArrayFile(
        "expected a header of at most \(NPYHeader.textLimit) bytes, found a length of "
          + "\(textLength) at byte 8")
    }
    guard file.count - textStart >= textLength else {
      throw .malformedArrayFile(
        "expected \(textLength) bytes of header at byte \(textStart), found "
          + "\(file.count - textStart)")
    }
    dataOffset = textStart + textLength
    var reader = NPYLiteralReader([UInt8](file[textStart..<dataOffset]), at: textStart)
    let fields = try reader.fields()
    (element, isBigEndian) = try NPYElement.parse(fields.descr)
    isFortranOrder = fields.fortranOrder
    shape = try Shape(fields.shape)
  }

  /// Returns the header of an array in row-major order and little-endian bytes, to the byte as
  /// NumPy 2.4 writes it: a multiple of 64 bytes, version 1.0 unless the text is too long for it.
  static func bytes(descr: String, shape: Shape) -> [UInt8] {
    let dimensions = shape.dimensions.map(String.init)
    let tuple =
      dimensions.count == 1 ? "(\(dimensions[0]),)" : "(\(dimensions.joined(separator: ", ")))"
    var text = Array("{'descr': '\(descr)', 'fortran_order': False, 'shape': \(tuple), }".utf8)
    // NumPy leaves room for a first dimension of 21 digits, so that arrays can grow in place.
    if let first = dimensions.first {
      text += [UInt8](repeating: UInt8(ascii: " "), count: 21 - first.utf8.count)
    }
    // At least one space and one newline follow, up to a multiple of 64.
    func padding(_ lengthBytes: Int) -> Int {
      64 - (magic.count + 2 + lengthBytes + text.count + 1) % 64
    }
    let fitsVersion1 = text.count + padding(2) + 1 <= Int(UInt16.max)
    let lengthBytes = fitsVersion1 ? 2 : 4
    text += [UInt8](repeating: UInt8(ascii: " "), count: padding(lengthBytes))
    text.append(UInt8(ascii: "\n"))
    let length = (0..<lengthBytes).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    return magic + [fitsVersion1 ? 1 : 2, 0] + length + text
  }
}

/// The type of the elements in a `.npy` file.
enum NPYElement: String {
  case bool = "b1"
  case int8 = "i1"
  case int16 = "i2"
  case int32 = "i4"
  case int64 = "i8"
  case uint8 = "u1"
  case uint16 = "u2"
  case uint32 = "u4"
  case float16 = "f2"
  case float32 = "f4"
  case float64 = "f8"

  /// Bytes of one element.
  var byteCount: Int {
    switch self {
    case .bool, .int8, .uint8: 1
    case .int16, .uint16, .float16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .float64: 8
    }
  }

  /// Reads a type such as `<f4`: byte order, kind and size.
  static func parse(
    _ descr: String
  ) throws(TensorError) -> (element: NPYElement, isBigEndian: Bool) {
    let kind = descr.dropFirst()
    if let element = NPYElement(rawValue: String(kind)), let order = descr.first {
      switch order {
      case "<": return (element, false)
      case ">": return (element, true)
      case "|" where element.byteCount == 1: return (element, false)
      default: break
      }
    }
    let reason =
      switch kind.first {
      case "O": "object arrays hold Python pickles, which can run code: save plain numbers"
      case "V": "records and raw bytes are not numbers: save one field, as a plain array"
      case "c": "complex numbers are not supported: save real and imaginary parts apart"
      case "S", "U", "a": "text is not supported"
      case "M", "m": "dates and durations are not supported: convert with .astype('int64')"
      case "u": "convert with .astype('int64')"
      case "f": "convert with .astype('<f4') or .astype('<f8')"
      default: "convert with .astype('<f4')"
      }
    throw .malformedArrayFile(
      "expected elements of type '|b1' or '<' or '>' and f2, f4, f8, i1, i2, i4, i8, u1, u2 or u4, "
        + "found '\(descr)': \(reason)")
  }
}

/// Reads the dictionary of Python literals in a `.npy` header; nothing is ever evaluated.
private struct NPYLiteralReader {
  private let text: [UInt8]
  /// Position of the text in the file, for messages.
  private let origin: Int
  private var position = 0

  init(_ text: [UInt8], at origin: Int) {
    self.text = text
    self.origin = origin
  }

  /// Reads the whole text: the three fields in any order, each of them once.
  mutating func fields() throws(TensorError) -> (descr: String, fortranOrder: Bool, shape: [Int]) {
    var descr: String?
    var fortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while !take("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr" where descr == nil:
        if next() == UInt8(ascii: "[") {
          throw .malformedArrayFile(
            "expected one type for all elements, found a structured type at byte "
              + "\(origin + position): save one field, as a plain array")
        }
        descr = try string()
      case "fortran_order" where fortranOrder == nil: fortranOrder = try boolean()
      case "shape" where shape == nil: shape = try tuple()
      default:
        throw .malformedArrayFile(
          "expected each of 'descr', 'fortran_order', 'shape' once, found '\(key)' before byte "
            + "\(origin + position)")
      }
      if !take(",") {
        try expect("}")
        break
      }
    }
    if next() != nil { throw unexpected("the end of the header") }
    guard let descr, let fortranOrder, let shape else {
      throw .malformedArrayFile(
        "expected 'descr', 'fortran_order' and 'shape' in the header, found only some of them")
    }
    return (descr, fortranOrder, shape)
  }

  /// Reads text in single or double quotes.
  private mutating func string() throws(TensorError) -> String {
    guard let quote = next(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw unexpected("a quoted name")
    }
    position += 1
    var content: [UInt8] = []
    while position < text.count, text[position] != quote {
      let byte = text[position]
      guard (0x20..<0x7f).contains(byte), byte != UInt8(ascii: "\\"), content.count < 32 else {
        throw unexpected("a name of at most 32 plain ASCII characters")
      }
      content.append(byte)
      position += 1
    }
    guard position < text.count else { throw unexpected("a closing quote") }
    position += 1
    return String(decoding: content, as: UTF8.self)
  }

  private mutating func boolean() throws(TensorError) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where text[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw unexpected("True or False")
  }

  /// Reads `()`, `(2,)` or `(2, 3)`; a lone `(2)` is a number in Python, not a tuple.
  private mutating func tuple() throws(TensorError) -> [Int] {
    var values: [Int] = []
    try expect("(")
    while !take(")") {
      guard values.count < NPYHeader.rankLimit else {
        throw .malformedArrayFile("expected at most \(NPYHeader.rankLimit) axes, found more")
      }
      values.append(try dimension())
      if take(",") { continue }
      if values.count == 1 { throw unexpected("a comma after the only dimension") }
      try expect(")")
      break
    }
    return values
  }

  private mutating func dimension() throws(TensorError) -> Int {
    skipSpace()
    let digits = text[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else {
      throw unexpected("a dimension: a decimal integer, not negative")
    }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
      throw unexpected("a dimension below 2^63")
    }
    position += digits.count
    // Python 2 wrote some dimensions as 3L.
    _ = take("L")
    return value
  }

  // MARK: - Characters

  private mutating func skipSpace() {
    while position < text.count, [0x20, 0x09, 0x0a, 0x0d].contains(text[position]) {
      position += 1
    }
  }

  /// Returns the next character that is not white space, without passing it.
  private mutating func next() -> UInt8? {
    skipSpace()
    return position < text.count ? text[position] : nil
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(TensorError) {
    if !take(character) { throw unexpected("'\(character)'") }
  }

  private func unexpected(_ expected: String) -> TensorError {
    let found =
      position < text.count ? printable(text[position...].prefix(12)) : "the end of the header"
    return .malformedArrayFile(
      "expected \(expected) at byte \(origin + position), found \(found)")
  }
}

/// Returns bytes as text that is safe to print: what is not plain ASCII as \xNN.
private func printable(_ bytes: some Sequence<UInt8>) -> String {
  let characters = bytes.map { byte in
    (0x20..<0x7f).contains(byte)
      ? String(UnicodeScalar(byte))
      : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
  return characters.joined()
}
