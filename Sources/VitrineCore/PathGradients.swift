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
    try pathGradientsCallByCall(
      of: objective, from: baselines, to: inputs, at: points, withRespectTo: sites,
      context: context)
  }

  /// The default of ``pathGradients(of:from:to:at:withRespectTo:context:)``, for models that override it
  /// and cannot do better for some inputs.
  package func pathGradientsCallByCall(
    of objective: Objective, from baselines: Inputs, to inputs: Inputs, at points: [PathPoint],
    withRespectTo sites: [Site], context: Context
  ) throws -> [Tensor] {
    let lines = try baselines.tensors.map { name, baseline in
      guard let input = inputs[name] else {
        throw CoreError.inputCount(
          expected: inputs.tensors.map(\.name), found: baselines.tensors.count)
      }
      return try StraightLine(name, from: baseline, to: input)
    }
    return try summedGradients(
      of: objective, withRespectTo: sites, at: inputs, weights: points.map(\.weight),
      context: context
    ) { rows, samples in
      var batch = samples == nil ? inputs : try inputs.rows(rows.map(\.sample))
      for line in lines {
        batch = batch.replacing(
          line.name,
          with: try line.points(
            rows.map { (sample: $0.sample, fraction: points[$0.index].fraction) },
            samples: samples))
      }
      return batch
    }
  }
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
  func points(_ rows: [(sample: Int, fraction: Double)], samples: Int?) throws -> Tensor {
    let dimensions =
      samples == nil ? shape.dimensions : [rows.count] + shape.dimensions.dropFirst()
    let count = shape.count / (samples ?? 1)
    let target = try Shape(dimensions)
    return dataType == .float64
      ? try points(Double.self, rows, target, count: count)
      : try points(Float.self, rows, target, count: count)
  }

  private func points<T: Scalar & BinaryFloatingPoint>(
    _ type: T.Type, _ rows: [(sample: Int, fraction: Double)], _ shape: Shape, count: Int
  ) throws -> Tensor {
    try start.withElements(of: Double.self) { start in
      try direction.withElements(of: Double.self) { direction in
        Tensor(uninitialized: shape, of: T.self) { target in
          for (row, member) in rows.enumerated() {
            let fraction = member.fraction
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
