import VitrineCore
import VitrinePlugins
import VitrineReport

extension Verb {
  /// `vitrine plugins`
  static let plugins = Verb(
    "plugins",
    summary: "list the plugins that were found, and why some are refused",
    flags: [CommonFlags.json, CommonFlags.plugin] + CommonFlags.messages,
    examples: [
      Example(
        command: "vitrine plugins --plugin my-method.so",
        purpose: "whether a plugin can be used, and what it adds"),
      Example(
        command: "vitrine plugins --json",
        purpose: "those in the folders that VITRINE_PLUGINS names, for scripts"),
    ],
    notes: [
      "A plugin in a shared library is loaded into this process and can do what vitrine can. It must be "
        + "built from the same version of Vitrine and by the same compiler; anything else is refused "
        + "before its code runs. Docs/Plugins.md says how to build one."
    ]
  ) { invocation, session in
    let plugins = session.plugins(invocation).plugins
    if invocation.has("json") {
      let report = JSON.object([
        "schema": .integer(1), "verb": .string("plugins"),
        "plugins": .array(
          plugins.map { plugin in
            .object([
              "path": .string(plugin.path),
              "state": .string(plugin.refusal == nil ? "loaded" : "refused"),
              "methods": .strings(plugin.methods),
              "reason": plugin.refusal.map { .string($0.description) },
            ])
          }),
      ])
      return try session.write(report.text)
    }
    guard !plugins.isEmpty else {
      return try session.write(
        "No plugins: give --plugin PATH, or name folders in VITRINE_PLUGINS.\n")
    }
    var table = TextTable([("plugin", .left), ("state", .left), ("methods or reason", .left)])
    for plugin in plugins {
      table.add([
        plugin.path.visible, plugin.refusal == nil ? "loaded" : "refused",
        (plugin.refusal?.description ?? plugin.methods.joined(separator: ", ")).visible,
      ])
    }
    try session.write(table.text)
  }
}

extension Session {
  /// Looks at the plugins in the folders of `VITRINE_PLUGINS`, then at those of `--plugin`.
  func plugins(_ invocation: Invocation) -> PluginCatalog {
    var result = PluginCatalog(extending: catalog)
    for folder in pluginFolders.split(separator: ":") { result.add(at: String(folder)) }
    for path in invocation.texts(CommonFlags.plugin.name) { result.add(at: path) }
    return result
  }

  /// Adds the methods of plugins to the catalog, and tells of those in folders that are left out.
  ///
  /// - Throws: ``PluginError`` if a plugin that `--plugin` names is refused.
  mutating func addPlugins(_ invocation: Invocation) throws(PluginError) {
    let found = plugins(invocation)
    for plugin in found.plugins {
      guard let refusal = plugin.refusal else { continue }
      if invocation.texts(CommonFlags.plugin.name).contains(plugin.path) { throw refusal }
      note("left out: \(refusal)")
    }
    catalog = found.methods
  }
}
