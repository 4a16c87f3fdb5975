import VitrineCore

/// What a reader must know about the quadrature and the baseline.
struct Account {
  let path: Path
  /// Σ − (F(x) − F(x')), one for each sample.
  let gaps: [Double]
  /// One for all samples, or one for each.
  let steps: [Int]
  let evaluations: [Int]
  let estimates: [Double]

  /// A baseline whose score is more than this share of the input's is no absence.
  private static let absenceShare = 0.1

  init(_ path: Path, gaps: [Double], steps: [Int], evaluations: [Int], estimates: [Double]) {
    self.path = path
    self.gaps = gaps
    self.steps = steps
    self.evaluations = evaluations
    self.estimates = estimates
  }

  /// |gap| as a share of |F(x) − F(x')|; 0 if both are zero.
  private var relativeGaps: [Double] {
    zip(gaps, path.differences).map { gap, difference in
      gap == 0 ? 0 : (gap / difference).magnitude
    }
  }

  var diagnostics: [(name: String, value: Explanation.Diagnostic)] {
    var list = [
      ("baseline-score", numbers(path.baselineScores)),
      ("completeness-gap", numbers(gaps)),
      ("relative-gap", numbers(relativeGaps)),
      ("steps", numbers(steps.map(Double.init))),
      ("gradient-evaluations", numbers(evaluations.map(Double.init))),
    ]
    if !estimates.isEmpty { list.append(("error-estimate", numbers(estimates))) }
    return list
  }

  func warnings(tolerance: Double) -> [String] {
    var warnings: [String] = []
    let present = path.scores.indices.filter {
      path.baselineScores[$0].magnitude > Self.absenceShare * path.scores[$0].magnitude
    }
    if let n = present.first {
      warnings.append(
        "The baseline is not an absence: its score is \(rounded(path.baselineScores[n])), more than "
          + "10 % of the input's \(rounded(path.scores[n]))\(others(present)). Attributions explain "
          + "the difference; choose another baseline to explain the score.")
    }
    let open = relativeGaps.indices.filter { tolerance > 0 && relativeGaps[$0] > tolerance }
    if let n = open.first {
      let steps = steps[steps.indices.contains(n) ? n : 0]
      warnings.append(
        "After \(steps) steps the sum of the attributions still misses F(x) - F(x') by "
          + "\(rounded(relativeGaps[n] * 100)) %, more than the tolerance of "
          + "\(rounded(tolerance * 100)) %\(others(open)). Raise maximum-steps, or compute with more "
          + "precision.")
    }
    return warnings
  }

  /// Says which samples are meant, where there are several.
  private func others(_ samples: [Int]) -> String {
    guard path.scores.count > 1 else { return "" }
    let names = samples.prefix(8).map(String.init).joined(separator: ", ")
    return " (samples \(names)\(samples.count > 8 ? ", …" : ""); the numbers are of the first)"
  }

  private func numbers(_ list: [Double]) -> Explanation.Diagnostic {
    list.count == 1 ? .number(list[0]) : .numbers(list)
  }

  /// Four decimals are enough for a sentence.
  private func rounded(_ number: Double) -> Double { (number * 1e4).rounded() / 1e4 }
}
