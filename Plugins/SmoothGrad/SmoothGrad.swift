public import VitrineCore
import VitrineTensor

/// The gradient of the score, averaged over copies of the input with noise on them.
///
/// Source: Smilkov, Thorat, Kim, Viégas, Wattenberg, "SmoothGrad: removing noise by adding noise" (ICML
/// 2017 workshop), §2: E[g(x + ε)] with ε ~ N(0, σ²), here with the paper's 50 samples and with σ a share
/// of the input's range. ``Kind/squared`` is E[g²] (Hooker et al. 2019) and ``Kind/vargrad`` E[g²] − E[g]²
/// (Adebayo et al. 2018).
///
/// The noise depends on `Context.seed` alone: it is drawn from one stream, sample after sample, and in
/// each input after input, and every member of a batch gets the same. So an input has the same answer
/// alone and in a batch, and more samples begin with those of fewer.
public struct SmoothGrad: Explainer {
  /// What of the noisy gradients is told.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// E[g]: their mean.
    case smoothgrad
    /// E[g²]: the mean of their squares.
    case squared
    /// E[g²] − E[g]²: their variance.
    case vargrad
  }

  /// What the noise is measured in.
  public enum NoiseScale: String, Sendable, Hashable, CaseIterable {
    /// σ is a share of the largest element minus the smallest one, for each member of a batch.
    case range
    /// σ is in units of the input.
    case absolute
  }

  public static let method = Method(
    identifier: "smoothgrad",
    summary: "The gradient of the score, averaged over noisy copies of the input.",
    paper: "Smilkov, Thorat, Kim, Viégas, Wattenberg: SmoothGrad, 2017",
    requirement: .gradients,
    options: [
      Option("samples", .integer(1...1_000_000), default: "50", help: "Noisy copies of the input."),
      Option(
        "noise", .number(0...1e6), default: "0.15",
        help: "Standard deviation σ of the noise, in what noise-scale says."),
      Option(
        "noise-scale", .choice(NoiseScale.allCases.map(\.rawValue)),
        default: NoiseScale.range.rawValue,
        help:
          "range: a share of the input's largest element minus its smallest; absolute: units of "
          + "the input."),
      Option(
        "kind", .choice(Kind.allCases.map(\.rawValue)), default: Kind.smoothgrad.rawValue,
        help: "The mean of the gradients, the mean of their squares, or their variance."),
      Option(
        "magnitude", .flag, default: "false",
        help: "Take absolute values, after averaging."),
      Option(
        "channels", .choice(ChannelReduction.allCases.map(\.rawValue)),
        default: ChannelReduction.none.rawValue,
        help: "How the channels become one: max |g|, sum of g, root of the sum of squares, or "
          + "|sum of g|."),
      Option(
        "standard-error", .flag, default: "false",
        help:
          "Tell how far the mean is from that of infinitely many samples; the other kinds always "
          + "do. Costs up to half of the time again."),
    ],
    claims: [.dummy, .linearity, .implementationInvariance])

  /// Noisy copies of each input.
  public let samples: Int
  /// σ, in what ``noiseScale`` says.
  public let noise: Double
  /// What the noise is measured in.
  public let noiseScale: NoiseScale
  /// What of the noisy gradients is told.
  public let kind: Kind
  /// Whether absolute values are taken.
  public let magnitude: Bool
  /// How the channels become one.
  public let channels: ChannelReduction
  /// Whether the mean's distance to its limit is told although the kind does not need the variance.
  public let standardError: Bool

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` for numbers outside the ranges
  ///   of ``method``.
  public init(
    samples: Int = 50, noise: Double = 0.15, noiseScale: NoiseScale = .range,
    kind: Kind = .smoothgrad, magnitude: Bool = false, channels: ChannelReduction = .none,
    standardError: Bool = false
  ) throws(CoreError) {
    guard (1...1_000_000).contains(samples) else {
      throw .invalidOption(
        method: Self.method.identifier, option: "samples", value: "\(samples)",
        expected: "an integer in 1...1000000")
    }
    guard (0...1e6).contains(noise) else {
      throw .invalidOption(
        method: Self.method.identifier, option: "noise", value: "\(noise)",
        expected: "a number in 0.0...1000000.0")
    }
    self.samples = samples
    self.noise = noise
    self.noiseScale = noiseScale
    self.kind = kind
    self.magnitude = magnitude
    self.channels = channels
    self.standardError = standardError
  }

  public init(options: Options) throws {
    try self.init(
      samples: options.integer("samples"), noise: options.number("noise"),
      noiseScale: NoiseScale(rawValue: options.choice("noise-scale")) ?? .range,
      kind: Kind(rawValue: options.choice("kind")) ?? .smoothgrad,
      magnitude: options.flag("magnitude"),
      channels: ChannelReduction(rawValue: options.choice("channels")) ?? .none,
      standardError: options.flag("standard-error"))
  }

  /// Returns the smoothed gradient of the target's score.
  ///
  /// - Returns: For each real input one attribution with the input's shape, unless ``channels`` is
  ///   `none` with an extent of 1 along its channel axis; in units of the score per unit of the input,
  ///   squared for the kinds that are. Diagnostics: `noise-deviation`, σ for each member of the batch
  ///   and each input, and `standard-error`, for each member the expected
  ///   relative L2 distance of the mean gradient to that of infinitely many samples.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.notFinite(_:)` for a score or gradient that overflows; what the model throws.
  /// - Complexity: ``samples`` forward and backward passes for each member of the batch, and one forward
  ///   pass; one more if the top class is to be found first. Memory does not depend on the samples.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let real = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let value = try model.evaluate(inputs, observing: [target.site])[0]
    let scores = try target.objective.values(of: value)
    guard scores.allSatisfy(\.isFinite) else { throw CoreError.notFinite("the explained score") }
    try context.checkCancellation()

    var noise = try GaussianNoise(self, on: inputs, real, seed: context.seed)
    let means: [Tensor]
    var moments: GradientMoments?
    if kind == .smoothgrad, !standardError {
      means = try model.averageGradients(
        of: target.objective, withRespectTo: real.sites, at: inputs,
        weights: Array(repeating: 1, count: samples), context: context
      ) { try noise.added(to: $2, $1, draw: $0) }.map { try $0.divided(by: Double(samples)) }
    } else {
      let found = try model.gradientMoments(
        of: target.objective, withRespectTo: real.sites, at: inputs, variants: samples,
        context: context
      ) { try noise.added(to: $2, $1, draw: $0) }
      means = found.means
      moments = found
    }
    let isSigned = kind == .smoothgrad && !magnitude && channels.keepsSign
    let type: DataType = value.dataType == .float64 ? .float64 : .float32
    let attributions = try real.ports.indices.map { index in
      let port = real.ports[index]
      return try channels.reduced(
        quantity(mean: means[index], variance: moments?.variances[index]),
        channelAxis: port.axes.firstIndex(of: .channel), signed: isSigned
      ).converted(to: type)
    }

    var diagnostics: [(name: String, value: Explanation.Diagnostic)] = [
      ("noise-deviation", .numbers(noise.deviations.flatMap(\.self)))
    ]
    if let moments, samples > 1 {
      diagnostics.append(
        ("standard-error", .numbers(try standardErrors(moments, real, of: scores.count))))
    }
    return Explanation(
      method: Self.method.identifier,
      attributions: try real.attributions(
        of: attributions, range: isSigned ? .signed : .nonnegative),
      explained: Explained(target, values: scores), diagnostics: diagnostics,
      warnings: real.warnings + noise.warnings)
  }

  private func quantity(mean: Tensor, variance: Tensor?) throws -> Tensor {
    guard let variance else { return mean }
    return switch kind {
    case .smoothgrad: mean
    case .squared: try mean.multiplied(by: mean).adding(variance)
    case .vargrad: variance
    }
  }

  /// Returns √(Σ_i s²_i / n) / ‖mean‖ for each member of the batch, s² being the unbiased variance.
  private func standardErrors(
    _ moments: GradientMoments, _ real: RealInputs, of members: Int
  ) throws -> [Double] {
    var squares = [Double](repeating: 0, count: members)
    var lengths = squares
    for (port, (mean, variance)) in zip(real.ports, zip(moments.means, moments.variances)) {
      let axes = mean.shape.dimensions.indices.filter { $0 != port.batchAxis }
      let sums = try variance.sum(axes: Array(axes)).elements(of: Double.self)
      let norms = try mean.norm(axes: Array(axes)).elements(of: Double.self)
      for n in 0..<members where n < sums.count {
        squares[n] += sums[n] / Double(samples - 1)
        lengths[n] += norms[n] * norms[n]
      }
    }
    return zip(squares, lengths).map { $0 == 0 ? 0 : ($0 / $1).squareRoot() }
  }
}
