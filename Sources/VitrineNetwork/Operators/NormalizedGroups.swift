import VitrineTensor

/// Groups of consecutive elements that are normalised together, and where their parameters are.
///
/// A group consists of runs of consecutive elements. Elements of a run share one parameter, or element
/// `i` of every run has parameter `i`.
struct NormalizedGroups {
  let count: Int
  let runs: Int
  let runLength: Int
  /// Elements of `scale`, and of `bias`.
  let parameters: Int
  let parameterPerElement: Bool

  private var size: Int { runs * runLength }

  /// Mean and `1 / sqrt(variance + epsilon)` of every group.
  struct Moments<T: RealScalar> {
    var means: [T]
    var reciprocals: [T]
  }

  /// Returns the moments, summed in double precision.
  @inline(__always)
  func moments<T: RealScalar>(of input: Tensor, _ epsilon: Double, _: T.Type) throws -> Moments<T> {
    var moments = Moments<T>(
      means: Array(repeating: 0, count: count), reciprocals: Array(repeating: 0, count: count))
    try input.read(as: T.self) { x in
      for group in 0..<count {
        let elements = group * size..<(group + 1) * size
        var sum = 0.0
        for i in elements { sum += Double(x[i]) }
        let mean = sum / Double(size)
        var squares = 0.0
        for i in elements {
          let difference = Double(x[i]) - mean
          squares += difference * difference
        }
        moments.means[group] = T(mean)
        moments.reciprocals[group] = T(1 / (squares / Double(size) + epsilon).squareRoot())
      }
    }
    return moments
  }

  /// Returns `scale · (x - mean) · reciprocal + bias`, in the shape of the input.
  @inline(__always)
  func normalized<T: RealScalar>(
    _ input: Tensor, _ moments: Moments<T>, scale: Tensor, bias: Tensor?
  ) throws -> Tensor {
    let shape = input.shape
    let scale = try scale.elements(of: T.self)
    let bias = try bias?.elements(of: T.self) ?? Array(repeating: 0, count: scale.count)
    return try input.read(as: T.self) { x in
      try Tensor.filled(shape, of: T.self) { y in
        scale.withUnsafeBufferPointer { scale in
          bias.withUnsafeBufferPointer { bias in
            forEachRun { group, elements, parameter in
              let (mean, reciprocal) = (moments.means[group], moments.reciprocals[group])
              if parameterPerElement {
                for i in 0..<elements.count {
                  let k = elements.lowerBound + i
                  y[k] = (x[k] - mean) * reciprocal * scale[i] + bias[i]
                }
              } else {
                let (scale, bias) = (scale[parameter], bias[parameter])
                for k in elements { y[k] = (x[k] - mean) * reciprocal * scale + bias }
              }
            }
          }
        }
      }
    }
  }

