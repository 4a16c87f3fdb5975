public import VitrineCore
import VitrineTensor

/// How much each input element contributed to the score's change from a baseline to the input.
///
/// Source: Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep Networks" (ICML 2017), eq. 1:
/// IG_i = (x_i − x'_i) ∫₀¹ ∂F/∂x_i(x' + α(x − x')) dα. The paper approximates the integral by a right
/// Riemann sum (eq. 3); by default this is Gauss–Legendre quadrature with 50 points, as in Captum.
///
/// The attributions sum to F(x) − F(x') up to the quadrature's error, which the diagnostics tell. All
/// real inputs of a model move along the path together.
public struct IntegratedGradients: Explainer {
  /// Most points of one quadrature that can be asked for.
  static let mostSteps = 20_000

  public static let method = Method(
    identifier: "integrated-gradients",
    aliases: ["ig"],
    summary: "What each input element contributed to the score, compared with a baseline.",
    paper: "Sundararajan, Taly, Yan: Axiomatic Attribution for Deep Networks, 2017",
    requirement: .gradients,
    options: [
      Option(
        "steps", .integer(1...mostSteps), default: "50",
        help: "Points of the path from the baseline to the input; trapezoid takes one more."),
      Option(
        "rule", .choice(Rule.allCases.map(\.rawValue)), default: Rule.gaussLegendre.rawValue,
        help: "How the integral becomes a sum over the points."),
      Option(
        "baseline", .baseline, default: "0",
        help: "What stands for absence, as numbers the model sees; colours and files are prepared "
          + "as the input is."),
      Option(
        "multiply-by-inputs", .flag, default: "true",
        help: "Multiply the mean gradient by the distance from the baseline; the other of the two "
          + "follows as a second attribution."),
      Option(
        "tolerance", .number(0...1), default: "0",
        help: "Double the steps until the sum misses F(x) - F(x') by at most this share of it; "
          + "0 takes the steps as they are."),
      Option(
        "maximum-steps", .integer(1...mostSteps), default: "1600",
        help: "Where doubling ends, with a tolerance."),
    ],
    claims: Set(Claim.allCases))

  /// Points of the path; ``Rule/trapezoid`` takes one more.
  public let steps: Int
  /// How the integral becomes a sum.
  public let rule: Rule
  /// x': where the path starts.
  public let baseline: Baseline
  /// Whether the integrated gradients come first, or the mean gradient.
  public let multiplyByInputs: Bool
  /// Largest completeness gap as a share of F(x) − F(x'); 0 for one quadrature with ``steps``.
  public let tolerance: Double
  /// The steps that ``tolerance`` may lead to.
  public let maximumSteps: Int

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` for numbers outside the ranges
  ///   of ``method``, or fewer maximum steps than steps where a tolerance is given.
  public init(
    steps: Int = 50, rule: Rule = .gaussLegendre, baseline: Baseline = .constant(0),
    multiplyByInputs: Bool = true, tolerance: Double = 0, maximumSteps: Int = 1600
  ) throws(CoreError) {
    func require(_ holds: Bool, _ option: String, _ value: String, _ expected: String)
      throws(CoreError)
    {
      guard holds else {
        throw .invalidOption(
          method: Self.method.identifier, option: option, value: value, expected: expected)
      }
    }
    let range = 1...Self.mostSteps
    try require(range.contains(steps), "steps", "\(steps)", "an integer in \(range)")
    try require((0...1).contains(tolerance), "tolerance", "\(tolerance)", "a number in 0...1")
    let least = tolerance > 0 ? steps : 1
    try require(
      (least...Self.mostSteps).contains(maximumSteps), "maximum-steps", "\(maximumSteps)",
      "an integer in \(least)...\(Self.mostSteps), with steps=\(steps)")
    self.steps = steps
    self.rule = rule
    self.baseline = baseline
    self.multiplyByInputs = multiplyByInputs
    self.tolerance = tolerance
    self.maximumSteps = maximumSteps
  }

  public init(options: Options) throws {
    try self.init(
      steps: options.integer("steps"),
      rule: Rule(rawValue: options.choice("rule")) ?? .gaussLegendre,
      baseline: options.baseline("baseline"),
      multiplyByInputs: options.flag("multiply-by-inputs"),
      tolerance: options.number("tolerance"), maximumSteps: options.integer("maximum-steps"))
  }

  /// Returns the integrated gradients of the target's score.
  ///
  /// - Returns: For each real input one attribution in units of the score, with the input's shape, and
  ///   after these the mean gradients, in units of the score per unit of the input, named
  ///   `mean-gradient`; the other way round without ``multiplyByInputs``. Diagnostics, one number for
  ///   each sample: `baseline-score` F(x'), `completeness-gap` Σ − (F(x) − F(x')), `relative-gap`,
  ///   `steps` used, `gradient-evaluations`, and with a ``tolerance`` the `error-estimate`, the relative
  ///   L2 distance to the quadrature with half the steps.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.shapeMismatch(what:expected:found:)` for a baseline that does not fit,
  ///   `CoreError.notFinite(_:)` for a score or gradient that overflows; what the model throws.
  /// - Complexity: ``steps`` forward and backward passes for each sample, and two forward passes; with a
  ///   ``tolerance`` at least 1½ times that. Memory does not depend on the steps.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let real = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let path = try Path(model, real, inputs, target.objective, baseline, context)

