internal import Synchronization
internal import VitrineTensor

/// Floats that kernels read: 64-byte aligned, written once, then shared. What is not written is zero.
///
/// `@unchecked Sendable`: the memory is written only inside `init`.
final class PackedConstant: @unchecked Sendable {
  let floats: UnsafePointer<Float>
  let byteCount: Int
  private let zeros: ZeroedMemory

  init(count: Int, _ fill: (UnsafeMutablePointer<Float>) throws -> Void) rethrows {
    byteCount = (max(count, 1) * 4 + 63) / 64 * 64 + 64
    guard let zeros = ZeroedMemory(byteCount: byteCount) else {
      preconditionFailure("no memory for \(byteCount) bytes of weights")
    }
    self.zeros = zeros
    let memory = zeros.start.bindMemory(to: Float.self, capacity: byteCount / 4)
    floats = UnsafePointer(memory)
    try fill(memory)
  }

  deinit { zeros.deallocate() }
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
