import VitrineTensor

/// How the learning rate changes during a run: a factor on the optimizer's own.
///
///     .cosine(epochs: 30).warmingUp(epochs: 2)
public struct Schedule: Sendable, Hashable {
  /// What the factor does after warming up.
  public enum Form: Sendable, Hashable {
    /// 1 all the time.
    case constant
    /// Times `factor` after every `epochs` epochs.
    case step(epochs: Int, factor: Double)
    /// Times `factor` after every epoch.
    case exponential(factor: Double)
    /// From 1 down to `minimum` along half a cosine (Loshchilov, Hutter 2017), anew for every batch.
    case cosine(epochs: Double, minimum: Double)
    /// Times `factor` whenever the watched loss has not fallen for more than `patience` epochs; never
    /// below `minimum`.
    case plateau(factor: Double, patience: Int, minimum: Double)
  }

  /// How the learning rate changes.
  public let form: Form
  /// The factor rises from 0 to 1, batch by batch, before the form begins.
  public let warmUpEpochs: Double

  /// Creates a schedule.
  public init(_ form: Form, warmUpEpochs: Double = 0) {
    self.form = form
    self.warmUpEpochs = warmUpEpochs
  }

  /// The learning rate as it is.
  public static let constant = Schedule(.constant)

  /// Times `factor` after every `epochs` epochs.
  public static func step(epochs: Int, factor: Double = 0.1) -> Schedule {
    Schedule(.step(epochs: epochs, factor: factor))
  }

  /// Times `factor` after every epoch.
  public static func exponential(factor: Double) -> Schedule {
    Schedule(.exponential(factor: factor))
  }

  /// Half a cosine from 1 to `minimum` over `epochs` epochs, then `minimum`.
  public static func cosine(epochs: Double, minimum: Double = 0) -> Schedule {
    Schedule(.cosine(epochs: epochs, minimum: minimum))
  }

  /// Times `factor` whenever the validation loss, or without one the training loss, has not fallen for
  /// more than `patience` epochs.
  public static func reduceOnPlateau(
    factor: Double = 0.1, patience: Int = 10, minimum: Double = 0
  ) -> Schedule {
    Schedule(.plateau(factor: factor, patience: patience, minimum: minimum))
  }

  /// Returns the same schedule, begun after a linear rise from 0.
  public func warmingUp(epochs: Double) -> Schedule { Schedule(form, warmUpEpochs: epochs) }

  /// Returns the factor for the step that begins `progress` epochs after the start of the run.
  ///
  /// - Parameters:
  ///   - progress: In epochs, at least 0.
  ///   - step: The share of an epoch that one batch is; warming up counts the end of the step, so that
  ///     no step has the rate 0.
  ///   - plateau: What the form `plateau` has come to.
  public func factor(progress: Double, step: Double = 0, plateau: Double = 1) -> Double {
    if progress < warmUpEpochs {
      return min(1, (progress + step) / warmUpEpochs)
    }
    let epochs = progress - warmUpEpochs
    switch form {
    case .constant: return 1
    case .step(let every, let factor):
      return Self.power(factor, Int(epochs + 1e-9) / max(1, every))
    case .exponential(let factor): return Self.power(factor, Int(epochs + 1e-9))
    case .cosine(let length, let minimum):
      let share = length > 0 ? min(1, epochs / length) : 1
      return minimum + (1 - minimum) * (1 + Double.cos(.pi * share)) / 2
    case .plateau: return plateau
    }
  }

  private static func power(_ base: Double, _ exponent: Int) -> Double {
    var result = 1.0
    for _ in 0..<max(0, min(exponent, 100_000)) { result *= base }
    return result
  }

  func check() throws {
    func require(_ condition: Bool, _ name: String, _ expected: String, _ found: Any) throws {
      if !condition {
        throw TrainingError.invalidSetting(
          name: "schedule " + name, expected: expected, found: "\(found)")
      }
    }
    try require(warmUpEpochs >= 0, "warmUpEpochs", "0 or more", warmUpEpochs)
    switch form {
    case .constant: break
    case .step(let epochs, let factor):
      try require(epochs >= 1, "epochs", "1 or more", epochs)
      try require(factor > 0, "factor", "a positive number", factor)
    case .exponential(let factor):
      try require(factor > 0, "factor", "a positive number", factor)
    case .cosine(let epochs, let minimum):
      try require(epochs > 0, "epochs", "a positive number", epochs)
      try require(minimum >= 0, "minimum", "0 or more", minimum)
    case .plateau(let factor, let patience, let minimum):
      try require(factor > 0 && factor < 1, "factor", "a number in 0..<1", factor)
      try require(patience >= 0, "patience", "0 or more", patience)
      try require(minimum >= 0, "minimum", "0 or more", minimum)
    }
  }
}

/// What ``Schedule/Form/plateau(factor:patience:minimum:)`` remembers.
struct Plateau: Hashable {
  var factor = 1.0
  var best = Double.infinity
  var epochsWithoutFall = 0

  /// Takes note of an epoch's loss.
  mutating func note(_ loss: Double, _ schedule: Schedule) {
    guard case .plateau(let factor, let patience, let minimum) = schedule.form else { return }
    // As PyTorch's relative threshold of 1e-4.
    if loss < best - best.magnitude * 1e-4 || (best.isInfinite && loss.isFinite) {
      best = loss
      epochsWithoutFall = 0
      return
    }
    epochsWithoutFall += 1
    if epochsWithoutFall > patience {
      self.factor = max(minimum, self.factor * factor)
      epochsWithoutFall = 0
    }
  }
}
