// Counts public symbols that have documentation, and those of VitrineCore that a package outside uses.
//
//   swift .ci/interface.swift GRAPHS EXAMPLES
//
// GRAPHS holds a folder of symbol graphs for each library, EXAMPLES the sources of packages outside. Fails if
// a symbol lacks documentation, or one of VitrineCore is named nowhere in EXAMPLES.

import Foundation

struct SymbolGraph: Decodable {
  struct Symbol: Decodable {
    struct Identifier: Decodable { let precise: String }
    struct Comment: Decodable {
      struct Line: Decodable { let text: String }
      let lines: [Line]
    }
    let identifier: Identifier
    let pathComponents: [String]
    let docComment: Comment?

    var path: String { pathComponents.joined(separator: ".") }
    /// Conformances that the compiler writes have no place for a comment.
    var isSynthesized: Bool { identifier.precise.contains("::SYNTHESIZED::") }
    var isDocumented: Bool { docComment?.lines.contains { !$0.text.isEmpty } ?? false }
    /// The name as it stands in a source that uses it; `nil` for those that are used without it.
    var word: String? {
      let name = pathComponents.last?.prefix { $0 != "(" } ?? ""
      let first = name.unicodeScalars.first
      let isWord = first.map { $0.properties.isAlphabetic || $0 == "_" } ?? false
      return !isWord || ["init", "subscript", "hash", "description"].contains(name)
        ? nil : String(name)
    }
  }
  let symbols: [Symbol]
}

func files(in folder: URL, named suffix: String) throws -> [URL] {
  let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
  return names.filter { $0.hasSuffix(suffix) && !$0.hasPrefix(".") && !$0.contains("/.build/") }
    .sorted().map { folder.appendingPathComponent($0) }
}

let arguments = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
guard arguments.count == 2 else { fatalError("expected two folders") }

var libraries: [String: [SymbolGraph.Symbol]] = [:]
for file in try files(in: arguments[0], named: ".symbols.json") {
  let graph = try JSONDecoder().decode(SymbolGraph.self, from: Data(contentsOf: file))
  libraries[file.deletingLastPathComponent().lastPathComponent, default: []] +=
    graph.symbols.filter { !$0.isSynthesized }
}

var isComplete = true
for (library, symbols) in libraries.sorted(by: { $0.key < $1.key }) {
  let missing = symbols.filter { !$0.isDocumented }.map(\.path).sorted()
  print("\(library): \(symbols.count - missing.count) of \(symbols.count) documented")
  for path in missing { print("  no documentation: \(path)") }
  isComplete = isComplete && missing.isEmpty
}

let words = Set(
  try files(in: arguments[1], named: ".swift").flatMap { file in
    try String(contentsOf: file, encoding: .utf8)
      .split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
  })
let core = libraries["VitrineCore"] ?? []
let unused = core.filter { symbol in symbol.word.map { !words.contains($0) } ?? false }
print("VitrineCore: \(core.count - unused.count) of \(core.count) used from outside")
for symbol in unused {
  print("  used nowhere in \(arguments[1].lastPathComponent): \(symbol.path)")
}
exit(isComplete && unused.isEmpty && !core.isEmpty ? 0 : 1)
