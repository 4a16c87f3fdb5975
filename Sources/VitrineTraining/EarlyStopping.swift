import VitrineTensor

/// When a run ends before its last epoch.
public struct EarlyStopping: Sendable, Hashable {
  /// Epochs without improvement after which the run ends.
  public let patience: Int
  /// What is watched, of the validation data or, without any, of the training data; `nil` for the loss.
  public let metric: Metric?
  /// How much better an epoch must be to count.
  public let minimumChange: Double
  /// Whether the run ends with the parameters of its best epoch rather than those of its last.
  public let restoresBest: Bool

  /// - Parameters:
  ///   - patience: Epochs without improvement after which the run ends.
  ///   - metric: One of the trainer's; `nil` for the loss.
  ///   - minimumChange: In units of the loss or metric.
  ///   - restoresBest: Whether the run ends with the parameters of its best epoch.
  public init(
    patience: Int, metric: Metric? = nil, minimumChange: Double = 0, restoresBest: Bool = true
  ) {
    self.patience = patience
    self.metric = metric
    self.minimumChange = minimumChange
    self.restoresBest = restoresBest
  }

  /// Returns the watched number, less being better.
  func cost(_ epoch: History.Epoch) throws -> Double {
    let evaluation = epoch.validation ?? epoch.training
    guard let metric else { return evaluation.loss }
    guard let value = evaluation.metrics[metric] else {
      throw TrainingError.invalidSetting(
        name: "early stopping", expected: "one of the trainer's metrics", found: metric.rawValue)
    }
    return metric.isBetterHigher ? -value : value
  }
}

/// The best epoch so far.
struct BestEpoch {
  var cost: Double
  var number: Int
  /// Empty unless they are to be restored.
  var parameters: [Tensor]
  var statistics: [Tensor]
}
