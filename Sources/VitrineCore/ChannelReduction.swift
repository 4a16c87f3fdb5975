public import VitrineTensor

/// How the derivatives at one position, one for each channel, become one number.
///
/// Sums are formed in double precision, in channel order, and rounded once to the derivatives' type.
public enum ChannelReduction: String, Sendable, Hashable, CaseIterable {
  /// They do not: one value per element, shape of the input.
  case none
  /// max_c |g_c|
  case max
  /// Σ_c |g_c|; Σ_c g_c if signed
  case sum
  /// √(Σ_c g_c²)
  case l2
  /// |Σ_c g_c|: channels that disagree cancel
  case sumThenAbs = "sum-then-abs"

  /// Which derivatives count.
  public enum Sign: String, Sendable, Hashable, CaseIterable {
    /// Every one.
    case all
    /// Those of elements whose growth raises the score; the others become zero.
    case positive
    /// Those of elements whose growth lowers the score; the others become zero.
    case negative
  }

  /// Whether the result can have a sign.
  public var keepsSign: Bool { self == .none || self == .sum }

  /// Returns derivatives with their sign and channels treated as asked.
  ///
  /// - Parameters:
  ///   - derivatives: A real tensor of any shape.
  ///   - channelAxis: `nil` if there is none: every element is a channel of its own.
  ///   - signed: Whether the sign is kept, where ``keepsSign`` says that there is one; else the result
  ///     is a magnitude.
  ///   - sign: Which derivatives count: of a sum over channels where the sum has the sign, else of each
  ///     channel.
  /// - Returns: The shape of `derivatives`, with extent 1 along the channel axis unless it is
  ///   ``none``.
  /// - Complexity: O(`derivatives.count`).
  public func reduced(
    _ derivatives: Tensor, channelAxis: Int?, signed: Bool, sign: Sign = .all
  ) throws -> Tensor {
    let isSigned = signed && keepsSign
    if isSigned && self == .none && sign == .all { return derivatives }
    var dimensions = derivatives.shape.dimensions
    var extent = 1
    var inner = 1
    if let channelAxis, self != .none {
      extent = dimensions[channelAxis]
      inner = dimensions[(channelAxis + 1)...].reduce(1, *)
      dimensions[channelAxis] = 1
    }
    let shape = try Shape(dimensions)
    let planes = Planes(count: extent, size: inner)
    let reduced = try derivatives.converted(to: .float64).withElements(of: Double.self) { source in
      Tensor(uninitialized: shape, of: Double.self) { target in
        combine(planes, source, target, isSigned, sign)
      }
    }
    return reduced.converted(to: derivatives.dataType)
  }

  private func combine(
    _ planes: Planes, _ source: UnsafeBufferPointer<Double>,
    _ target: UnsafeMutableBufferPointer<Double>, _ isSigned: Bool, _ sign: Sign
  ) {
    switch self {
    case .none where isSigned: planes.fold(source, target) { $0 + sign.kept($1) }
    case .none: planes.fold(source, target) { $0 + sign.kept($1).magnitude }
    case .max: planes.fold(source, target) { Swift.max($0, sign.kept($1).magnitude) }
    case .sum where isSigned:
      planes.fold(source, target) { $0 + $1 }
      for i in target.indices { target[i] = sign.kept(target[i]) }
    case .sum: planes.fold(source, target) { $0 + sign.kept($1).magnitude }
    case .l2:
      planes.fold(source, target) { $0 + sign.kept($1) * sign.kept($1) }
      for i in target.indices { target[i] = target[i].squareRoot() }
    case .sumThenAbs:
      planes.fold(source, target) { $0 + $1 }
      for i in target.indices { target[i] = sign.kept(target[i]).magnitude }
    }
  }
}

extension ChannelReduction.Sign {
  /// Returns the derivative, or zero if its sign does not count.
  @inline(__always)
  fileprivate func kept(_ derivative: Double) -> Double {
    switch self {
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
