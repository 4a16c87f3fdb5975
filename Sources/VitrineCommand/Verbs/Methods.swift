import VitrineCore

extension Verb {
  /// `vitrine methods`
  static let methods = Verb(
    "methods",
    summary: "list the methods of explanation",
    flags: [CommonFlags.json] + CommonFlags.plugins + CommonFlags.messages,
    examples: [
      Example(command: "vitrine methods", purpose: "every method with what it tells"),
      Example(command: "vitrine methods --json", purpose: "the same for scripts"),
    ]
  ) { invocation, session in
    let methods = session.catalog.methods
    if invocation.has("json") {
      let report = JSON.object([
        "schema": .integer(1), "verb": .string("methods"),
        "methods": .array(methods.map(json)),
      ])
      return try session.write(report.text)
    }
    var table = TextTable([("method", .left), ("what it tells", .left)])
    for method in methods {
      let names = [method.identifier] + method.aliases
      table.add([names.joined(separator: ", "), method.summary])
    }
    try session.write(table.text)
  }

  /// `vitrine describe`
  static let describe = Verb(
    "describe",
    summary: "explain one method and its options",
    operands: .exactly(["METHOD"]),
    flags: [CommonFlags.json] + CommonFlags.plugins + CommonFlags.messages,
    examples: [
      Example(
        command: "vitrine describe gradient-magnitude",
        purpose: "what it tells, where it comes from, what can be set")
    ]
  ) { invocation, session in
    let method = try session.catalog.entry(named: invocation.operands[0]).method
    if invocation.has("json") {
      let report = JSON.object([
        "schema": .integer(1), "verb": .string("describe"), "method": json(method),
      ])
      return try session.write(report.text)
    }
    var text = "\(method.identifier): \(method.summary)\n\n"
    if !method.aliases.isEmpty {
      text += "  also called  \(method.aliases.joined(separator: ", "))\n"
    }
    text += "  source       \(method.paper)\n"
    text += "  needs        \(need(method.requirement))\n"
    text += "  explains     \(method.usesTarget ? "one score (--target)" : "no score")\n"
    if !method.claims.isEmpty {
      let claims = Claim.allCases.filter(method.claims.contains).map(\.rawValue)
      text += "  claims       \(claims.joined(separator: ", "))\n"
    }
    if !method.options.isEmpty {
      text += "\nOptions, as --set name=value\n"
      for option in method.options {
        text += "  \(option.name)=\(option.expectation)"
        if !option.unit.isEmpty { text += " (\(option.unit))" }
        text += "\n      \(option.help)"
        text += " Default: \(option.defaultText ?? "chosen from the model").\n"
      }
    }
    try session.write(text)
  }

  private static func need(_ requirement: Method.Requirement) -> String {
    switch requirement {
    case .evaluation: "a model that can be run"
    case .gradients: "a model with gradients"
    }
  }

  private static func json(_ method: Method) -> JSON {
    .object([
      "identifier": .string(method.identifier),
      "aliases": .strings(method.aliases),
      "summary": .string(method.summary),
      "paper": .string(method.paper),
      "requirement": .string(method.requirement.rawValue),
      "uses_target": .bool(method.usesTarget),
      "claims": .strings(Claim.allCases.filter(method.claims.contains).map(\.rawValue)),
      "options": .array(
        method.options.map { option in
          .object([
            "name": .string(option.name),
            "type": .string(type(of: option.kind)),
            "choices": choices(of: option.kind),
            "minimum": range(of: option.kind).low,
            "maximum": range(of: option.kind).high,
            "default": option.defaultText.map { .string($0) } ?? .null,
            "unit": .string(option.unit),
            "help": .string(option.help),
            "since": .string(option.since),
          ])
        }),
    ])
  }

  private static func type(of kind: Option.Kind) -> String {
    switch kind {
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

  private static func choices(of kind: Option.Kind) -> JSON? {
    if case .choice(let choices) = kind { .strings(choices) } else { nil }
  }

  /// Returns the bounds of a number; `nil` where there is none.
  private static func range(of kind: Option.Kind) -> (low: JSON?, high: JSON?) {
    switch kind {
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
}
