public import VitrineCore
import VitrineTensor

/// Where the score stays high when random parts of the input are hidden.
///
/// Source: Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models"
/// (BMVC 2018), eq. 6: S(λ) = 1 / (p · N) · Σ_i F(x ⊙ M_i) · M_i(λ), with N random masks M_i whose mean
/// is p. What a mask hides shows the filling: x ⊙ M + fill ⊙ (1 − M).
///
/// It needs no gradients: any model that can be evaluated will do. If a model has several real inputs,
/// each mask covers all of them, every input with places of its own.
public struct RISE: Explainer {
  public static let method = Method(
    identifier: "rise",
    summary: "Where the score stays high when random parts of the input are hidden.",
    paper: "Petsiuk, Das, Saenko: RISE: Randomized Input Sampling for Explanation of Black-box "
      + "Models, 2018",
    requirement: .evaluation,
    options: [
      Option(
        "samples", .integer(1...10_000_000), default: "4000", unit: "masks",
        help: "Number of masks: the noise falls with its square root."),
      Option(
        "grid", .integer(1...1024), default: "7", unit: "cells",
        help: "Cells of a mask along each side of a picture or signal; a table is masked column by "
          + "column."),
      Option(
        "keep", .number(0.01...0.99), default: "0.5",
        help: "Probability that a cell is left as it is."),
      Option(
        "fill", .baseline, default: "0",
        help:
          "What hidden parts show, as numbers the model sees; colours and files are prepared as "
          + "the input is."),
      Option(
        "seed", .integer(0...Int.max), default: nil,
        help: "Seed of the masks; by default that of the run."),
    ],
    claims: [.linearity, .implementationInvariance])

  /// Number of masks: N.
  public let samples: Int
  /// Cells of a mask along each side of a picture or signal.
  public let grid: Int
  /// Probability that a cell is left as it is: p.
  public let keep: Double
  /// What hidden parts show.
  public let fill: Baseline
  /// Seed of the masks; `nil` for that of the run.
  public let seed: UInt64?

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` for numbers that the manifest
  ///   does not allow.
  public init(
    samples: Int = 4000, grid: Int = 7, keep: Double = 0.5, fill: Baseline = .constant(0),
    seed: UInt64? = nil
  ) throws(CoreError) {
    // The manifest has the ranges: it decodes what it is given here as well.
    _ = try Options(
      [("samples", "\(samples)"), ("grid", "\(grid)"), ("keep", "\(keep)")], for: Self.method)
    self.samples = samples
    self.grid = grid
    self.keep = keep
    self.fill = fill
    self.seed = seed
  }

  public init(options: Options) throws {
    try self.init(
      samples: options.integer("samples"), grid: options.integer("grid"),
      keep: options.number("keep"), fill: options.baseline("fill"),
      seed: options.optionalInteger("seed").map { UInt64($0) })
  }

  /// Returns the mean score of the masks that leave an element as it is.
  ///
  /// - Returns: For each real input one attribution in units of the score, with the input's shape: a value
  ///   repeats along the axes that masks do not tell apart, such as channels. Diagnostics hold the number
  ///   of masks, their cells, and the standard error of the map for each sample: the root of its mean
  ///   square over the elements.
  /// - Throws: `CoreError.notFinite(_:)` for a score that overflows; what the model throws.
  /// - Complexity: One forward pass, and one for each sample and mask; memory of a few inputs and 8 bytes
  ///   for each sample and mask.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    try context.checkCancellation()
    let real = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let output = try model.evaluate(inputs, observing: [target.site])[0]
    let whole = try target.objective.values(of: output)
    guard whole.allSatisfy(\.isFinite) else { throw CoreError.notFinite("the explained score") }

    // One stream of random numbers for each input, none of which depends on the samples of the batch.
    var seeds = RandomGenerator(seed: seed ?? context.seed)
    let covers = try real.ports.map { port in
      guard let input = inputs[port.name] else {
        throw CoreError.inputCount(expected: real.ports.map(\.name), found: inputs.tensors.count)
      }
      return try Cover(
        input, at: port,
        fill: try fill.tensor(for: input, at: port, context: context),
        masks: Masks(over: input.shape, at: port, grid: grid, keep: keep, seed: seeds.next()))
    }

    let scores = try model.scores(
      of: target.objective, at: inputs, variants: samples, context: context
    ) { index, samples, original in
      var masked = original
      for cover in covers {
        masked = masked.replacing(cover.name, with: try cover.masked(index, samples: samples))
      }
      return masked
    }

    let maps = try covers.map { try $0.map(of: scores, keep: keep, context) }
    var diagnostics: [(name: String, value: Explanation.Diagnostic)] = [
      ("masks", .number(Double(samples)))
    ]
    for (cover, map) in zip(covers, maps) {
      let prefix = covers.count > 1 ? cover.name + "-" : ""
      diagnostics.append((prefix + "cells", .numbers(cover.masks.cells.map { Double($0) })))
      diagnostics.append((prefix + "standard-error", .numbers(map.standardErrors)))
    }
    let type: DataType = output.dataType == .float64 ? .float64 : .float32
    return Explanation(
      method: Self.method.identifier,
      attributions: try real.attributions(
        of: maps.map { $0.tensor.converted(to: type) }, range: .signed),
      explained: Explained(target, values: whole), diagnostics: diagnostics,
      warnings: model.signature.inputs.filter { !$0.dataType.isFloatingPoint }.map {
        "Input '\($0.name)' holds \($0.dataType) numbers, which cannot be faded: it is left out."
      })
  }
}
