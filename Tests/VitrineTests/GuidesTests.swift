import Foundation
import Testing

/// Guides against the code that they show.
///
/// The packages in `Docs/Examples` are compiled and tested by `.ci/examples`, the rest by this package: code
/// that is literally in them compiles.
@Suite("Guides")
struct GuidesTests {
  private static let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Docs")

  /// The lines without their margins, for a block may stand deeper in its file than on the page.
  private func lines(_ text: some StringProtocol) -> String {
    text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }.joined(separator: "\n")
  }

  @Test(
    "each block of code is part of the code it explains",
    arguments: [
      ("WritingAnExplainer.md", ["Examples/ThirdPartyExplainer"]),
      ("WritingAModel.md", ["Examples/ThirdPartyModel"]),
      ("Training.md", ["../Tests/VitrineTests", "../Sources/Examples/LiveExplanations"]),
    ])
  func blocks(page: String, folders: [String]) throws {
    let sources = try folders.flatMap { name in
      let folder = Self.docs.appendingPathComponent(name)
      return try #require(FileManager.default.enumerator(atPath: folder.path))
        .compactMap { $0 as? String }
        .filter { $0.hasSuffix(".swift") && !$0.contains(".build/") }
        .map { lines(try String(contentsOf: folder.appendingPathComponent($0), encoding: .utf8)) }
    }
    let text = try String(contentsOf: Self.docs.appendingPathComponent(page), encoding: .utf8)
    let blocks = text.components(separatedBy: "```swift\n").dropFirst()
    #expect(blocks.count > 8)
    for block in blocks {
      let code = lines(block.components(separatedBy: "```")[0])
      #expect(sources.contains { $0.contains(code) }, "\(page):\n\(code)")
    }
  }

  @Test("links lead to files")
  func links() throws {
    for page in [
      "WritingAnExplainer.md", "WritingAModel.md", "Training.md", "Examples/README.md",
      "Examples/ThirdPartyExplainer/README.md", "Examples/ThirdPartyModel/README.md",
    ] {
      let file = Self.docs.appendingPathComponent(page)
      let text = try String(contentsOf: file, encoding: .utf8)
      for match in text.matches(of: #/\]\(([^)]+)\)/#) {
        let target = file.deletingLastPathComponent().appendingPathComponent(String(match.1))
        #expect(
          FileManager.default.fileExists(atPath: target.standardizedFileURL.path),
          "\(page): \(match.1)")
      }
    }
  }
}
