public import VitrineCore
public import VitrineTensor

/// A model that can only be called: it hides whether another can be differentiated.
public struct BlackBox: Model {
  private let model: any Model

  /// Wraps a model.
  public init(_ model: any Model) { self.model = model }

  public var signature: Signature { model.signature }

  public var layers: [Layer] { model.layers }

  public var takesBatches: Bool { model.takesBatches }

  public func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    try model.evaluate(inputs, observing: sites)
  }

  public func site(of score: Score, output: String) -> Site? {
    model.site(of: score, output: output)
  }
}
