/// Why a plugin is not used, or why it gave no explanation.
public enum PluginError: Error, Sendable, Equatable {
  /// The file cannot be read, or is not one to trust.
  case cannotOpen(plugin: String, reason: String)
  /// The file is no plugin for this machine.
  case notAPlugin(plugin: String, reason: String)
  /// It was built for another Vitrine, or by another compiler; both are described.
  case incompatible(plugin: String, found: String, expected: String)
  /// The system refuses to load or start it.
  case cannotLoad(plugin: String, reason: String)
  /// An explainer of it cannot be registered.
  case refusedMethod(plugin: String, reason: String)
  /// Its process sent what is no message, or a message out of place.
  case badMessage(plugin: String, reason: String)
  /// Its process ended, or closed the line, before it had answered; the text says how, and what it wrote to
  /// standard error last.
  case ended(plugin: String, how: String)
  /// Its process took more than this many seconds of its own.
  case timeout(plugin: String, seconds: Double)
  /// It says itself that it failed.
  case failed(plugin: String, reason: String)
  /// Its explanation breaks a law that every explanation obeys.
  case badExplanation(plugin: String, reason: String)
}

extension PluginError: CustomStringConvertible {
  public var description: String { "plugin \(plugin): \(reason)" }

  /// The plugin's path.
  public var plugin: String {
    switch self {
    case .cannotOpen(let plugin, _), .notAPlugin(let plugin, _), .incompatible(let plugin, _, _),
      .cannotLoad(let plugin, _), .refusedMethod(let plugin, _), .badMessage(let plugin, _),
      .ended(let plugin, _), .timeout(let plugin, _), .failed(let plugin, _),
      .badExplanation(let plugin, _):
      plugin
    }
  }

  /// What is wrong, without the plugin's path.
  public var reason: String {
    switch self {
    case .cannotOpen(_, let reason), .notAPlugin(_, let reason), .refusedMethod(_, let reason),
      .failed(_, let reason):
      reason
    case .incompatible(_, let found, let expected):
      "expected \(expected), found \(found); build it again for this vitrine"
    case .cannotLoad(_, let reason): "it cannot be loaded: \(reason)"
    case .badMessage(_, let reason): "its messages break the protocol: \(reason)"
    case .ended(_, let how): how
    case .timeout(_, let seconds): "it was stopped after \(seconds) seconds of its own"
    case .badExplanation(_, let reason): "its explanation is refused: \(reason)"
    }
  }
}
