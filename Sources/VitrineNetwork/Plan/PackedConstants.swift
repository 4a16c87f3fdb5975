internal import CVitrineKernels
internal import Synchronization

/// Floats that kernels read: 64-byte aligned, written once, then shared.
///
/// `@unchecked Sendable`: the memory is written only inside `init`.
final class PackedConstant: @unchecked Sendable {
  let floats: UnsafePointer<Float>

  init(count: Int, _ fill: (UnsafeMutablePointer<Float>) throws -> Void) rethrows {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: (max(count, 1) * 4 + 63) / 64 * 64 + 64, alignment: 64
    ).bindMemory(to: Float.self, capacity: count)
    memory.initialize(repeating: 0, count: count)
    floats = UnsafePointer(memory)
    try fill(memory)
  }

  deinit { floats.deallocate() }
}

/// Packed weights of one network, shared by all its plans.
final class PackedConstants: Sendable {
  /// What a constant is: the node it belongs to, its use, and a variant such as a phase.
  struct Key: Hashable, Sendable {
    let node: Int
    let use: String
    var variant: [Int] = []
  }

  private let constants = Mutex<[Key: PackedConstant]>([:])

  /// Returns the constant, making it the first time.
  func constant(_ key: Key, _ make: () throws -> PackedConstant) rethrows -> PackedConstant {
    if let constant = constants.withLock({ $0[key] }) { return constant }
    let constant = try make()
    return constants.withLock { cache in
      if let first = cache[key] { return first }
      cache[key] = constant
      return constant
    }
  }
}
