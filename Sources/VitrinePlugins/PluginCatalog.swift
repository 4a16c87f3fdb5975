public import VitrineCore
import VitrineFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A catalog that grows by plugins found at run time, with a record of what became of each.
public struct PluginCatalog: Sendable {
  /// One file that was taken for a plugin.
  public struct Plugin: Sendable {
    /// As it was given, or the folder's path with its name.
    public let path: String
    /// The identifiers of its methods; empty if it was refused.
    public let methods: [String]
    /// Why it was refused; `nil` if it is in use.
    public let refusal: PluginError?
  }

  /// The methods, those of plugins behind the others.
  public private(set) var methods: MethodCatalog
  /// In the order they were looked at.
  public private(set) var plugins: [Plugin] = []

  /// Creates a catalog without plugins.
  public init(extending methods: MethodCatalog) { self.methods = methods }

  /// Adds the plugin in a file, or every plugin in a folder in the order of their names.
  ///
  /// In a folder, files that end in `.so` or `.dylib` count; hidden ones do not. What cannot be used, a path
  /// that leads nowhere included, is recorded in ``plugins`` with the reason.
  public mutating func add(at path: String) {
    guard Folder.exists(at: path) else { return addFile(path) }
    do {
      for name in try Folder.names(in: path, what: "plugin folder") where Self.isLibrary(name) {
        addFile(path + "/" + name)
      }
    } catch {
      let refusal = PluginError.cannotOpen(plugin: path, reason: error.message)
      plugins.append(Plugin(path: path, methods: [], refusal: refusal))
    }
  }

  private mutating func addFile(_ path: String) {
    do {
      let found = try methods(of: path)
      methods = found.catalog
      plugins.append(Plugin(path: path, methods: found.identifiers, refusal: nil))
    } catch {
      plugins.append(Plugin(path: path, methods: [], refusal: error))
    }
  }

  /// Returns the catalog with a plugin's methods: all of them, or an error.
  private func methods(
    of path: String
  ) throws(PluginError) -> (catalog: MethodCatalog, identifiers: [String]) {
    try Self.checkOwner(of: path)
    let plugin = try LibraryPlugin(contentsOf: path)
    guard !plugin.explainers.isEmpty else {
      throw .notAPlugin(plugin: path, reason: "it registers no explainer")
    }
    var catalog = methods
    do {
      for explainer in plugin.explainers { try catalog.register(explainer) }
    } catch {
      throw .refusedMethod(plugin: path, reason: error.description)
    }
    return (catalog, plugin.explainers.map { $0.method.identifier })
  }

  private static func isLibrary(_ name: String) -> Bool {
    name.hasSuffix(".so") || name.hasSuffix(".dylib")
  }

  /// Throws unless the file belongs to this user or the system's, and others cannot change it.
  private static func checkOwner(of path: String) throws(PluginError) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw .cannotOpen(plugin: path, reason: systemMessage(errno))
    }
    guard status.st_uid == geteuid() || status.st_uid == 0 else {
      throw .cannotOpen(plugin: path, reason: "it belongs to another user, who could change it")
    }
    guard status.st_mode & S_IWOTH == 0 else {
      throw .cannotOpen(plugin: path, reason: "everyone can change it; take that right away")
    }
  }
}
