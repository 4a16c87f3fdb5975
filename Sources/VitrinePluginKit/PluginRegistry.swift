@_exported public import CVitrinePlugin
public import VitrineCore

/// Where a plugin in a shared library puts its explainers.
///
/// The library exports two C functions, in this spelling:
///
///     @_cdecl("vitrine_plugin_handshake")
///     public func handshake() -> UnsafePointer<CChar> { vitrine_plugin_text() }
///
///     @_cdecl("vitrine_plugin_register")
///     public func register(_ registry: UnsafeMutableRawPointer) {
///       PluginRegistry.at(registry).add(MyExplainer.self)
///     }
///
/// The first is called, and its answer compared, before any Swift of the library is touched.
public final class PluginRegistry {
  /// In the order they were added.
  public private(set) var explainers: [any Explainer.Type] = []

  /// Creates an empty registry.
  public init() {}

  /// Adds an explainer; whether its names are free is seen when the plugin has told all it has.
  public func add(_ explainer: any Explainer.Type) { explainers.append(explainer) }

  /// Returns the registry that a program passes to `vitrine_plugin_register`.
  public static func at(_ pointer: UnsafeMutableRawPointer) -> PluginRegistry {
    Unmanaged<PluginRegistry>.fromOpaque(pointer).takeUnretainedValue()
  }
}
