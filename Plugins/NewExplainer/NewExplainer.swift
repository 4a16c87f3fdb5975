import Foundation
import PackagePlugin

/// `swift package --allow-writing-to-package-directory new-explainer my-method`
///
/// Makes the target of a method in this package, with everything that a method has here: manifest, page,
/// article, tests and registration. It is written whole or not at all.
@main struct NewExplainer: CommandPlugin {
  private static let usage = """
    usage: swift package --allow-writing-to-package-directory new-explainer NAME
    NAME is the method's identifier, words of small letters joined by hyphens, such as my-method.
    """

  func performCommand(context: PluginContext, arguments: [String]) async throws {
    if arguments.contains("--help") || arguments.contains("-h") { return print(Self.usage) }
    guard arguments.count == 1, let word = arguments.first, !word.hasPrefix("-") else {
      throw Refusal("expected one name, found \(arguments.count) arguments\n\(Self.usage)")
    }
    let files = PackageFiles(root: context.package.directoryURL)
    let name = try ExplainerName(word)
    let changes = try OwnPackage(files: files).changes(adding: name)
    try files.apply(changes)
    for change in changes { print("\(change.verb) \(change.path)") }
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

/// Why nothing was made.
struct Refusal: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
