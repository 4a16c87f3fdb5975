/// The declarations in Swift source text: all that code built against a module relies on.
///
/// Comments and white space do not count, nor does what stands between the braces of functions,
/// initialisers and computed properties, unless it is compiled into callers (`@inlinable`). Everything else
/// does, private stored properties included: they are part of a type's layout.
struct Declarations {
  /// Tokens, separated by spaces.
  let text: String

  init(_ source: String) {
    var reader = Reader(tokens: Self.tokens(of: source))
    reader.read()
    text = reader.kept.joined(separator: " ")
  }

  /// Splits source text into names, numbers, texts and single other characters; drops comments.
  private static func tokens(of source: String) -> [Substring] {
    var tokens: [Substring] = []
    var rest = source[...]
    while let character = rest.first {
      if rest.hasPrefix("//") {
        rest = rest.drop { $0 != "\n" }
      } else if rest.hasPrefix("/*") {
        rest = rest.firstRange(of: "*/").map { rest[$0.upperBound...] } ?? ""
      } else if character.isWhitespace {
        rest = rest.drop(while: \.isWhitespace)
      } else if character == "\"" {
        let end = endOfText(rest)
        tokens.append(rest[..<end])
        rest = rest[end...]
      } else {
        let isName: (Character) -> Bool = { $0.isLetter || $0.isNumber || "_@#".contains($0) }
        let word = rest.prefix(while: isName)
        let token = word.isEmpty ? rest.prefix(1) : word
        tokens.append(token)
        rest = rest[token.endIndex...]
      }
    }
    return tokens
  }

  /// Returns where a text in quotes ends.
  private static func endOfText(_ source: Substring) -> Substring.Index {
    let quote = source.hasPrefix("\"\"\"") ? "\"\"\"" : "\""
    var rest = source.dropFirst(quote.count)
    while !rest.isEmpty, !rest.hasPrefix(quote) {
      rest = rest.dropFirst(rest.first == "\\" ? 2 : 1)
    }
    return rest.dropFirst(quote.count).startIndex
  }

  private struct Reader {
    let tokens: [Substring]
    private(set) var kept: [Substring] = []
    private var position = 0

    init(tokens: [Substring]) { self.tokens = tokens }

    private static let inlining: Set<Substring> = [
      "@inlinable", "@_transparent", "@_alwaysEmitIntoClient", "@inline",
    ]
    private static let owners: Set<Substring> = [
      "case", "struct", "class", "enum", "extension", "protocol", "import", "typealias",
      "associatedtype",
    ]
    private static let accessors: Set<Substring> = [
      "get", "set", "throws", "async", "mutating", "nonmutating",
    ]

    mutating func read() {
      var hasBody = false
      var isInlined = false
      var depth = 0
      while position < tokens.count {
        let token = tokens[position]
        let isMember = kept.last == "."
        switch token {
        case _ where Self.inlining.contains(token): isInlined = true
        case "func", "deinit", "var", "let", "init", "subscript":
          if isMember || depth > 0 { break }
          hasBody = !isInlined
          isInlined = false
        case _ where Self.owners.contains(token):
          if !isMember && depth == 0 { hasBody = false }
        case "(", "[": depth += 1
        case ")", "]": depth -= 1
        case "}": hasBody = false
        case "{":
          guard hasBody, depth == 0 else { break }
          hasBody = false
          skipBody()
          continue
        default: break
        }
        kept.append(token)
        position += 1
      }
    }

    /// Passes a body; what a protocol says of a property's accessors is kept.
    private mutating func skipBody() {
      let start = position
      var braces = 0
      repeat {
        if tokens[position] == "{" { braces += 1 }
        if tokens[position] == "}" { braces -= 1 }
        position += 1
      } while braces > 0 && position < tokens.count
      let body = tokens[start..<position]
      kept +=
        body.dropFirst().dropLast().allSatisfy(Self.accessors.contains) ? Array(body) : ["{", "}"]
    }
  }
}
