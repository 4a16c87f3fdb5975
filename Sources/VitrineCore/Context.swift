internal import Synchronization
public import VitrineTensor

/// What a run is allowed and asked to do, besides the method's own options.
public struct Context: Sendable {
  /// Seed of everything random; recorded in the result.
  public let seed: UInt64
  /// Bytes that a method may use for the samples it holds at once.
  public let memoryLimit: Int
  /// Class names by index, if known.
  public let labels: [String]?
  /// Turns the name of a colour or file into a baseline for an input, prepared as the inputs were;
  /// `nil` where nobody knows such names. The port's extents are those of the input.
  public let resolveBaseline: (@Sendable (_ name: String, _ port: Port) throws -> Tensor)?
  private let onProgress: (@Sendable (Progress) -> Void)?
  private let cancellation: Cancellation?

  /// Creates a context.
  ///
  /// - Parameters:
  ///   - seed: Of everything random.
  ///   - memoryLimit: In bytes.
  ///   - labels: Class names by index, for ``Target/Choice/label(_:)``.
  ///   - cancellation: Through which the caller can ask the run to stop.
  ///   - onProgress: May be called from any thread.
  ///   - resolveBaseline: Turns the name of a colour or file into a baseline.
  public init(
    seed: UInt64 = 0, memoryLimit: Int = 1 << 30, labels: [String]? = nil,
    cancellation: Cancellation? = nil, onProgress: (@Sendable (Progress) -> Void)? = nil,
    resolveBaseline: (@Sendable (_ name: String, _ port: Port) throws -> Tensor)? = nil
  ) {
    self.seed = seed
    self.memoryLimit = memoryLimit
    self.labels = labels
    self.cancellation = cancellation
    self.resolveBaseline = resolveBaseline
    self.onProgress = onProgress
  }

  /// Reports that `done` of `total` units of work are finished.
  public func progress(_ done: Int, of total: Int, _ unit: String) {
    onProgress?(Progress(done: done, total: total, unit: unit))
  }

  /// The same, without progress: for a part of a task that counts in other units.
  public var silent: Context {
    Context(
      seed: seed, memoryLimit: memoryLimit, labels: labels, cancellation: cancellation,
      resolveBaseline: resolveBaseline)
  }

  /// Returns the same for a part of a task: what it reports counts on from what is done.
  ///
  /// - Parameters:
  ///   - done: Units that were finished before the part.
  ///   - total: Units of the whole task.
  public func part(after done: Int, of total: Int) -> Context {
    var shifted: (@Sendable (Progress) -> Void)?
    if let onProgress {
      shifted = { onProgress(Progress(done: done + $0.done, total: total, unit: $0.unit)) }
    }
    return Context(
      seed: seed, memoryLimit: memoryLimit, labels: labels, cancellation: cancellation,
      onProgress: shifted, resolveBaseline: resolveBaseline)
  }

  /// Call between units of work.
  ///
  /// - Throws: ``CoreError/cancelled`` once ``Cancellation/cancel()`` was called.
  public func checkCancellation() throws(CoreError) {
    if cancellation?.isCancelled == true { throw .cancelled }
  }
}

/// How far a run has come.
public struct Progress: Sendable, Hashable {
  /// Units that are finished.
  public let done: Int
  /// Units in all.
  public let total: Int
  /// What is counted, in the plural: `steps`, `windows`.
  public let unit: String

  /// Creates a report.
  public init(done: Int, total: Int, unit: String) {
    self.done = done
    self.total = total
    self.unit = unit
  }
}

/// A request to stop, shared between whoever makes it and the running method.
public final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)

  /// Creates a request that is not made yet.
  public init() {}

  /// Asks the run to stop; it throws ``CoreError/cancelled`` at its next check.
  public func cancel() { flag.store(true, ordering: .relaxed) }

  /// Whether ``cancel()`` was called.
  public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}
