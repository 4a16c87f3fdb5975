/// Why a plugin is not used.
public enum PluginError: Error, Sendable, Equatable {
  /// The file cannot be read, or is not one to trust.
  case cannotOpen(plugin: String, reason: String)
  /// The file is no plugin for this machine.
  case notAPlugin(plugin: String, reason: String)
  /// It was built for another Vitrine, or by another compiler; both are described.
  case incompatible(plugin: String, found: String, expected: String)
  /// The system's loader refuses it.
  case cannotLoad(plugin: String, reason: String)
  /// An explainer of it cannot be registered.
  case refusedMethod(plugin: String, reason: String)
}

extension PluginError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .cannotOpen(let plugin, let reason), .notAPlugin(let plugin, let reason),
      .refusedMethod(let plugin, let reason):
      "plugin \(plugin): \(reason)"
    case .incompatible(let plugin, let found, let expected):
      "plugin \(plugin): expected \(expected), found \(found); build it again for this vitrine"
    case .cannotLoad(let plugin, let reason):
      "plugin \(plugin): it cannot be loaded: \(reason)"
    }
  }
}
