import CVitrineProcess

/// How this process keeps memory.
package enum ProcessMemory {
  /// Makes blocks of more than 2 MiB go back to the system when they are freed.
  ///
  /// By itself the C library keeps ever larger ones: repeated integrated gradients on SqueezeNet took 81 MiB at most
  /// instead of 78. Smaller ones are used again so soon that fresh pages for them would cost more than they save.
  package static func returnLargeBlocks() { vitrine_return_large_blocks() }
}
