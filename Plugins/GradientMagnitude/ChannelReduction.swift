import VitrineCore
import VitrineTensor

extension GradientMagnitude {
  /// Returns the gradient with its sign and channels treated as the options say.
  ///
  /// Sums are formed in double precision, in channel order, and rounded once to the gradient's type.
  ///
  /// - Parameter channelAxis: `nil` if there is none: every element is a channel of its own.
  /// - Returns: The gradient's shape, with extent 1 along the channel axis if channels are combined.
  func magnitude(of gradient: Tensor, channelAxis: Int?) throws -> Tensor {
    if signed && channels == .none && sign == .all { return gradient }
    var dimensions = gradient.shape.dimensions
    var extent = 1
    var inner = 1
    if let channelAxis, channels != .none {
      extent = dimensions[channelAxis]
      inner = dimensions[(channelAxis + 1)...].reduce(1, *)
      dimensions[channelAxis] = 1
    }
    let shape = try Shape(dimensions)
    let reduced = try gradient.converted(to: .float64).withElements(of: Double.self) { source in
      Tensor(uninitialized: shape, of: Double.self) { target in
        for i in target.indices {
          let (outer, position) = i.quotientAndRemainder(dividingBy: inner)
          let start = outer * extent * inner + position
          let values = stride(from: start, to: start + extent * inner, by: inner)
            .lazy.map { source[$0] }
          target[i] = combine(values)
        }
      }
    }
    return reduced.converted(to: gradient.dataType)
  }

  private func combine(_ values: some Sequence<Double>) -> Double {
    switch channels {
    case .none: values.reduce(0) { signed ? $0 + kept($1) : $0 + kept($1).magnitude }
    case .max: values.reduce(0) { Swift.max($0, kept($1).magnitude) }
    case .sum:
      signed ? kept(values.reduce(0, +)) : values.reduce(0) { $0 + kept($1).magnitude }
    case .l2: values.reduce(0) { $0 + kept($1) * kept($1) }.squareRoot()
    case .sumThenAbs: kept(values.reduce(0, +)).magnitude
    }
  }

  /// Returns the derivative, or zero if its sign does not count: of a sum over channels where the sum
  /// has the sign, else of each channel.
  private func kept(_ derivative: Double) -> Double {
    switch sign {
    case .all: derivative
    case .positive: Swift.max(derivative, 0)
    case .negative: Swift.min(derivative, 0)
    }
  }
}
