import CVitrinePlugin
import Foundation
import Testing
import Vitrine
import VitrineCore
import VitrineNetwork
import VitrineONNX
import VitrineTensor

/// Shared libraries, as `vitrine` itself finds, checks and loads them.
@Suite(
  "Plugins in shared libraries",
  .enabled(if: Toolchain.isAvailable, "swiftc is not in PATH"))
struct LibraryPluginTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func path(_ name: String) -> String { folder.path + "/" + name }

  /// What `vitrine plugins` says about the only plugin.
  private func verdict(_ path: String, _ flags: [String] = []) throws -> (
    state: String, text: String
  ) {
    let result = try Toolchain.run(
      Products.vitrine, ["plugins", "--json", "--plugin", path] + flags)
    try #require(result.code == 0, "\(result)")
    let report = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
    let plugin = try #require((report?["plugins"] as? [[String: Any]])?.first)
    let methods = (plugin["methods"] as? [String] ?? []).joined(separator: ", ")
    return (plugin["state"] as? String ?? "", plugin["reason"] as? String ?? methods)
  }

  private func source(
    _ identifier: String = "from-outside", before: String = "", register: String = ""
  ) -> String {
    """
    public import VitrineCore
    import VitrinePluginKit
    import VitrineTensor

    public struct FromOutside: Explainer {
      public static let method = Method(
        identifier: "\(identifier)", summary: "The input.", paper: "None", requirement: .evaluation,
        options: [Option("factor", .number(0...10), default: "1", help: "Scale.")])
      private let factor: Double
      public init(options: Options) throws { factor = options.number("factor") }
      public func explain(
        _ model: any Model, at inputs: Inputs, target: Target, context: Context
      ) throws -> Explanation {
        let resolved = try model.resolve(target, at: inputs, context: context)
        let value = try model.evaluate(inputs, observing: [resolved.site])[0]
        return Explanation(
          method: "\(identifier)",
          attributions: try model.realInputs().attributions(
            of: [inputs.tensors[0].value.scaled(by: factor)], range: .signed),
          explained: Explained(resolved, values: try resolved.objective.values(of: value)))
      }
    }
    \(before)
    @_cdecl("vitrine_plugin_handshake")
    public func handshake() -> UnsafePointer<CChar>? { vitrine_plugin_text() }

    @_cdecl("vitrine_plugin_register")
    public func register(_ registry: UnsafeMutableRawPointer) {
      \(register)
      PluginRegistry.at(registry).add(FromOutside.self)
    }
    """
  }

  /// Returns the path of a library as it should be.
  private func goodLibrary() throws -> String {
    let library = path("good.so")
    try Toolchain.compile(source(), to: library)
    return library
  }

  @Test("a library built for this vitrine is loaded, and its method explains")
  func loading() throws {
    let library = try goodLibrary()
    #expect(try verdict(library) == ("loaded", "from-outside"))
    #expect(try verdict(library, ["--isolate-plugins"]) == ("loaded", "from-outside"))

    let graph = Graph(
      opset: 17,
      inputs: [Graph.Port(name: "x", dataType: .float32, dimensions: [.dynamic("N"), .fixed(3)])],
      outputs: [Graph.Port(name: "y", dataType: .float32, dimensions: [.dynamic("N"), .fixed(2)])],
      nodes: [Graph.Node(name: "dense", kind: "MatMul", inputs: ["x", "w"], outputs: ["y"])],
      constants: ["w": try Tensor([1, 0, 0, 2, 3, 0] as [Float], shape: [3, 2])])
    try Data(ONNX.bytes(of: graph)).write(to: URL(fileURLWithPath: path("model.onnx")))
    let row = try Tensor([1, 2, -1] as [Float], shape: [1, 3])
    try Data(row.npyBytes()).write(to: URL(fileURLWithPath: path("row.npy")))
    for flags in [[], ["--isolate-plugins"]] {
      let result = try Toolchain.run(
        Products.vitrine,
        [
          "explain", path("model.onnx"), path("row.npy"), "--method", "from-outside", "--set",
          "factor=2", "--plugin", library, "--raw", path("raw.npy"),
        ] + flags)
      #expect(result.code == 0, "\(result)")
      let raw = try Tensor(npy: [UInt8](Data(contentsOf: URL(fileURLWithPath: path("raw.npy")))))
      #expect(try raw.elements(of: Float.self) == [2, 4, -2])
    }
    let methods = try Toolchain.run(
      Products.vitrine, ["describe", "from-outside"], environment: ["VITRINE_PLUGINS": folder.path])
    #expect(methods.output.contains("factor=a number in 0.0...10.0"), "\(methods)")
  }

  @Test("the code in Docs/Plugins.md is a library and a program that work")
  func documentation() throws {
    let text = try String(contentsOfFile: Toolchain.root + "/Docs/Plugins.md", encoding: .utf8)
    let blocks = text.components(separatedBy: "```swift\n").dropFirst()
      .map { $0.components(separatedBy: "```")[0] }
    try #require(blocks.count == 2)
    let library = path("documented.so")
    try Toolchain.compile(blocks[0], to: library)
    #expect(try verdict(library) == ("loaded", "input-itself"))
    try Toolchain.compile(blocks[0] + blocks[1], to: path("program.so"))
  }

  @Test("one built against a changed core is refused, with both versions named")
  func changedCore() throws {
    // The same sources with one stored property more in `Layer`: every layout built on it is another.
    let copy = path("core")
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    for module in ["CVitrinePlugin", "VitrineTensor", "VitrineCore", "VitrinePluginKit"] {
      try FileManager.default.copyItem(
        atPath: Toolchain.root + "/Sources/" + module, toPath: copy + "/" + module)
    }
    func edit(_ file: String, _ old: String, _ new: String) throws {
      let text = try String(contentsOfFile: copy + "/" + file, encoding: .utf8)
      try #require(text.contains(old))
      try text.replacing(old, with: new).write(
        toFile: copy + "/" + file, atomically: true, encoding: .utf8)
    }
    try edit(
      "VitrineCore/Signature.swift", "public let aliases: [String]",
      "public let changed = 1\n  public let aliases: [String]")
    let digest = try InterfaceDigest.current(of: copy)
    #expect(digest != VITRINE_INTERFACE)
    try edit("CVitrinePlugin/include/vitrine_plugin.h", VITRINE_INTERFACE, digest)
    let header = copy + "/CVitrinePlugin/include"
    let map = copy + "/module.modulemap"
    try "module CVitrinePlugin { header \"\(header)/vitrine_plugin.h\" export * }".write(
      toFile: map, atomically: true, encoding: .utf8)
    for module in ["VitrineTensor", "VitrineCore", "VitrinePluginKit"] {
      let sources = try FileManager.default.contentsOfDirectory(atPath: copy + "/" + module)
        .filter { $0.hasSuffix(".swift") }.map { copy + "/" + module + "/" + $0 }
      try Toolchain.swiftc(
        [
          "-emit-module", "-swift-version", "6", "-parse-as-library", "-package-name", "vitrine",
          "-module-name", module, "-I", copy, "-Xcc", "-fmodule-map-file=" + map,
          "-enable-upcoming-feature", "InternalImportsByDefault", "-emit-module-path",
          copy + "/" + module + ".swiftmodule",
        ] + sources)
    }
    let library = path("changed.so")
    try Toolchain.compile(source(), to: library, modules: copy, header: header)

    for flags in [[], ["--isolate-plugins"]] {
      let found = try verdict(library, flags)
      #expect(found.state == "refused")
      #expect(
        found.text.contains(digest) && found.text.contains(VITRINE_INTERFACE), "\(found.text)")
    }
    let result = try Toolchain.run(Products.vitrine, ["methods", "--plugin", library])
    #expect(result.code == 65 && result.output.isEmpty)
    #expect(result.errors.contains("core interface \(digest)"))
  }

  @Test("one built by another compiler, or for another version, is refused")
  func otherCompiler() throws {
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: goodLibrary())))
    for (old, new, expected) in [
      ("compiler=21", "compiler=20", "by compiler 20"),
      ("vitrine=0.1.0", "vitrine=9.9.9", "Vitrine 9.9.9"),
      ("vitrine-plugin/1", "vitrine-plugin/2", "a handshake of form 2"),
    ] {
      var changed = bytes
      let range = try #require(
        changed.firstRange(of: Array(old.utf8)), "the handshake has changed: \(old)")
      changed.replaceSubrange(range, with: Array(new.utf8))
      let found = try verdict(write(changed, "changed.so"))
      #expect(found.state == "refused" && found.text.contains(expected), "\(found)")
    }
  }

  private func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    return path(name)
  }

  @Test("a damaged library is refused and does not end the process")
  func damaged() throws {
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: goodLibrary())))
    for length in [0, 3, 4, 40, 63, 64, 100, 1000, bytes.count / 3] {
      let found = try verdict(write(Array(bytes[..<length]), "cut.so"))
      #expect(found.state == "refused", "\(length) bytes: \(found)")
    }
    for (offset, value) in [(4, 1), (5, 2), (16, 2), (18, 8), (33, 255), (54, 0), (57, 255)] {
      var changed = bytes
      changed[offset] = UInt8(value)
      let found = try verdict(write(changed, "changed.so"))
      #expect(found.state == "refused", "byte \(offset): \(found)")
    }
    #expect(
      try verdict(write(Array("#!/bin/sh\n".utf8), "script.so")).text
        == "expected a shared library (ELF), found other data")
  }

  @Test("a library that is no plugin, or brings a core of its own, is refused")
  func strangers() throws {
    let stranger = path("stranger.so")
    try Toolchain.compile("public func f() {}", to: stranger)
    #expect(try verdict(stranger).text.contains("a library without a handshake"))

    let silent = path("silent.so")
    try Toolchain.compile(
      source().replacing("@_cdecl(\"vitrine_plugin_register\")", with: ""), to: silent)
    #expect(try verdict(silent).text.contains("vitrine_plugin_register"))

    let needy = path("needy.so")
    try Toolchain.compile(
      source(
        before: "@_silgen_name(\"vitrine_has_no_such_function\") func missing()",
        register: "missing()"), to: needy)
    #expect(try verdict(needy).text.contains("vitrine_has_no_such_function"))

    let objects = ["VitrineTensor", "VitrineCore", "VitrinePluginKit"].flatMap { module in
      let folder = Products.folder + "/\(module).build"
      return ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
        .filter { $0.hasSuffix(".swift.o") }.map { folder + "/" + $0 }
    }
    let copy = path("copy.so")
    try Toolchain.compile(source(), to: copy, objects: objects)
    #expect(try verdict(copy).text.contains("a copy of VitrineCore of its own"))

    let taken = path("taken.so")
    try Toolchain.compile(source("occlusion"), to: taken)
    #expect(try verdict(taken).text.contains("'occlusion' is already registered"))
  }

  @Test("one that everyone can change is not loaded")
  func permissions() throws {
    let library = try goodLibrary()
    try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: library)
    #expect(try verdict(library).text.contains("everyone can change it"))
  }

  @Test("one that traps ends its own process only, if it is isolated")
  func isolation() throws {
    let library = path("traps.so")
    try Toolchain.compile(source(register: "_ = [Int]()[CommandLine.arguments.count]"), to: library)
    let found = try verdict(library, ["--isolate-plugins"])
    #expect(found.state == "refused" && found.text.contains("ended by signal"), "\(found)")
  }

  @Test("a folder's bad plugins are left out with a note, its good ones are used")
  func folders() throws {
    _ = try goodLibrary()
    _ = try write(Array("nothing".utf8), "bad.so")
    _ = try write(Array("notes".utf8), "README.md")
    let result = try Toolchain.run(
      Products.vitrine, ["methods"], environment: ["VITRINE_PLUGINS": "/nowhere:" + folder.path])
    #expect(result.code == 0)
    #expect(result.output.contains("from-outside"))
    #expect(result.errors.contains("left out: plugin \(path("bad.so")): expected a shared library"))
    #expect(result.errors.contains("plugin /nowhere: no such file or directory"))
    #expect(!result.errors.contains("README"))
    let missing = try Toolchain.run(Products.vitrine, ["methods", "--plugin", path("none.so")])
    #expect(missing.code == 66)
  }
}
