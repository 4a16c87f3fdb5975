internal import CVitrineKernels
internal import Synchronization

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Floats that kernels read: 64-byte aligned, written once, then shared. What is not written is zero.
///
/// `@unchecked Sendable`: the memory is written only inside `init`.
final class PackedConstant: @unchecked Sendable {
  let floats: UnsafePointer<Float>
  let byteCount: Int
  private let mapping: UnsafeMutableRawBufferPointer?

  init(count: Int, _ fill: (UnsafeMutablePointer<Float>) throws -> Void) rethrows {
    byteCount = (max(count, 1) * 4 + 63) / 64 * 64 + 64
    mapping = Self.map(byteCount)
    let memory: UnsafeMutablePointer<Float>
    if let mapping, let base = mapping.baseAddress {
      let start = Int(bitPattern: base)
      memory = (base + (-start & (Self.hugePage - 1)))
        .bindMemory(to: Float.self, capacity: count)
    } else {
      memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
        .bindMemory(to: Float.self, capacity: count)
      memory.initialize(repeating: 0, count: count)
    }
    floats = UnsafePointer(memory)
    try fill(memory)
  }

  deinit {
    if let mapping { munmap(mapping.baseAddress, mapping.count) } else { floats.deallocate() }
  }

  private static let hugePage = 2 << 20

  /// Returns fresh zeros with room to start at a huge page, and asks for such pages: kernels stream large
  /// constants from memory, which small pages interrupt. `nil` if there are too few for one page.
  private static func map(_ byteCount: Int) -> UnsafeMutableRawBufferPointer? {
    #if os(Linux)
      guard byteCount >= hugePage else { return nil }
      let size = byteCount + hugePage
      let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let address, address != MAP_FAILED else { return nil }
      let start = address + (-Int(bitPattern: address) & (hugePage - 1))
      // The rest of the last page stays small, so that nothing is wasted.
      madvise(start, byteCount / hugePage * hugePage, MADV_HUGEPAGE)
      return UnsafeMutableRawBufferPointer(start: address, count: size)
    #else
      return nil
    #endif
  }
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
