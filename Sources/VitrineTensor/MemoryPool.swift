internal import Synchronization

/// Blocks of memory that tensors have given back, for the next tensors of the same size.
///
/// A large block fresh from the system costs a page fault for every 4 KiB, 0.1 ns a byte or more: as much
/// as writing it several times. A network's results have the same sizes call after call.
final class MemoryPool: Sendable {
  static let shared = MemoryPool()

  /// Smaller blocks cost no page faults: the C library keeps them.
  private static let smallestBlock = 64 << 10
  /// What is kept at most; the oldest blocks go first.
  private static let largestTotal = 8 << 20

  /// 64-byte aligned memory with arbitrary contents.
  ///
  /// `@unchecked Sendable`: owned by whoever holds it.
  struct Block: @unchecked Sendable {
    let memory: UnsafeMutableRawPointer
    let byteCount: Int
    private let zeros: ZeroedMemory?

    init(byteCount: Int) {
      self.byteCount = byteCount
      zeros = byteCount >= ZeroedMemory.hugePage ? ZeroedMemory(byteCount: byteCount) : nil
      memory = zeros?.start ?? .allocate(byteCount: byteCount, alignment: 64)
    }

    func deallocate() {
      if let zeros { zeros.deallocate() } else { memory.deallocate() }
    }
  }

  private struct State {
    var blocks: [Block] = []
    var total = 0
  }

  private let state = Mutex(State())

  func take(_ byteCount: Int) -> Block {
    if byteCount >= Self.smallestBlock {
      let found = state.withLock { state -> Block? in
        guard let index = state.blocks.lastIndex(where: { $0.byteCount == byteCount }) else {
          return nil
        }
        state.total -= byteCount
        return state.blocks.remove(at: index)
      }
      if let found { return found }
    }
    return Block(byteCount: byteCount)
  }

  /// Takes a block back that ``take(_:)`` returned.
  func giveBack(_ block: Block) {
    guard block.byteCount >= Self.smallestBlock, block.byteCount <= Self.largestTotal else {
      return block.deallocate()
    }
    let surplus = state.withLock { state -> [Block] in
      state.blocks.append(block)
      state.total += block.byteCount
      var surplus: [Block] = []
      while state.total > Self.largestTotal {
        let oldest = state.blocks.removeFirst()
        state.total -= oldest.byteCount
        surplus.append(oldest)
      }
      return surplus
    }
    for block in surplus { block.deallocate() }
  }
}
