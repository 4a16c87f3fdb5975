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
    let samples = shape.rank > 0 ? shape[0] : 1
    let perSample = samples > 0 ? shape.count / samples : 0
    if case .cotangent(let tensor) = form {
      guard tensor.shape == shape else {
        throw CoreError.shapeMismatch(
          what: "cotangent of \(site)", expected: shape.dimensions, found: tensor.shape.dimensions)
      }
      return tensor.converted(to: dataType)
    }
    var weights = [Double](repeating: 0, count: shape.count)
    func add(_ weight: Double, to element: Int, of sample: Int) throws {
      guard element >= 0, element < perSample else {
        throw CoreError.elementOutOfRange(element: element, count: perSample, site: site.name)
      }
      weights[sample * perSample + element] += weight
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
      for n in 0..<samples {
        for term in terms { try add(term.weight, to: term.element, of: n) }
      }
    case .channelMean(let channel):
      let channels = shape.rank > 1 ? shape[1] : 1
      guard channel >= 0, channel < channels else {
        throw CoreError.channelOutOfRange(channel: channel, count: channels, site: site.name)
      }
      let positions = channels > 0 ? perSample / channels : 0
      for n in 0..<samples {
        for p in 0..<positions {
          weights[n * perSample + channel * positions + p] = 1 / Double(positions)
        }
      }
    case .sum:
      for i in weights.indices { weights[i] = 1 }
    case .mean:
      for i in weights.indices { weights[i] = 1 / Double(perSample) }
    case .cotangent: break
    }
    return try Tensor(weights, shape: shape.dimensions).converted(to: dataType)
  }

  /// Returns the objective's value for each sample.
  ///
  /// - Parameter value: The site's value, batch axis first.
  /// - Throws: As ``cotangent(for:_:)``.
  public func values(of value: Tensor) throws -> [Double] {
    let weights = try cotangent(for: value.shape, .float64).elements(of: Double.self)
    let numbers = try value.converted(to: .float64).elements(of: Double.self)
    let samples = value.rank > 0 ? value.shape[0] : 1
    let perSample = samples > 0 ? value.count / samples : 0
    return (0..<samples).map { n in
      var sum = 0.0
      // Zero weights are skipped so that an infinite logit elsewhere does not turn the sum into NaN.
      for i in n * perSample..<(n + 1) * perSample where weights[i] != 0 {
        sum += weights[i] * numbers[i]
      }
      return sum
    }
  }
}
