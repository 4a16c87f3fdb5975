import VitrineTensor

// The loops over elements that the families share. All operands of one loop are broadcast together.

/// Returns `f` of every element.
@inline(__always)
func mapElements<S: Scalar, R: Scalar>(
  _ a: Tensor, of _: S.Type, _ f: (S) throws -> R
) throws -> Tensor {
  let shape = a.shape
  return try a.read(as: S.self) { a in
    try Tensor.filled(shape, of: R.self) { result in
      for i in a.indices { result[i] = try f(a[i]) }
    }
  }
}

/// Returns `f` of every pair of elements.
@inline(__always)
func zipElements<S: Scalar, R: Scalar>(
  _ a: Tensor, _ b: Tensor, of _: S.Type, _ f: (S, S) throws -> R
) throws -> Tensor {
  let shape = try a.shape.broadcast(with: b.shape)
  var loop = StridedLoop(
    shape.dimensions, strides: shape.strides, a.strides(in: shape), b.strides(in: shape))
  let (count, di, dj) = (loop.rowLength, loop.rowStrides[1], loop.rowStrides[2])
  return try a.read(as: S.self) { a in
    try b.read(as: S.self) { b in
      try Tensor.filled(shape, of: R.self) { result in
        try loop.forEachRow { row in
          let (r, i, j) = (row[0], row[1], row[2])
          // Rows of neighbours and of one element against neighbours are worth loops of their own:
          // the compiler can vectorise them.
          switch (di, dj) {
          case (1, 1): for k in 0..<count { result[r + k] = try f(a[i + k], b[j + k]) }
          case (1, 0): for k in 0..<count { result[r + k] = try f(a[i + k], b[j]) }
          case (0, 1): for k in 0..<count { result[r + k] = try f(a[i], b[j + k]) }
          default:
            for k in 0..<count {
              result[r + k] = try f(a[i + k * di], b[j + k * dj])
            }
          }
        }
      }
    }
  }
}

/// Returns `f` of every triple of elements.
@inline(__always)
func zipElements<S: Scalar, R: Scalar>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor, of _: S.Type, _ f: (S, S, S) throws -> R
) throws -> Tensor {
  let shape = try a.shape.broadcast(with: b.shape).broadcast(with: c.shape)
  var loop = StridedLoop(
    shape.dimensions, strides: shape.strides, a.strides(in: shape), b.strides(in: shape),
    c.strides(in: shape))
  let (count, strides) = (loop.rowLength, loop.rowStrides)
  let (di, dj, dl) = (strides[1], strides[2], strides[3])
  return try a.read(as: S.self) { a in
    try b.read(as: S.self) { b in
      try c.read(as: S.self) { c in
        try Tensor.filled(shape, of: R.self) { result in
          try loop.forEachRow { row in
            let (r, i, j, l) = (row[0], row[1], row[2], row[3])
            for k in 0..<count {
              result[r + k] = try f(a[i + k * di], b[j + k * dj], c[l + k * dl])
            }
          }
        }
      }
    }
  }
}

/// Returns the element of `a` where `condition` is true, that of `b` elsewhere.
@inline(__always)
func selectElements<S: Scalar>(
  _ condition: Tensor, _ a: Tensor, _ b: Tensor, of _: S.Type
) throws -> Tensor {
  let shape = try condition.shape.broadcast(with: a.shape).broadcast(with: b.shape)
  var loop = StridedLoop(
    shape.dimensions, strides: shape.strides, condition.strides(in: shape), a.strides(in: shape),
    b.strides(in: shape))
  let (count, strides) = (loop.rowLength, loop.rowStrides)
  let (di, dj, dl) = (strides[1], strides[2], strides[3])
  return try condition.read(as: Bool.self) { condition in
    try a.read(as: S.self) { a in
      try b.read(as: S.self) { b in
        try Tensor.filled(shape, of: S.self) { result in
          loop.forEachRow { row in
            let (r, i, j, l) = (row[0], row[1], row[2], row[3])
            for k in 0..<count {
              result[r + k] = condition[i + k * di] ? a[j + k * dj] : b[l + k * dl]
            }
          }
        }
      }
    }
  }
}

/// Returns the sum of `cotangent` over the axes along which an operand of shape `shape` was
/// broadcast: what is the operand's cotangent if `cotangent` is that of its broadcast form.
func unbroadcast<T: RealScalar>(
  _ cotangent: Tensor, to shape: Shape, _: T.Type
) throws -> Tensor {
  if cotangent.shape == shape { return cotangent }
  let new = cotangent.rank - shape.rank
  let axes = (0..<cotangent.rank).filter { axis in
    axis < new || shape[axis - new] != cotangent.shape[axis]
  }
  var loop = ReductionLoop(cotangent.shape, axes: axes)
  return try cotangent.read(as: T.self) { elements in
    try Tensor.filled(shape, of: T.self) { result in
      loop.forEachGroup { i, group in
        var sum = 0.0
        group.forEachElement { sum += Double(elements[$0]) }
        result[i] = T(sum)
      }
    }
  }
}

extension Tensor {
  /// Calls `body` with the elements.
  ///
  /// As ``withElements(of:_:)``, but `body` is compiled into the caller. A closure that is passed
  /// to another module is not, and neither are the functions that it calls for every element:
  /// adding a row to each row then takes 3.8 ns an element, this way 0.5.
  @inline(__always)
  func read<S: Scalar, Result>(
    as _: S.Type, _ body: (UnsafeBufferPointer<S>) throws -> Result
  ) throws -> Result {
    // The memory stays where it is for as long as this value keeps it alive.
    let elements = try withElements(of: S.self) { $0 }
    return try withExtendedLifetime(self) { try body(elements) }
  }

  /// Returns a tensor whose elements `fill` writes, all of them; `fill` is compiled into the caller.
  @inline(__always)
  static func filled<S: Scalar>(
    _ shape: Shape, of _: S.Type, _ fill: (UnsafeMutableBufferPointer<S>) throws -> Void
  ) throws -> Tensor {
    var result = Tensor(uninitialized: shape, of: S.self) { _ in }
    // No other tensor shares the memory, so that this does not copy.
    let elements = try result.withMutableElements(of: S.self) { $0 }
    try withExtendedLifetime(result) { try fill(elements) }
    return result
  }

  /// The strides to read the tensor at where it is broadcast to `shape`.
  fileprivate func strides(in shape: Shape) -> [Int] {
    AffineView(self.shape).broadcast(to: shape).strides
  }
}
