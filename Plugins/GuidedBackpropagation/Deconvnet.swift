public import VitrineCore

/// The score projected back to the input with rectified signals: the transposed network of deconvnet.
///
/// Source: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014), §2.1, in
/// the form of Springenberg et al. (2015), figure 1: at a ReLU the cotangent R becomes `R · 1[R > 0]`,
/// whatever the ReLU's input was. Max pooling passes R to the position that was largest in the forward
/// pass, the paper's switches. The result is signed, neither rectified nor normalised.
public struct Deconvnet: Explainer {
  public static let method = Method(
    identifier: "deconvnet",
    aliases: ["deconvolution"],
    summary: "The score projected back to the input through rectified signals.",
    paper: "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2014",
    requirement: .gradients,
    options: RectifierBackpropagation.options)

  /// How the channels become one.
  public let channels: GuidedBackpropagation.Channels

  /// Creates the method.
  public init(channels: GuidedBackpropagation.Channels = .none) { self.channels = channels }

  public init(options: Options) throws {
    self.init(
      channels: GuidedBackpropagation.Channels(rawValue: options.choice("channels")) ?? .none)
  }

  /// Returns what arrives at the inputs when the target's score is propagated back by the rule.
  ///
  /// - Returns: As ``GuidedBackpropagation/explain(_:at:target:context:)``.
  /// - Throws: As there.
  /// - Complexity: As there.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    try RectifierBackpropagation(method: Self.method, rule: .deconvnet, channels: channels)
      .explain(try differentiable(model), at: inputs, target: target, context: context)
  }
}
