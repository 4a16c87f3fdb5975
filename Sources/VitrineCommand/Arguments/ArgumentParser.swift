import VitrineCore

/// Turns words into an ``Invocation`` by the table of a verb.
///
/// `--name value` and `--name=value` are the same, `-o value`, `-ovalue` and bundles of toggles work,
/// and everything after `--` is an operand. Abbreviations are not accepted: a flag added tomorrow
/// must not change what today's scripts mean.
enum ArgumentParser {
  /// - Throws: ``CommandError`` with ``ExitCode/usage``.
  static func parse(_ words: [String], for verb: Verb) throws(CommandError) -> Invocation {
    var operands: [String] = []
    var values: [String: [String]] = [:]
    var rest = words[...]

    func add(_ flag: Flag, _ value: String) throws(CommandError) {
      if case .choice(let choices) = flag.kind, !choices.contains(value) {
        throw .usage(
          "--\(flag.name): expected one of \(choices.joined(separator: ", ")), found '\(value)'"
            + suggestion(value, choices))
      }
      if case .repeated = flag.kind {
      } else if flag.takesValue, values[flag.name] != nil {
        throw .usage("--\(flag.name) is given twice: expected it once")
      }
      values[flag.name, default: []].append(value)
    }

    func nextValue(of flag: Flag) throws(CommandError) -> String {
      guard let value = rest.popFirst() else {
        throw .usage("--\(flag.name) needs a value: \(flag.usage)")
      }
      return value
    }

    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        break
      }
      if word.hasPrefix("--") {
        let parts = word.dropFirst(2).split(
          separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let flag = verb.flags.first(where: { $0.name == name }) else {
          throw unknownFlag("--" + name, of: verb)
        }
        if !flag.takesValue {
          guard parts.count == 1 else { throw .usage("--\(name) takes no value") }
          try add(flag, "")
        } else if parts.count == 2 {
          try add(flag, String(parts[1]))
        } else {
          try add(flag, try nextValue(of: flag))
        }
      } else if word.hasPrefix("-"), word.count > 1, Double(word) == nil {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
          guard let flag = verb.flags.first(where: { $0.short == letter }) else {
            throw unknownFlag("-\(letter)", of: verb)
          }
          if !flag.takesValue {
            try add(flag, "")
          } else {
            try add(flag, letters.isEmpty ? try nextValue(of: flag) : String(letters))
            letters = ""
          }
        }
      } else {
        operands.append(word)
      }
    }
    try check(operands, of: verb)
    return Invocation(operands: operands, values: values)
  }

  private static func check(_ operands: [String], of verb: Verb) throws(CommandError) {
    let names: [String]
    var mayRepeat = false
    switch verb.operands {
    case .none: names = []
    case .exactly(let expected): names = expected
    case .optional(let name): names = operands.isEmpty ? [] : [name]
    case .atLeast(let expected):
      names = expected
      mayRepeat = true
    case .then(let expected, any: _):
      names = expected
      mayRepeat = true
    }
    if operands.count < names.count {
      throw .usage(
        "\(verb.name) needs \(names[operands.count]): \(verb.usage); see vitrine help \(verb.name)")
    }
    if operands.count > names.count, !mayRepeat {
      throw .usage("\(verb.name) does not take '\(operands[names.count])': \(verb.usage)")
    }
  }

  private static func unknownFlag(_ flag: String, of verb: Verb) -> CommandError {
    let hint = suggestion(flag, verb.flags.map { "--" + $0.name })
    return .usage(
      "\(verb.name) has no flag \(flag)"
        + (hint.isEmpty ? "; vitrine help \(verb.name) lists them" : hint),
      code: "unknown-flag")
  }

  /// Returns `; did you mean '…'?`, or nothing if no name is close.
  static func suggestion(_ name: String, _ names: [String]) -> String {
    closestName(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
  }
}
