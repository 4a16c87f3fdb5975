/// A JSON value whose members keep the order they were written in: what people and scripts read.
///
/// What plugins are told has a type of its own, `JSONValue` of VitrinePluginKit, because its promises are
/// others: members are looked up by name and none occurs twice, `nan` and `inf` survive, and the text is
/// one line. In common they have their cases and a dozen lines of quoting.
package enum JSON: Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  /// Written as `null` if it is not finite, which JSON cannot say.
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  package struct Member: Equatable {
    let name: String
    let value: JSON
  }

  /// Creates an object; absent values are left out.
  package static func object(_ members: KeyValuePairs<String, JSON?>) -> JSON {
    .object(members.compactMap { name, value in value.map { Member(name: name, value: $0) } })
  }

  package static func strings(_ texts: [String]) -> JSON { .array(texts.map { .string($0) }) }
  package static func integers(_ values: [Int]) -> JSON { .array(values.map { .integer($0) }) }
  package static func numbers(_ values: [Double]) -> JSON { .array(values.map { .number($0) }) }

  /// Creates an array of extents, `null` for those that are not known.
  package static func dimensions(_ dimensions: [Int?]) -> JSON {
    .array(dimensions.map { $0.map { .integer($0) } ?? .null })
  }

  /// The value as indented text that ends with a line end; arrays of plain values stay on one line.
  package var text: String {
    var result = ""
    write(to: &result, indent: "")
    return result + "\n"
  }

  private var isPlain: Bool {
    switch self {
    case .null, .bool, .integer, .number, .string: true
    case .array, .object: false
    }
  }

  private func write(to text: inout String, indent: String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? value.description : "null"
    case .string(let value): Self.quote(value, to: &text)
    case .array(let values):
      if values.allSatisfy(\.isPlain) {
        text += "["
        for (index, value) in values.enumerated() {
          if index > 0 { text += ", " }
          value.write(to: &text, indent: indent)
        }
        text += "]"
      } else {
        Self.writeLines(values, between: ("[", "]"), to: &text, indent: indent) {
          $0.write(to: &$1, indent: $2)
        }
      }
    case .object(let members):
      if members.isEmpty {
        text += "{}"
      } else {
        Self.writeLines(members, between: ("{", "}"), to: &text, indent: indent) {
          Self.quote($0.name, to: &$1)
          $1 += ": "
          $0.value.write(to: &$1, indent: $2)
        }
      }
    }
  }

  private static func writeLines<T>(
    _ items: [T], between ends: (String, String), to text: inout String, indent: String,
    write: (T, inout String, String) -> Void
  ) {
    let inner = indent + "  "
    text += ends.0 + "\n"
    for (index, item) in items.enumerated() {
      text += inner
      write(item, &text, inner)
      text += index + 1 < items.count ? ",\n" : "\n"
    }
    text += indent + ends.1
  }

  private static func quote(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      // Controls must be escaped; U+2028 and U+2029 end a line in older JavaScript.
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension JSON {
  /// Returns a report: with one result its members stand beside the common ones, several are listed
  /// under `results`.
  package static func report(_ common: KeyValuePairs<String, JSON?>, results: [JSON]) -> JSON {
    guard case .object(let members) = JSON.object(common) else { return .null }
    if results.count == 1, case .object(let result) = results[0] {
      return .object(members + result)
    }
    return .object(members + [Member(name: "results", value: .array(results))])
  }
}
