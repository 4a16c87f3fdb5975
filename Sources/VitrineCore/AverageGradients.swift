public import VitrineTensor

extension Differentiable {
  public func averageGradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, weights: [Double],
    context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [Tensor] {
    try averageGradientsCallByCall(
      of: objective, withRespectTo: sites, at: inputs, weights: weights, context: context,
      variant: variant)
  }

  /// The default of ``averageGradients(of:withRespectTo:at:weights:context:variant:)``, for models that
  /// override it and cannot do better for some inputs.
  package func averageGradientsCallByCall(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, weights: [Double],
    context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [Tensor] {
    try summedGradients(
      of: objective, withRespectTo: sites, at: inputs, weights: weights, context: context
    ) { rows, samples in
      guard samples != nil else {
        let count = inputs.tensors.first?.value.shape.dimensions.first ?? 1
        return try variant(rows[0].index, 0..<count, inputs)
      }
      let changed = try rows.map {
        try variant($0.index, $0.sample..<$0.sample + 1, inputs.rows([$0.sample]))
      }
      if changed.count == 1 { return changed[0] }
      return Inputs(
        try inputs.tensors.map { name, _ in
          (name, try Tensor.concatenation(of: changed.compactMap { $0[name] }, axis: 0))
        })
    }
  }

  /// Returns Σ_k w_k ∂F/∂y for each sample, sample after sample, k ascending, with as many rows in one
  /// call as memory lets and the model takes.
  ///
  /// - Parameter batch: Returns the inputs of some rows. Where samples are not told apart, their number
  ///   is `nil` and there is one row for all of them.
  func summedGradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, weights: [Double],
    context: Context, batch: (_ rows: [Row], _ samples: Int?) throws -> Inputs
  ) throws -> [Tensor] {
    let limit = RowLimit(self, at: inputs, memoryLimit: context.memoryLimit)
    // A model that takes no batches gets its inputs whole: they count as one sample here.
    let samples = limit.samples ?? 1
    var sums: [GradientSum] = []
    let total = samples * weights.count
    for start in stride(from: 0, to: total, by: limit.rows) {
      try context.checkCancellation()
      let rows = (start..<min(start + limit.rows, total)).map {
        let index = $0 % weights.count
        return Row(sample: $0 / weights.count, index: index, weight: weights[index])
      }
      let result = try gradients(
        of: limit.samples == nil
          ? objective : objective.selecting(rows.map(\.sample), of: samples),
        withRespectTo: sites, at: batch(rows, limit.samples), rules: .gradient)
      if sums.isEmpty {
        sums = try zip(sites, result.tensors).map { site, gradient in
          try GradientSum(site, like: gradient, rows: rows.count, samples: limit.samples)
        }
      }
      for (index, gradient) in result.tensors.enumerated() where sums.indices.contains(index) {
        try sums[index].add(gradient, rows)
      }
      context.progress(start + rows.count, of: total, "gradients")
    }
    return sums.map(\.tensor)
  }
}

/// One row of a batch: a sample with one of the terms of its sum.
struct Row {
  let sample: Int
  let index: Int
  let weight: Double
}

/// Σ_k w_k g_k for each sample, in double precision.
private struct GradientSum {
  private(set) var tensor: Tensor
  private let site: Site
  /// Shape of one row of a gradient; of the whole where samples are not told apart.
  private let rowShape: [Int]
  private let isSplit: Bool

  /// Starts at zero, with the shape that the first gradient lets expect.
  init(_ site: Site, like gradient: Tensor, rows: Int, samples: Int?) throws {
    self.site = site
    isSplit = samples != nil
    rowShape =
      samples == nil ? gradient.shape.dimensions : Array(gradient.shape.dimensions.dropFirst())
    tensor = Tensor(zeros: try Shape((samples.map { [$0] } ?? []) + rowShape), .float64)
  }

  /// Adds gradients of rows in their order.
  mutating func add(_ gradient: Tensor, _ rows: [Row]) throws {
    // It comes from a model we do not know, and its elements are read unchecked below.
    let expected = (isSplit ? [rows.count] : []) + rowShape
    guard gradient.shape.dimensions == expected else {
      throw CoreError.shapeMismatch(
        what: "gradient of \(site)", expected: expected, found: gradient.shape.dimensions)
    }
    if gradient.dataType == .float64 {
      try add(Double.self, gradient, rows)
    } else {
      try add(Float.self, gradient.converted(to: .float32), rows)
    }
  }

  private mutating func add<T: Scalar & BinaryFloatingPoint>(
    _ type: T.Type, _ gradient: Tensor, _ rows: [Row]
  ) throws {
    let count = gradient.count / max(rows.count, 1)
    try tensor.withMutableElements(of: Double.self) { sum in
      try gradient.withElements(of: T.self) { source in
        for (row, member) in rows.enumerated() {
          let weight = member.weight
          let target = member.sample * count
          for i in 0..<count { sum[target + i] += weight * Double(source[row * count + i]) }
        }
      }
    }
  }
}
