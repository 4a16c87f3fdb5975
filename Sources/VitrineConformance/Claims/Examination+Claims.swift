import VitrineCore
import VitrineTensor

extension Examination {
  /// Checks the axioms that a method claims, each on tables and on pictures, and with the default baseline
  /// and another one where the method has an option for it.
  mutating func check(_ claims: Set<Claim>, on cases: [Conformance.Case]) {
    for claim in Claim.allCases where claims.contains(claim) {
      var isExamined = false
      for trial in settings.flatMap({ trials(of: claim, with: $0, on: cases) }) {
        do {
          let breach = try trial.breach()
          isExamined = true
          if let breach { report(Law(claim), trial.subject, breach) }
        } catch let error as CoreError where error.meansNotApplicable {
        } catch {
          isExamined = true
          report(
            Law(claim), trial.subject,
            "expected one number for each input element, found: \(error)")
        }
      }
      if !isExamined {
        report(Law(claim), "expected at least one model on which to examine the claim, found none")
      }
    }
  }

  /// The options given, and the same with a baseline that is not zero.
  private var settings: [[String: String]] {
    guard let option = baselineOption, options[option.name] == nil else { return [options] }
    return [options, options.merging([option.name: "0.25"]) { $1 }]
  }

  private var baselineOption: Option? { method.options.first { $0.kind == .baseline } }

  private func trials(
    of claim: Claim, with options: [String: String], on cases: [Conformance.Case]
  ) -> [Trial] {
    guard let explainer = try? type.init(options) else { return [] }
    let claimant = Claimant(
      explainer: explainer,
      baseline: baselineOption.flatMap { Baseline(options[$0.name] ?? $0.defaultText ?? "0") }
        ?? .constant(0))
    let suffix = options == self.options ? "" : ", another baseline"
    var trials = ClaimModels.all.map { models in
      Trial(subject: models.name + suffix) { try claimant.breach(of: claim, on: models) }
    }
    if claim == .completeness {
      trials += cases.map { subject in
        Trial(subject: subject.name + suffix) {
          try claimant.incompleteness(on: subject.model, subject.inputs, Claimant.quadratureError)
        }
      }
    }
    return trials
  }
}

/// One model to see a claim on; `breach` returns what is wrong, or `nil`.
private struct Trial {
  let subject: String
  let breach: () throws -> String?
}

/// A result whose size does not fit the input.
private struct UnfitResult: Error, CustomStringConvertible {
  let description: String
}

/// An explainer that claims to obey an axiom.
private struct Claimant {
  /// Share of Σ|A_i| by which a quadrature may miss F(x) − F(x'): the 5 % of Sundararajan, Taly, Yan (2017),
  /// §5. Their sum of 50 terms misses 2 % where F is quadratic.
  static let quadratureError = 0.05
  /// Relative error of what is exact but for rounding: some hundred roundings to single precision.
  static let rounding = 1e-5

  let explainer: any Explainer
  let baseline: Baseline

  func breach(of claim: Claim, on models: ClaimModels) throws -> String? {
    switch claim {
    case .completeness:
      let input = try models.batch(models.samples)
      return try incompleteness(
        on: models.linear, Inputs(input, for: models.linear), Self.rounding)
    case .sensitivity: return try insensitivity(on: models)
    case .dummy: return try dependenceOnUnused(on: models)
    case .linearity: return try nonlinearity(on: models)
    case .implementationInvariance: return try dependenceOnImplementation(on: models)
    case .symmetry: return try asymmetry(on: models)
    }
  }

  /// Returns the attribution of each feature, one list for each sample.
  private func attributions(
    of model: AnalyticModel, at input: Tensor
  ) throws -> [[Double]] {
    let explanation = try explainer.explain(
      model, at: Inputs(input, for: model), target: .top, context: Context(seed: 7))
    return try numbers(explanation.attribution.tensor, like: input)
  }

  /// Returns a tensor's numbers sample by sample.
  private func numbers(_ tensor: Tensor, like input: Tensor) throws -> [[Double]] {
    guard tensor.count == input.count else {
      throw UnfitResult(description: "shape \(tensor.shape) for an input \(input.shape)")
    }
    let numbers = try tensor.converted(to: .float64).elements(of: Double.self)
    let count = numbers.count / max(input.rowCount, 1)
    return (0..<input.rowCount).map { Array(numbers[$0 * count..<($0 + 1) * count]) }
  }

  private func baseline(for input: Tensor, of model: any Model) throws -> Tensor {
    try baseline.tensor(for: input, at: model.signature.inputs[0], context: Context())
  }
}

// MARK: - The axioms

