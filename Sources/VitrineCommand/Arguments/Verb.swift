/// One thing the command does, with everything the parser and the help need to know of it.
struct Verb: Sendable {
  /// How many words after the flags a verb takes.
  enum Operands: Sendable {
    case none
    case exactly([String])
    /// One word, or none.
    case optional(String)
    /// At least as many as there are names; the last one may repeat.
    case atLeast([String])
    /// As many as there are names, then any number of the last one, none included.
    case then([String], any: String)

    var usage: String {
      switch self {
      case .none: ""
      case .exactly(let names): " " + names.joined(separator: " ")
      case .optional(let name): " [\(name)]"
      case .atLeast(let names): " " + names.joined(separator: " ") + "…"
      case .then(let names, let any): " " + names.joined(separator: " ") + " [\(any)…]"
      }
    }
  }

  struct Example: Sendable {
    let command: String
    let purpose: String
  }

  let name: String
  /// One sentence without a full stop.
  let summary: String
  let operands: Operands
  let flags: [Flag]
  let examples: [Example]
  /// Paragraphs after the flags.
  let notes: [String]
  let run: @Sendable (Invocation, Session) throws -> Void

  init(
    _ name: String, summary: String, operands: Operands = .none, flags: [Flag] = [],
    examples: [Example], notes: [String] = [],
    run: @escaping @Sendable (Invocation, Session) throws -> Void
  ) {
    self.name = name
    self.summary = summary
    self.operands = operands
    self.flags = flags
    self.examples = examples
    self.notes = notes
    self.run = run
  }

  /// Whether it chooses from the catalog, which plugins extend then.
  var usesMethods: Bool {
    name != "plugins" && flags.contains { $0.group == .plugins }
  }

  var usage: String { "vitrine \(name)\(operands.usage)" + (flags.isEmpty ? "" : " [options]") }
}
