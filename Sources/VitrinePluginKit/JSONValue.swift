/// A JSON value, as the heads of messages hold it.
///
/// Numbers that JSON does not have are the texts `nan`, `inf` and `-inf`.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])
}

extension JSONValue {
  package static func real(_ value: Double) -> JSONValue {
    if value.isFinite { return .number(value) }
    return .string(value.isNaN ? "nan" : value < 0 ? "-inf" : "inf")
  }

  package static func reals(_ values: [Double]) -> JSONValue { .array(values.map { .real($0) }) }
  package static func integers(_ values: [Int]) -> JSONValue {
    .array(values.map { .integer($0) })
  }
  package static func strings(_ values: [String]) -> JSONValue {
    .array(values.map { .string($0) })
  }
}

// MARK: - Reading what is expected

extension JSONValue {
  package func string(_ what: String) throws(MessageError) -> String {
    guard case .string(let value) = self else { throw .expected("a text as \(what)", self) }
    return value
  }

  package func integer(_ what: String) throws(MessageError) -> Int {
    guard case .integer(let value) = self else { throw .expected("an integer as \(what)", self) }
    return value
  }

  package func bool(_ what: String) throws(MessageError) -> Bool {
    guard case .bool(let value) = self else { throw .expected("true or false as \(what)", self) }
    return value
  }

  package func real(_ what: String) throws(MessageError) -> Double {
    switch self {
    case .integer(let value): return Double(value)
    case .number(let value): return value
    case .string("nan"): return .nan
    case .string("inf"): return .infinity
    case .string("-inf"): return -.infinity
    default: throw .expected("a number as \(what)", self)
    }
  }

  package func array(_ what: String) throws(MessageError) -> [JSONValue] {
    guard case .array(let values) = self else { throw .expected("a list as \(what)", self) }
    return values
  }

  package func member(_ name: String) throws(MessageError) -> JSONValue {
    guard case .object(let members) = self else { throw .expected("an object with \(name)", self) }
    guard let value = members[name] else {
      throw MessageError("expected a member '\(name)', found none")
    }
    return value
  }

  /// A member that may be missing or `null`.
  package func optional(_ name: String) throws(MessageError) -> JSONValue? {
    guard case .object(let members) = self else { throw .expected("an object with \(name)", self) }
    guard let value = members[name], value != .null else { return nil }
    return value
  }

  package func strings(_ what: String) throws(MessageError) -> [String] {
    try array(what).map { value throws(MessageError) in try value.string(what) }
  }

  package func integers(_ what: String) throws(MessageError) -> [Int] {
    try array(what).map { value throws(MessageError) in try value.integer(what) }
  }

  package func reals(_ what: String) throws(MessageError) -> [Double] {
    try array(what).map { value throws(MessageError) in try value.real(what) }
  }

  fileprivate var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .number: "a number"
    case .string: "a text"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

/// A message that does not have its form.
package struct MessageError: Error, Sendable, Equatable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }

  static func expected(_ what: String, _ found: JSONValue) -> MessageError {
    MessageError("expected \(what), found \(found.kind)")
  }
}

// MARK: - Writing

extension JSONValue {
  /// The value as text without line ends; members in the order of their names.
  package var text: String {
    var text = ""
    write(to: &text)
    return text
  }

  private func write(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    case .number(let value): text += value.isFinite ? value.description : "null"
    case .string(let value): Self.quote(value, to: &text)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += "," }
        value.write(to: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { text += "," }
        Self.quote(member.key, to: &text)
        text += ":"
        member.value.write(to: &text)
      }
      text += "}"
    }
  }

  private static func quote(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\u{0}"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
