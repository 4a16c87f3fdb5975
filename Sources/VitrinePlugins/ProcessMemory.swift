import CVitrineProcess

/// How this process keeps memory.
package enum ProcessMemory {
  /// Makes large blocks go back to the system when they are freed.
  ///
  /// By itself the C library keeps ever larger ones: 50 steps of integrated gradients on SqueezeNet took 81 MB at
  /// most instead of 77.
  package static func returnLargeBlocks() { vitrine_return_large_blocks() }
}
