public import VitrineCore
import VitrineTensor

/// The input that a unit of the network answers most strongly: found by gradient ascent.
///
/// Source: Erhan, Bengio, Courville, Vincent, "Visualizing Higher-Layer Features of a Deep Network"
/// (2009), §3.2; regularisers from Yosinski et al., "Understanding Neural Networks Through Deep
/// Visualization" (2015), transformations and Fourier basis from Olah, Mordvintsev, Schubert, "Feature
/// Visualization" (Distill, 2017).
///
/// What is ascended is the mean activation of one channel of ``layer``, of several channels one after the
/// other, of the whole layer (DeepDream) where none is named, or, without a layer, the score of the
/// target. Each step is x ← x + r · g / (‖g‖₂/√n + 1e-8), with the gradient g and n elements in each
/// sample of an input: the root mean square of a step is ``Schedule/learningRate`` whatever the scale of the
/// network.
public struct FilterVisualization: Explainer {
  /// What the ascent starts from.
  public enum Start: String, Sendable, Hashable, CaseIterable {
    /// The given input.
    case input
    /// Normal noise from `Context.seed`, the same for every sample.
    case noise
  }

  /// In which basis the ascent is steepest.
  public enum Parameterization: String, Sendable, Hashable, CaseIterable {
    /// That of the elements themselves.
    case pixel
    /// Fourier coefficients with the spectrum of natural pictures; colours decorrelated.
    case fourier
  }

  /// How the three channels of an input stand for colours, for ``Parameterization/fourier``.
  public enum Colors: String, Sendable, Hashable, CaseIterable {
    /// Red, green, blue.
    case rgb
    /// Blue, green, red.
    case bgr
    /// They do not.
    case independent
  }

  public static let method = Method(
    identifier: "filter-visualization",
    summary: "The input that a channel or class answers most strongly, by gradient ascent.",
    paper: "Erhan, Bengio, Courville, Vincent: Visualizing Higher-Layer Features of a Deep "
      + "Network, 2009",
    requirement: .gradients,
    options: [
      Option(
        "layer", .layer, default: nil,
        help: "The layer to ascend; the target's score if not given."),
      Option(
        "channel", .integer(0...Int.max), default: nil,
        help: "The channel of the layer; the mean of all if neither this nor channels is given."),
      Option(
        "channels", .integers(0...Int.max), default: nil,
        help: "Several channels, each from the same start."),
      Option(
        "steps", .integer(1...100_000), default: "30",
        help: "Steps of the ascent, in each octave."),
      Option(
        "learning-rate", .number(0...1e9), default: "0.1", unit: "units of the input",
        help: "Root mean square of one step."),
      Option(
        "start", .choice(Start.allCases.map(\.rawValue)), default: Start.input.rawValue,
        help: "Start from the input, or from seeded normal noise of its shape."),
      Option(
        "noise-mean", .number(-1e9...1e9), default: "0", unit: "units of the input",
        help: "Mean of the noise to start from."),
      Option(
        "noise-deviation", .number(0...1e9), default: "0.1", unit: "units of the input",
        help: "Standard deviation of the noise to start from."),
      Option(
        "l2-decay", .number(0...1), default: "0",
        help: "Share of the input taken away after each step."),
      Option(
        "total-variation", .number(0...1e6), default: "0",
        help: "Weight of the smoothness; 1 counts as much as the objective."),
      Option(
        "blur-every", .integer(0...100_000), default: "0", unit: "steps",
        help: "Blur after every so many steps; 0 for never."),
      Option(
        "blur-deviation", .number(0.1...100), default: "0.5", unit: "pixels",
        help: "Standard deviation of the Gaussian that blurs."),
      Option(
        "jitter", .integer(0...10_000), default: "0", unit: "pixels",
        help: "Before each step, move the picture in a circle by up to so much."),
      Option(
        "scale", .number(0...0.5), default: "0",
        help: "Before each step, magnify the picture by a random factor in 1 - scale ... 1 + scale."
      ),
      Option(
        "parameterization", .choice(Parameterization.allCases.map(\.rawValue)),
        default: Parameterization.pixel.rawValue,
        help: "Ascend in pixels, or in Fourier coefficients of decorrelated colours."),
      Option(
        "colors", .choice(Colors.allCases.map(\.rawValue)), default: Colors.rgb.rawValue,
        help: "What three channels are, for parameterization=fourier."),
      Option(
        "octaves", .integer(1...32), default: "1",
        help: "How often the steps are repeated, each time on the magnified middle of the result."),
      Option(
        "octave-scale", .number(1...4), default: "1.4",
        help: "Magnification from one octave to the next."),
      Option(
        "redirect", .flag, default: "true",
        help:
          "Where the gradient is zero, let rectifiers that are off pass what would switch them on."
      ),
      Option(
        "snapshots", .integer(0...1000), default: "0",
        help: "How many pictures of the way to keep, the start included; the CLI animates them."),
    ],
    canStartFromNoise: true)

