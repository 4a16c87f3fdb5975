public import VitrineTensor

/// What stands for "nothing there": the start of an integration path, or the filling of an occluding
/// window.
public enum Baseline: Sendable {
  /// Every element has this value, in the model's input space.
  case constant(Double)
  /// One value for each channel, in the model's input space.
  case channels([Double])
  /// The input's own mean, channel by channel.
  case mean
  /// The input blurred by a Gaussian whose standard deviation is this share of its longer side.
  case blur(Double)
  /// These values, in the shape of the input or of one sample of it.
  case tensor(Tensor)
  /// A colour or a file, which only whoever prepared the inputs can turn into a tensor:
  /// ``Context/resolveBaseline``.
  case named(String)

  /// Reads the text of an option: a number, numbers separated by commas, `mean`, `blur`, or the name
  /// of a colour or file.
  ///
  /// - Returns: `nil` for an empty text.
  public init?(_ text: String) {
    guard !text.isEmpty else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0) }.filter(\.isFinite)
    switch (text, numbers.count == parts.count) {
    case ("mean", _): self = .mean
    case ("blur", _): self = .blur(0.05)
    case (_, true): self = numbers.count == 1 ? .constant(numbers[0]) : .channels(numbers)
    default: self = .named(text)
    }
  }

  /// Returns the baseline of an input, in its shape and type.
  ///
  /// - Parameters:
  ///   - input: Shape as `port` says, batch axis first.
  ///   - port: Which input it is.
  ///   - context: Resolves names.
  /// - Throws: ``CoreError`` if a tensor or a number of channels does not fit, or a name cannot be
  ///   resolved.
  /// - Complexity: O(`input.count`); a blur visits each element twice per tap of its kernel.
  public func tensor(for input: Tensor, at port: Port, context: Context) throws -> Tensor {
    switch self {
    case .constant(let value): return try filled(input) { _ in value }
    case .channels(let values):
      guard let axis = port.axes.firstIndex(of: .channel), axis < input.rank,
        input.shape[axis] == values.count
      else {
        let channels = port.axes.firstIndex(of: .channel).map { input.shape[$0] } ?? 1
        throw CoreError.shapeMismatch(
          what: "baseline values for each channel", expected: [channels], found: [values.count])
      }
      let stride = input.shape.strides[axis]
      return try filled(input) { values[$0 / stride % values.count] }
    case .mean: return try channelMeans(of: input, at: port)
    case .blur(let share): return try blurred(input, at: port, share: share)
    case .tensor(let tensor): return try fitted(tensor, to: input)
    case .named(let name):
      guard let resolve = context.resolveBaseline else {
        throw CoreError.notApplicable(
          "baseline '\(name)' is neither a number nor mean nor blur, and nobody here knows it as a "
            + "colour or file")
      }
      // What is open in the model's signature is known of this input.
      let measured = Port(
        name: port.name, dataType: port.dataType,
        dimensions: zip(port.dimensions, input.shape.dimensions).map { $0 ?? $1 }, axes: port.axes)
      return try fitted(try resolve(name, measured), to: input)
    }
  }

  private func filled(_ input: Tensor, _ value: (Int) -> Double) throws -> Tensor {
    let values = (0..<input.count).map(value)
    return try Tensor(values, shape: input.shape.dimensions).converted(to: input.dataType)
  }

  /// Accepts the input's shape, with one sample for all of a batch.
  private func fitted(_ tensor: Tensor, to input: Tensor) throws -> Tensor {
    let found = tensor.shape.dimensions
    let expected = input.shape.dimensions
    guard found.count == expected.count, found.dropFirst() == expected.dropFirst(),
      found.first == expected.first || found.first == 1
    else {
      throw CoreError.shapeMismatch(what: "baseline", expected: expected, found: found)
    }
    return try tensor.converted(to: input.dataType).broadcast(to: expected)
  }

  private func channelMeans(of input: Tensor, at port: Port) throws -> Tensor {
    let spatial = port.axes.indices.filter { port.axes[$0] != .batch && port.axes[$0] != .channel }
    return try input.mean(axes: spatial, keepDimensions: true).broadcast(
      to: input.shape.dimensions)
  }

  private func blurred(_ input: Tensor, at port: Port, share: Double) throws -> Tensor {
    let spatial = port.axes.indices.filter {
      [.height, .width, .position].contains(port.axes[$0])
    }
    guard let longest = spatial.map({ input.shape[$0] }).max() else {
      throw CoreError.notApplicable(
        "a blurred baseline needs an input with positions; give a number or mean instead")
    }
    let deviation = max(share * Double(longest), 0.5)
    let radius = Int((3 * deviation).rounded(.up))
    let weights = (-radius...radius).map { offset in
      Double.exp(-Double(offset * offset) / (2 * deviation * deviation))
    }
    var numbers = try input.converted(to: .float64).elements(of: Double.self)
    for axis in spatial {
      numbers = blurred(
        numbers, extent: input.shape[axis], stride: input.shape.strides[axis], weights: weights)
    }
    return try Tensor(numbers, shape: input.shape.dimensions).converted(to: input.dataType)
  }

  /// Returns the weighted mean along one axis, over the positions that exist.
  private func blurred(
    _ numbers: [Double], extent: Int, stride: Int, weights: [Double]
  ) -> [Double] {
    let radius = weights.count / 2
    return numbers.indices.map { i in
      let position = i / stride % extent
      var sum = 0.0
      var total = 0.0
      for other in max(0, position - radius)...min(extent - 1, position + radius) {
        let weight = weights[other - position + radius]
        sum += weight * numbers[i + (other - position) * stride]
        total += weight
      }
      return sum / total
    }
  }
}
