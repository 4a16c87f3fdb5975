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
        "methods": .array(methods.map(\.json)),
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
        purpose: "what it tells, where it comes from, what can be set"),
      Example(
        command: "vitrine describe occlusion --json",
        purpose: "the same for scripts, with a JSON Schema of the options"),
    ]
  ) { invocation, session in
    let method = try session.catalog.entry(named: invocation.operands[0]).method
    if invocation.has("json") {
      let report = JSON.object([
        "schema": .integer(1), "verb": .string("describe"), "method": method.json,
        "options_schema": method.optionSchema,
      ])
      return try session.write(report.text)
    }
    try session.write(method.text)
  }
}
