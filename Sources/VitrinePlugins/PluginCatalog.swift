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
    /// Where a plugin's code runs.
    public enum Place: String, Sendable {
      /// In this process, as a shared library.
      case here
      /// In a process of its own.
      case process
    }

    /// As it was given, or the folder's path with its name.
    public let path: String
    /// Where its code runs.
    public let place: Place
    /// The identifiers of its methods; empty if it was refused.
    public let methods: [String]
    /// Why it was refused; `nil` if it is in use.
    public let refusal: PluginError?
  }

  /// The methods, those of plugins behind the others.
  public private(set) var methods: MethodCatalog
  /// In the order they were looked at.
  public private(set) var plugins: [Plugin] = []

  private let limits: PluginLimits
  private let isolation: [String]?

  /// Creates a catalog without plugins.
  ///
  /// - Parameters:
  ///   - methods: To start with.
  ///   - limits: For plugins in processes of their own.
  ///   - isolation: A program and its first arguments that, given the path of a shared library as the last
  ///     one, serves its explainers by ``PluginLibrary/serve(contentsOf:)``; libraries are then not loaded
  ///     into this process.
  public init(
    extending methods: MethodCatalog, limits: PluginLimits = PluginLimits(),
    isolation: [String]? = nil
  ) {
    self.methods = methods
    self.limits = limits
    self.isolation = isolation
  }

  /// Adds the plugin in a file, or every plugin in a folder in the order of their names.
  ///
  /// In a folder, files that end in `.so` or `.dylib` and programs count; hidden files do not. What cannot be used, a path
  /// that leads nowhere included, is recorded in ``plugins`` with the reason.
  public mutating func add(at path: String) {
    guard Folder.exists(at: path) else { return addFile(path) }
    do {
      for name in try Folder.names(in: path, what: "plugin folder")
      where Self.isLibrary(name) || Self.isProgram(path + "/" + name) {
        addFile(path + "/" + name)
      }
    } catch {
      record(path, [], .cannotOpen(plugin: path, reason: error.message))
    }
  }

  private mutating func addFile(_ path: String) {
    do throws(PluginError) {
      try Self.checkOwner(of: path)
      let found = try entries(of: path)
      guard !found.isEmpty else {
        throw PluginError.notAPlugin(plugin: path, reason: "it has no methods")
      }
      // All of a plugin's methods, or none.
      var catalog = methods
      for (method, make) in found {
        do {
          try catalog.register(method, make: make)
        } catch {
          throw PluginError.refusedMethod(plugin: path, reason: error.description)
        }
      }
      methods = catalog
      record(path, found.map(\.method.identifier), nil)
    } catch {
      record(path, [], error)
    }
  }

  private mutating func record(_ path: String, _ methods: [String], _ refusal: PluginError?) {
    let isHere = Self.isLibrary(path) && isolation == nil
    plugins.append(
      Plugin(path: path, place: isHere ? .here : .process, methods: methods, refusal: refusal))
  }

  private typealias Make = @Sendable (Options) throws -> any Explaining

  /// Returns the methods of a plugin, and how they are made.
  private func entries(of path: String) throws(PluginError) -> [(method: Method, make: Make)] {
    if Self.isLibrary(path), isolation == nil {
      return try LibraryPlugin(contentsOf: path).explainers.map { explainer in
        (explainer.method, { try explainer.init(options: $0) })
      }
    }
    let command: [String]
    if Self.isLibrary(path), let isolation {
      command = isolation + [path]
    } else if Self.isProgram(path) {
      // A name without a slash would be searched for.
      command = [path.contains("/") ? path : "./" + path]
    } else {
      throw .notAPlugin(
        plugin: path, reason: "expected a shared library (.so, .dylib) or a program, found neither")
    }
    let plugin = ProcessPlugin(path: path, command: command, limits: limits)
    return try plugin.methods().map { method in
      (
        method,
        { ProcessExplainer(plugin: plugin, method: method, options: $0.texts) }
      )
    }
  }

  private static func isLibrary(_ name: String) -> Bool {
    name.hasSuffix(".so") || name.hasSuffix(".dylib")
  }

  /// Whether a path leads to a file that this user may run.
  private static func isProgram(_ path: String) -> Bool {
    OutputFiles.kind(of: path) == .file && access(path, X_OK) == 0
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
