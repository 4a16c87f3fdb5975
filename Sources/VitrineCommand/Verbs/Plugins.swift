import VitrineCore
import VitrinePlugins
import VitrineReport

extension Verb {
  /// `vitrine plugins`
  static let plugins = Verb(
    "plugins",
    summary: "list the plugins that were found, and why some are refused",
    flags: [CommonFlags.json] + CommonFlags.plugins + CommonFlags.messages,
    examples: [
      Example(
        command: "vitrine plugins --plugin my-method.so",
        purpose: "whether a plugin can be used, and what it adds"),
      Example(
        command: "vitrine plugins --json",
        purpose: "those in the folders that VITRINE_PLUGINS names, for scripts"),
    ],
    notes: [
      "A plugin is a shared library (.so) or a program. A library is loaded into this process and can do "
        + "what vitrine can: it must be built from the same version of Vitrine by the same compiler, and "
        + "anything else is refused before its code runs. A program, and with --isolate-plugins a library, "
        + "runs in a process of its own with limits: what becomes of it ends one explanation and nothing "
        + "else. It still has your rights: use plugins of people you trust.",
      "Docs/Plugins.md says how to write one.",
    ]
  ) { invocation, session in
    let plugins = try session.plugins(invocation).plugins
    if invocation.has("json") {
      let report = JSON.object([
        "schema": .integer(1), "verb": .string("plugins"),
        "plugins": .array(
          plugins.map { plugin in
            .object([
              "path": .string(plugin.path),
              "place": .string(plugin.place.rawValue),
              "state": .string(plugin.refusal == nil ? "loaded" : "refused"),
              "methods": .strings(plugin.methods),
              "reason": plugin.refusal.map { .string($0.reason) },
            ])
          }),
      ])
      return try session.write(report.text)
    }
    guard !plugins.isEmpty else {
      return try session.write(
        "No plugins: give --plugin PATH, or name folders in VITRINE_PLUGINS.\n")
    }
    var table = TextTable([
      ("plugin", .left), ("state", .left), ("runs", .left), ("methods or reason", .left),
    ])
    for plugin in plugins {
      table.add([
        plugin.path.visible, plugin.refusal == nil ? "loaded" : "refused",
        plugin.place == .here ? "here" : "apart",
        (plugin.refusal?.reason ?? plugin.methods.joined(separator: ", ")).visible,
      ])
    }
    try session.write(table.text)
  }
}

extension Session {
  /// Looks at the plugins in the folders of `VITRINE_PLUGINS`, then at those of `--plugin`.
  ///
  /// - Throws: ``CommandError`` for a flag whose value does not fit.
  func plugins(_ invocation: Invocation) throws(CommandError) -> PluginCatalog {
    let seconds = try invocation.integer("plugin-timeout", in: 1...86_400)
    var result = PluginCatalog(
      extending: catalog, limits: PluginLimits(seconds: Double(seconds ?? 60)),
      isolation: invocation.has("isolate-plugins") ? Self.isolation : nil)
    for folder in pluginFolders.split(separator: ":") { result.add(at: String(folder)) }
    for path in invocation.texts("plugin") { result.add(at: path) }
    return result
  }

  /// This program, as ``Command/main()`` runs it to serve a library.
  private static let isolation = [CommandLine.executablePath, Command.servingWord]

  /// Adds the methods of plugins to the catalog, and tells of those in folders that are left out.
  ///
  /// - Throws: ``PluginError`` if a plugin that `--plugin` names is refused.
  mutating func addPlugins(_ invocation: Invocation) throws {
    let found = try plugins(invocation)
    for plugin in found.plugins {
      guard let refusal = plugin.refusal else { continue }
      if invocation.texts("plugin").contains(plugin.path) { throw refusal }
      note("left out: \(refusal)")
    }
    catalog = found.methods
  }
}

extension CommandLine {
  /// The path of the program that runs.
  fileprivate static var executablePath: String {
    #if os(Linux)
      "/proc/self/exe"
    #else
      arguments[0]
    #endif
  }
}
