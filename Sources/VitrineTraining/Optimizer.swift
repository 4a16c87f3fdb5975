/// How parameters follow their gradients.
///
/// All rules are PyTorch's, so that recipes carry over; g is the gradient, p a parameter, η the learning
/// rate. Weight decay λ adds λ p to g, but for `adamW`, where p shrinks by η λ p (Loshchilov, Hutter 2019).
public struct Optimizer: Sendable, Hashable {
  /// How a step follows from a gradient.
  public enum Rule: Sendable, Hashable {
    /// v ← μ v + g, p ← p − η v; with Nesterov's correction p ← p − η (g + μ v).
    case gradientDescent(momentum: Double, isNesterov: Bool)
    /// m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², p ← p − η m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and
    /// v̂ = v / (1 − β₂ᵗ) in step t: Kingma, Ba, "Adam" (ICLR 2015), algorithm 1.
    case adam(
      meanDecay: Double, varianceDecay: Double, epsilon: Double, decouplesWeightDecay: Bool)
    /// Tieleman, Hinton 2012: s ← α s + (1 − α) g², p ← p − η g / (√s + ε), with momentum if it is not 0.
    case rmsProp(decay: Double, epsilon: Double, momentum: Double)
  }

  /// How a step follows from a gradient.
  public let rule: Rule
  /// η at factor 1 of the ``Schedule``.
  public var learningRate: Double
  /// λ, 0 or more; biases and scales decay as well.
  public let weightDecay: Double

  /// Creates an optimizer; `Trainer` refuses settings out of their ranges.
  public init(_ rule: Rule, learningRate: Double, weightDecay: Double = 0) {
    self.rule = rule
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }

  /// Stochastic gradient descent.
  ///
  /// - Parameters:
  ///   - learningRate: η, 0 or more.
  ///   - momentum: μ in 0..<1.
  ///   - nesterov: Whether the step looks ahead (Sutskever et al. 2013); needs momentum.
  ///   - weightDecay: λ, 0 or more.
  public static func sgd(
    learningRate: Double, momentum: Double = 0, nesterov: Bool = false, weightDecay: Double = 0
  ) -> Optimizer {
    Optimizer(
      .gradientDescent(momentum: momentum, isNesterov: nesterov), learningRate: learningRate,
      weightDecay: weightDecay)
  }

  /// Adam: steps divided by a running root mean square of the gradient.
  ///
  /// - Parameters:
  ///   - learningRate: η, 0 or more.
  ///   - meanDecay: β₁ in 0..<1.
  ///   - varianceDecay: β₂ in 0..<1.
  ///   - epsilon: ε, 0 or more, added to the root.
  ///   - weightDecay: λ, 0 or more, added to the gradient as λ p.
  public static func adam(
    learningRate: Double = 1e-3, meanDecay: Double = 0.9, varianceDecay: Double = 0.999,
    epsilon: Double = 1e-8, weightDecay: Double = 0
  ) -> Optimizer {
    Optimizer(
      .adam(
        meanDecay: meanDecay, varianceDecay: varianceDecay, epsilon: epsilon,
        decouplesWeightDecay: false), learningRate: learningRate, weightDecay: weightDecay)
  }

  /// Adam with weight decay that does not pass through the gradient's statistics.
  ///
  /// - Parameters:
  ///   - learningRate: η, 0 or more.
  ///   - meanDecay: β₁ in 0..<1.
  ///   - varianceDecay: β₂ in 0..<1.
  ///   - epsilon: ε, 0 or more, added to the root.
  ///   - weightDecay: λ, 0 or more: parameters shrink by η λ p.
  public static func adamW(
    learningRate: Double = 1e-3, meanDecay: Double = 0.9, varianceDecay: Double = 0.999,
    epsilon: Double = 1e-8, weightDecay: Double = 1e-2
  ) -> Optimizer {
    Optimizer(
      .adam(
        meanDecay: meanDecay, varianceDecay: varianceDecay, epsilon: epsilon,
        decouplesWeightDecay: true), learningRate: learningRate, weightDecay: weightDecay)
  }

  /// RMSprop: steps divided by a running root mean square of the gradient, without Adam's corrections.
  ///
  /// - Parameters:
  ///   - learningRate: η, 0 or more.
  ///   - decay: α in 0..<1.
  ///   - epsilon: ε, 0 or more, added to the root.
  ///   - momentum: μ in 0..<1.
  ///   - weightDecay: λ, 0 or more, added to the gradient as λ p.
  public static func rmsProp(
    learningRate: Double = 1e-2, decay: Double = 0.99, epsilon: Double = 1e-8,
    momentum: Double = 0, weightDecay: Double = 0
  ) -> Optimizer {
    Optimizer(
      .rmsProp(decay: decay, epsilon: epsilon, momentum: momentum), learningRate: learningRate,
      weightDecay: weightDecay)
  }

  /// Numbers kept for each parameter element.
  var slotCount: Int {
    switch rule {
    case .gradientDescent(let momentum, _): momentum != 0 ? 1 : 0
    case .adam: 2
    case .rmsProp(_, _, let momentum): momentum != 0 ? 2 : 1
    }
  }

  func check() throws {
    func require(_ condition: Bool, _ name: String, _ expected: String, _ found: Double) throws {
      if !condition {
        throw TrainingError.invalidSetting(
          name: "optimizer " + name, expected: expected, found: "\(found)")
      }
    }
    let share = "a number in 0..<1"
    try require(
      learningRate >= 0 && learningRate.isFinite, "learningRate", "0 or more", learningRate)
    try require(weightDecay >= 0 && weightDecay.isFinite, "weightDecay", "0 or more", weightDecay)
    switch rule {
    case .gradientDescent(let momentum, let isNesterov):
      try require(momentum >= 0 && momentum < 1, "momentum", share, momentum)
      try require(
        !isNesterov || momentum > 0, "momentum", "more than 0 with Nesterov's correction", momentum)
    case .adam(let meanDecay, let varianceDecay, let epsilon, _):
      try require(meanDecay >= 0 && meanDecay < 1, "meanDecay", share, meanDecay)
      try require(varianceDecay >= 0 && varianceDecay < 1, "varianceDecay", share, varianceDecay)
      try require(epsilon >= 0, "epsilon", "0 or more", epsilon)
    case .rmsProp(let decay, let epsilon, let momentum):
      try require(decay >= 0 && decay < 1, "decay", share, decay)
      try require(epsilon >= 0, "epsilon", "0 or more", epsilon)
      try require(momentum >= 0 && momentum < 1, "momentum", share, momentum)
    }
  }
}
