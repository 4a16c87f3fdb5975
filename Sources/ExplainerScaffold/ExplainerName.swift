/// The names of a new method, all derived from its identifier.
struct ExplainerName {
  /// In kebab-case: `my-method`.
  let identifier: String
  /// `MyMethod`
  let type: String
  /// As the head of a sentence: `My method`.
  let title: String

  /// Longer names would not fit the lines of the generated files.
  private static let longest = 40
  /// Names of types that Swift or every Swift file has already.
  private static let reserved: Set<String> = [
    "any", "array", "bool", "character", "class", "codable", "data", "dictionary", "double",
    "error",
    "float", "foundation", "glibc", "int", "never", "optional", "package", "protocol", "range",
    "result", "self", "set", "string", "swift", "task", "testing", "type", "void",
  ]

  /// - Throws: ``Refusal`` for a name that is not in kebab-case, too long, or reserved.
  init(_ text: String) throws {
    let words = text.split(separator: "-", omittingEmptySubsequences: false)
    let isKebabCase = words.allSatisfy { word in
      !word.isEmpty && word.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) }
    }
    guard isKebabCase, let first = text.first, ("a"..."z").contains(first) else {
      throw Refusal(
        "expected a name in kebab-case that starts with a letter, such as my-method, found '\(text)'"
      )
    }
    guard text.count <= Self.longest else {
      throw Refusal("expected a name of at most \(Self.longest) letters, found \(text.count)")
    }
    guard !Self.reserved.contains(text) else {
      throw Refusal(
        "'\(text)' is a name of the language; expected one that says what the method does")
    }
    identifier = text
    type = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    title =
      words.joined(separator: " ").prefix(1).uppercased()
      + words.joined(separator: " ").dropFirst()
  }
}
