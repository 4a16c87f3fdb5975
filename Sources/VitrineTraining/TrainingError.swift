/// What can be wrong with data, options or checkpoints of a training run.
public enum TrainingError: Error, Sendable, Equatable {
  /// Samples that do not fit each other, the network or the loss.
  case invalidData(what: String, expected: String, found: String)
  /// A setting out of its range.
  case invalidSetting(name: String, expected: String, found: String)
  /// The network has nothing to train.
  case noParameters(String)
  /// The loss is not a number any more.
  case diverged(epoch: Int, batch: Int, loss: String)
  /// A checkpoint that is damaged or belongs to another run.
  case invalidCheckpoint(String)
}

extension TrainingError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .invalidData(let what, let expected, let found):
      "\(what): expected \(expected), found \(found)"
    case .invalidSetting(let name, let expected, let found):
      "\(name): expected \(expected), found \(found)"
    case .noParameters(let reason): "nothing to train: \(reason)"
    case .diverged(let epoch, let batch, let loss):
      "the loss is \(loss) in batch \(batch) of epoch \(epoch): expected a finite number; lower the "
        + "learning rate, or clip gradients"
    case .invalidCheckpoint(let reason): "checkpoint: \(reason)"
    }
  }
}
