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
  ///
  /// - Parameters:
  ///   - moment: When.
  ///   - interval: In epochs, or in batches for batch moments; less than 1 is 1.
  ///   - body: Called on the thread that trains, which waits for it.
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
  /// The current epoch, counted from 1.
  public let epoch: Int
  /// Epochs that the run is to have.
  public let epochs: Int
  /// The current batch of the epoch, counted from 1; 0 before the first.
  public let batch: Int
  /// Batches in an epoch.
  public let batches: Int
  /// Steps done since the beginning of the run.
  public let step: Int
  /// Of the current step, the schedule's factor included.
  public let learningRate: Double
  /// Loss of the batch, at ``Callback/Moment/batchEnded``.
  public let batchLoss: Double?
  /// Means over the part of the epoch that is done, with dropout and batch statistics.
  public let training: Evaluation
  /// As in inference, at ``Callback/Moment/epochEnded`` and later, if there are validation data.
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
