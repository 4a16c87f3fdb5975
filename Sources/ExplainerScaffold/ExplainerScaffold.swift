import Foundation

/// The program behind `swift package new-explainer`: `ExplainerScaffold VITRINE NAME [--package FOLDER]`, where
/// VITRINE is the path of this package.
///
/// Makes the target of a method in this package, with everything that a method has here: manifest, page,
/// article, tests and registration; or, with `--package`, a package of its own. It is written whole or not
/// at all.
@main struct ExplainerScaffold {
  private static let usage = """
    usage: swift package --allow-writing-to-package-directory new-explainer NAME [--package FOLDER]
    NAME is the method's identifier, words of small letters joined by hyphens, such as my-method.
    FOLDER is where to make a package of its own, instead of a target here.
    """

  static func main() {
    do {
      try run(Array(CommandLine.arguments.dropFirst()))
    } catch {
      FileHandle.standardError.write(Data("\(error)\n".utf8))
      exit(1)
    }
  }

  private static func run(_ arguments: [String]) throws {
    guard let vitrine = arguments.first else { throw Refusal(usage) }
    let given = Array(arguments.dropFirst())
    if given.contains("--help") || given.contains("-h") { return print(usage) }
    let (words, folder) = try parsed(given)
    guard words.count == 1, let word = words.first, !word.hasPrefix("-") else {
      throw Refusal("expected one name, found \(given)\n\(usage)")
    }
    let name = try ExplainerName(word)
    if let folder {
      let files = PackageFiles(root: URL(fileURLWithPath: folder))
      try make(OutsidePackage(files: files, vitrine: vitrine).changes(adding: name), in: files)
      print(
        """

        Now, in \(files.root.path):
          swift test
              examines it; Sources/\(name.type)/\(name.type).swift is where your method goes
          swift build && vitrine describe \(name.identifier) --plugin .build/debug/\(name.identifier)-plugin
              uses it as a plugin
        """)
    } else {
      let files = PackageFiles(root: URL(fileURLWithPath: vitrine))
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

  /// Returns the words, and the folder given as `--package FOLDER` or `--package=FOLDER`.
  private static func parsed(_ arguments: [String]) throws -> (words: [String], folder: String?) {
    var words: [String] = []
    var folders: [String] = []
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--package" {
        guard let folder = rest.popFirst() else {
          throw Refusal("--package: expected a folder, found nothing\n\(usage)")
        }
        folders.append(folder)
      } else if argument.hasPrefix("--package=") {
        folders.append(String(argument.dropFirst("--package=".count)))
      } else {
        words.append(argument)
      }
    }
    guard folders.count <= 1 else {
      throw Refusal("--package: expected one folder, found \(folders)\n\(usage)")
    }
    return (words, folders.first)
  }

  private static func make(_ changes: [PackageFiles.Change], in files: PackageFiles) throws {
    try files.apply(changes)
    for change in changes { print("\(change.verb) \(change.path)") }
  }
}

/// Why nothing was made.
struct Refusal: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
