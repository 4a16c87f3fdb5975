/// Places buffers with known lifetimes into one block of memory.
package enum ArenaPlanner {
  package struct Buffer {
    package var byteCount: Int
    /// How many equal parts it holds, one for each image; `nil` for scratch memory of one operation.
    let images: Int?
    package var firstStep: Int
    package var lastStep: Int

    package init(byteCount: Int, images: Int?, firstStep: Int, lastStep: Int) {
      self.byteCount = byteCount
      self.images = images
      self.firstStep = firstStep
      self.lastStep = lastStep
    }
  }

  /// Returns byte offsets, multiples of 64, such that buffers alive at the same step do not overlap.
  ///
  /// Each buffer takes the first gap that suffices: in order of birth, or the largest ones first, whichever takes
  /// less memory.
  ///
  /// Source of the second order: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference"
  /// (2020), section 5.2.
  ///
  /// - Complexity: O(n²) for n buffers.
  package static func place(_ buffers: [Buffer]) -> (offsets: [Int], byteCount: Int) {
    let used = buffers.indices.filter { buffers[$0].byteCount > 0 }
    let byBirth = used.sorted { a, b in
      (buffers[a].firstStep, -buffers[a].byteCount, a)
        < (buffers[b].firstStep, -buffers[b].byteCount, b)
    }
    let bySize = used.sorted { a, b in
      (-buffers[a].byteCount, buffers[a].firstStep, a)
        < (-buffers[b].byteCount, buffers[b].firstStep, b)
    }
    let (first, second) = (place(buffers, in: byBirth), place(buffers, in: bySize))
    return second.byteCount < first.byteCount ? second : first
  }

  private static func place(
    _ buffers: [Buffer], in order: [Int]
  ) -> (offsets: [Int], byteCount: Int) {
    var offsets = [Int](repeating: 0, count: buffers.count)
    // In the order of their offsets.
    var placed: [(index: Int, end: Int)] = []
    var total = 0
    for index in order {
      let buffer = buffers[index]
      // A vector may be read past the last pixel: keep a distance.
      let size = (buffer.byteCount + 63) / 64 * 64 + 256
      var offset = 0
      for other in placed
      where buffers[other.index].firstStep <= buffer.lastStep
        && buffers[other.index].lastStep >= buffer.firstStep
      {
        if offset + size <= offsets[other.index] { break }
        offset = max(offset, other.end)
      }
      offsets[index] = offset
      let place = placed.firstIndex { offsets[$0.index] > offset } ?? placed.count
      placed.insert((index, offset + size), at: place)
      total = max(total, offset + size)
    }
    return (offsets, total)
  }
}
