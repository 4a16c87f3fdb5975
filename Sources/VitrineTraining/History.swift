/// How a training run went, epoch by epoch.
public struct History: Sendable, Hashable {
  /// One pass over the training data.
  public struct Epoch: Sendable, Hashable {
    /// Counted from 1.
    public let number: Int
    /// Measured while the parameters changed, with dropout and batch statistics.
    public let training: Evaluation
    /// Measured at the end of the epoch, as in inference.
    public let validation: Evaluation?
    /// Of the last step.
    public let learningRate: Double
    /// Wall time, of the part since the run was last resumed.
    public let seconds: Double

    /// Creates a record of an epoch.
    public init(
      number: Int, training: Evaluation, validation: Evaluation?, learningRate: Double,
      seconds: Double
    ) {
      self.number = number
      self.training = training
      self.validation = validation
      self.learningRate = learningRate
      self.seconds = seconds
    }
  }

  /// In order.
  public var epochs: [Epoch]
  /// The epoch that was best by the measure of ``EarlyStopping``, if that was asked for.
  public var bestEpoch: Int?

  /// Creates a history.
  public init(epochs: [Epoch] = [], bestEpoch: Int? = nil) {
    self.epochs = epochs
    self.bestEpoch = bestEpoch
  }
}
