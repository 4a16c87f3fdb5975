public import VitrineCore
import VitrineTensor

/// How much the score changes with each element of the input: the gradient's absolute value.
///
/// Source: Simonyan, Vedaldi, Zisserman, "Deep Inside Convolutional Networks" (ICLR 2014 workshop),
/// §3. The paper's map for colour images, the largest magnitude over channels, is `ChannelReduction.max`;
/// by default every channel keeps its own value.
///
/// The result has one attribution for each real input. An input without a channel axis counts as one
/// channel, so that every way to combine channels gives the magnitude itself.
public struct GradientMagnitude: Explainer {
  /// What of a layer is explained.
  public enum Reduction: String, Sendable, Hashable, CaseIterable {
    /// The sum of all its values.
    case sum
    /// Their mean.
    case mean
  }

  public static let method = Method(
    identifier: "gradient-magnitude",
    aliases: ["saliency"],
    summary: "How strongly the score reacts to a small change of each input element.",
    paper: "Simonyan, Vedaldi, Zisserman: Deep Inside Convolutional Networks, 2014",
    requirement: .gradients,
    options: [
      Option(
        "channels", .choice(ChannelReduction.allCases.map(\.rawValue)),
        default: ChannelReduction.none.rawValue,
        help: "How the channels become one: max |g|, sum of |g|, root of the sum of squares, "
          + "or |sum of g|."),
      Option(
        "signed", .flag, default: "false",
        help: "Keep the gradient's sign instead of its magnitude; with channels none or sum."),
      Option(
        "sign", .choice(ChannelReduction.Sign.allCases.map(\.rawValue)),
        default: ChannelReduction.Sign.all.rawValue,
        help: "Keep only derivatives that are positive, or only those that are negative."),
      Option(
        "layer", .layer, default: nil,
        help: "Explain this layer instead of the target's score."),
      Option(
        "reduce", .choice(Reduction.allCases.map(\.rawValue)), default: Reduction.sum.rawValue,
        help: "With layer: explain the sum or the mean of its values."),
      Option(
        "top", .integer(1...Int.max), default: nil,
        help: "Also select exactly this many pixels, the strongest; the lowest index on ties."),
      Option(
        "layer-norms", .flag, default: "false",
        help: "Report the length of the score's gradient at every layer."),
    ],
    claims: [.dummy, .implementationInvariance, .symmetry])

  /// How the channels become one.
  public let channels: ChannelReduction
  /// Whether the sign is kept.
  public let signed: Bool
  /// Which derivatives count.
  public let sign: ChannelReduction.Sign
  /// The layer to explain; `nil` for the target's score.
  public let layer: String?
  /// What of the layer is explained.
  public let reduction: Reduction
  /// How many pixels are selected; `nil` for no selection.
  public let top: Int?
  /// Whether the gradient's length at every layer is reported.
  public let layerNorms: Bool

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` if a sign is asked of
  ///   channels combined by `ChannelReduction.max`, `ChannelReduction.l2` or
  ///   `ChannelReduction.sumThenAbs`, which have none.
  public init(
    channels: ChannelReduction = .none, signed: Bool = false, sign: ChannelReduction.Sign = .all,
    layer: String? = nil,
    reduction: Reduction = .sum, top: Int? = nil, layerNorms: Bool = false
  ) throws(CoreError) {
    guard !signed || channels.keepsSign else {
      throw .invalidOption(
        method: Self.method.identifier, option: "signed", value: "true",
        expected: "false with channels=\(channels.rawValue), which has no sign "
          + "(channels none and sum keep it)")
    }
    self.channels = channels
    self.signed = signed
    self.sign = sign
    self.layer = layer
    self.reduction = reduction
    self.top = top
    self.layerNorms = layerNorms
  }

  public init(options: Options) throws {
    try self.init(
      channels: ChannelReduction(rawValue: options.choice("channels")) ?? .none,
      signed: options.flag("signed"),
      sign: ChannelReduction.Sign(rawValue: options.choice("sign")) ?? .all,
      layer: options.layer("layer"),
      reduction: Reduction(rawValue: options.choice("reduce")) ?? .sum,
      top: options.optionalInteger("top"), layerNorms: options.flag("layer-norms"))
  }

  /// Returns the gradient of the target's score, or of a ``layer``, with respect to the inputs.
  ///
  /// - Returns: For each real input one attribution in units of the score per unit of the input, with
  ///   the input's shape; unless ``channels`` is `none`, with an extent of 1 along its channel axis.
  ///   Then, with ``top``, for each of them one of range `mask` that selects pixels, and the diagnostic
  ///   `mask-box`: first row, first column, last row, last column of the selection, for each sample.
  ///   With ``layerNorms`` the diagnostics `layers` and `layer-gradient-norms`, the root of the sum of
  ///   squares over all samples.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.notFinite(_:)` for a score or gradient that overflows,
  ///   `CoreError.notApplicable(_:)` for a target beside a layer or more pixels than there are; what
  ///   the model throws.
  /// - Complexity: One forward and one backward pass; one more forward pass if the top class is to be
  ///   found first; with ``layerNorms`` one more of both for each few layers.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let realInputs = try model.realInputs()
    let (objective, resolved) = try objective(of: target, model, at: inputs, context)
    try context.checkCancellation()
    let gradients = try model.gradients(
      of: objective, withRespectTo: realInputs.sites, at: inputs, rules: .gradient)
    guard gradients.values.allSatisfy(\.isFinite) else {
      throw CoreError.notFinite("the explained score")
    }
    let plain = try realInputs.attributions(of: gradients.tensors, range: .signed)
    var attributions = try plain.map {
      Attribution(
        name: $0.name,
        tensor: try channels.reduced(
          $0.tensor, channelAxis: $0.axes.firstIndex(of: .channel), signed: signed, sign: sign),
        axes: $0.axes, range: signed ? .signed : .nonnegative)
    }
    var diagnostics: [(name: String, value: Explanation.Diagnostic)] = []
    var warnings = realInputs.warnings
    if let top {
      for attribution in attributions {
        let mask = try PixelMask(of: attribution, keeping: top)
        let prefix = attributions.count > 1 ? attribution.name + " " : ""
        attributions.append(mask.attribution(named: prefix + "mask"))
        if let boxes = mask.boxes {
          diagnostics.append((prefix + "mask-box", .numbers(boxes.map(Double.init))))
        }
        warnings += mask.warnings
      }
    }
    if layerNorms {
      let norms = try GradientNorms(of: objective, model, at: inputs, context)
      diagnostics.append(("layers", .texts(norms.list.map(\.layer))))
      diagnostics.append(("layer-gradient-norms", .numbers(norms.list.map(\.norm))))
    }
    return Explanation(
      method: Self.method.identifier, attributions: attributions,
      explained: resolved.map { Explained($0, values: gradients.values) }
        ?? Explained(
          site: objective.site, score: nil, skippedSoftmax: false, elements: [],
          values: gradients.values),
      diagnostics: diagnostics, warnings: warnings)
  }

  private func objective(
    of target: Target, _ model: any Differentiable, at inputs: Inputs, _ context: Context
  ) throws -> (Objective, ResolvedTarget?) {
    guard let layer else {
      let resolved = try model.resolve(target, at: inputs, context: context)
      return (resolved.objective, resolved)
    }
    guard case .top = target.choice, target.output == nil else {
      throw CoreError.notApplicable(
        "a target and the option 'layer' both choose what is explained; give only one")
    }
    return (Objective(model.site(named: layer), reduction == .sum ? .sum : .mean), nil)
  }
}
