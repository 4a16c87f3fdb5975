/// Help, examples first, made from the tables the parser uses.
enum HelpText {
  /// Returns the page that `vitrine help` prints.
  static func overview(_ verbs: [Verb]) -> String {
    var table = TextTable([("", .left), ("", .left)])
    for verb in verbs { table.add([verb.name, verb.summary]) }
    return """
      vitrine: why did the network say that?

      Examples
        vitrine demo
            explain a network made on the spot; needs no files
        vitrine predict model.onnx photo.png --preprocess imagenet --labels classes.txt
            what does the network see?
        vitrine explain model.onnx photo.png --method gradient-magnitude --output why.png
            which pixels matter to its answer?

      Verbs
      \(table.text)
      vitrine help VERB explains one verb. Exit codes: 0 success, 1 different, 64 usage,
      65 bad model or input, 66 no such file, 70 internal error, 73 and 74 cannot write,
      130 interrupted.

      """
  }

  /// Returns the page that `vitrine help VERB` prints.
  static func page(_ verb: Verb) -> String {
    var text = "vitrine \(verb.name): \(verb.summary)\n\n"
    text += "Usage\n  \(verb.usage)\n\nExamples\n"
    for example in verb.examples { text += "  \(example.command)\n      \(example.purpose)\n" }
    for group in Flag.Group.allCases {
      let flags = verb.flags.filter { $0.group == group }
      guard !flags.isEmpty else { continue }
      text += "\n\(group.rawValue)\n"
      for flag in flags {
        let note = flag.defaultText.map { " (default: \($0))" } ?? ""
        text += "  \(flag.usage)\n" + wrapped(flag.help + note, indent: 6)
      }
    }
    for note in verb.notes { text += "\n" + wrapped(note, indent: 0) }
    return text
  }

  /// Returns text broken into lines of at most 96 characters.
  private static func wrapped(_ text: String, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines = ""
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, indent + line.count + 1 + word.count > 96 {
        lines += margin + line + "\n"
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return lines + margin + line + "\n"
  }
}
