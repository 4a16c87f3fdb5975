internal import CVitrineKernels
internal import VitrineTensor

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// What this machine can do at best, measured.
package enum Machine {
  /// Where data comes from.
  package enum Level: String, Sendable, CaseIterable {
    case firstCache = "L1"
    case secondCache = "L2"
    case thirdCache = "L3"
    case memory = "DRAM"
  }

  /// Usable cores.
  package static var threads: Int { Int(vk_hardware_threads()) }

  /// The instruction set that the kernels use.
  package static var instructionSet: String {
    switch vk_detected_isa() {
    case VK_AVX512: "AVX-512"
    case VK_AVX2: "AVX2"
    case VK_NEON: "NEON"
    default: "portable"
    }
  }

  /// Returns the best of several measurements of float32 multiply-add throughput, in operations per second: a
  /// multiplication with addition counts as two.
  package static func peak(threads: Int, seconds: Double = 0.1) -> Double {
    (0..<3).reduce(0) { best, _ in max(best, vk_measure_peak(Int32(threads), seconds)) }
  }

  /// Returns bytes that each thread reads over and over to measure a level, by the sizes of the caches
  /// that the system tells, half of which are used; by usual ones where it tells none.
  package static func footprint(of level: Level, threads: Int) -> Int {
    switch level {
    case .firstCache: cacheBytes(of: level, otherwise: 32 << 10) / 2
    case .secondCache: cacheBytes(of: level, otherwise: 1 << 20) / 2
    // Shared by all cores; and virtual machines tell of the whole processor's, most of which others use.
    case .thirdCache:
      max(
        min(cacheBytes(of: level, otherwise: 16 << 20) / 2, 16 << 20) / max(threads, 1),
        cacheBytes(of: .secondCache, otherwise: 1 << 20) * 2)
    case .memory: (512 << 20) / max(threads, 1)
    }
  }

  /// Returns the best of several measurements of the bytes that threads read per second.
  ///
  /// - Complexity: Memory of all threads' footprints.
  package static func bandwidth(of level: Level, threads: Int, seconds: Double = 0.1) -> Double {
    let count = footprint(of: level, threads: threads) / 4 * threads
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: count)
    defer { memory.deallocate() }
    // Pages that were never written are all the same one.
    memory.initialize(repeating: 1, count: count)
    return (0..<3).reduce(0) { best, _ in
      max(best, vk_measure_bandwidth(memory, count, Int32(threads), seconds))
    }
  }

  private static func cacheBytes(of level: Level, otherwise usual: Int) -> Int {
    #if canImport(Glibc)
      let name: Int32 =
        switch level {
        case .firstCache: Int32(_SC_LEVEL1_DCACHE_SIZE)
        case .secondCache: Int32(_SC_LEVEL2_CACHE_SIZE)
        case .thirdCache, .memory: Int32(_SC_LEVEL3_CACHE_SIZE)
        }
      let found = sysconf(name)
      return found > 0 ? found : usual
    #else
      return usual
    #endif
  }
}
