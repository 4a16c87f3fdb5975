import VitrineFiles

/// Where and how often a run is saved, so that it can go on after an interruption of any kind.
///
/// The file is written beside its place and renamed: it is there whole or not at all.
public struct Checkpointing: Sendable, Hashable {
  /// The file.
  public let path: String
  /// Saved after every so many epochs.
  public let everyEpochs: Int
  /// Saved after every so many batches, too.
  public let everyBatches: Int?
  /// Whether a run begins from the file if it is there.
  public let resumes: Bool

  /// - Parameters:
  ///   - path: The file; its folder exists.
  ///   - everyEpochs: Less than 1 is 1.
  ///   - everyBatches: Counted over the whole run; `nil` for epochs only.
  ///   - resumes: Whether a run begins from the file if it is there, else anew.
  public init(
    path: String, everyEpochs: Int = 1, everyBatches: Int? = nil, resumes: Bool = false
  ) {
    self.path = path
    self.everyEpochs = max(1, everyEpochs)
    self.everyBatches = everyBatches.map { max(1, $0) }
    self.resumes = resumes
  }

  var exists: Bool { OutputFiles.kind(of: path) != .nothing }

  func write(_ trainer: Trainer, afterEpoch epoch: Int) throws {
    if epoch % everyEpochs == 0 { try OutputFiles.write(trainer.checkpointBytes(), to: path) }
  }

  func write(_ trainer: Trainer, afterBatch step: Int) throws {
    if let everyBatches, step % everyBatches == 0 {
      try OutputFiles.write(trainer.checkpointBytes(), to: path)
    }
  }
}
