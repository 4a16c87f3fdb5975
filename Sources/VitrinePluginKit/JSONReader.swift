/// Reads JSON from bytes that nobody vouches for.
struct JSONReader {
  /// Lists and objects within one another.
  private static let deepest = 64

  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Returns the value that the bytes are: one, with nothing but white space around it.
  static func value(of bytes: [UInt8]) throws(MessageError) -> JSONValue {
    var reader = JSONReader(bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw reader.error("the end") }
    return value
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func error(_ expected: String) -> MessageError {
    MessageError("JSON: expected \(expected) at byte \(position)")
  }

  private mutating func skipSpace() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(MessageError) -> JSONValue {
    guard depth < Self.deepest else { throw error("fewer than \(Self.deepest) levels") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ text: String, _ value: JSONValue) throws(MessageError) -> JSONValue {
    guard bytes[position...].starts(with: text.utf8) else { throw error(text) }
    position += text.utf8.count
    return value
  }

  private mutating func array(_ depth: Int) throws(MessageError) -> JSONValue {
    position += 1
    var values: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(values) }
    repeat {
      values.append(try value(depth: depth + 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw error("',' or ']'") }
    return .array(values)
  }

  private mutating func object(_ depth: Int) throws(MessageError) -> JSONValue {
    position += 1
    var members: [String: JSONValue] = [:]
    skipSpace()
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("a name") }
      let name = try string()
      skipSpace()
      guard take(":") else { throw error("':'") }
      guard members.updateValue(try value(depth: depth + 1), forKey: name) == nil else {
        throw error("different names before here")
      }
      skipSpace()
    } while take(",")
    guard take("}") else { throw error("',' or '}'") }
    return .object(members)
  }

  private mutating func number() throws(MessageError) -> JSONValue {
    let start = position
    while let byte = next, Self.numberBytes.contains(byte) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if let value = Int(text), text.first != "+" { return .integer(value) }
    guard let value = Double(text), value.isFinite, text.first != "+" else {
      position = start
      throw error("a value")
    }
    return .number(value)
  }

  private static let numberBytes = Set("+-.0123456789Ee".utf8)

  private mutating func string() throws(MessageError) -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw error("no control character") }
      position += 1
      if byte == UInt8(ascii: "\\") {
        text += Array(String(try escape()).utf8)
      } else {
        text.append(byte)
      }
    }
    guard take("\"") else { throw error("'\"'") }
    guard let string = String(validating: text, as: UTF8.self) else {
      throw error("UTF-8 before here")
    }
    return string
  }

  private mutating func escape() throws(MessageError) -> Unicode.Scalar {
    guard let byte = next else { throw error("the rest of a text") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let first = try codeUnit()
      if let scalar = Unicode.Scalar(first) { return scalar }
      // The first half of a pair: U+D800 to U+DBFF.
      guard first < 0xDC00, take("\\"), take("u") else { throw error("a surrogate pair") }
      let second = try codeUnit()
      guard (0xDC00...0xDFFF).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      else { throw error("a surrogate pair") }
      return scalar
    default:
      position -= 1
      throw error("a known escape")
    }
  }

  private mutating func codeUnit() throws(MessageError) -> UInt32 {
    let digits = bytes[position...].prefix(4)
    guard digits.count == 4, let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16),
      digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-")
    else { throw error("four hexadecimal digits") }
    position += 4
    return value
  }
}
