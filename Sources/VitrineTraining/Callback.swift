public import VitrineNetwork

/// Something done during training: explaining a few samples after each epoch, writing a log, stopping.
public struct Callback {
  /// When a callback is called.
  public enum Moment: Sendable, Hashable, CaseIterable {
    /// Before the first epoch.
    case trainingBegan
    /// Before each epoch.
    case epochBegan
    /// Before each batch.
    case batchBegan
    /// After each batch.
    case batchEnded
    /// After each epoch.
    case epochEnded
    /// After the last epoch.
    case trainingEnded
  }

  /// When it is called.
  public let moment: Moment
  /// At which epochs, or batches for batch moments: every so many, counted from 1.
  public let interval: Int
  let body: (TrainingStatus) throws -> Void

  /// Calls `body` at every `interval`-th such moment; what it throws ends the run.
  public init(
    at moment: Moment, every interval: Int = 1, _ body: @escaping (TrainingStatus) throws -> Void
  ) {
    self.moment = moment
    self.interval = max(1, interval)
    self.body = body
  }

  /// Calls `body` at the end of every `interval`-th epoch.
  public static func epochEnded(
    every interval: Int = 1, _ body: @escaping (TrainingStatus) throws -> Void
  ) -> Callback { Callback(at: .epochEnded, every: interval, body) }

  /// Calls `body` at the end of every `interval`-th batch.
  public static func batchEnded(
    every interval: Int = 1, _ body: @escaping (TrainingStatus) throws -> Void
  ) -> Callback { Callback(at: .batchEnded, every: interval, body) }
}

/// What a callback is told.
public struct TrainingStatus {
  /// The current epoch, counted from 1, and how many there are to be.
  public let epoch: Int
  /// In all.
  public let epochs: Int
  /// The current batch of the epoch, counted from 1, and how many there are; 0 before the first.
  public let batch: Int
  /// In an epoch.
  public let batches: Int
  /// Steps done since the beginning of the run.
  public let step: Int
  /// Of the current step.
  public let learningRate: Double
  /// Loss of the batch, at ``Callback/Moment/batchEnded``.
  public let batchLoss: Double?
  /// Over the part of the epoch that is done.
  public let training: Evaluation
  /// At ``Callback/Moment/epochEnded`` and later.
  public let validation: Evaluation?
  /// The epochs that are complete.
  public let history: History
  let snapshot: () throws -> Network
  let stopRequest: StopRequest

  /// Returns the network as it is now; it will not change, and explains as in inference.
  ///
  /// - Complexity: O(nodes + parameters).
  public func network() throws -> Network { try snapshot() }

  /// Ends the run after this batch.
  public func stop() { stopRequest.isMade = true }
}

/// Whether a callback asked for the end.
final class StopRequest {
  var isMade = false
}
