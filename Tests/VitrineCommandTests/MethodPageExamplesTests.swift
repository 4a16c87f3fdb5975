import Foundation
import Testing
import VitrineCommand
import VitrineImaging

/// What the commands on the pages of `Docs/Methods` do.
///
/// With `VITRINE_UPDATE_DOCS=1` in the environment, the pictures that the pages show are written anew
/// before they are compared.
@Suite(
  "Examples on the pages of the methods",
  .enabled(if: isOptimized || isUpdating, "the demonstration takes a minute in debug"))
struct MethodPageExamplesTests {
  private static let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Docs")
  /// Kernels of other processors round differently, which may move a colour by a few levels.
  private static let largestMeanDifference = 1.0

  @Test("every command runs as it is written, and makes the picture that the page shows")
  func examples() throws {
    let workspace = try Workspace()
    #expect(workspace.run(["demo", "--output", "@"]).code == .success)
    let folder = Self.docs.appendingPathComponent("Methods")
    let pages = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".md") }
    for page in pages.sorted() {
      let text = try String(contentsOf: folder.appendingPathComponent(page), encoding: .utf8)
      let commands = text.split(separator: "\n").filter { $0.hasPrefix("    vitrine ") }
      #expect(!commands.isEmpty, "\(page)")
      for command in commands where command != "    vitrine demo" {
        let words = command.split(separator: " ").dropFirst().map(String.init)
        let result = workspace.run(words.map { isFile($0) ? "@" + $0 : $0 })
        #expect(result.code == .success, "\(page): \(command): \(result.errors)")
      }
      for match in text.matches(of: #/\(\.\.\/Images\/methods\/([a-z-]+\.png)\)/#) {
        try compare(String(match.1), workspace)
      }
    }
  }

  /// Whether a word names a file or folder of the demonstration.
  private func isFile(_ word: String) -> Bool {
    word.hasSuffix("/") || [".onnx", ".png", ".npy", ".txt"].contains { word.hasSuffix($0) }
  }

  private func compare(_ name: String, _ workspace: Workspace) throws {
    let file = Self.docs.appendingPathComponent("Images/methods/" + name)
    let made = try workspace.bytes(name)
    if isUpdating { try Data(made).write(to: file) }
    let shown = try Image(decoding: [UInt8](Data(contentsOf: file)))
    let new = try Image(decoding: made)
    try #require(shown.pixels.count == new.pixels.count, "\(name)")
    let sum = zip(shown.pixels, new.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    #expect(Double(sum) / Double(new.pixels.count) <= Self.largestMeanDifference, "\(name)")
  }
}

private let isUpdating = ProcessInfo.processInfo.environment["VITRINE_UPDATE_DOCS"] == "1"

private let isOptimized: Bool = {
  #if DEBUG
    false
  #else
    true
  #endif
}()