  /// Returns the cotangents of input, scale and bias.
  ///
  /// - Parameters:
  ///   - cotangents: Those of the output and, if the node has them, of means and reciprocals.
  ///   - shapes: Shapes of the outputs.
  @inline(__always)
  func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], _ epsilon: Double, at point: Point, _ shapes: [Shape], _: T.Type
  ) throws -> [Tensor?] {
    var results = [Tensor?](repeating: nil, count: point.inputs.count)
    for (cotangent, shape) in zip(cotangents, shapes) {
      guard let cotangent, cotangent.shape != shape else { continue }
      throw OperatorError("expected a cotangent of shape \(shape), found \(cotangent.shape)")
    }
    guard cotangents.contains(where: { $0 != nil }) else { return results }
    let input = try point.inputs.required(0)
    let scale = try point.inputs.required(1)
    let moments = try moments(of: input, epsilon, T.self)
    let ofOutput = cotangents.optional(0) ?? Tensor(zeros: input.shape, T.dataType)
    let ofMeans = try cotangents.optional(1)?.elements(of: T.self)
    let ofReciprocals = try cotangents.optional(2)?.elements(of: T.self)
    var toScale = Tensor(zeros: scale.shape, T.dataType)
    var toBias = toScale
    var toInput: Tensor?
    try input.read(as: T.self) { x in
      try scale.read(as: T.self) { scale in
        try ofOutput.read(as: T.self) { g in
          if point.wants(1) || point.wants(2) {
            try toScale.withMutableElements(of: T.self) { toScale in
              try toBias.withMutableElements(of: T.self) { toBias in
                addParameterCotangents(x, g, moments, toScale, toBias)
              }
            }
          }
          guard point.wants(0) else { return }
          toInput = try Tensor.filled(input.shape, of: T.self) { target in
            for group in 0..<count {
              var extra = (mean: T.zero, reciprocal: T.zero)
              if let ofMeans { extra.mean = ofMeans[group] }
              if let ofReciprocals { extra.reciprocal = ofReciprocals[group] }
              setInputCotangents(group, x, g, scale, moments, extra, target)
            }
          }
        }
      }
    }
    if point.wants(0) { results[0] = toInput }
    if point.wants(1) { results[1] = toScale }
    if point.wants(2), point.inputs.optional(2) != nil { results[2] = toBias }
    return results
  }

  /// Returns the tangents of the output, the means and the reciprocals for a tangent of the input.
  ///
  /// But for the scale, the Jacobian is symmetric: the pullback with a scale of one carries the tangent.
  @inline(__always)
  func pushforward<T: RealScalar>(
    _ tangent: Tensor, _ epsilon: Double, at point: Point, _: T.Type
  ) throws -> (output: Tensor, moments: Moments<T>) {
    let input = try point.inputs.required(0)
    let scale = try point.inputs.required(1)
    var inputs = point.inputs
    inputs[1] = Tensor(repeating: T(1), shape: scale.shape)
    let place = Point(
      inputs: inputs, outputs: point.outputs, wanted: inputs.indices.map { $0 == 0 })
    let centered = try pullback([tangent], epsilon, at: place, [input.shape], T.self)[0]
    let none = Moments<T>(
      means: Array(repeating: 0, count: count), reciprocals: Array(repeating: 1, count: count))
    let moments = try moments(of: input, epsilon, T.self)
    var changes = none
    try input.read(as: T.self) { x in
      try tangent.read(as: T.self) { t in
        for group in 0..<count {
          let mean = Double(moments.means[group])
          let reciprocal = Double(moments.reciprocals[group])
          var sum = 0.0
          var moment = 0.0
          for k in group * size..<(group + 1) * size {
            sum += Double(t[k])
            moment += Double(t[k]) * (Double(x[k]) - mean)
          }
          changes.means[group] = T(sum / Double(size))
          changes.reciprocals[group] = T(
            -moment / Double(size) * reciprocal * reciprocal * reciprocal)
        }
      }
    }
    return (
      try normalized(
        centered ?? Tensor(zeros: input.shape, T.dataType), none, scale: scale, bias: nil),
      changes
    )
  }

  /// With `x̂ = (x - mean) · r` and `h = g · scale`: `r · (h - mean(h) - x̂ · mean(h · x̂))`, and what
  /// the moments themselves pass on.
  @inline(__always)
  private func setInputCotangents<T: RealScalar>(
    _ group: Int, _ x: UnsafeBufferPointer<T>, _ g: UnsafeBufferPointer<T>,
    _ scale: UnsafeBufferPointer<T>, _ moments: Moments<T>, _ extra: (mean: T, reciprocal: T),
    _ target: UnsafeMutableBufferPointer<T>
  ) {
    let (mean, reciprocal) = (moments.means[group], moments.reciprocals[group])
    var sum = 0.0
    var moment = 0.0
    forEachRun(of: group) { elements, parameter in
      for i in 0..<elements.count {
        let k = elements.lowerBound + i
        let h = g[k] * scale[parameterPerElement ? i : parameter]
        target[k] = h
        sum += Double(h)
        moment += Double(h * (x[k] - mean))
      }
    }
    let size = Double(size)
    let shift = T((Double(extra.mean) - Double(reciprocal) * sum) / size)
    // ∂r/∂x = -r³ (x - mean) / size
    let slope = -(Double(extra.reciprocal) + moment) / size * Double(reciprocal)
    let factor = T(slope * Double(reciprocal) * Double(reciprocal))
    for k in group * self.size..<(group + 1) * self.size {
      target[k] = reciprocal * target[k] + shift + factor * (x[k] - mean)
    }
  }

  @inline(__always)
  private func addParameterCotangents<T: RealScalar>(
    _ x: UnsafeBufferPointer<T>, _ g: UnsafeBufferPointer<T>, _ moments: Moments<T>,
    _ toScale: UnsafeMutableBufferPointer<T>, _ toBias: UnsafeMutableBufferPointer<T>
  ) {
    forEachRun { group, elements, parameter in
      let (mean, reciprocal) = (moments.means[group], moments.reciprocals[group])
      if parameterPerElement {
        for i in 0..<elements.count {
          let k = elements.lowerBound + i
          toScale[i] += g[k] * (x[k] - mean) * reciprocal
          toBias[i] += g[k]
        }
      } else {
        var (sum, moment) = (T.zero, T.zero)
        for k in elements {
          sum += g[k]
          moment += g[k] * (x[k] - mean)
        }
        toScale[parameter] += moment * reciprocal
        toBias[parameter] += sum
      }
    }
  }

  @inline(__always)
  private func forEachRun(_ body: (_ group: Int, _ elements: Range<Int>, _ parameter: Int) -> Void)
  {
    for group in 0..<count { forEachRun(of: group) { body(group, $0, $1) } }
  }

  @inline(__always)
  private func forEachRun(
    of group: Int, _ body: (_ elements: Range<Int>, _ parameter: Int) -> Void
  ) {
    for run in 0..<runs {
      let index = group * runs + run
      body(
        index * runLength..<(index + 1) * runLength, parameterPerElement ? 0 : index % parameters)
    }
  }
}
