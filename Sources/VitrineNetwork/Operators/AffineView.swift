package import VitrineTensor

/// A way to look at a tensor's elements: the one at index `i` is at `offset + Σ strides · i`.
///
/// Slices, transpositions, expansions and tilings are all such views. Reading one is the operator,
/// adding to one is its pullback, and writing to several is concatenation.
package struct AffineView {
  package private(set) var offset = 0
  package private(set) var extents: [Int]
  package private(set) var strides: [Int]

  /// Creates the view of all elements of a tensor.
  package init(_ shape: Shape) {
    extents = shape.dimensions
    strides = shape.strides
  }

  // MARK: - Narrower and wider views

  /// Returns the view of `count` elements along `axis`, every `step`-th, from `start` on.
  ///
  /// Unless `count` is 0, `start` and `start + (count - 1) · step` must be in range.
  package func sliced(axis: Int, start: Int, step: Int = 1, count: Int) -> AffineView {
    var view = self
    view.extents[axis] = count
    if count > 0 {
      precondition(start >= 0 && start < extents[axis], "a slice starts inside its tensor")
      view.offset += start * strides[axis]
    }
    if count > 1 {
      let last = start + (count - 1) * step
      precondition(last >= 0 && last < extents[axis], "a slice ends inside its tensor")
      view.strides[axis] = strides[axis] * step
    }
    return view
  }

  /// Returns the view whose axis `i` is axis `permutation[i]` of this one.
  package func transposed(_ permutation: [Int]) -> AffineView {
    var view = self
    view.extents = permutation.map { extents[$0] }
    view.strides = permutation.map { strides[$0] }
    return view
  }

  /// Returns the view that repeats axes of extent 1, and new axes in front, as broadcasting does.
  package func broadcast(to shape: Shape) -> AffineView {
    var view = self
    let new = shape.rank - extents.count
    view.extents = shape.dimensions
    view.strides = shape.dimensions.indices.map { axis in
      axis < new || extents[axis - new] != shape[axis] ? 0 : strides[axis - new]
    }
    return view
  }

  /// Returns the view that passes `repeats[i]` times along axis `i`, with two axes for each.
  package func tiled(_ repeats: [Int]) -> AffineView {
    var view = self
    view.extents = zip(repeats, extents).flatMap { [$0, $1] }
    view.strides = strides.flatMap { [0, $0] }
    return view
  }

  // MARK: - Elements

  /// Returns the elements of `source` that the view shows, as a tensor of shape `shape`.
  package func read(_ source: Tensor, as shape: Shape) throws -> Tensor {
    func read<S: Scalar>(_: S.Type) throws -> Tensor {
      try source.withElements(of: S.self) { source in
        Tensor(uninitialized: shape, of: S.self) { target in
          forEachRow { seen, dense, count, stride in
            if stride == 1, let row = source.baseAddress, let start = target.baseAddress {
              (start + dense).update(from: row + seen, count: count)
            } else {
              for i in 0..<count { target[dense + i] = source[seen + i * stride] }
            }
          }
        }
      }
    }
    switch source.dataType {
    case .float32: return try read(Float.self)
    case .float64: return try read(Double.self)
    case .int64: return try read(Int64.self)
    case .bool: return try read(Bool.self)
    }
  }

  /// Replaces the elements of `target` that the view shows by those of `source`, in order.
  package func write(_ source: Tensor, to target: inout Tensor) throws {
    func write<S: Scalar>(_: S.Type, to target: inout Tensor) throws {
      try source.withElements(of: S.self) { source in
        try target.withMutableElements(of: S.self) { target in
          forEachRow { seen, dense, count, stride in
            if stride == 1, let row = source.baseAddress, let start = target.baseAddress {
              (start + seen).update(from: row + dense, count: count)
            } else {
              for i in 0..<count { target[seen + i * stride] = source[dense + i] }
            }
          }
        }
      }
    }
    switch source.dataType {
    case .float32: try write(Float.self, to: &target)
    case .float64: try write(Double.self, to: &target)
    case .int64: try write(Int64.self, to: &target)
    case .bool: try write(Bool.self, to: &target)
    }
  }

  /// Adds the elements of `source`, in order, to those of `target` that the view shows.
  package func add<T: RealScalar>(_ source: Tensor, to target: inout Tensor, _: T.Type) throws {
    try source.withElements(of: T.self) { source in
      try target.withMutableElements(of: T.self) { target in
        forEachRow { seen, dense, count, stride in
          for i in 0..<count { target[seen + i * stride] += source[dense + i] }
        }
      }
    }
  }

  /// Calls `body` for every row with the offset in the tensor seen, the offset in a dense tensor of
  /// the view's extents, the number of elements and their distance in the tensor seen.
  @inline(__always)
  private func forEachRow(_ body: (Int, Int, Int, Int) -> Void) {
    var dense = [Int](repeating: 1, count: extents.count)
    for axis in extents.indices.dropLast().reversed() {
      dense[axis] = dense[axis + 1] &* extents[axis + 1]
    }
    var loop = StridedLoop(extents, strides: strides, dense)
    let (count, stride) = (loop.rowLength, loop.rowStrides[0])
    loop.forEachRow(from: StridedLoop.Offsets(offset, 0, 0, 0)) {
      body($0[0], $0[1], count, stride)
    }
  }
}
