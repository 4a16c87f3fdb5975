public import VitrineCore
import VitrineTensor

/// How much the score changes with each element of the input: the gradient's absolute value.
///
/// Source: Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks" (ICLR 2014 workshop),
/// §3. The paper's map for colour images, the largest magnitude over channels, is ``Channels/max``;
/// by default every channel keeps its own value.
///
/// The result has one attribution for each real input. An input without a channel axis counts as one
/// channel, so that every way to combine channels gives the magnitude itself.
public struct GradientMagnitude: Explainer {
  /// How the channels of an input become one.
  public enum Channels: String, Sendable, Hashable, CaseIterable {
    /// They do not: one value per element, shape of the input.
    case none
    /// max_c |g_c|
    case max
    /// Σ_c |g_c|; Σ_c g_c if signed
    case sum
    /// √(Σ_c g_c²)
    case l2
    /// |Σ_c g_c|: channels that disagree cancel
    case sumThenAbs = "sum-then-abs"
  }

  public static let method = Method(
    identifier: "gradient-magnitude",
    aliases: ["saliency"],
    summary: "How strongly the score reacts to a small change of each input element.",
    paper: "Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, 2014",
    requirement: .gradients,
    options: [
      Option(
        "channels", .choice(Channels.allCases.map(\.rawValue)), default: Channels.none.rawValue,
        help: "How the channels become one: max |g|, sum of |g|, root of the sum of squares, "
          + "or |sum of g|."),
      Option(
        "signed", .flag, default: "false",
        help: "Keep the gradient's sign instead of its magnitude; with channels none or sum."),
    ])

  /// How the channels become one.
  public let channels: Channels
  /// Whether the sign is kept.
  public let signed: Bool

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` if a sign is asked of
  ///   channels combined by ``Channels/max``, ``Channels/l2`` or ``Channels/sumThenAbs``, which have
  ///   none.
  public init(channels: Channels = .none, signed: Bool = false) throws(CoreError) {
    guard !signed || channels == .none || channels == .sum else {
      throw .invalidOption(
        method: Self.method.identifier, option: "signed", value: "true",
        expected: "false with channels=\(channels.rawValue), which has no sign "
          + "(channels none and sum keep it)")
    }
    self.channels = channels
    self.signed = signed
  }

  public init(options: Options) throws {
    try self.init(
      channels: Channels(rawValue: options.choice("channels")) ?? .none,
      signed: options.flag("signed"))
  }

  /// Returns the gradient of the target's score with respect to the inputs.
  ///
  /// - Returns: For each real input one attribution in units of the score per unit of the input, with
  ///   the input's shape; unless ``channels`` is `none`, with an extent of 1 along its channel axis.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.notFinite(_:)` for a score or gradient that overflows; what the model throws.
  /// - Complexity: One forward and one backward pass; one more forward pass if the top class is to be
  ///   found first.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let realInputs = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let gradients = try model.gradients(
      of: target.objective, withRespectTo: realInputs.sites, at: inputs, rules: .gradient)
    guard gradients.values.allSatisfy(\.isFinite) else {
      throw CoreError.notFinite("the explained score")
    }
    let attributions = try realInputs.attributions(of: gradients.tensors, range: .signed).map {
      Attribution(
        name: $0.name,
        tensor: try magnitude(of: $0.tensor, channelAxis: $0.axes.firstIndex(of: .channel)),
        axes: $0.axes, range: signed ? .signed : .nonnegative)
    }
    return Explanation(
      method: Self.method.identifier, attributions: attributions,
      explained: Explained(target, values: gradients.values),
      warnings: realInputs.warnings)
  }
}