  /// The layer to ascend; `nil` for the target's score.
  public let layer: String?
  /// Channels of the layer, each ascended on its own; empty for the mean of all.
  public let channels: [Int]
  /// How many steps, and how large.
  public let schedule: Schedule
  /// What the ascent starts from.
  public let start: Start
  /// In units of the input.
  public let noise: (mean: Double, deviation: Double)
  /// What keeps the picture smooth and small.
  public let regularization: Regularization
  /// In which basis the ascent is steepest.
  public let parameterization: Parameterization
  /// What three channels are.
  public let colors: Colors
  /// Whether a zero gradient is replaced by that of redirected rectifiers.
  public let redirect: Bool
  /// Moments to keep, the start included; 0 for none.
  public let snapshots: Int

  /// How many steps are taken and how long they are.
  public struct Schedule: Sendable, Hashable {
    /// In each octave.
    public let steps: Int
    /// Root mean square of one step, in units of the input.
    public let learningRate: Double
    /// How often the steps are repeated, each time on the magnified middle of the result.
    public let octaves: Int
    /// Magnification from one octave to the next.
    public let octaveScale: Double

    /// Creates a schedule.
    public init(
      steps: Int = 30, learningRate: Double = 0.1, octaves: Int = 1, octaveScale: Double = 1.4
    ) {
      self.steps = steps
      self.learningRate = learningRate
      self.octaves = octaves
      self.octaveScale = octaveScale
    }
  }

  /// What keeps the result smooth and small.
  public struct Regularization: Sendable, Hashable {
    /// Share of the input taken away after each step.
    public let decay: Double
    /// Weight of the total variation's gradient beside that of the objective, scaled to a root mean
    /// square of 1.
    public let totalVariation: Double
    /// Steps from one blur to the next; 0 for none.
    public let blurEvery: Int
    /// In pixels.
    public let blurDeviation: Double
    /// Largest random move before a step, in pixels.
    public let jitter: Int
    /// Largest random magnification before a step, less 1.
    public let scale: Double

    /// Creates a regularization.
    public init(
      decay: Double = 0, totalVariation: Double = 0, blurEvery: Int = 0,
      blurDeviation: Double = 0.5, jitter: Int = 0, scale: Double = 0
    ) {
      self.decay = decay
      self.totalVariation = totalVariation
      self.blurEvery = blurEvery
      self.blurDeviation = blurDeviation
      self.jitter = jitter
      self.scale = scale
    }

