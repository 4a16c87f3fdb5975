import Dispatch
import Synchronization

/// Returns pieces of bytes one after the other, made by all cores.
///
/// - Parameter make: Makes the piece with a given number.
func concurrentPieces(_ count: Int, _ make: @Sendable (Int) -> [UInt8]) -> [UInt8] {
  let pieces = Mutex([[UInt8]](repeating: [], count: count))
  DispatchQueue.concurrentPerform(iterations: count) { index in
    let piece = make(index)
    pieces.withLock { $0[index] = piece }
  }
  return pieces.withLock { Array($0.joined()) }
}
