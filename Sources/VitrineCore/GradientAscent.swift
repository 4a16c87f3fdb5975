public import VitrineTensor

/// One step of gradient ascent: x ← (1 − d) (x + r g / (‖g‖₂/√n + 1e-8)) for each sample of n elements, so
/// that every step is equally long whatever the scale of the network.
public struct AscentStep: Sendable, Hashable {
  /// r: the root mean square of the move, in units of the input.
  public let length: Double
  /// d: the share of the input that is taken away after the move, 0...1.
  public let decay: Double

  /// Creates a step; a decay outside 0...1 is taken for the nearer of them.
  ///
  /// - Parameters:
  ///   - length: The root mean square of the move, in units of the input.
  ///   - decay: The share of the input that is taken away after the move.
  public init(length: Double, decay: Double = 0) {
    self.length = length
    self.decay = min(max(decay, 0), 1)
  }

  /// Returns where a step leads.
  ///
  /// - Parameters:
  ///   - position: x, `float64`.
  ///   - direction: g, real numbers in the shape of `position`.
  ///   - batchAxis: The axis that counts samples; `nil` if all is one sample.
  /// - Returns: The next position, `float64`, in the same shape.
  /// - Throws: `TensorError` for other types, ``CoreError/shapeMismatch(what:expected:found:)``.
  /// - Complexity: O(`position.count`); in place if nobody else holds the position.
  public func moved(
    _ position: consuming Tensor, along direction: Tensor, batchAxis: Int?
  ) throws -> Tensor {
    guard direction.shape == position.shape else {
      throw CoreError.shapeMismatch(
        what: "direction of a step", expected: position.shape.dimensions,
        found: direction.shape.dimensions)
    }
    var rows = try SampleRows(position, batchAxis: batchAxis)
    let directions = try SampleRows(direction, batchAxis: batchAxis)
    if direction.dataType == .float32 {
      try rows.move(by: self, along: directions, Float.self)
    } else {
      try rows.move(by: self, along: directions, Double.self)
    }
    return try rows.restored()
  }

  /// Moves one sample, its direction given.
  fileprivate func move<Element: BinaryFloatingPoint & SIMDScalar>(
    _ sample: Slice<UnsafeMutableBufferPointer<Double>>,
    along direction: Slice<UnsafeBufferPointer<Element>>
  ) {
    let sample = UnsafeMutableBufferPointer(rebasing: sample)
    let direction = UnsafeBufferPointer(rebasing: direction)
    // Sums of every eighth element, in an order that depends on nothing but n.
    var sums = SIMD8<Double>.zero
    let whole = direction.count & ~7
    for start in stride(from: 0, to: whole, by: 8) {
      for lane in 0..<8 {
        let element = Double(direction[start + lane])
        sums[lane] += element * element
      }
    }
    for i in whole..<direction.count { sums[0] += Double(direction[i]) * Double(direction[i]) }
    let divisor = sums.sum().squareRoot() / Double(max(direction.count, 1)).squareRoot() + 1e-8
    let kept = 1 - decay
    for i in sample.indices {
      sample[i] = (sample[i] + length * (Double(direction[i]) / divisor)) * kept
    }
  }
}

/// Where an ascent has come: the result of ``Differentiable/ascend(_:from:at:by:count:context:)``.
public struct AscentResult: Sendable {
  /// The inputs that moved, after the last step: `float64` tensors in the order in which they were given.
  public private(set) var positions: [Tensor]
  /// For each step that was taken the objective of each sample before it; fewer than were asked for if a
  /// gradient vanished.
  public private(set) var values: [[Double]]
  /// The type in which the model computes; `nil` if no step was taken.
  public private(set) var dataType: DataType?

  /// Creates the result of a model.
  ///
  /// - Parameters:
  ///   - positions: The inputs that moved, `float64`, in the shapes in which they were given.
  ///   - values: For each step the objective of each sample before it.
  ///   - dataType: The type in which the model computes; `nil` if no step was taken.
  public init(positions: [Tensor], values: [[Double]], dataType: DataType?) {
    self.positions = positions
    self.values = values
    self.dataType = dataType
  }

  /// Creates the result of no steps.
  package init(at positions: [Tensor]) {
    self.init(
      positions: positions.map { $0.converted(to: .float64) }, values: [], dataType: nil)
  }

  /// Puts the samples of several results together that are equally many steps long; batch axis first.
  package init(joining parts: [AscentResult]) throws {
    self = parts.first ?? AscentResult(at: [])
    guard parts.count > 1 else { return }
    positions = try positions.indices.map { index in
      try Tensor.concatenation(of: parts.map { $0.positions[index] }, axis: 0)
    }
    values = values.indices.map { step in parts.flatMap { $0.values[step] } }
  }

