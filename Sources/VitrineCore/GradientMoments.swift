public import VitrineTensor

/// Mean and variance of an objective's gradients over many variants of the inputs.
///
/// Both are `float64`. The variance is that of the variants themselves, E[g²] − E[g]², with no
/// correction for their number, so that E[g²] is the mean's square plus the variance.
public struct GradientMoments: Sendable {
  /// E[g], one tensor of the site's shape for each site.
  public let means: [Tensor]
  /// E[g²] − E[g]², likewise.
  public let variances: [Tensor]
}

extension Differentiable {
  /// Returns mean and variance of an objective's gradients over variants of the inputs.
  ///
  /// As many variants go into one call as ``Context/memoryLimit`` lets and the model takes: see
  /// ``Model/takesBatches``. However they are cut into calls, a sample's gradients are taken in the order
  /// of the variants and in double precision (Welford, "Note on a method for calculating corrected
  /// sums of squares and products", Technometrics 1962), so that the result does not depend on it.
  ///
  /// - Parameters:
  ///   - objective: For the batch `inputs`.
  ///   - sites: What to differentiate with respect to.
  ///   - inputs: One tensor per input.
  ///   - count: Number of variants, at least 1.
  ///   - context: Told the number of gradients done; asked between calls whether to stop.
  ///   - variant: Returns variant `index` of some of the samples, given as their range in the batch and
  ///     their inputs: tensors of the same shapes with other elements. Called in ascending order of
  ///     `index`, then of the samples.
  /// - Throws: As ``gradients(of:withRespectTo:at:rules:)``; what `variant` throws;
  ///   ``CoreError/cancelled``.
  /// - Complexity: One forward and one backward pass for each sample and variant; memory that does not
  ///   depend on `count`.
  public func gradientMoments(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, variants count: Int,
    context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> GradientMoments {
    let limit = RowLimit(self, at: inputs, memoryLimit: context.memoryLimit)
    // A model that takes no batches gets its inputs whole: they count as one sample here.
    let samples = limit.samples ?? 1
    let total = samples * count
    let originals = try limit.samples.map { try (0..<$0).map { try inputs.rows([$0]) } }
    var sums: [RunningMoments] = []
    for start in stride(from: 0, to: total, by: limit.rows) {
      try context.checkCancellation()
      let rows = start..<min(start + limit.rows, total)
      let members = rows.map { $0 % samples }
      let changed = try rows.map { row in
        let member = row % samples
        let range = limit.samples == nil ? 0..<inputs.sampleCount : member..<member + 1
        return try variant(row / samples, range, originals?[member] ?? inputs)
      }
      let batch =
        changed.count == 1
        ? changed[0]
        : Inputs(
          try inputs.tensors.map { name, _ in
            (name, try Tensor.concatenation(of: changed.compactMap { $0[name] }, axis: 0))
          })
      let isSplit = limit.samples != nil
      let result = try gradients(
        of: isSplit ? objective.selecting(members, of: samples) : objective,
        withRespectTo: sites, at: batch, rules: .gradient)
      if sums.isEmpty {
        sums = try zip(sites, result.tensors).map { site, gradient in
          try RunningMoments(site, like: gradient, samples: limit.samples)
        }
      }
      for (index, gradient) in result.tensors.enumerated() where sums.indices.contains(index) {
        try sums[index].add(gradient, rows, samples: samples)
      }
      context.progress(rows.upperBound, of: total, "gradients")
    }
    return GradientMoments(means: sums.map(\.mean), variances: try sums.map { try $0.variance })
  }
}

extension Inputs {
  /// Extent of the first axis of the first tensor.
  fileprivate var sampleCount: Int { tensors.first?.value.shape.dimensions.first ?? 1 }
}

/// Mean and sum of squared deviations of each element, in double precision, taken in one by one.
private struct RunningMoments {
  private(set) var mean: Tensor
  private var deviations: Tensor
  private let site: Site
  /// Shape of one row of a gradient; of the whole where samples are not told apart.
  private let rowShape: [Int]
  private let isSplit: Bool
  private var count = 0

  init(_ site: Site, like gradient: Tensor, samples: Int?) throws {
    self.site = site
    isSplit = samples != nil
    rowShape = isSplit ? Array(gradient.shape.dimensions.dropFirst()) : gradient.shape.dimensions
    mean = Tensor(zeros: try Shape((samples.map { [$0] } ?? []) + rowShape), .float64)
    deviations = mean
  }

  var variance: Tensor {
    get throws { try deviations.divided(by: Double(max(count, 1))) }
  }

  /// Takes in the gradients of rows: row r is variant r / samples of sample r % samples.
  mutating func add(_ gradient: Tensor, _ rows: Range<Int>, samples: Int) throws {
    // It comes from a model we do not know, and its elements are read unchecked below.
    let expected = (isSplit ? [rows.count] : []) + rowShape
    guard gradient.shape.dimensions == expected else {
      throw CoreError.shapeMismatch(
        what: "gradient of \(site)", expected: expected, found: gradient.shape.dimensions)
    }
    if gradient.dataType == .float64 {
      try add(Double.self, gradient, rows, samples)
    } else {
      try add(Float.self, gradient.converted(to: .float32), rows, samples)
    }
    count = rows.upperBound / samples
  }

  private mutating func add<T: Scalar & BinaryFloatingPoint>(
    _ type: T.Type, _ gradient: Tensor, _ rows: Range<Int>, _ samples: Int
  ) throws {
    let size = gradient.count / max(rows.count, 1)
    try mean.withMutableElements(of: Double.self) { mean in
      try deviations.withMutableElements(of: Double.self) { deviations in
        try gradient.withElements(of: T.self) { source in
          for (index, row) in rows.enumerated() {
            let share = 1 / Double(row / samples + 1)
            let target = row % samples * size
            for i in 0..<size {
              let value = Double(source[index * size + i])
              let before = value - mean[target + i]
              mean[target + i] += before * share
              deviations[target + i] += before * (value - mean[target + i])
            }
          }
        }
      }
    }
  }
}
