package import VitrineFiles

/// The bytes of a model, read from its file when they are first looked at.
///
/// Most of a model is weights, which go from the file straight into their tensors; only the rest is
/// ever held here. The memory for the whole file is set aside, but the system gives pages of it only
/// as they are filled. Used by one thread at a time.
package final class ByteSource {
  /// Bytes read at once: a page of memory.
  private static let blockBytes = 4096

  package let count: Int
  private let memory: UnsafeMutableRawBufferPointer
  private let file: OpenFile?
  private let path: String
  private var isLoaded: [Bool]

  /// Creates a source of bytes that are there already.
  package init(_ bytes: [UInt8]) {
    count = bytes.count
    memory = .allocate(byteCount: bytes.count, alignment: 1)
    memory.copyBytes(from: bytes)
    file = nil
    path = ""
    isLoaded = []
  }

  /// Creates a source of the bytes of a file, `path` in messages.
  package init(_ file: OpenFile, path: String) {
    count = file.byteCount
    memory = .allocate(byteCount: count, alignment: 1)
    self.file = file
    self.path = path
    isLoaded = [Bool](
      repeating: false, count: count / Self.blockBytes + (count % Self.blockBytes == 0 ? 0 : 1))
  }

  deinit {
    memory.deallocate()
  }

  /// Returns one byte; the index has to be in `0..<count`.
  package func byte(at index: Int) throws(ONNXError) -> UInt8 {
    if file != nil, !isLoaded[index / Self.blockBytes] { try load(index..<index + 1) }
    return memory[index]
  }

  /// Calls `body` with some of the bytes; the range has to be within `0..<count`.
  package func withBytes<Result>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(ONNXError) -> Result
  ) throws(ONNXError) -> Result {
    try load(range)
    return try body(UnsafeRawBufferPointer(rebasing: memory[range]))
  }

  /// Fills memory of as many bytes with some of the bytes, without holding on to them.
  package func copy(
    _ range: Range<Int>, to target: UnsafeMutableRawBufferPointer
  ) throws(ONNXError) {
    guard let file, range.count > Self.blockBytes else {
      return try withBytes(range) { (bytes) throws(ONNXError) in target.copyMemory(from: bytes) }
    }
    try read(file, range.lowerBound, target)
  }

  /// Makes sure that the bytes of a range are in memory.
  private func load(_ range: Range<Int>) throws(ONNXError) {
    guard let file, !range.isEmpty else { return }
    var block = range.lowerBound / Self.blockBytes
    let last = (range.upperBound - 1) / Self.blockBytes
    while block <= last {
      var next = block
      while next <= last, !isLoaded[next] { next += 1 }
      if next > block {
        let start = block * Self.blockBytes
        let end = min(next * Self.blockBytes, count)
        try read(file, start, UnsafeMutableRawBufferPointer(rebasing: memory[start..<end]))
        for index in block..<next { isLoaded[index] = true }
      }
      block = next + 1
    }
  }

  private func read(
    _ file: OpenFile, _ offset: Int, _ target: UnsafeMutableRawBufferPointer
  ) throws(ONNXError) {
    let found: Int
    do {
      found = try file.read(into: target, at: offset)
    } catch {
      throw .cannotRead(path: path, reason: error.reason)
    }
    guard found == target.count else {
      throw .cannotRead(path: path, reason: "it became shorter while it was read")
    }
  }
}
