import Dispatch
import Synchronization

/// A value that another thread computes while this one goes on.
final class ConcurrentValue<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let group = DispatchGroup()

  init(_ body: @escaping @Sendable () throws -> Value) {
    DispatchQueue.global().async(group: group) {
      let found = Result { try body() }
      self.result.withLock { $0 = found }
    }
  }

  /// Waits for the value.
  ///
  /// - Returns: What was computed.
  /// - Throws: What its computation threw.
  func get() throws -> Value {
    group.wait()
    guard let found = result.withLock({ $0 }) else { preconditionFailure("the group has ended") }
    return try found.get()
  }
}
