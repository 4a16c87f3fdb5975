public import VitrineCore

/// The gradient with negative evidence dropped at every rectifier, forwards and backwards.
///
/// Source: Springenberg, Dosovitskiy, Brox, Riedmiller, "Striving for Simplicity: The All Convolutional
/// Net" (ICLR 2015 workshop), §3.4. At a ReLU with input z the cotangent R becomes
/// `R · 1[z > 0] · 1[R > 0]`. The result is signed, neither rectified nor normalised.
///
/// The rule applies at every ReLU on the way, also those in dense layers, and at ReLU6; which layers
/// these were is in the diagnostics.
public struct GuidedBackpropagation: Explainer {
  /// How the channels of an input become one.
  public enum Channels: String, Sendable, Hashable, CaseIterable {
    /// They do not: one value per element, shape of the input.
    case none
    /// max_c |r_c|
    case max
    /// Σ_c r_c, with its sign
    case sum
    /// √(Σ_c r_c²)
    case l2
  }

  public static let method = Method(
    identifier: "guided-backpropagation",
    aliases: ["guided-backprop"],
    summary: "The gradient with negative evidence dropped at every rectifier.",
    paper: "Springenberg, Dosovitskiy, Brox, Riedmiller: Striving for Simplicity, 2015",
    requirement: .gradients,
    options: RectifierBackpropagation.options)

  /// How the channels become one.
  public let channels: Channels

  /// Creates the method.
  public init(channels: Channels = .none) { self.channels = channels }

  public init(options: Options) throws {
    self.init(channels: Channels(rawValue: options.choice("channels")) ?? .none)
  }

  /// Returns what arrives at the inputs when the target's score is propagated back by the rule.
  ///
  /// - Returns: For each real input one attribution with the input's shape; unless ``channels`` is
  ///   `none`, with an extent of 1 along its channel axis. Diagnostics name the layers where the rule
  ///   was applied.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.notFinite(_:)` for a result that overflows; what the model throws.
  /// - Complexity: One forward and one backward pass; one more forward pass if the top class is to be
  ///   found first.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    try RectifierBackpropagation(method: Self.method, rule: .guided, channels: channels)
      .explain(try differentiable(model), at: inputs, target: target, context: context)
  }
}
