import VitrineTensor

/// What an optimizer remembers from step to step.
struct OptimizerState {
  /// Steps done.
  var steps = 0
  /// For each parameter ``Optimizer/slotCount`` tensors of its shape.
  var slots: [[Tensor]]

  init(_ optimizer: Optimizer, parameters: [Tensor]) {
    slots = parameters.map { parameter in
      (0..<optimizer.slotCount).map { _ in Tensor(zeros: parameter.shape, parameter.dataType) }
    }
  }

  /// Moves parameters of type `T` by one step.
  ///
  /// - Parameter factor: On the optimizer's learning rate.
  @inline(__always)
  mutating func step<T: RealScalar>(
    _ optimizer: Optimizer, factor: Double, parameters: inout [Tensor], gradients: [Tensor],
    _: T.Type
  ) throws {
    steps += 1
    let rate = optimizer.learningRate * factor
    for index in parameters.indices {
      try parameters[index].withMutableElements(of: T.self) { p in
        try gradients[index].withElements(of: T.self) { g in
          try withSlots(of: index, T.self) { [steps] in
            Self.update(steps, optimizer, rate, p, g, $0)
          }
        }
      }
    }
  }

  /// Calls `body` with the memory of a parameter's slots.
  private mutating func withSlots<T: RealScalar>(
    of index: Int, _: T.Type, _ body: ([UnsafeMutableBufferPointer<T>]) -> Void
  ) throws {
    // Taken out, so that their memory has one owner while it changes.
    var taken = slots[index]
    slots[index] = []
    defer { slots[index] = taken }
    switch taken.count {
    case 0: body([])
    case 1:
      try taken[0].withMutableElements(of: T.self) { first in body([first]) }
    default:
      var second = taken.removeLast()
      defer { taken.append(second) }
      try taken[0].withMutableElements(of: T.self) { first in
        try second.withMutableElements(of: T.self) { second in body([first, second]) }
      }
    }
  }

  @inline(__always)
  private static func update<T: RealScalar>(
    _ steps: Int, _ optimizer: Optimizer, _ rate: Double, _ p: UnsafeMutableBufferPointer<T>,
    _ g: UnsafeBufferPointer<T>, _ slots: [UnsafeMutableBufferPointer<T>]
  ) {
    let decay = T(optimizer.weightDecay)
    switch optimizer.rule {
    case .gradientDescent(let momentum, let isNesterov):
      let rate = T(rate)
      guard let velocity = slots.first else {
        for i in p.indices { p[i] -= rate * (g[i] + decay * p[i]) }
        return
      }
      let keep = T(momentum)
      for i in p.indices {
        let slope = g[i] + decay * p[i]
        // PyTorch's first velocity is the gradient itself: the same, because it starts from 0.
        let v = keep * velocity[i] + slope
        velocity[i] = v
        p[i] -= rate * (isNesterov ? slope + keep * v : v)
      }
    case .adam(let meanDecay, let varianceDecay, let epsilon, let decouples):
      let (mean, variance) = (slots[0], slots[1])
      let meanShare = T(1 - meanDecay)
      let (varianceKeep, varianceShare) = (T(varianceDecay), T(1 - varianceDecay))
      let step = T(rate / (1 - Double.pow(meanDecay, Double(steps))))
      let root = T(1 / (1 - Double.pow(varianceDecay, Double(steps))).squareRoot())
      let epsilon = T(epsilon)
      let shrink = decouples ? T(1 - rate * optimizer.weightDecay) : 1
      let coupled = decouples ? 0 : decay
      for i in p.indices {
        let slope = g[i] + coupled * p[i]
        let m = mean[i] + meanShare * (slope - mean[i])
        let v = varianceKeep * variance[i] + varianceShare * slope * slope
        mean[i] = m
        variance[i] = v
        p[i] = p[i] * shrink - step * m / (v.squareRoot() * root + epsilon)
      }
    case .rmsProp(let decayRate, let epsilon, let momentum):
      let square = slots[0]
      let (keep, share) = (T(decayRate), T(1 - decayRate))
      let (rate, epsilon, momentum) = (T(rate), T(epsilon), T(momentum))
      for i in p.indices {
        let slope = g[i] + decay * p[i]
        let s = keep * square[i] + share * slope * slope
        square[i] = s
        let change = slope / (s.squareRoot() + epsilon)
        if slots.count > 1 {
          slots[1][i] = momentum * slots[1][i] + change
          p[i] -= rate * slots[1][i]
        } else {
          p[i] -= rate * change
        }
      }
    }
  }
}
