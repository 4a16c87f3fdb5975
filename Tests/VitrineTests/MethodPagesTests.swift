import Foundation
import Testing
import Vitrine
import VitrineCore

/// `Docs/Methods` against the catalog.
///
/// With `VITRINE_UPDATE_DOCS=1` in the environment, what is generated there is written anew before it is
/// examined.
@Suite("Pages of the methods", .serialized)
struct MethodPagesTests {
  private static let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Docs")
  private static let folder = docs.appendingPathComponent("Methods")
  private static let isUpdating =
    ProcessInfo.processInfo.environment["VITRINE_UPDATE_DOCS"] == "1"

  private static let headings = [
    "Formula", "Options", "Choices", "Cost", "What it does not say", "Source",
  ]
  /// Pictures of the repository, all methods together.
  private static let mostPictureBytes = 1_000_000

  private let methods = MethodCatalog.standard.methods

  private func page(_ name: String) throws -> String {
    try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
  }

  private var pages: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        .filter { $0.hasSuffix(".md") }.sorted()
    }
  }

  /// Expects `content` between the marks of a page, or puts it there.
  private func expectGenerated(_ content: String, marked mark: String, in name: String) throws {
    let text = try page(name)
    let parts = text.components(separatedBy: "<!-- \(mark) -->\n")
    try #require(parts.count == 2, "\(name): expected one <!-- \(mark) -->")
    let rest = parts[1].components(separatedBy: "<!-- /\(mark) -->")
    try #require(rest.count == 2, "\(name): expected one <!-- /\(mark) -->")
    guard rest[0] != content else { return }
    if Self.isUpdating {
      let updated = parts[0] + "<!-- \(mark) -->\n" + content + "<!-- /\(mark) -->" + rest[1]
      try updated.write(
        to: Self.folder.appendingPathComponent(name), atomically: true, encoding: .utf8)
    } else {
      Issue.record("\(name) is not what the catalog says; Docs/Methods/README.md says what to do")
    }
  }

  @Test("each method has a page, and each page is that of a method")
  func names() throws {
    #expect(try pages == (methods.map { $0.identifier + ".md" } + ["README.md"]).sorted())
  }

  @Test("a page has its method's name, sentence, picture, example, headings and source")
  func parts() throws {
    for method in methods {
      let identifier = method.identifier
      let text = try page(identifier + ".md")
      #expect(text.hasPrefix("# `\(identifier)`\n\n\(method.summary)\n"), "\(identifier)")
      #expect(text.contains("](../Images/methods/\(identifier).png)"), "\(identifier)")
      #expect(text.contains("--output \(identifier).png\n"), "\(identifier)")
      let found = text.split(separator: "\n").filter { $0.hasPrefix("## ") }.map(String.init)
      #expect(found == Self.headings.map { "## " + $0 }, "\(identifier)")
      let source = text.components(separatedBy: "## Source").last ?? ""
      #expect(
        source.split(whereSeparator: \.isWhitespace).joined(separator: " ")
          .hasPrefix(method.paper), "\(identifier)")
      for alias in method.aliases { #expect(text.contains("`\(alias)`"), "\(identifier)") }
    }
  }

  @Test("the tables of options are the manifests'")
  func options() throws {
    for method in methods {
      try expectGenerated(
        method.optionTable, marked: "options", in: method.identifier + ".md")
    }
  }

  @Test("the list of methods is the catalog's")
  func list() throws {
    let rows = methods.map { method in
      let names =
        ["[`\(method.identifier)`](\(method.identifier).md)"]
        + method.aliases.map { "`\($0)`" }
      let need = method.requirement == .gradients ? "gradients" : "evaluation"
      return "| \(names.joined(separator: ", ")) | \(method.summary.cell) | \(need) |\n"
    }
    try expectGenerated(
      "| Method | What it tells | Needs |\n|---|---|---|\n" + rows.joined(),
      marked: "methods", in: "README.md")
  }

  @Test("links lead to files, and the pictures are small")
  func links() throws {
    var pictures: Set<URL> = []
    for name in try pages {
      for match in try page(name).matches(of: #/\]\(([^)]+)\)/#) {
        let target = String(match.1)
        guard !target.contains("://") else { continue }
        let file = Self.folder.appendingPathComponent(target).standardizedFileURL
        #expect(FileManager.default.fileExists(atPath: file.path), "\(name): \(target)")
        if file.pathExtension == "png" { pictures.insert(file) }
      }
    }
    let sizes = try pictures.map { try Data(contentsOf: $0).count }
    #expect(sizes.reduce(0, +) < Self.mostPictureBytes)
    let shown = Set(pictures.map(\.lastPathComponent))
    let stored = try FileManager.default.contentsOfDirectory(
      atPath: Self.docs.appendingPathComponent("Images/methods").path)
    #expect(Set(stored) == shown)
  }
}

extension Method {
  /// The options as a table in Markdown.
  fileprivate var optionTable: String {
    let rows = options.map { option in
      let unit = option.unit.isEmpty ? "" : " (\(option.unit))"
      let standard = option.defaultText.map { "`\($0)`" } ?? "not set"
      // What was there from the start needs no mention.
      let help = option.help + (option.since == "0.1.0" ? "" : " Since \(option.since).")
      return
        "| `\(option.name)` | \((option.expectation + unit).cell) | \(standard) | \(help.cell) |\n"
    }
    return "| Option | Values | Default | What it does |\n|---|---|---|---|\n" + rows.joined()
  }
}

extension String {
  /// The text within a cell of a table.
  fileprivate var cell: String { replacing("|", with: "\\|") }
}
