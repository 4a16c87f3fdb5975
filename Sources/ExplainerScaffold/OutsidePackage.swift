import Foundation

/// A package of its own for a method, with everything needed to test it, to use it from Swift, and to load
/// it into `vitrine` as a plugin.
struct OutsidePackage {
  let files: PackageFiles
  /// The path of Vitrine.
  let vitrine: String

  /// - Throws: ``Refusal`` if there is something already.
  func changes(adding name: ExplainerName) throws -> [PackageFiles.Change] {
    guard files.names(in: "").isEmpty else {
      throw Refusal("expected an empty folder or none at \(files.root.path), found files in it")
    }
    let template = MethodTemplate(name: name)
    let tests = template.tests(
      imports: [name.type, "Testing", "VitrineConformance", "VitrineCore", "VitrineTensor"]
        .sorted(),
      catalog: "MethodCatalog([\(name.type).self])")
    return [
      ("Package.swift", manifest(name)), ("README.md", readme(name, template)),
      (".gitignore", ".build/\n"),
      ("Sources/\(name.type)/\(name.type).swift", template.code),
      ("Sources/\(name.type)/Library.swift", library(name)),
      ("Sources/\(name.type)Plugin/Main.swift", program(name)),
      ("Tests/\(name.type)Tests/\(name.type)Tests.swift", tests),
    ].map { PackageFiles.Change(path: $0.0, text: $0.1, isNew: true) }
  }

  private func manifest(_ name: ExplainerName) -> String {
    """
    // swift-tools-version: 6.2

    import PackageDescription

    let package = Package(
      name: "\(name.type)",
      platforms: [.macOS(.v15)],
      products: [
        .library(name: "\(name.type)", targets: ["\(name.type)"]),
        .executable(name: "\(name.identifier)-plugin", targets: ["\(name.type)Plugin"]),
      ],
      dependencies: [
        // From elsewhere: .package(url: "https://…/Vitrine.git", from: "0.1.0")
        .package(name: "Vitrine", path: "\(vitrine)")
      ],
      targets: [
        .target(
          name: "\(name.type)",
          dependencies: [
            .product(name: "VitrineCore", package: "Vitrine"),
            .product(name: "VitrinePluginKit", package: "Vitrine"),
          ]),
        .executableTarget(
          name: "\(name.type)Plugin",
          dependencies: [
            .target(name: "\(name.type)"),
            .product(name: "VitrinePluginKit", package: "Vitrine"),
          ]),
        .testTarget(
          name: "\(name.type)Tests",
          dependencies: [
            .target(name: "\(name.type)"),
            .product(name: "VitrineConformance", package: "Vitrine"),
            .product(name: "VitrineCore", package: "Vitrine"),
          ]),
      ],
      swiftLanguageModes: [.v6]
    )

    for target in package.targets {
      target.swiftSettings = [.enableUpcomingFeature("InternalImportsByDefault")]
    }

    """
  }

  private func library(_ name: ExplainerName) -> String {
    """
    import VitrinePluginKit

    // What `vitrine` looks for in a shared library made of this module.

    @_cdecl("vitrine_plugin_handshake")
    public func handshake() -> UnsafePointer<CChar>? { vitrine_plugin_text() }

    @_cdecl("vitrine_plugin_register")
    public func register(_ registry: UnsafeMutableRawPointer) {
      PluginRegistry.at(registry).add(\(name.type).self)
    }

    """
  }

  private func program(_ name: ExplainerName) -> String {
    """
    import \(name.type)
    import VitrinePluginKit

    @main struct Main {
      static func main() { PluginProcess.main([\(name.type).self]) }
    }

    """
  }

  private func readme(_ name: ExplainerName, _ template: MethodTemplate) -> String {
    """
    # \(name.title)

    \(template.summary) A method for [Vitrine](https://github.com/…/Vitrine), named `\(name.identifier)`.

        swift test

    examines it with Vitrine's conformance kit. In Swift it is `\(name.type)()`, and by name after
    `catalog.register(\(name.type).self)`. In `vitrine` it is a plugin, in a process of its own:

        swift build -c release
        vitrine describe \(name.identifier) --plugin .build/release/\(name.identifier)-plugin

    or loaded, if `vitrine` was built by the same compiler from the same version:

        swiftc -emit-library -o \(name.identifier).so .build/release/\(name.type).build/*.o
        vitrine describe \(name.identifier) --plugin \(name.identifier).so

    Vitrine's `Docs/Plugins.md` has the details.

    """
  }
}