  /// Takes a step along gradients, unless that of a sample is zero.
  ///
  /// - Parameters:
  ///   - gradients: One for each position, in its shape.
  ///   - batchAxes: For each position the axis that counts samples; `nil` where all is one sample.
  /// - Returns: Whether the step was taken.
  /// - Throws: ``CoreError/notFinite(_:)`` for an objective, ``CoreError/shapeMismatch(what:expected:found:)``
  ///   for a gradient.
  package mutating func take(
    _ step: AscentStep, along gradients: [Tensor], of objective: Objective, worth values: [Double],
    batchAxes: [Int?]
  ) throws -> Bool {
    guard values.allSatisfy(\.isFinite) else {
      throw CoreError.notFinite("the objective at \(objective.site)")
    }
    // They may come from a model we do not know.
    guard gradients.map(\.shape) == positions.map(\.shape) else {
      throw CoreError.shapeMismatch(
        what: "gradient of the inputs", expected: positions.flatMap(\.shape.dimensions),
        found: gradients.flatMap(\.shape.dimensions))
    }
    let directions = try zip(gradients, batchAxes).map { try SampleRows($0, batchAxis: $1) }
    let samples = directions.map(\.count).max() ?? 0
    let vanishes = try (0..<samples).contains { n in
      try directions.allSatisfy { try $0.isZero(n) }
    }
    if vanishes { return false }
    for (index, gradient) in gradients.enumerated() {
      let position = positions[index]
      // Nobody else holds it while it moves.
      positions[index] = Tensor(scalar: 0.0)
      positions[index] = try step.moved(position, along: gradient, batchAxis: batchAxes[index])
    }
    self.values.append(values)
    dataType = gradients.first?.dataType
    return true
  }
}

/// A tensor with one row for each sample.
private struct SampleRows {
  let count: Int
  private let batchAxis: Int
  private var tensor: Tensor

  init(_ tensor: Tensor, batchAxis: Int?) throws {
    let axis = batchAxis.flatMap { $0 < tensor.rank ? $0 : nil }
    count = axis.map { tensor.shape[$0] } ?? 1
    self.batchAxis = axis ?? 0
    self.tensor =
      self.batchAxis == 0
      ? tensor
      : try tensor.transposed(
        axes: [self.batchAxis] + (0..<tensor.rank).filter { $0 != axis })
  }

  private func range(_ sample: Int) -> Range<Int> {
    let size = tensor.count / max(count, 1)
    return sample * size..<(sample + 1) * size
  }

  /// Whether a sample's row is zero; a single row belongs to all samples.
  func isZero(_ sample: Int) throws -> Bool {
    guard sample < count || count == 1 else { return true }
    let range = range(count == 1 ? 0 : sample)
    return tensor.dataType == .float32
      ? try tensor.withElements(of: Float.self) { $0[range].allSatisfy { $0 == 0 } }
      : try tensor.withElements(of: Double.self) { $0[range].allSatisfy { $0 == 0 } }
  }

  mutating func move<Element: Scalar & BinaryFloatingPoint & SIMDScalar>(
    by step: AscentStep, along direction: SampleRows, _ type: Element.Type
  ) throws {
    let ranges = (0..<count).map(range)
    try tensor.withMutableElements(of: Double.self) { elements in
      try direction.tensor.withElements(of: Element.self) { directions in
        for range in ranges { step.move(elements[range], along: directions[range]) }
      }
    }
  }

  /// Returns the tensor with the axes as they were.
  func restored() throws -> Tensor {
    guard batchAxis > 0 else { return tensor }
    return try tensor.transposed(
      axes: (0..<tensor.rank).map { $0 == batchAxis ? 0 : $0 < batchAxis ? $0 + 1 : $0 })
  }
}

extension Differentiable {
  public func ascend(
    _ objective: Objective, from positions: Inputs, at inputs: Inputs, by step: AscentStep,
    count: Int, context: Context
  ) throws -> AscentResult {
    let batchAxes = try ascentAxes(from: positions, at: inputs)
    let sites = positions.tensors.map { Site.input($0.name) }
    var result = AscentResult(at: positions.tensors.map(\.value))
    while result.values.count < count {
      try context.checkCancellation()
      var point = inputs
      for ((name, _), position) in zip(positions.tensors, result.positions) {
        let type = result.dataType ?? inputs[name]?.dataType ?? .float32
        point = point.replacing(name, with: position.converted(to: type))
      }
      let found = try gradients(of: objective, withRespectTo: sites, at: point, rules: .gradient)
      guard
        try result.take(
          step, along: found.tensors, of: objective, worth: found.values, batchAxes: batchAxes)
      else { break }
      context.progress(result.values.count, of: count, "steps")
    }
    return result
  }

  /// Checks where an ascent starts.
  ///
  /// - Returns: For each position the axis that counts samples.
  /// - Throws: ``CoreError/inputCount(expected:found:)`` for a name that is no input's,
  ///   ``CoreError/shapeMismatch(what:expected:found:)``.
  package func ascentAxes(from positions: Inputs, at inputs: Inputs) throws -> [Int?] {
    try positions.tensors.map { name, position in
      guard let input = inputs[name], let port = signature.inputs.first(where: { $0.name == name })
      else {
        throw CoreError.inputCount(
          expected: inputs.tensors.map(\.name), found: positions.tensors.count)
      }
      guard input.shape == position.shape else {
        throw CoreError.shapeMismatch(
          what: "start of input '\(name)'", expected: input.shape.dimensions,
          found: position.shape.dimensions)
      }
      return port.batchAxis
    }
  }
}