    let parts = try (tolerance > 0 ? path.samples() : [path]).map { path in
      try integral(along: path, model, context)
    }
    let integrated = try real.attributions(
      of: try path.joined(parts.map(\.contributions)), range: .signed)
    let means = try real.attributions(
      of: try path.joined(parts.map(\.meanGradients)), range: .signed)
    let (first, second) = multiplyByInputs ? (integrated, means) : (means, integrated)
    let name = multiplyByInputs ? "mean-gradient" : Self.method.identifier
    let others = second.map {
      Attribution(
        name: second.count == 1 ? name : "\(name) of \($0.name)", tensor: $0.tensor, axes: $0.axes,
        range: $0.range)
    }
    let account = Account(
      path, gaps: parts.flatMap(\.gaps), steps: parts.map(\.steps),
      evaluations: parts.map(\.evaluations), estimates: parts.compactMap(\.estimate))
    return Explanation(
      method: Self.method.identifier, attributions: first + others,
      explained: Explained(target, values: path.scores), diagnostics: account.diagnostics,
      warnings: real.warnings + account.warnings(tolerance: tolerance))
  }
}

// MARK: - Quadrature

/// The integral of the gradients along a path, for one sample or a batch.
struct PathIntegral {
  /// ∫ g dα, `float64`, one for each input.
  let meanGradients: [Tensor]
  /// (x − x') ∫ g dα, `float64`, one for each input.
  let contributions: [Tensor]
  /// Σ − (F(x) − F(x')), one for each sample.
  let gaps: [Double]
  let steps: Int
  /// Gradients computed for each sample, those of coarser quadratures included.
  var evaluations: Int
  /// Relative L2 distance to the quadrature before; `nil` if there was none.
  var estimate: Double?
}

extension IntegratedGradients {
  /// Returns the integral with ``steps`` points or, with a tolerance, with as many as it takes.
  private func integral(
    along path: Path, _ model: any Differentiable, _ context: Context
  ) throws -> PathIntegral {
    guard tolerance > 0 else { return try path.integral(rule, steps: steps, model, context) }
    // Half the steps come first, so that even a quadrature that fits at once has an error estimate.
    var last = try path.integral(rule, steps: max(steps / 2, 1), model, context)
    var count = steps
    while true {
      var next = try path.integral(rule, steps: count, model, context)
      next.evaluations += last.evaluations
      next.estimate = try distance(next.contributions, last.contributions)
      let isReached = zip(next.gaps, path.differences).allSatisfy { gap, difference in
        gap.magnitude <= tolerance * difference.magnitude
      }
      guard !isReached, count < maximumSteps else { return next }
      count = min(2 * count, maximumSteps)
      last = next
    }
  }

  /// Returns ‖a − b‖₂ / ‖a‖₂ over all tensors; 0 if both are zero.
  private func distance(_ a: [Tensor], _ b: [Tensor]) throws -> Double {
    var difference = 0.0
    var norm = 0.0
    for (a, b) in zip(a, b) {
      let distance = try a.subtracting(b).norm()
      let length = try a.norm()
      difference += distance * distance
      norm += length * length
    }
    return difference == 0 ? 0 : (difference / norm).squareRoot()
  }
}
