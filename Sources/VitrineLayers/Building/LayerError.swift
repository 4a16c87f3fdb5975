/// What can be wrong with a network that is built from layers.
public enum LayerError: Error, Sendable, Equatable {
  /// A layer's settings make no sense or do not fit the input; the reason says what was expected and
  /// found.
  case invalid(layer: String, reason: String)
  /// Two layers, or two parameters, would have the same name.
  case repeatedName(String)
  /// There is nothing between input and output.
  case empty
}

extension LayerError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .invalid(let layer, let reason): "layer '\(layer)': \(reason)"
    case .repeatedName(let name): "two layers are called '\(name)': give one another name"
    case .empty: "a network needs at least one layer"
    }
  }
}
