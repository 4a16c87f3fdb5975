/// One flag of a command line, declared once: parsing, help and suggestions derive from it.
struct Flag: Sendable {
  enum Kind: Sendable {
    /// Present or absent.
    case toggle
    /// Takes a value; the text names it in the help, such as `FILE`.
    case value(String)
    /// Takes a value and may be given more than once.
    case repeated(String)
    /// Takes one of these values.
    case choice([String])
  }

  /// Headings of the help, in order.
  enum Group: String, Sendable, CaseIterable {
    case main = "Options"
    case picture = "Preparing pictures"
    case plugins = "Plugins"
    case common = "Common options"
  }

  /// Without the dashes.
  let name: String
  let short: Character?
  let kind: Kind
  /// Shown in the help; the verb itself chooses what an absent flag means.
  let defaultText: String?
  let help: String
  let group: Group

  init(
    _ name: String, short: Character? = nil, _ kind: Kind, default defaultText: String? = nil,
    group: Group = .main, help: String
  ) {
    self.name = name
    self.short = short
    self.kind = kind
    self.defaultText = defaultText
    self.group = group
    self.help = help
  }

  var takesValue: Bool {
    if case .toggle = kind { false } else { true }
  }

  /// The flag as the help lists it: `--output, -o FILE`.
  var usage: String {
    let names = "--" + name + (short.map { ", -\($0)" } ?? "")
    return switch kind {
    case .toggle: names
    case .value(let placeholder), .repeated(let placeholder): names + " " + placeholder
    case .choice(let choices): names + " " + choices.joined(separator: "|")
    }
  }
}
