/// A loop over the common index space of up to four tensors, each read at strides of its own.
///
/// Axes that every tensor walks through without a jump are merged, so that rows, the innermost
/// runs, are as long as they can be. The order is always row-major.
struct StridedLoop {
  /// One number for each of the tensors; unused ones stay 0.
  typealias Offsets = SIMD4<Int>

  /// Elements of a row.
  let rowLength: Int
  /// Distance between neighbours in a row.
  let rowStrides: Offsets

  /// The merged axes outside the rows, outermost first.
  private var extents: [Int] = []
  private var strides: [Offsets] = []
  /// Where the loop is; all zero before and after a run, so that a run allocates nothing.
  private var index: [Int]

  /// Creates a loop.
  ///
  /// - Parameter operands: At most four lists of strides, each with one stride for every extent.
  init(_ extents: [Int], strides operands: [Int]...) {
    precondition(operands.count <= Offsets.scalarCount, "a loop walks at most four tensors")
    for axis in extents.indices where extents[axis] != 1 {
      var step = Offsets.zero
      for (lane, strides) in operands.enumerated() { step[lane] = strides[axis] }
      if let outer = self.strides.last, outer == step &* Offsets(repeating: extents[axis]) {
        self.extents[self.extents.count - 1] *= extents[axis]
        self.strides[self.strides.count - 1] = step
      } else {
        self.extents.append(extents[axis])
        self.strides.append(step)
      }
    }
    if extents.contains(0) {
      self.extents = [0]
      self.strides = [.zero]
    }
    rowLength = self.extents.popLast() ?? 1
    rowStrides = self.strides.popLast() ?? .zero
    index = Array(repeating: 0, count: self.extents.count)
  }

  /// Calls `body` with the offsets of the first element of every row; not at all if there are no
  /// elements.
  @inline(__always)
  mutating func forEachRow(
    from start: Offsets = .zero, _ body: (Offsets) throws -> Void
  ) rethrows {
    guard rowLength > 0 else { return }
    var offsets = start
    while true {
      try body(offsets)
      var axis = extents.count - 1
      while axis >= 0 {
        index[axis] += 1
        offsets &+= strides[axis]
        if index[axis] < extents[axis] { break }
        offsets &-= strides[axis] &* Offsets(repeating: extents[axis])
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}
