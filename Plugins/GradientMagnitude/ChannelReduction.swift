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
    let planes = Planes(count: extent, size: inner)
    let reduced = try gradient.converted(to: .float64).withElements(of: Double.self) { source in
      Tensor(uninitialized: shape, of: Double.self) { target in combine(planes, source, target) }
    }
    return reduced.converted(to: gradient.dataType)
  }

  private func combine(
    _ planes: Planes, _ source: UnsafeBufferPointer<Double>,
    _ target: UnsafeMutableBufferPointer<Double>
  ) {
    switch channels {
    case .none where signed: planes.fold(source, target) { $0 + kept($1) }
    case .none: planes.fold(source, target) { $0 + kept($1).magnitude }
    case .max: planes.fold(source, target) { Swift.max($0, kept($1).magnitude) }
    case .sum where signed:
      planes.fold(source, target) { $0 + $1 }
      for i in target.indices { target[i] = kept(target[i]) }
    case .sum: planes.fold(source, target) { $0 + kept($1).magnitude }
    case .l2:
      planes.fold(source, target) { $0 + kept($1) * kept($1) }
      for i in target.indices { target[i] = target[i].squareRoot() }
    case .sumThenAbs:
      planes.fold(source, target) { $0 + $1 }
      for i in target.indices { target[i] = kept(target[i]).magnitude }
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

/// Channel planes that lie one after the other.
private struct Planes {
  let count: Int
  let size: Int

  /// Writes, for each position, the fold of all channels from zero on, in channel order.
  ///
  /// Plane after plane, so that memory is read as it lies.
  @inline(__always)
  func fold(
    _ source: UnsafeBufferPointer<Double>, _ target: UnsafeMutableBufferPointer<Double>,
    _ step: (Double, Double) -> Double
  ) {
    target.update(repeating: 0)
    guard size > 0 else { return }
    for outer in 0..<target.count / size {
      for channel in 0..<count {
        let start = (outer * count + channel) * size
        for i in 0..<size {
          target[outer * size + i] = step(target[outer * size + i], source[start + i])
        }
      }
    }
  }
}
