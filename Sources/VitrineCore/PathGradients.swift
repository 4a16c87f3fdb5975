public import VitrineTensor

/// A node of a quadrature along a path from a baseline to an input.
public struct PathPoint: Sendable, Hashable {
  /// How far from the baseline, 0...1.
  public let fraction: Double
  /// What the gradient there counts.
  public let weight: Double

  /// Creates a point.
  public init(fraction: Double, weight: Double) {
    self.fraction = fraction
    self.weight = weight
  }
}

extension Differentiable {
  public func pathGradients(
    of objective: Objective, from baselines: Inputs, to inputs: Inputs, at points: [PathPoint],
    withRespectTo sites: [Site], context: Context
  ) throws -> [Tensor] {
    let limit = RowLimit(self, at: inputs, memoryLimit: context.memoryLimit)
    let lines = try baselines.tensors.map { name, baseline in
      guard let input = inputs[name] else {
        throw CoreError.inputCount(
          expected: inputs.tensors.map(\.name), found: baselines.tensors.count)
      }
      return try StraightLine(name, from: baseline, to: input)
    }
    // A model that takes no batches gets its inputs whole: they count as one sample here.
    let samples = limit.samples ?? 1
    var sums: [GradientSum] = []
    let total = samples * points.count
    for start in stride(from: 0, to: total, by: limit.rows) {
      try context.checkCancellation()
      let rows = (start..<min(start + limit.rows, total)).map {
        Row(sample: $0 / points.count, point: points[$0 % points.count])
      }
      let members = rows.map(\.sample)
      let isSplit = limit.samples != nil
      var batch = isSplit ? try inputs.rows(members) : inputs
      for line in lines {
        batch = batch.replacing(
          line.name, with: try line.points(rows, samples: limit.samples))
      }
      let result = try gradients(
        of: isSplit ? objective.selecting(members, of: samples) : objective,
        withRespectTo: sites, at: batch, rules: .gradient)
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

/// One row of a batch: a sample at a point of its path.
private struct Row {
  let sample: Int
  let point: PathPoint
}

/// The path of one input: x' + α (x − x'), for a whole batch.
private struct StraightLine {
  let name: String
  private let shape: Shape
  private let dataType: DataType
  private let start: Tensor
  /// x − x'
  private let direction: Tensor

  init(_ name: String, from baseline: Tensor, to input: Tensor) throws {
    self.name = name
    guard baseline.shape == input.shape else {
      throw CoreError.shapeMismatch(
        what: "baseline of input '\(name)'", expected: input.shape.dimensions,
        found: baseline.shape.dimensions)
    }
    shape = input.shape
    dataType = baseline.dataType == .float64 ? .float64 : .float32
    start = baseline.converted(to: .float64)
    direction = try input.converted(to: .float64).subtracting(start)
  }

  /// Returns a batch of points, rounded once; of all samples together if they are not told apart.
  func points(_ rows: [Row], samples: Int?) throws -> Tensor {
    let dimensions =
      samples == nil ? shape.dimensions : [rows.count] + shape.dimensions.dropFirst()
    let count = shape.count / (samples ?? 1)
    let target = try Shape(dimensions)
    return dataType == .float64
      ? try points(Double.self, rows, target, count: count)
      : try points(Float.self, rows, target, count: count)
  }

  private func points<T: Scalar & BinaryFloatingPoint>(
    _ type: T.Type, _ rows: [Row], _ shape: Shape, count: Int
  ) throws -> Tensor {
    try start.withElements(of: Double.self) { start in
      try direction.withElements(of: Double.self) { direction in
        Tensor(uninitialized: shape, of: T.self) { target in
          for (row, member) in rows.enumerated() {
            let fraction = member.point.fraction
            let source = member.sample * count
            for i in 0..<count {
              target[row * count + i] = T(start[source + i] + fraction * direction[source + i])
            }
          }
        }
      }
    }
  }
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
          let weight = member.point.weight
          let target = member.sample * count
          for i in 0..<count { sum[target + i] += weight * Double(source[row * count + i]) }
        }
      }
    }
  }
}
