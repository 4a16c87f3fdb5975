import VitrineTensor

/// The loops of a reduction: one over the results and, for each, one over the elements it is made of.
///
/// Both run in row-major order.
struct ReductionLoop {
  /// The elements that make up one result.
  struct Group {
    fileprivate var loop: StridedLoop
    fileprivate var start = 0

    /// Calls `body` with the offset of every element.
    @inline(__always)
    mutating func forEachElement(_ body: (Int) throws -> Void) rethrows {
      let (count, stride) = (loop.rowLength, loop.rowStrides[0])
      try loop.forEachRow(from: StridedLoop.Offsets(start, 0, 0, 0)) { row in
        for k in 0..<count { try body(row[0] + k * stride) }
      }
    }
  }

  /// Elements of each group.
  let groupCount: Int
  private var results: StridedLoop
  private var group: Group

  /// Creates the loops for reducing a tensor of shape `shape` along `axes`.
  init(_ shape: Shape, axes: [Int]) {
    let isReduced = shape.dimensions.indices.map(axes.contains)
    let kept = isReduced.indices.filter { !isReduced[$0] }
    let reduced = isReduced.indices.filter { isReduced[$0] }
    let keptExtents = kept.map { shape[$0] }
    var dense = [Int](repeating: 1, count: kept.count)
    for axis in kept.indices.dropLast().reversed() {
      dense[axis] = dense[axis + 1] &* keptExtents[axis + 1]
    }
    let strides = shape.strides
    results = StridedLoop(keptExtents, strides: kept.map { strides[$0] }, dense)
    group = Group(
      loop: StridedLoop(reduced.map { shape[$0] }, strides: reduced.map { strides[$0] }))
    groupCount = reduced.reduce(1) { $0 &* shape[$1] }
  }

  /// Calls `body` with the offset of every result, and its group.
  @inline(__always)
  mutating func forEachGroup(_ body: (Int, inout Group) throws -> Void) rethrows {
    let (count, strides) = (results.rowLength, results.rowStrides)
    var group = self.group
    try results.forEachRow { row in
      for k in 0..<count {
        group.start = row[0] + k * strides[0]
        try body(row[1] + k * strides[1], &group)
      }
    }
  }
}
