package import VitrineTensor

/// Takes slices of `data` along one axis, at the places that `indices` lists.
package struct Gather: Operator {
  /// As the node has it: counted from the end if negative.
  package let axis: Int

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 2...2)
    axis = try node.integer("axis", default: 0)
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let (data, indices) = (try inputs.required(0, "data"), try inputs.required(1, "indices"))
    try indices.expect(.int64, as: "indices")
    let axis = try data.shape.checkedAxis(axis)
    if let known = indices.constant { _ = try positiveIndices(known, data.shape, axis) }
    let (before, after) = (data.shape.dimensions[..<axis], data.shape.dimensions[(axis + 1)...])
    let shape = try Shape.checked(before + indices.shape.dimensions + after)
    return [ValueType(shape, data.dataType.inferred)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (data, indices) = (try inputs.required(0, "data"), try inputs.required(1, "indices"))
    let axis = try data.shape.checkedAxis(axis)
    let shape = try infer(inputs.types)[0].shape
    let taken = try take(data, axis: axis, try positiveIndices(indices, data.shape, axis))
    return [try taken.reshaped(to: shape.dimensions)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let data = try point.inputs.required(0, "data")
    let indices = try point.inputs.required(1, "indices")
    let axis = try data.shape.checkedAxis(axis)
    return try point.pulledBack(cotangents) { _ in
      guard let g = cotangents[0] else { return nil }
      var extents = data.shape.dimensions
      extents[axis] = indices.count
      return try pullTake(
        try g.reshaped(to: extents), axis: axis,
        try positiveIndices(indices, data.shape, axis), extent: data.shape[axis], T.self)
    }
  }
}

/// Takes single elements of `data`: the one whose place is that of the index, except along one axis,
/// where it is the index.
package struct GatherElements: Operator {
  /// As the node has it: counted from the end if negative.
  package let axis: Int

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 2...2)
    axis = try node.integer("axis", default: 0)
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let (data, indices) = (try inputs.required(0, "data"), try inputs.required(1, "indices"))
    try indices.expect(.int64, as: "indices")
    let axis = try data.shape.checkedAxis(axis)
    guard indices.shape.rank == data.shape.rank,
      data.shape.dimensions.indices.allSatisfy({
        $0 == axis || indices.shape[$0] <= data.shape[$0]
      })
    else {
      throw OperatorError(
        "indices of shape \(indices.shape) do not fit data of shape \(data.shape) on axis \(axis)")
    }
    if let known = indices.constant { _ = try positiveIndices(known, data.shape, axis) }
    return [ValueType(indices.shape, data.dataType.inferred)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (data, indices) = (try inputs.required(0, "data"), try inputs.required(1, "indices"))
    _ = try infer(inputs.types)

    func gather<S: Scalar>(_: S.Type) throws -> Tensor {
      try data.withElements(of: S.self) { elements in
        try Tensor(uninitialized: indices.shape, of: S.self) { result in
          try forEachElement(data.shape, indices) { place, source in
            result[place] = elements[source]
          }
        }
      }
    }
    switch data.dataType {
    case .float32: return [try gather(Float.self)]
    case .float64: return [try gather(Double.self)]
    case .int64: return [try gather(Int64.self)]
    case .bool: return [try gather(Bool.self)]
    }
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let data = try point.inputs.required(0, "data")
    let indices = try point.inputs.required(1, "indices")
    return try point.pulledBack(cotangents) { _ in
      guard let g = cotangents[0] else { return nil }
      var result = Tensor(zeros: data.shape, T.dataType)
      try g.withElements(of: T.self) { g in
        try result.withMutableElements(of: T.self) { result in
          try forEachElement(data.shape, indices) { place, source in result[source] += g[place] }
        }
      }
      return result
    }
  }

  /// Calls `body` with the offset of every index and that of the element it chooses.
  @inline(__always)
  private func forEachElement(
    _ data: Shape, _ indices: Tensor, _ body: (Int, Int) -> Void
  ) throws {
    let axis = try data.checkedAxis(axis)
    let step = data.strides[axis]
    var strides = data.strides
    strides[axis] = 0
    var loop = StridedLoop(
      indices.shape.dimensions, strides: indices.shape.strides, strides)
    let (count, stride) = (loop.rowLength, loop.rowStrides[1])
    let chosen = try positiveIndices(indices, data, axis)
    loop.forEachRow { row in
      for k in 0..<count {
        let place = row[0] + k
        body(place, row[1] + k * stride + chosen[place] * step)
      }
    }
  }
}

/// Returns the indices counted from the front, all in range.
private func positiveIndices(_ indices: Tensor, _ data: Shape, _ axis: Int) throws -> [Int] {
  let extent = data[axis]
  return try indices.withElements(of: Int64.self) { indices in
    try indices.map { index in
      guard let found = Int(exactly: index), found >= -extent, found < extent else {
        throw OperatorError(
          "index \(index) is out of range on axis \(axis) of shape \(data): expected "
            + "\(-extent)..<\(extent)")
      }
      return found < 0 ? found + extent : found
    }
  }
}

/// Returns the slices of `source` along `axis` at `indices`, which are in range.
func take(_ source: Tensor, axis: Int, _ indices: [Int]) throws -> Tensor {
  var extents = source.shape.dimensions
  let extent = extents[axis]
  let outer = extents[..<axis].reduce(1, &*)
  let bytes = extents[(axis + 1)...].reduce(source.dataType.byteCount, &*)
  extents[axis] = indices.count
  var result = Tensor(zeros: try Shape.checked(extents), source.dataType)
  guard result.count > 0 else { return result }
  source.withBytes { source in
    result.withMutableBytes { result in
      guard let from = source.baseAddress, let to = result.baseAddress else { return }
      for block in 0..<outer {
        for (place, index) in indices.enumerated() {
          (to + (block * indices.count + place) * bytes)
            .copyMemory(from: from + (block * extent + index) * bytes, byteCount: bytes)
        }
      }
    }
  }
  return result
}

/// Returns the cotangent of the source of ``take(_:axis:_:)``, whose extent along `axis` was
/// `extent`: an element that was taken more than once adds up.
func pullTake<T: RealScalar>(
  _ cotangent: Tensor, axis: Int, _ indices: [Int], extent: Int, _: T.Type
) throws -> Tensor {
  var extents = cotangent.shape.dimensions
  let outer = extents[..<axis].reduce(1, &*)
  let inner = extents[(axis + 1)...].reduce(1, &*)
  extents[axis] = extent
  var result = Tensor(zeros: try Shape.checked(extents), T.dataType)
  guard cotangent.count > 0 else { return result }
  try cotangent.withElements(of: T.self) { g in
    try result.withMutableElements(of: T.self) { result in
      for block in 0..<outer {
        for (place, index) in indices.enumerated() {
          let from = (block * indices.count + place) * inner
          let to = (block * extent + index) * inner
          for k in 0..<inner { result[to + k] += g[from + k] }
        }
      }
    }
  }
  return result
}
