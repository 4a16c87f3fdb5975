import Foundation
import PackagePlugin

/// `swift package --allow-writing-to-package-directory new-explainer my-method`
///
/// Makes the target of a method in this package, with everything that a method has here: manifest, page,
/// article, tests and registration; or, with `--package`, a package of its own. It is written whole or not
/// at all.
@main struct NewExplainer: CommandPlugin {
  private static let usage = """
    usage: swift package --allow-writing-to-package-directory new-explainer NAME [--package FOLDER]
    NAME is the method's identifier, words of small letters joined by hyphens, such as my-method.
    FOLDER is where to make a package of its own, instead of a target here.
    """

  func performCommand(context: PluginContext, arguments: [String]) async throws {
    if arguments.contains("--help") || arguments.contains("-h") { return print(Self.usage) }
    var extractor = ArgumentExtractor(arguments)
    let folders = extractor.extractOption(named: "package")
    let words = extractor.remainingArguments
    guard words.count == 1, folders.count <= 1, let word = words.first, !word.hasPrefix("-") else {
      throw Refusal("expected one name, found \(arguments)\n\(Self.usage)")
    }
    let name = try ExplainerName(word)
    let vitrine = context.package.directoryURL
    if let folder = folders.first {
      let files = PackageFiles(root: URL(fileURLWithPath: folder))
      try make(OutsidePackage(files: files, vitrine: vitrine.path).changes(adding: name), in: files)
      print(
        """

        Now, in \(files.root.path):
          swift test
              examines it; Sources/\(name.type)/\(name.type).swift is where your method goes
          swift build && vitrine describe \(name.identifier) --plugin .build/debug/\(name.identifier)-plugin
              uses it as a plugin
        """)
    } else {
      let files = PackageFiles(root: vitrine)
      try make(OwnPackage(files: files).changes(adding: name), in: files)
      print(
        """

        Now:
          swift test --filter \(name.type)
              examines it; \(name.type).swift is where your method goes
          VITRINE_UPDATE_DOCS=1 swift test -c release --filter MethodPage
              draws its picture and writes the tables of its page, Docs/Methods/\(name.identifier).md
        """)
    }
  }

  private func make(_ changes: [PackageFiles.Change], in files: PackageFiles) throws {
    try files.apply(changes)
    for change in changes { print("\(change.verb) \(change.path)") }
  }
}

/// Why nothing was made.
struct Refusal: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
