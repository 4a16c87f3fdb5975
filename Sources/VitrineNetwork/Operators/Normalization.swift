package import VitrineTensor

package enum Normalizations {
  package static let operators: [String: any Operator.Type] = [
    "BatchNormalization": BatchNormalization.self, "LRN": LocalResponseNormalization.self,
  ]
}

/// `scale · (x - mean) / sqrt(variance + epsilon) + bias` per channel, with stored statistics.
///
/// Input and output `[batch, channel, …]`, or `[batch]` with one channel; the others `[channel]`.
package struct BatchNormalization: Operator {
  package let epsilon: Double

  package init(_ node: NodeReader) throws {
    epsilon = try node.real("epsilon", default: Double(Float(1e-5)))
    guard try !node.flag("training_mode", default: false),
      node.node.outputs.dropFirst().allSatisfy(\.isEmpty)
    else {
      throw OperatorError(
        "normalising by the statistics of the batch is not supported: export the model for inference"
      )
    }
    guard try node.flag("spatial", default: true) else {
      throw OperatorError("spatial = 0, statistics per position, is not supported")
    }
  }

  package var pushforwardRule: PushforwardRule { .symmetric }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let inputs = try RealInputs(inputs, "X", "scale", "B", "mean", "var")
    return [ValueType(try Layout(inputs).input, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try Layout(RealInputs(inputs, "X", "scale", "B", "mean", "var"))
    let channels = try Channels<T>(inputs, epsilon)
    let result = try inputs.required(0).withElements(of: T.self) { x in
      Tensor(uninitialized: layout.input, of: T.self) { y in
        layout.forEachPlane { channel, plane in
          let factor = channels.scale[channel] * channels.reciprocal[channel]
          let mean = channels.mean[channel]
          let bias = channels.bias[channel]
          for i in plane { y[i] = (x[i] - mean) * factor + bias }
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let layout = try Layout(RealInputs(point.inputs, "X", "scale", "B", "mean", "var"))
    var results = [Tensor?](repeating: nil, count: point.inputs.count)
    guard let cotangent = try point.cotangent(cotangents, of: layout.input) else { return results }
    let channels = try Channels<T>(point.inputs, epsilon)
    if point.wants(0) {
      results[0] = try cotangent.withElements(of: T.self) { g in
        Tensor(uninitialized: layout.input, of: T.self) { target in
          layout.forEachPlane { channel, plane in
            let factor = channels.scale[channel] * channels.reciprocal[channel]
            for i in plane { target[i] = g[i] * factor }
          }
        }
      }
    }
    guard (1...4).contains(where: { point.wants($0) }) else { return results }
    // Per channel `Σ g` and `Σ g · (x - mean) / deviation`: all that the parameters need.
    var sums = [T](repeating: 0, count: channels.mean.count)
    var moments = sums
    try cotangent.withElements(of: T.self) { g in
      try point.inputs.required(0).withElements(of: T.self) { x in
        layout.forEachPlane { channel, plane in
          let mean = channels.mean[channel]
          var moment = T.zero
          for i in plane { moment += g[i] * (x[i] - mean) }
          sums[channel] += sum(UnsafeBufferPointer(rebasing: g[plane]))
          moments[channel] += moment * channels.reciprocal[channel]
        }
      }
    }
    let factors = zip(channels.scale, channels.reciprocal).map { $0 * $1 }
    if point.wants(1) { results[1] = Tensor(moments) }
    if point.wants(2) { results[2] = Tensor(sums) }
    if point.wants(3) { results[3] = Tensor(zip(factors, sums).map { -$0 * $1 }) }
    if point.wants(4) {
      results[4] = Tensor(
        sums.indices.map { -moments[$0] * factors[$0] * channels.reciprocal[$0] / 2 })
    }
    return results
  }

  /// The parameters of all channels.
  private struct Channels<T: RealScalar> {
    let scale: [T]
    let bias: [T]
    let mean: [T]
    /// `1 / sqrt(variance + epsilon)`.
    let reciprocal: [T]

    init(_ inputs: [Tensor?], _ epsilon: Double) throws {
      scale = try inputs.required(1).elements(of: T.self)
      bias = try inputs.required(2).elements(of: T.self)
      mean = try inputs.required(3).elements(of: T.self)
      reciprocal = try inputs.required(4).elements(of: T.self).map {
        1 / ($0 + T(epsilon)).squareRoot()
      }
    }
  }

  private struct Layout {
    let input: Shape
    private let channels: Int
    private let planeSize: Int

    init(_ inputs: RealInputs) throws {
      input = try inputs.shape(0)
      guard input.rank >= 1 else {
        throw OperatorError("expected an input [batch, channel, …], found a scalar")
      }
      channels = input.rank == 1 ? 1 : input[1]
      planeSize =
        input.count == 0 ? 0 : input.dimensions.dropFirst(2).reduce(1, *)
      for (index, name) in [(1, "scale"), (2, "B"), (3, "mean"), (4, "var")] {
        let shape = try inputs.shape(index)
        guard shape.dimensions == [channels] else {
          throw OperatorError("input '\(name)': expected shape [\(channels)], found \(shape)")
        }
      }
    }

    @inline(__always)
    func forEachPlane(_ body: (_ channel: Int, _ plane: Range<Int>) -> Void) {
      guard input.count > 0 else { return }
      for plane in 0..<input.count / planeSize {
        body(plane % channels, plane * planeSize..<(plane + 1) * planeSize)
      }
    }
  }
}

/// Each element divided by a power of the energy of its neighbours in adjacent channels.
///
/// `y = x / s ^ beta` with `s = bias + alpha / size · Σ x²` over `size` channels around the element's
/// own. Source: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural
/// Networks" (NeurIPS 2012), section 3.3; the division by `size` is ONNX's.
package struct LocalResponseNormalization: Operator {
  package let alpha: Double
  package let beta: Double
  package let bias: Double
  /// Number of channels, at least 1.
  package let size: Int

  package init(_ node: NodeReader) throws {
    alpha = try node.real("alpha", default: Double(Float(1e-4)))
    beta = try node.real("beta", default: 0.75)
    bias = try node.real("bias", default: 1)
    size = try node.integer("size")
    guard size >= 1 else { throw OperatorError("size: expected at least 1, found \(size)") }
  }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try RealInputs(inputs, "X").shape(0)
    try check(input)
    return [ValueType(input, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let energies = try energies(of: input, T.self)
    let result = try input.withElements(of: T.self) { x in
      try energies.withElements(of: T.self) { s in
        Tensor(uninitialized: input.shape, of: T.self) { y in
          for i in y.indices { y[i] = x[i] * .pow(s[i], T(-beta)) }
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let input = try point.inputs.required(0)
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: input.shape) else {
      return [nil]
    }
    let energies = try energies(of: input, T.self)
    let result = try input.withElements(of: T.self) { x in
      try cotangent.withElements(of: T.self) { g in
        try energies.withElements(of: T.self) { s in
          // `g_j · s_j^-beta - 2 · alpha / size · beta · x_j · Σ g_i · x_i · s_i^(-beta - 1)` over the
          // `i` that have `j` in their window.
          var shares = Tensor(zeros: input.shape, T.dataType)
          try shares.withMutableElements(of: T.self) { shares in
            for i in g.indices { shares[i] = g[i] * x[i] * .pow(s[i], T(-beta - 1)) }
          }
          return try shares.withElements(of: T.self) { shares in
            Tensor(uninitialized: input.shape, of: T.self) { target in
              let factor = T(-2 * alpha * beta / Double(size))
              for i in target.indices { target[i] = 0 }
              addWindows(of: shares, to: target, input, before: size / 2, after: (size - 1) / 2)
              for i in target.indices {
                target[i] = g[i] * .pow(s[i], T(-beta)) + factor * x[i] * target[i]
              }
            }
          }
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let input = try point.inputs.required(0)
    guard let tangent = tangents.optional(0) else { return [nil] }
    let energies = try energies(of: input, T.self)
    let result = try input.withElements(of: T.self) { x in
      try tangent.withElements(of: T.self) { t in
        try energies.withElements(of: T.self) { s in
          // `t_i · s_i^-beta - 2 · alpha / size · beta · x_i · s_i^(-beta - 1) · Σ x_j · t_j` over the
          // window of `i`.
          var products = Tensor(zeros: input.shape, T.dataType)
          try products.withMutableElements(of: T.self) { products in
            for i in t.indices { products[i] = x[i] * t[i] }
          }
          return try products.withElements(of: T.self) { products in
            Tensor(uninitialized: input.shape, of: T.self) { target in
              let factor = T(-2 * alpha * beta / Double(size))
              for i in target.indices { target[i] = 0 }
              addWindows(
                of: products, to: target, input, before: (size - 1) / 2, after: size / 2)
              for i in target.indices {
                target[i] =
                  t[i] * .pow(s[i], T(-beta)) + factor * x[i] * .pow(s[i], T(-beta - 1)) * target[i]
              }
            }
          }
        }
      }
    }
    return [result]
  }

  private func check(_ input: Shape) throws {
    guard input.rank >= 3 else {
      throw OperatorError("expected an input [batch, channel, …spatial], found \(input)")
    }
  }

  /// Returns `bias + alpha / size · Σ x²`, in the shape of the input.
  @inline(__always)
  private func energies<T: RealScalar>(of input: Tensor, _: T.Type) throws -> Tensor {
    try check(input.shape)
    var squares = Tensor(zeros: input.shape, T.dataType)
    var result = squares
    try squares.withMutableElements(of: T.self) { squares in
      try input.withElements(of: T.self) { x in
        for i in squares.indices { squares[i] = x[i] * x[i] }
      }
      try result.withMutableElements(of: T.self) { result in
        addWindows(
          of: UnsafeBufferPointer(squares), to: result, input, before: (size - 1) / 2,
          after: size / 2)
        for i in result.indices { result[i] = T(bias) + T(alpha / Double(size)) * result[i] }
      }
    }
    return result
  }

  /// Adds to each channel of `target` the `source` of the channels around it.
  @inline(__always)
  private func addWindows<T: RealScalar>(
    of source: UnsafeBufferPointer<T>, to target: UnsafeMutableBufferPointer<T>, _ input: Tensor,
    before: Int, after: Int
  ) {
    guard !source.isEmpty else { return }
    let channels = input.shape[1]
    let planeSize = input.shape.dimensions.dropFirst(2).reduce(1, *)
    for plane in 0..<input.shape[0] * channels {
      let channel = plane % channels
      for other in channel - min(before, channel)...channel + min(after, channels - 1 - channel) {
        let distance = (other - channel) * planeSize
        for i in plane * planeSize..<(plane + 1) * planeSize { target[i] += source[i + distance] }
      }
    }
  }
}
