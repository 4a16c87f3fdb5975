import VitrineCore

/// What a manifest says: as text, as JSON, and as the JSON Schema of the options.
extension Method {
  /// The text of `vitrine describe`.
  var text: String {
    var text = "\(identifier): \(summary)\n\n"
    if !aliases.isEmpty { text += "  also called  \(aliases.joined(separator: ", "))\n" }
    text += "  source       \(paper)\n"
    text += "  needs        \(requirement.need)\n"
    text += "  explains     \(usesTarget ? "one score (--target)" : "no score")\n"
    if !claims.isEmpty { text += "  claims       \(claimNames.joined(separator: ", "))\n" }
    return options.isEmpty ? text : text + "\n" + optionText
  }

  /// The options, as `vitrine explain --method NAME --help` lists them.
  var optionText: String {
    var text = "Options of \(identifier), as --set name=value\n"
    for option in options {
      text += "  \(option.name)=\(option.expectation)"
      if !option.unit.isEmpty { text += " (\(option.unit))" }
      text += "\n      \(option.help) Default: \(option.defaultText ?? "not set")."
      text += " Since \(option.since).\n"
    }
    return text
  }

  /// The manifest as JSON.
  var json: JSON {
    .object([
      "identifier": .string(identifier),
      "aliases": .strings(aliases),
      "summary": .string(summary),
      "paper": .string(paper),
      "requirement": .string(requirement.rawValue),
      "uses_target": .bool(usesTarget),
      "claims": .strings(claimNames),
      "options": .array(
        options.map { option in
          .object([
            "name": .string(option.name),
            "type": .string(option.kind.name),
            "choices": option.kind.choices.map { .strings($0) },
            "minimum": option.kind.bounds.low,
            "maximum": option.kind.bounds.high,
            "default": option.defaultText.map { .string($0) } ?? .null,
            "unit": .string(option.unit),
            "help": .string(option.help),
            "since": .string(option.since),
          ])
        }),
    ])
  }

  /// A JSON Schema (draft 2020-12) of an object that holds options with values of their own types: what
  /// `--set` takes as text, with lists as arrays.
  var optionSchema: JSON {
    .object([
      "$schema": .string("https://json-schema.org/draft/2020-12/schema"),
      "$id": .string("urn:vitrine:method:\(identifier):options"),
      "title": .string("Options of \(identifier)"),
      "type": .string("object"),
      "additionalProperties": .bool(false),
      "properties": .object(
        options.map { JSON.Member(name: $0.name, value: $0.schema) }),
    ])
  }

  private var claimNames: [String] { Claim.allCases.filter(claims.contains).map(\.rawValue) }
}

extension Method.Requirement {
  fileprivate var need: String {
    switch self {
    case .evaluation: "a model that can be run"
    case .gradients: "a model with gradients"
    }
  }
}

extension Option {
  /// What a value of the option is; `unit` and `since` are annotations of ours.
  fileprivate var schema: JSON {
    guard case .object(let type) = kind.schema else { return .bool(true) }
    let standard = defaultText.flatMap { value(of: $0) }
    let annotations = JSON.object([
      "description": .string(help),
      "default": standard.map { JSON($0, of: kind) },
      "unit": unit.isEmpty ? nil : .string(unit),
      "since": .string(since),
    ])
    guard case .object(let members) = annotations else { return .bool(true) }
    return .object(type + members)
  }
}

extension JSON {
  /// Creates the value that ``Option/Kind/schema`` describes.
  fileprivate init(_ value: OptionValue, of kind: Option.Kind) {
    switch value {
    case .flag(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .integers(let values): self = .integers(values)
    case .texts(let texts): self = .strings(texts)
    case .text(let text):
      switch kind == .baseline ? Baseline(text) : nil {
      case .constant(let number)?: self = .number(number)
      case .channels(let numbers)?: self = .numbers(numbers)
      default: self = .string(text)
      }
    }
  }
}

extension Option.Kind {
  /// Stable name of the kind.
  fileprivate var name: String {
    switch self {
    case .flag: "flag"
    case .integer: "integer"
    case .number: "number"
    case .choice: "choice"
    case .integers: "integers"
    case .layers: "layers"
    case .baseline: "baseline"
    case .layer: "layer"
    }
  }

  fileprivate var choices: [String]? {
    if case .choice(let choices) = self { choices } else { nil }
  }

  /// The bounds of a number; `nil` where there is none.
  fileprivate var bounds: (low: JSON?, high: JSON?) {
    switch self {
    case .integer(let range), .integers(let range):
      (
        range.lowerBound == .min ? nil : .integer(range.lowerBound),
        range.upperBound == .max ? nil : .integer(range.upperBound)
      )
    case .number(let range):
      (
        range.lowerBound == -.greatestFiniteMagnitude ? nil : .number(range.lowerBound),
        range.upperBound == .greatestFiniteMagnitude ? nil : .number(range.upperBound)
      )
    default: (nil, nil)
    }
  }

  /// What a JSON value of this kind is.
  fileprivate var schema: JSON {
    let word = JSON.object(["type": .string("string"), "minLength": .integer(1)])
    func list(of items: JSON, atLeast count: Int = 1) -> JSON {
      .object(["type": .string("array"), "items": items, "minItems": .integer(count)])
    }
    func bounded(_ type: String) -> JSON {
      .object(["type": .string(type), "minimum": bounds.low, "maximum": bounds.high])
    }
    return switch self {
    case .flag: .object(["type": .string("boolean")])
    case .integer: bounded("integer")
    case .number: bounded("number")
    case .choice(let choices): .object(["type": .string("string"), "enum": .strings(choices)])
    case .integers: list(of: bounded("integer"))
    case .layers: list(of: word)
    case .layer: word
    case .baseline:
      .object([
        "anyOf": .array([bounded("number"), list(of: bounded("number"), atLeast: 2), word])
      ])
    }
  }
}