extension Claimant {
  func incompleteness(
    on model: any Differentiable, _ inputs: Inputs, _ tolerance: Double
  ) throws -> String? {
    let context = Context(seed: 7)
    let ports = try model.realInputs().ports
    let explanation = try explainer.explain(model, at: inputs, target: .top, context: context)
    guard explanation.attributions.count >= ports.count else {
      throw UnfitResult(
        description: "\(explanation.attributions.count) attributions of \(ports.count) inputs")
    }
    let objective = try model.resolve(.top, at: inputs, context: context).objective
    func scores(_ inputs: Inputs) throws -> [Double] {
      try objective.values(of: model.evaluate(inputs, observing: [objective.site])[0])
    }
    var absent = inputs
    var rows: [[Double]] = []
    for (port, attribution) in zip(ports, explanation.attributions) {
      guard let input = inputs[port.name] else { continue }
      absent = absent.replacing(
        port.name, with: try baseline.tensor(for: input, at: port, context: context))
      let parts = try numbers(attribution.tensor, like: input)
      rows = rows.isEmpty ? parts : zip(rows, parts).map { $0 + $1 }
    }
    for (row, (present, absent)) in zip(rows, zip(try scores(inputs), try scores(absent))) {
      let gap = row.reduce(0, +) - (present - absent)
      if !(gap.magnitude <= tolerance * max(row.magnitude, (present - absent).magnitude)) {
        return "expected a sum of F(x) - F(x') = \(present - absent), found \(row.reduce(0, +))"
      }
    }
    return nil
  }

  private func insensitivity(on models: ClaimModels) throws -> String? {
    let origin = try models.batch([[Double](repeating: 0, count: models.count)])
    let start = try numbers(baseline(for: origin, of: models.linear), like: origin)[0]
    let model = models.saturating(above: start)
    // The first, the last and one in between: a sample for each, in which it alone has its effect.
    let features = [0, models.count / 2, models.count - 1]
    let input = try models.batch(
      features.map { i in start.indices.map { start[$0] + ($0 == i ? 2 : 0) } })
    // A baseline made from the input is not one from which the input differs in one feature.
    guard try baseline(for: input, of: model) == models.batch(features.map { _ in start }) else {
      throw CoreError.notApplicable("the baseline depends on the input")
    }
    for (i, row) in zip(features, try attributions(of: model, at: input)) {
      if !(row[i].magnitude > Self.rounding) {
        return "expected a number for feature \(i), which alone raises the score, found \(row[i])"
      }
    }
    return nil
  }

  private func dependenceOnUnused(on models: ClaimModels) throws -> String? {
    let unused = models.count / 2
    let rows = try attributions(
      of: models.ignoring(unused), at: models.batch(models.samples))
    for row in rows where !(row[unused].magnitude <= Self.rounding * row.magnitude) {
      return "expected 0 for feature \(unused), on which the score does not depend, "
        + "found \(row[unused])"
    }
    return nil
  }

  private func nonlinearity(on models: ClaimModels) throws -> String? {
    let input = try models.batch(models.samples)
    let (a, b) = ClaimModels.factors
    let first = try attributions(of: models.sum(1, 0), at: input)
    let second = try attributions(of: models.sum(0, 1), at: input)
    let expected = zip(first, second).map { zip($0, $1).map { a * $0 + b * $1 } }
    let found = try attributions(of: models.sum(a, b), at: input)
    return difference(of: found, from: expected).map {
      "expected \(a) A(F) + \(b) A(G) for \(a) F + \(b) G, found a difference of \($0)"
    }
  }

  private func dependenceOnImplementation(on models: ClaimModels) throws -> String? {
    let input = try models.batch(models.samples)
    let (one, other) = models.equivalents
    return difference(
      of: try attributions(of: other, at: input), from: try attributions(of: one, at: input)
    ).map {
      "expected the same for a network written in two ways, found a difference of \($0)"
    }
  }

  private func asymmetry(on models: ClaimModels) throws -> String? {
    let (i, j) = (0, models.count / 2 - 1)
    let input = try models.batch(
      models.samples.map { sample in sample.indices.map { sample[$0 == j ? i : $0] } })
    let start = try numbers(baseline(for: input, of: models.linear), like: input)
    guard start.allSatisfy({ $0[i] == $0[j] }) else {
      throw CoreError.notApplicable("the baseline is not symmetric")
    }
    for row in try attributions(of: models.symmetric(in: i, j), at: input)
    where !((row[i] - row[j]).magnitude <= Self.rounding * row.magnitude) {
      return "expected the same for features \(i) and \(j), in which the score is symmetric, "
        + "found \(row[i]) and \(row[j])"
    }
    return nil
  }

  /// Returns the largest relative difference of a sample, or `nil` if it is rounding.
  private func difference(of found: [[Double]], from expected: [[Double]]) -> Double? {
    let largest = zip(found, expected).map { found, expected in
      let norm = max(found.magnitude, expected.magnitude)
      let difference = zip(found, expected).map { $0 - $1 }.magnitude
      return norm > 0 ? difference / norm : difference
    }
    return largest.first { !($0 <= Self.rounding) }
  }
}

extension [Double] {
  /// Σ|a_i|
  fileprivate var magnitude: Double { reduce(0) { $0 + $1.magnitude } }
}
