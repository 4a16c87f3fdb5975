#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Fresh zeros, 64-byte aligned, owned by whoever holds them.
package struct ZeroedMemory {
  package let start: UnsafeMutableRawPointer
  private let block: UnsafeMutableRawPointer
  /// Bytes of the mapping; 0 if the block is the C library's.
  private let mappedByteCount: Int

  /// Blocks of at least this size are mapped: they go back to the system when they are freed, where the C
  /// library would keep ever larger ones.
  static let hugePage = 2 << 20

  /// Takes memory from the system.
  ///
  /// - Returns: `nil` if it has none.
  package init?(byteCount: Int) {
    #if os(Linux)
      // Large blocks begin at a huge page and ask for such pages: kernels stream them, and small pages cost a
      // fault each when they are first written.
      if byteCount >= Self.hugePage {
        let size = byteCount + Self.hugePage
        let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let address, address != MAP_FAILED else { return nil }
        block = address
        mappedByteCount = size
        start = address.alignedUp(toMultipleOf: Self.hugePage)
        // The rest of the last page stays small, so that nothing is wasted.
        madvise(start, byteCount / Self.hugePage * Self.hugePage, MADV_HUGEPAGE)
        return
      }
    #endif
    // Zeros from the system are pages that take no memory until somebody writes to them.
    guard let address = calloc(1, max(byteCount, 64) + 64) else { return nil }
    block = address
    mappedByteCount = 0
    start = address.alignedUp(toMultipleOf: 64)
  }

  package func deallocate() {
    if mappedByteCount > 0 { munmap(block, mappedByteCount) } else { free(block) }
  }
}
