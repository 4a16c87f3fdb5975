import CVitrinePlugin

/// What a plugin and its host were built from: equal, or the plugin's code must not be called.
struct Handshake: Equatable, CustomStringConvertible {
  /// Version of the handshake's own form.
  let form: Int
  /// Version of Vitrine.
  let vitrine: String
  /// Digest of the declarations of the modules they share.
  let interface: String
  let compiler: String

  /// The handshake of this program.
  static let host: Handshake = {
    guard let handshake = Handshake(String(cString: vitrine_plugin_text())) else {
      preconditionFailure("the header's own handshake has the form that is read here")
    }
    return handshake
  }()

  /// What every handshake starts with, whatever its form.
  static let prefix = "vitrine-plugin/"
  /// Longest text that is read, in bytes.
  static let longest = 512

  /// Reads `vitrine-plugin/FORM key=value key=value compiler=anything`.
  ///
  /// - Returns: `nil` for any other text. Of a form that is not known only the number is read.
  init?(_ text: String) {
    guard text.hasPrefix(Self.prefix) else { return nil }
    let words = text.dropFirst(Self.prefix.count).split(
      separator: " ", maxSplits: 3, omittingEmptySubsequences: false)
    guard let form = words.first.flatMap({ Int($0) }) else { return nil }
    var values = ["vitrine": "?", "interface": "?", "compiler": "?"]
    if form == 1 {
      for word in words.dropFirst() {
        guard let equals = word.firstIndex(of: "=") else { return nil }
        values[String(word[..<equals])] = String(word[word.index(after: equals)...])
      }
    }
    self.form = form
    vitrine = values["vitrine"] ?? "?"
    interface = values["interface"] ?? "?"
    compiler = values["compiler"] ?? "?"
  }

  /// Finds the handshake in the bytes of a file.
  init?(in file: [UInt8]) {
    let prefix = Array(Self.prefix.utf8)
    var start = 0
    while let found = file[start...].firstRange(of: prefix) {
      let text = file[found.lowerBound...].prefix(Self.longest).prefix { $0 != 0 }
      if text.count < Self.longest, let handshake = Handshake(String(decoding: text, as: UTF8.self))
      {
        self = handshake
        return
      }
      start = found.upperBound
    }
    return nil
  }

  /// The parts that differ from another handshake, in words.
  func description(comparedWith other: Handshake) -> String {
    guard form == other.form else { return "a handshake of form \(form)" }
    var parts = ["Vitrine \(vitrine)"]
    if interface != other.interface { parts.append("with core interface \(interface)") }
    if compiler != other.compiler { parts.append("by compiler \(compiler)") }
    return parts.joined(separator: " ")
  }

  var description: String {
    "Vitrine \(vitrine) with core interface \(interface) by compiler \(compiler)"
  }

  /// Throws unless a plugin was built from what this program was built from.
  func check(_ plugin: Handshake, of path: String) throws(PluginError) {
    guard plugin != self else { return }
    throw .incompatible(
      plugin: path, found: plugin.description(comparedWith: self),
      expected: description(comparedWith: plugin))
  }
}
