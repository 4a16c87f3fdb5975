import Foundation

/// Runs programs, the Swift compiler among them.
enum Toolchain {
  struct Result {
    let code: Int32
    let output: String
    let errors: String
  }

  struct Failure: Error, CustomStringConvertible { let description: String }

  /// Runs a program that is found in `PATH` unless it is a path.
  static func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let folder = try TemporaryFolder()
    let files = ["output", "errors"].map { folder.path + "/" + $0 }
    for file in files { _ = FileManager.default.createFile(atPath: file, contents: nil) }
    let handles = try files.map {
      try FileHandle(forWritingTo: URL(fileURLWithPath: $0))
    }
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let texts = try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
    return Result(code: process.terminationStatus, output: texts[0], errors: texts[1])
  }

  /// Whether there is a compiler; tests that need it are skipped visibly where there is none.
  static let isAvailable = (try? run("swiftc", ["--version"]))?.code == 0

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// Compiles a shared library as Docs/Plugins.md says: against the modules, linked with nothing.
  ///
  /// - Parameters:
  ///   - modules: Where the modules of the core are.
  ///   - header: The folder of `vitrine_plugin.h`.
  static func compile(
    _ source: String, to library: String, modules: String = Products.folder + "/Modules",
    header: String = root + "/Sources/CVitrinePlugin/include", objects: [String] = []
  ) throws {
    let file = library + ".swift"
    try source.write(toFile: file, atomically: true, encoding: .utf8)
    let map = library + ".modulemap"
    try "module CVitrinePlugin { header \"\(header)/vitrine_plugin.h\" export * }".write(
      toFile: map, atomically: true, encoding: .utf8)
    try swiftc(
      [
        "-emit-library", "-swift-version", "6", "-parse-as-library", "-module-name", "Plugin", "-I",
        modules, "-Xcc", "-fmodule-map-file=" + map, "-o", library, file,
      ] + objects)
  }

  static func swiftc(_ arguments: [String]) throws {
    let result = try run("swiftc", arguments)
    guard result.code == 0 else { throw Failure(description: result.output + result.errors) }
  }
}
