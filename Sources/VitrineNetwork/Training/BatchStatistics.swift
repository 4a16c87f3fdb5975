package import VitrineTensor

/// Batch normalisation while training: the batch's own mean and variance take the place of stored ones.
///
/// Inputs `X` of shape `[batch, channel, …]`, `scale` and `B` of shape `[channel]`; outputs `Y`, and the
/// batch's mean and variance, `[channel]` each. The variance is the mean squared distance from the mean.
/// Source: Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
/// Covariate Shift" (ICML 2015), algorithm 1.
package struct BatchStatisticsNormalization: Operator {
  package let epsilon: Double

  package init(_ node: NodeReader) throws {
    epsilon = try node.real("epsilon", default: Double(Float(1e-5)))
  }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let inputs = try RealInputs(inputs, "X", "scale", "B")
    let layout = try Layout(inputs)
    let channel = try inputs.shape(1)
    return [
      ValueType(layout.input, .float32), ValueType(channel, .float32),
      ValueType(channel, .float32),
    ]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try Layout(RealInputs(inputs, "X", "scale", "B"))
    let scale = try inputs.required(1).elements(of: T.self)
    let bias = try inputs.required(2).elements(of: T.self)
    return try inputs.required(0).withElements(of: T.self) { x in
      let (means, variances) = layout.statistics(x)
      let result = Tensor(uninitialized: layout.input, of: T.self) { y in
        layout.forEachPlane { channel, plane in
          let factor = scale[channel] / (variances[channel] + T(epsilon)).squareRoot()
          let mean = means[channel]
          for i in plane { y[i] = (x[i] - mean) * factor + bias[channel] }
        }
      }
      return [result, Tensor(means), Tensor(variances)]
    }
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let layout = try Layout(RealInputs(point.inputs, "X", "scale", "B"))
    var results = [Tensor?](repeating: nil, count: 3)
    guard let cotangent = try point.cotangent(cotangents, of: layout.input) else { return results }
    let scale = try point.inputs.required(1).elements(of: T.self)
    let means = try point.outputs[1].elements(of: T.self)
    let reciprocals = try point.outputs[2].elements(of: T.self).map {
      1 / ($0 + T(epsilon)).squareRoot()
    }
    try cotangent.withElements(of: T.self) { g in
      try point.inputs.required(0).withElements(of: T.self) { x in
        // Per channel Σ g and Σ g · x̂.
        var sums = [Double](repeating: 0, count: means.count)
        var moments = sums
        layout.forEachPlane { channel, plane in
          var (sum, moment) = (0.0, 0.0)
          for i in plane {
            sum += Double(g[i])
            moment += Double(g[i] * (x[i] - means[channel]))
          }
          sums[channel] += sum
          moments[channel] += moment * Double(reciprocals[channel])
        }
        if point.wants(0) {
          let count = Double(layout.elementsPerChannel)
          let averages = sums.map { T($0 / count) }
          let slopes = zip(moments, reciprocals).map { T($0 / count) * $1 }
          results[0] = Tensor(uninitialized: layout.input, of: T.self) { target in
            layout.forEachPlane { channel, plane in
              let factor = scale[channel] * reciprocals[channel]
              for i in plane {
                target[i] =
                  factor * (g[i] - averages[channel] - (x[i] - means[channel]) * slopes[channel])
              }
            }
          }
        }
        if point.wants(1) { results[1] = Tensor(moments.map { T($0) }) }
        if point.wants(2) { results[2] = Tensor(sums.map { T($0) }) }
      }
    }
    return results
  }

  private struct Layout {
    let input: Shape
    private let channels: Int
    private let planeSize: Int

    var elementsPerChannel: Int { input.count / max(1, channels) }

    init(_ inputs: RealInputs) throws {
      input = try inputs.shape(0)
      guard input.rank >= 1, input.count > 0 else {
        throw OperatorError("expected an input [batch, channel, …] with elements, found \(input)")
      }
      channels = input.rank == 1 ? 1 : input[1]
      planeSize = input.dimensions.dropFirst(2).reduce(1, *)
      for (index, name) in [(1, "scale"), (2, "B")] {
        let shape = try inputs.shape(index)
        guard shape.dimensions == [channels] else {
          throw OperatorError("input '\(name)': expected shape [\(channels)], found \(shape)")
        }
      }
      guard input.count / channels > 1 else {
        throw OperatorError(
          "a batch of one value per channel has no variance: train with batches of two or more")
      }
    }

    /// Returns mean and variance of every channel, summed in double precision.
    @inline(__always)
    func statistics<T: RealScalar>(_ x: UnsafeBufferPointer<T>) -> (mean: [T], variance: [T]) {
      let count = Double(elementsPerChannel)
      var means = [Double](repeating: 0, count: channels)
      var variances = means
      forEachPlane { channel, plane in
        var sum = 0.0
        for i in plane { sum += Double(x[i]) }
        means[channel] += sum / count
      }
      forEachPlane { channel, plane in
        var sum = 0.0
        let mean = means[channel]
        for i in plane {
          let distance = Double(x[i]) - mean
          sum += distance * distance
        }
        variances[channel] += sum / count
      }
      return (means.map { T($0) }, variances.map { T($0) })
    }

    @inline(__always)
    func forEachPlane(_ body: (_ channel: Int, _ plane: Range<Int>) -> Void) {
      for plane in 0..<input.count / planeSize {
        body(plane % channels, plane * planeSize..<(plane + 1) * planeSize)
      }
    }
  }
}