    /// Whether it makes sense only for inputs with positions.
    var isSpatial: Bool { totalVariation > 0 || blurEvery > 0 || jitter > 0 || scale > 0 }
  }

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` if channels are named without
  ///   a layer.
  public init(
    layer: String? = nil, channels: [Int] = [], schedule: Schedule = Schedule(),
    start: Start = .input, noise: (mean: Double, deviation: Double) = (0, 0.1),
    regularization: Regularization = Regularization(),
    parameterization: Parameterization = .pixel, colors: Colors = .rgb, redirect: Bool = true,
    snapshots: Int = 0
  ) throws(CoreError) {
    guard layer != nil || channels.isEmpty else {
      throw .invalidOption(
        method: Self.method.identifier, option: "channel",
        value: channels.map(String.init).joined(separator: ","),
        expected: "the option 'layer' with it; a class is chosen by the target")
    }
    self.layer = layer
    self.channels = channels
    self.schedule = schedule
    self.start = start
    self.noise = noise
    self.regularization = regularization
    self.parameterization = parameterization
    self.colors = colors
    self.redirect = redirect
    self.snapshots = snapshots
  }

  public init(options: Options) throws {
    let one = options.optionalInteger("channel")
    let several = options.integers("channels")
    if let one, several != nil {
      throw CoreError.invalidOption(
        method: Self.method.identifier, option: "channel", value: String(one),
        expected: "only one of channel and channels")
    }
    try self.init(
      layer: options.layer("layer"), channels: several ?? one.map { [$0] } ?? [],
      schedule: Schedule(
        steps: options.integer("steps"), learningRate: options.number("learning-rate"),
        octaves: options.integer("octaves"), octaveScale: options.number("octave-scale")),
      start: Start(rawValue: options.choice("start")) ?? .input,
      noise: (options.number("noise-mean"), options.number("noise-deviation")),
      regularization: Regularization(
        decay: options.number("l2-decay"), totalVariation: options.number("total-variation"),
        blurEvery: options.integer("blur-every"), blurDeviation: options.number("blur-deviation"),
        jitter: options.integer("jitter"), scale: options.number("scale")),
      parameterization: Parameterization(rawValue: options.choice("parameterization")) ?? .pixel,
      colors: Colors(rawValue: options.choice("colors")) ?? .rgb,
      redirect: options.flag("redirect"), snapshots: options.integer("snapshots"))
  }

  /// Returns the inputs that the ascents reach.
  ///
  /// The target chooses what is ascended only without a ``layer``; with one it must be `.top`. A top
  /// class is the one of the start.
  ///
  /// - Returns: For each channel, or for the target, and each real input one attribution of range
  ///   `input`, in the input's shape and units: the result; then, with ``snapshots``, for each of them
  ///   one `[batch, step, …input]`. The explained values are the objectives at the end, `[batch]` or
  ///   `[batch, channel]`. The diagnostic `objective` lists the objective of the first sample before
  ///   each step, with that step's jitter and scale, and after the last.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.notApplicable(_:)` for options that need a picture where the input is none, a target
  ///   beside a layer, or snapshots beyond `Context.memoryLimit`; `CoreError.notFinite(_:)`; what the
  ///   model throws.
  /// - Complexity: Steps × octaves × channels forward and backward passes, and one forward pass for
  ///   each channel.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let realInputs = try model.realInputs()
    let first = try startingInputs(realInputs.ports, inputs, context.seed)
    try checkMemory(of: realInputs.ports, inputs, context)
    let goals = try goals(of: target, model, at: first, context)

