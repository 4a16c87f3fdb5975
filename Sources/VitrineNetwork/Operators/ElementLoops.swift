import VitrineTensor

// The loops over elements that the families share. All operands of one loop are broadcast together.

/// Returns `f` of every element.
func mapElements<S: Scalar, R: Scalar>(
  _ a: Tensor, of _: S.Type, _ f: (S) throws -> R
) throws -> Tensor {
  try a.withElements(of: S.self) { elements in
    try Tensor(uninitialized: a.shape, of: R.self) { result in
      for i in elements.indices { result[i] = try f(elements[i]) }
    }
  }
}

/// Returns `f` of every pair of elements.
func zipElements<S: Scalar, R: Scalar>(
  _ a: Tensor, _ b: Tensor, of _: S.Type, _ f: (S, S) throws -> R
) throws -> Tensor {
  let shape = try a.shape.broadcast(with: b.shape)
  var loop = StridedLoop(
    shape.dimensions, strides: shape.strides, a.strides(in: shape), b.strides(in: shape))
  let (count, strides) = (loop.rowLength, loop.rowStrides)
  return try a.withElements(of: S.self) { a in
    try b.withElements(of: S.self) { b in
      try Tensor(uninitialized: shape, of: R.self) { result in
        try loop.forEachRow { row in
          let (r, i, j) = (row[0], row[1], row[2])
          // Rows of neighbours and of one element against neighbours are worth loops of their own:
          // the compiler can vectorise them.
          switch (strides[1], strides[2]) {
          case (1, 1): for k in 0..<count { result[r + k] = try f(a[i + k], b[j + k]) }
          case (1, 0): for k in 0..<count { result[r + k] = try f(a[i + k], b[j]) }
          case (0, 1): for k in 0..<count { result[r + k] = try f(a[i], b[j + k]) }
          default:
            for k in 0..<count {
              result[r + k] = try f(a[i + k * strides[1]], b[j + k * strides[2]])
            }
          }
        }
      }
    }
  }
}

/// Returns `f` of every triple of elements.
func zipElements<S: Scalar, R: Scalar>(
  _ a: Tensor, _ b: Tensor, _ c: Tensor, of _: S.Type, _ f: (S, S, S) throws -> R
) throws -> Tensor {
  let shape = try a.shape.broadcast(with: b.shape).broadcast(with: c.shape)
  var loop = StridedLoop(
    shape.dimensions, strides: shape.strides, a.strides(in: shape), b.strides(in: shape),
    c.strides(in: shape))
  let (count, strides) = (loop.rowLength, loop.rowStrides)
  return try a.withElements(of: S.self) { a in
    try b.withElements(of: S.self) { b in
      try c.withElements(of: S.self) { c in
        try Tensor(uninitialized: shape, of: R.self) { result in
          try loop.forEachRow { row in
            for k in 0..<count {
              result[row[0] + k] = try f(
                a[row[1] + k * strides[1]], b[row[2] + k * strides[2]],
                c[row[3] + k * strides[3]])
            }
          }
        }
      }
    }
  }
}

/// Returns the element of `a` where `condition` is true, that of `b` elsewhere.
func selectElements<S: Scalar>(
  _ condition: Tensor, _ a: Tensor, _ b: Tensor, of _: S.Type
) throws -> Tensor {
  let shape = try condition.shape.broadcast(with: a.shape).broadcast(with: b.shape)
  var loop = StridedLoop(
    shape.dimensions, strides: shape.strides, condition.strides(in: shape), a.strides(in: shape),
    b.strides(in: shape))
  let (count, strides) = (loop.rowLength, loop.rowStrides)
  return try condition.withElements(of: Bool.self) { condition in
    try a.withElements(of: S.self) { a in
      try b.withElements(of: S.self) { b in
        Tensor(uninitialized: shape, of: S.self) { result in
          loop.forEachRow { row in
            for k in 0..<count {
              result[row[0] + k] =
                condition[row[1] + k * strides[1]]
                ? a[row[2] + k * strides[2]] : b[row[3] + k * strides[3]]
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
  return try cotangent.withElements(of: T.self) { elements in
    Tensor(uninitialized: shape, of: T.self) { result in
      loop.forEachGroup { i, group in
        var sum = 0.0
        group.forEachElement { sum += Double(elements[$0]) }
        result[i] = T(sum)
      }
    }
  }
}

extension Tensor {
  /// The strides to read the tensor at where it is broadcast to `shape`.
  fileprivate func strides(in shape: Shape) -> [Int] {
    AffineView(self.shape).broadcast(to: shape).strides
  }
}
