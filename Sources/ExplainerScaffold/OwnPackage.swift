import Foundation

/// This package: where a method's files go, and the lines that register it.
struct OwnPackage {
  let files: PackageFiles

  private static let umbrella = "Sources/Vitrine/Vitrine.swift"
  private static let catalog = "Sources/Vitrine/StandardMethods.swift"

  /// Returns everything that makes a method part of the package.
  ///
  /// - Throws: ``Refusal`` if the name is taken or a file to change does not look as expected.
  func changes(adding name: ExplainerName) throws -> [PackageFiles.Change] {
    try checkIsFree(name)
    let template = MethodTemplate(name: name)
    let folder = "Plugins/" + name.type
    var changes = [
      made("\(folder)/\(name.type).swift", template.code),
      made("\(folder)/\(name.type).docc/\(name.type).md", template.article),
      made("Docs/Methods/\(name.identifier).md", template.page),
      made("Tests/VitrineConformanceTests/\(name.type)Tests.swift", template.ownTests),
    ]
    changes.append(try changed("Package.swift") { try addingWord(name.type, to: $0) })
    changes.append(
      try changed(Self.umbrella) { text in
        let line = "@_exported public import Vitrine\(name.type)\n"
        let imports = text.components(separatedBy: "\n").filter { $0.hasPrefix("@_exported") }
        guard let next = imports.first(where: { $0 + "\n" > line }) else {
          return text.hasSuffix("\n") ? text + line : text + "\n" + line
        }
        return text.replacingOccurrences(of: next + "\n", with: line + next + "\n")
      })
    changes.append(
      try changed(Self.catalog) { text in
        try inserting("        \(name.type).self,\n", before: "      ])\n", in: text, Self.catalog)
      })
    changes.append(
      try changed("Docs/Methods/README.md") { text in
        try inserting(
          "| [`\(name.identifier)`](\(name.identifier).md) | \(template.summary) | gradients |\n",
          before: "<!-- /methods -->\n", in: text, "Docs/Methods/README.md")
      })
    changes.append(
      try changed("README.md") { text in
        try addingRow(
          "| `\(name.identifier)` | \(template.summary) | \(template.shortSource) |", to: text)
      })
    return changes
  }

  // MARK: - Names

  private func checkIsFree(_ name: ExplainerName) throws {
    // The file systems of macOS and Windows do not tell small letters from capitals.
    let module = "vitrine" + name.type.lowercased()
    for taken in files.names(in: "Plugins").map({ "vitrine" + $0.lowercased() })
      + files.names(in: "Sources").map({ $0.lowercased() })
    where taken == module {
      throw Refusal("a module Vitrine\(name.type) exists already; choose another name")
    }
    for path in ["Docs/Methods", "Tests/VitrineConformanceTests"] {
      let wanted = ["\(name.identifier).md", "\(name.type)Tests.swift".lowercased()]
      for taken in files.names(in: path) where wanted.contains(taken.lowercased()) {
        throw Refusal("\(path)/\(taken) exists already; choose another name")
      }
    }
    let type = try Regex("(struct|class|enum|protocol|typealias|actor) \(name.type)\\b")
    for path in files.sources(in: "Plugins") + files.sources(in: "Sources") {
      let text = try files.text(path)
      for line in text.split(separator: "\n") {
        let isName = line.contains("identifier: ") || line.contains("aliases: ")
        if isName, line.contains("\"\(name.identifier)\"") {
          throw Refusal("a method is called '\(name.identifier)' already, in \(path)")
        }
        if line.contains("public"), line.firstMatch(of: type) != nil {
          throw Refusal("a type is called \(name.type) already, in \(path)")
        }
      }
    }
  }

  // MARK: - Changes

  private func made(_ path: String, _ text: String) -> PackageFiles.Change {
    PackageFiles.Change(path: path, text: text, isNew: true)
  }

  private func changed(
    _ path: String, _ change: (String) throws -> String
  ) throws -> PackageFiles.Change {
    PackageFiles.Change(path: path, text: try change(try files.text(path)), isNew: false)
  }

  private func inserting(
    _ line: String, before mark: String, in text: String, _ path: String
  ) throws -> String {
    let parts = text.components(separatedBy: mark)
    guard parts.count == 2 else {
      throw Refusal(
        "\(path): expected one line '\(mark.trimmingCharacters(in: .whitespacesAndNewlines))', found "
          + "\(parts.count - 1)")
    }
    return parts[0] + line + mark + parts[1]
  }

  /// Adds a word to `let methods = […]`, in alphabetical order, in lines of at most 100 characters.
  private func addingWord(_ word: String, to manifest: String) throws -> String {
    guard let match = manifest.firstMatch(of: /let methods = \[\n([^\]]*)\]\n/) else {
      throw Refusal("Package.swift: expected the list 'let methods = […]', found none")
    }
    let words = match.1.matches(of: /"([A-Za-z0-9]+)"/).map { String($0.1) } + [word]
    var lines: [String] = []
    for word in words.sorted() {
      let item = "\"\(word)\","
      if let last = lines.last, last.count + 1 + item.count <= 100 {
        lines[lines.count - 1] = last + " " + item
      } else {
        lines.append("  " + item)
      }
    }
    var result = manifest
    result.replaceSubrange(
      match.range, with: "let methods = [\n" + lines.joined(separator: "\n") + "\n]\n")
    return result
  }

  /// Adds a row to the README's table of methods.
  private func addingRow(_ row: String, to readme: String) throws -> String {
    var lines = readme.components(separatedBy: "\n")
    guard var index = lines.firstIndex(of: "| Name | What it tells | Source |") else {
      throw Refusal("README.md: expected the table of methods, found none")
    }
    while index < lines.count, lines[index].hasPrefix("|") { index += 1 }
    lines.insert(row, at: index)
    return lines.joined(separator: "\n")
  }
}