    var results: [Attribution] = []
    var series: [Attribution] = []
    var values: [[Double]] = []
    var diagnostics: [(name: String, value: Explanation.Diagnostic)] = []
    var warnings = realInputs.warnings
    let steps = schedule.steps * schedule.octaves
    for (number, goal) in goals.list.enumerated() {
      var ascent = try Ascent(
        self, model, goal.objective, from: first, ports: realInputs.ports, seed: context.seed)
      try ascent.run(
        context: context.part(after: number * steps, of: goals.list.count * steps))
      let several = goals.list.count > 1
      let suffix = several ? "-of-channel-\(goal.channel ?? 0)" : ""
      for attribution in try realInputs.attributions(of: try ascent.tensors(), range: .input) {
        let isOnly = realInputs.ports.count == 1
        results.append(
          attribution.renamed(
            several
              ? "channel \(goal.channel ?? 0)" + (isOnly ? "" : " " + attribution.name)
              : attribution.name))
      }
      if snapshots > 0 {
        for attribution in try realInputs.attributions(
          of: try ascent.snapshotTensors(), rowAxis: .step, range: .input)
        {
          series.append(
            attribution.renamed(
              "snapshots" + suffix
                + (realInputs.ports.count == 1 ? "" : "-of-" + attribution.name)))
        }
      }
      values.append(ascent.finalValues)
      diagnostics.append(("objective" + suffix, .numbers(ascent.history)))
      warnings += ascent.warnings.map { several ? "Channel \(goal.channel ?? 0): " + $0 : $0 }
      if snapshots > 0, number == 0 {
        diagnostics.append(("snapshot-steps", .numbers(ascent.snapshotSteps.map(Double.init))))
      }
    }
    if !channels.isEmpty {
      diagnostics.insert(("channels", .numbers(channels.map(Double.init))), at: 0)
    }
    let samples = values.first?.count ?? 0
    let flat = (0..<samples).flatMap { n in values.map { $0[n] } }
    return Explanation(
      method: Self.method.identifier, attributions: results + series,
      explained: goals.target.map { Explained($0, values: flat) }
        ?? Explained(
          site: goals.list[0].objective.site, score: nil, skippedSoftmax: false, elements: [],
          values: flat),
      diagnostics: diagnostics, warnings: warnings)
  }
}

// MARK: - What is ascended, from where

extension FilterVisualization {
  private typealias Goal = (objective: Objective, channel: Int?)

  private func goals(
    of target: Target, _ model: any Differentiable, at inputs: Inputs, _ context: Context
  ) throws -> (list: [Goal], target: ResolvedTarget?) {
    guard let layer else {
      let resolved = try model.resolve(target, at: inputs, context: context)
      return ([(resolved.objective, nil)], resolved)
    }
    guard case .top = target.choice, target.output == nil else {
      throw CoreError.notApplicable(
        "a target and the option 'layer' both choose what is ascended; give only one")
    }
    let site = model.site(named: layer)
    if channels.isEmpty { return ([(Objective(site, .mean), nil)], nil) }
    return (channels.map { (Objective(site, .channelMean($0)), $0) }, nil)
  }

  private func startingInputs(_ ports: [Port], _ inputs: Inputs, _ seed: UInt64) throws -> Inputs {
    guard start == .noise else { return inputs }
    var result = inputs
    var generator = RandomGenerator(seed: seed)
    for port in ports {
      guard let tensor = inputs[port.name] else { continue }
      let planes = try Planes(tensor, at: port)
      // Every sample starts alike, so that none depends on the rest of the batch.
      var white = (0..<planes.sampleCount).map { _ in generator.normalDouble() }
      if parameterization == .fourier, planes.isSpatial {
        let one = planes.oneSample(white)
        white = Preconditioner(one, colors: colors).image(white, one)
        let power = white.reduce(0) { $0 + $1 * $1 } / Double(max(white.count, 1))
        for i in white.indices where power > 0 { white[i] /= power.squareRoot() }
      }
      let sample = white.map { noise.mean + noise.deviation * $0 }
      let all = (0..<planes.samples).flatMap { _ in sample }
      result = result.replacing(port.name, with: try planes.tensor(all, tensor.dataType))
    }
    return result
  }

  private func checkMemory(
    of ports: [Port], _ inputs: Inputs, _ context: Context
  ) throws(CoreError) {
    let elements = ports.reduce(0.0) { $0 + Double(inputs[$1.name]?.count ?? 0) }
    let bytes = 8 * elements * Double(max(1, channels.count)) * Double(snapshots + 1)
    guard bytes <= Double(context.memoryLimit) else {
      throw .notApplicable(
        "the results need \(Int(min(bytes / 1e6, 1e15))) MB, the limit is "
          + "\(context.memoryLimit / 1_000_000) MB; ask for fewer channels or snapshots, "
          + "or raise the memory limit")
    }
  }
}

extension Attribution {
  fileprivate func renamed(_ name: String) -> Attribution {
    Attribution(name: name, tensor: tensor, axes: axes, range: range)
  }
}
