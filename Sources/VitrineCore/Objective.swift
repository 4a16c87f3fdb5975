public import VitrineTensor

/// A number per sample to be differentiated: a linear function of the values at one site.
public struct Objective: Sendable {
  /// Which linear function.
  public enum Form: Sendable {
    /// One element of the site: the same flat index for every sample, or one index per sample.
    case elements([Int])
    /// A weighted sum of elements, such as several classes with signs; flat indices into a sample.
    case weighted([(element: Int, weight: Double)])
    /// The mean of one channel (axis 1) over all positions.
    case channelMean(Int)
    /// The sum of all elements of a sample.
    case sum
    /// The mean of all elements of a sample.
    case mean
    /// The inner product with a tensor of the site's shape.
    case cotangent(Tensor)
  }

  /// Whose values it is a function of.
  public let site: Site
  /// Which function of them.
  public let form: Form

  /// Creates an objective; whether it fits the site is known when it is used.
  public init(_ site: Site, _ form: Form) {
    self.site = site
    self.form = form
  }

  /// Returns the derivative of the objective with respect to its site: the cotangent that a backward
  /// pass starts from.
  ///
  /// - Parameters:
  ///   - shape: The site's shape, batch axis first.
  ///   - dataType: A real type.
  /// - Throws: ``CoreError/elementOutOfRange(element:count:site:)`` and similar when the form does not
  ///   fit the shape.
  /// - Complexity: O(`shape.count`).
  public func cotangent(for shape: Shape, _ dataType: DataType) throws -> Tensor {
    if case .cotangent(let tensor) = form {
      try checkShape(of: tensor, shape)
      return tensor.converted(to: dataType)
    }
    var weights = [Double](repeating: 0, count: shape.count)
    try forEachRun(in: shape) { elements, _, weight in
      for i in elements { weights[i] += weight }
    }
    return try Tensor(weights, shape: shape.dimensions).converted(to: dataType)
  }

  /// Returns the objective's value for each sample.
  ///
  /// - Parameter value: The site's value, batch axis first.
  /// - Throws: As ``cotangent(for:_:)``.
  /// - Complexity: O(elements that the objective reads).
  public func values(of value: Tensor) throws -> [Double] {
    switch value.dataType {
    case .float32: try values(of: value, Float.self)
    case .float64: try values(of: value, Double.self)
    case .int64, .bool: try values(of: value.converted(to: .float64), Double.self)
    }
  }

  private func values<Element: Scalar & BinaryFloatingPoint>(
    of value: Tensor, _ type: Element.Type
  ) throws -> [Double] {
    let shape = value.shape
    var sums = [Double](repeating: 0, count: shape.rank > 0 ? shape[0] : 1)
    try value.withElements(of: Element.self) { numbers in
      // Zero weights are skipped so that an infinite logit elsewhere does not turn the sum into NaN.
      if case .cotangent(let tensor) = form {
        try checkShape(of: tensor, shape)
        try tensor.converted(to: .float64).withElements(of: Double.self) { weights in
          let perSample = sums.isEmpty ? 0 : shape.count / sums.count
          for i in weights.indices where weights[i] != 0 {
            sums[i / perSample] += weights[i] * Double(numbers[i])
          }
        }
      } else {
        try forEachRun(in: shape) { elements, sample, weight in
          guard weight != 0 else { return }
          var sum = sums[sample]
          for i in elements { sum += weight * Double(numbers[i]) }
          sums[sample] = sum
        }
      }
    }
    return sums
  }

  private func checkShape(of cotangent: Tensor, _ shape: Shape) throws {
    guard cotangent.shape == shape else {
      throw CoreError.shapeMismatch(
        what: "cotangent of \(site)", expected: shape.dimensions,
        found: cotangent.shape.dimensions)
    }
  }

  /// Calls `body` with runs of elements of one weight, counted over the whole batch; the others have the
  /// weight 0. For forms other than ``Form/cotangent(_:)``.
  private func forEachRun(
    in shape: Shape,
    _ body: (_ elements: Range<Int>, _ sample: Int, _ weight: Double) throws -> Void
  ) throws {
    let samples = shape.rank > 0 ? shape[0] : 1
    let perSample = samples > 0 ? shape.count / samples : 0
    func add(_ weight: Double, to element: Int, of sample: Int) throws {
      guard element >= 0, element < perSample else {
        throw CoreError.elementOutOfRange(element: element, count: perSample, site: site.name)
      }
      let first = sample * perSample + element
      try body(first..<first + 1, sample, weight)
    }
    switch form {
    case .elements(let elements):
      guard elements.count == 1 || elements.count == samples else {
        throw CoreError.targetCount(expected: samples, found: elements.count)
      }
      for n in 0..<samples {
        try add(1, to: elements.count == 1 ? elements[0] : elements[n], of: n)
      }
    case .weighted(let terms):
      let merged = Dictionary(terms.map { ($0.element, $0.weight) }, uniquingKeysWith: +)
      for n in 0..<samples {
        for (element, weight) in merged.sorted(by: { $0.key < $1.key }) {
          try add(weight, to: element, of: n)
        }
      }
    case .channelMean(let channel):
      let channels = shape.rank > 1 ? shape[1] : 1
      guard channel >= 0, channel < channels else {
        throw CoreError.channelOutOfRange(channel: channel, count: channels, site: site.name)
      }
      let positions = channels > 0 ? perSample / channels : 0
      for n in 0..<samples {
        let first = n * perSample + channel * positions
        try body(first..<first + positions, n, 1 / Double(positions))
      }
    case .sum, .mean:
      var weight = 1.0
      if case .mean = form { weight = 1 / Double(perSample) }
      for n in 0..<samples { try body(n * perSample..<(n + 1) * perSample, n, weight) }
    case .cotangent: break
    }
  }
}
