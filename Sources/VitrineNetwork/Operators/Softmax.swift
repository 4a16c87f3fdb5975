package import VitrineTensor

package enum Softmaxes {
  package static let operators: [String: any Operator.Type] = [
    "LogSoftmax": LogSoftmax.self, "Softmax": Softmax.self,
  ]
}

/// `exp(x) / Σ exp(x)`.
///
/// From operator set 13 on the sum runs along one axis, the last one by default; before, along that
/// axis (by default 1) and all after it.
package struct Softmax: Operator {
  package let axis: NormalizedAxis

  package init(_ node: NodeReader) throws { axis = try NormalizedAxis(node) }

  package var pushforwardRule: PushforwardRule { .symmetric }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try RealInputs(inputs, "input").shape(0)
    _ = try axis.lines(of: input)
    return [ValueType(input, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let lines = try axis.lines(of: input.shape)
    let result = try input.withElements(of: T.self) { x in
      Tensor(uninitialized: input.shape, of: T.self) { y in
        lines.forEachLine { line in
          let maximum = line.maximum(x)
          var sum = T.zero
          for i in line {
            y[i] = .exp(x[i] - maximum)
            sum += y[i]
          }
          for i in line { y[i] /= sum }
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
    let output = try (point.outputs as [Tensor?]).required(0)
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: output.shape) else {
      return [nil]
    }
    let lines = try axis.lines(of: output.shape)
    let result = try output.withElements(of: T.self) { y in
      try cotangent.withElements(of: T.self) { g in
        Tensor(uninitialized: output.shape, of: T.self) { target in
          lines.forEachLine { line in
            var mean = T.zero
            for i in line { mean += g[i] * y[i] }
            for i in line { target[i] = y[i] * (g[i] - mean) }
          }
        }
      }
    }
    return [result]
  }
}

/// `x - log Σ exp(x)`, along the same axes as ``Softmax``.
package struct LogSoftmax: Operator {
  package let axis: NormalizedAxis

  package init(_ node: NodeReader) throws { axis = try NormalizedAxis(node) }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try RealInputs(inputs, "input").shape(0)
    _ = try axis.lines(of: input)
    return [ValueType(input, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let lines = try axis.lines(of: input.shape)
    let result = try input.withElements(of: T.self) { x in
      Tensor(uninitialized: input.shape, of: T.self) { y in
        lines.forEachLine { line in
          let maximum = line.maximum(x)
          var sum = T.zero
          for i in line { sum += .exp(x[i] - maximum) }
          let logarithm = T.log(sum)
          for i in line { y[i] = x[i] - maximum - logarithm }
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
    let output = try (point.outputs as [Tensor?]).required(0)
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: output.shape) else {
      return [nil]
    }
    let lines = try axis.lines(of: output.shape)
    let result = try output.withElements(of: T.self) { y in
      try cotangent.withElements(of: T.self) { g in
        Tensor(uninitialized: output.shape, of: T.self) { target in
          lines.forEachLine { line in
            var sum = T.zero
            for i in line { sum += g[i] }
            for i in line { target[i] = g[i] - .exp(y[i]) * sum }
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
    let output = try (point.outputs as [Tensor?]).required(0)
    guard let tangent = tangents.optional(0) else { return [nil] }
    let lines = try axis.lines(of: output.shape)
    let result = try output.withElements(of: T.self) { y in
      try tangent.withElements(of: T.self) { t in
        Tensor(uninitialized: output.shape, of: T.self) { target in
          lines.forEachLine { line in
            var mean = T.zero
            for i in line { mean += .exp(y[i]) * t[i] }
            for i in line { target[i] = t[i] - mean }
          }
        }
      }
    }
    return [result]
  }
}

// MARK: - Axis

/// Along which axis, or axes, a softmax sums.
package struct NormalizedAxis: Sendable, Hashable {
  package let axis: Int
  /// Whether all axes after ``axis`` take part.
  package let includesFollowing: Bool

  init(_ node: NodeReader) throws {
    includesFollowing = node.opset < 13
    axis = try node.integer("axis", default: node.opset < 13 ? 1 : -1)
  }

  fileprivate func lines(of shape: Shape) throws -> Lines {
    let axis = try OperatorError.wrapping { () throws(TensorError) in
      try shape.normalizedAxis(self.axis)
    }
    guard shape.count > 0 else { return Lines(outer: 0, length: 0, inner: 0) }
    let end = includesFollowing ? shape.rank : axis + 1
    return Lines(
      outer: shape.dimensions[..<axis].reduce(1, *),
      length: shape.dimensions[axis..<end].reduce(1, *),
      inner: shape.dimensions[end...].reduce(1, *))
  }
}

/// All lines of elements that a softmax normalises.
private struct Lines {
  let outer: Int
  let length: Int
  let inner: Int

  @inline(__always)
  func forEachLine(_ body: (StrideTo<Int>) -> Void) {
    for block in 0..<outer {
      for offset in 0..<inner {
        let start = block * length * inner + offset
        body(stride(from: start, to: start + length * inner, by: inner))
      }
    }
  }
}

extension StrideTo<Int> {
  @inline(__always)
  fileprivate func maximum<T: RealScalar>(_ x: UnsafeBufferPointer<T>) -> T {
    var maximum = -T.infinity
    for i in self where x[i] > maximum { maximum = x[i] }
    return maximum
  }
}
