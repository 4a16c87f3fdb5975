internal import Synchronization
internal import VitrineTensor

/// The memory of one run of a plan.
///
/// `@unchecked Sendable`: used by one run at a time; the pool's list is locked.
final class Arena: @unchecked Sendable {
  let byteCount: Int
  private let zeros: ZeroedMemory

  var memory: UnsafeMutableRawPointer { zeros.start }

  init?(byteCount: Int) {
    self.byteCount = byteCount
    // Buffers are written before they are read, but vectors may reach past their ends: no NaNs there.
    guard let zeros = ZeroedMemory(byteCount: byteCount + 4096) else { return nil }
    self.zeros = zeros
  }

  deinit { zeros.deallocate() }
}

/// Arenas between runs, shared by all plans of a network: only one or two run at a time.
final class ArenaPool: Sendable {
  /// Memory beyond the cache's size is not hoarded.
  private static let largestKept = 64 << 20
  private static let most = 2

  private let arenas = Mutex<[Arena]>([])
  private let largest = Mutex(0)

  /// Size of the largest arena that a run needed.
  var largestByteCount: Int { largest.withLock { $0 } }

  /// Returns the smallest arena that suffices, or a new one.
  ///
  /// - Throws: ``NetworkError/memoryLimit`` if the system has no memory.
  func take(_ byteCount: Int) throws -> Arena {
    largest.withLock { $0 = max($0, byteCount) }
    let found = arenas.withLock { arenas -> Arena? in
      let fitting = arenas.indices.filter { arenas[$0].byteCount >= byteCount }
      if let best = fitting.min(by: { arenas[$0].byteCount < arenas[$1].byteCount }) {
        return arenas.remove(at: best)
      }
      // The new one will serve whom this served.
      arenas.removeAll()
      return nil
    }
    if let found { return found }
    guard let arena = Arena(byteCount: byteCount) else {
      throw NetworkError.memoryLimit(needed: byteCount, limit: 0, what: "a pass")
    }
    return arena
  }

  func giveBack(_ arena: Arena) {
    guard arena.byteCount <= Self.largestKept else { return }
    arenas.withLock { arenas in
      arenas.append(arena)
      if arenas.count > Self.most { arenas.removeFirst() }
    }
  }
}
