package import VitrineTensor

/// Operators that copy elements to other places.
package enum Movement {
  package static let operators: [String: any Operator.Type] = [
    "Concat": Concat.self, "Expand": Expand.self, "Gather": Gather.self,
    "GatherElements": GatherElements.self, "Pad": Pad.self, "Slice": Slice.self,
    "Split": Split.self, "Tile": Tile.self, "Transpose": Transpose.self,
  ]
}

/// Copies the elements of the first input that a view shows; the others describe the view.
package protocol Viewing: Operator {
  /// Returns the view, and the shape in which its elements are returned.
  func view(_ inputs: [ValueType?]) throws -> (view: AffineView, shape: Shape)
}

extension Viewing {
  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    return [ValueType(try view(inputs).shape, data.dataType.inferred)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (view, shape) = try view(inputs.types)
    return [try view.read(try inputs.required(0, "data"), as: shape)]
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let (view, _) = try view(point.inputs.types)
    return try point.pulledBack(cotangents) { index in
      guard index == 0, let g = cotangents[0] else { return nil }
      var result = Tensor(zeros: try point.inputs.required(0, "data").shape, T.dataType)
      try view.add(g, to: &result, T.self)
      return result
    }
  }
}

// MARK: - Views

/// Permutes the axes.
package struct Transpose: Viewing {
  /// As the node has it; `nil` reverses the axes.
  private let listed: [Int]?

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...1)
    listed = try node.integers("perm")
  }

  /// Returns, for each axis of the output, the input's axis that it is.
  package func permutation(rank: Int) throws -> [Int] {
    guard let listed else { return Array((0..<rank).reversed()) }
    var isListed = [Bool](repeating: false, count: rank)
    guard listed.count == rank else {
      throw OperatorError("attribute 'perm' lists \(listed.count) axes, the input has \(rank)")
    }
    return try listed.map { axis in
      let positive = axis < 0 ? axis + rank : axis
      guard isListed.indices.contains(positive), !isListed[positive] else {
        throw OperatorError("attribute 'perm' must list every axis once, found \(listed)")
      }
      isListed[positive] = true
      return positive
    }
  }

  package func view(_ inputs: [ValueType?]) throws -> (view: AffineView, shape: Shape) {
    let input = try inputs.required(0, "data").shape
    let view = AffineView(input).transposed(try permutation(rank: input.rank))
    return (view, try Shape.checked(view.extents))
  }
}

/// Takes a range of elements along each of some axes, forwards or backwards.
package struct Slice: Viewing {
  private let starts: IntegerList
  private let ends: IntegerList
  private let axes: IntegerList
  private let steps: IntegerList

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: node.opset < 10 ? 1...1 : 3...5)
    starts = try IntegerList(node, "starts", isInput: 1, since: 10)
    ends = try IntegerList(node, "ends", isInput: 2, since: 10)
    axes = try IntegerList(node, "axes", isInput: 3, since: 10)
    steps = try IntegerList(node, "steps", isInput: 4, since: 10)
  }

  package func view(_ inputs: [ValueType?]) throws -> (view: AffineView, shape: Shape) {
    let input = try inputs.required(0, "data").shape
    let starts = try starts.required(inputs)
    let ends = try ends.required(inputs)
    let axes = try axes.values(inputs) ?? Array(starts.indices)
    let steps = try steps.values(inputs) ?? Array(repeating: 1, count: starts.count)
    guard ends.count == starts.count, axes.count == starts.count, steps.count == starts.count
    else {
      throw OperatorError(
        "lists must be of one length, found \(starts.count) starts, \(ends.count) ends, "
          + "\(axes.count) axes and \(steps.count) steps")
    }
    _ = try input.checkedAxes(axes)
    var view = AffineView(input)
    for index in axes.indices {
      let axis = try input.checkedAxis(axes[index])
      let range = try elements(
        from: starts[index], to: ends[index], step: steps[index], extent: input[axis])
      view = view.sliced(axis: axis, start: range.first, step: steps[index], count: range.count)
    }
    return (view, try Shape.checked(view.extents))
  }

  /// Returns the first index and the number of indices. Ends beyond those of the axis mean all there
  /// is.
  private func elements(
    from start: Int, to end: Int, step: Int, extent: Int
  ) throws -> (first: Int, count: Int) {
    guard step != 0 else { throw OperatorError("a slice has step 0") }
    let highest = step > 0 ? extent : extent - 1
    func clamped(_ index: Int, from lowest: Int) -> Int {
      min(max(index < 0 ? index + extent : index, lowest), highest)
    }
    // Backwards, the limit beyond element 0 is -1, which no one can write: less than all is clamped.
    let (first, limit) = (clamped(start, from: 0), clamped(end, from: step > 0 ? 0 : -1))
    let distance = step > 0 ? limit - first : first - limit
    guard distance > 0 else { return (0, 0) }
    return (first, Int((UInt(distance) - 1) / step.magnitude) + 1)
  }
}

/// Repeats the tensor along axes of extent 1, and along new axes in front.
package struct Expand: Viewing {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 2...2) }

  package func view(_ inputs: [ValueType?]) throws -> (view: AffineView, shape: Shape) {
    let input = try inputs.required(0, "data").shape
    let shape = try input.checkedBroadcast(with: Shape.checked(try inputs.integers(1, "shape")))
    return (AffineView(input).broadcast(to: shape), shape)
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.pulledBack(cotangents) { index in
      guard index == 0, let g = cotangents[0] else { return nil }
      return try unbroadcast(g, to: try point.inputs.required(0, "data").shape, T.self)
    }
  }
}

/// Repeats the tensor as a whole along each axis.
package struct Tile: Viewing {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 2...2) }

  package func view(_ inputs: [ValueType?]) throws -> (view: AffineView, shape: Shape) {
    let input = try inputs.required(0, "data").shape
    let repeats = try inputs.integers(1, "repeats")
    guard repeats.count == input.rank else {
      throw OperatorError(
        "input 'repeats' lists \(repeats.count) counts, the input has \(input.rank) axes")
    }
    let extents = try zip(input.dimensions, repeats).map { extent, count in
      let (product, overflow) = extent.multipliedReportingOverflow(by: count)
      guard count >= 0, !overflow else {
        throw OperatorError("an extent of \(extent) cannot be repeated \(count) times")
      }
      return product
    }
    return (AffineView(input).tiled(repeats), try Shape.checked(extents))
  }
}

// MARK: - Joining and splitting

/// Joins tensors along one axis.
package struct Concat: Operator {
  /// As the node has it: counted from the end if negative.
  package let axis: Int

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...Int.max)
    axis = try node.integer("axis")
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let first = try inputs.required(0, "inputs_0")
    let axis = try first.shape.checkedAxis(axis)
    var extents = first.shape.dimensions
    for index in inputs.indices.dropFirst() {
      let input = try inputs.required(index, "inputs_\(index)")
      try input.expectSameType(as: first)
      var others = input.shape.dimensions
      guard others.count == extents.count else { throw mismatch(first.shape, input.shape, axis) }
      let (sum, overflow) = extents[axis].addingReportingOverflow(others[axis])
      guard !overflow else { throw OperatorError("the extents along axis \(axis) are too large") }
      (extents[axis], others[axis]) = (sum, sum)
      guard others == extents else { throw mismatch(first.shape, input.shape, axis) }
    }
    return [ValueType(try Shape.checked(extents), first.dataType.inferred)]
  }

  private func mismatch(_ a: Shape, _ b: Shape, _ axis: Int) -> OperatorError {
    OperatorError("shapes \(a) and \(b) cannot be joined: they must agree except on axis \(axis)")
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let shape = try infer(inputs.types)[0].shape
    let first = try inputs.required(0, "inputs_0")
    var result = Tensor(zeros: shape, first.dataType)
    for (part, tensor) in zip(try parts(of: shape, inputs), inputs) {
      if let tensor { try part.write(tensor, to: &result) }
    }
    return [result]
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let parts = try parts(of: point.outputs[0].shape, point.inputs)
    return try point.pulledBack(cotangents) { index in
      guard let g = cotangents[0], let input = point.inputs[index] else { return nil }
      return try parts[index].read(g, as: input.shape)
    }
  }

  /// Returns the view of each input's elements in the output.
  private func parts(of shape: Shape, _ inputs: [Tensor?]) throws -> [AffineView] {
    let axis = try shape.checkedAxis(axis)
    return consecutiveParts(
      of: shape, axis: axis, sizes: inputs.map { $0.map { $0.shape[axis] } ?? 0 })
  }
}

/// Cuts a tensor into pieces along one axis.
package struct Split: Operator {
  /// As the node has it: counted from the end if negative.
  package let axis: Int
  private let sizes: IntegerList
  private let outputCount: Int
  private let allowsUneven: Bool

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...(node.opset < 13 ? 1 : 2), outputs: 1...Int.max)
    axis = try node.integer("axis", default: 0)
    sizes = try IntegerList(node, "split", isInput: 1, since: 13)
    outputCount = node.outputCount
    allowsUneven = node.opset >= 18
    if node.has("num_outputs") {
      let count = try node.integer("num_outputs")
      guard count == outputCount else {
        throw OperatorError(
          "attribute 'num_outputs' is \(count), the node has \(outputCount) outputs")
      }
    }
  }

  /// Returns the extent of each output along the axis.
  package func sizes(for inputs: [ValueType?]) throws -> [Int] {
    let shape = try inputs.required(0, "input").shape
    let extent = shape[try shape.checkedAxis(axis)]
    guard let sizes = try sizes.values(inputs) else { return try equalSizes(of: extent) }
    var rest = extent
    for size in sizes {
      guard size >= 0, size <= rest else { throw mismatch(sizes, extent) }
      rest -= size
    }
    guard rest == 0, sizes.count == outputCount else { throw mismatch(sizes, extent) }
    return sizes
  }

  private func mismatch(_ sizes: [Int], _ extent: Int) -> OperatorError {
    OperatorError(
      "sizes must be \(outputCount) numbers, not negative, of sum \(extent); found "
        + (sizes.count <= Shape.maximalRank ? "\(sizes)" : "\(sizes.count) numbers"))
  }

  /// Pieces of one size; since opset 18 the last may be smaller.
  private func equalSizes(of extent: Int) throws -> [Int] {
    let size = extent / outputCount + (extent % outputCount == 0 ? 0 : 1)
    let last = extent - size * (outputCount - 1)
    guard last == size || (allowsUneven && last >= 0) else {
      throw OperatorError("\(extent) elements cannot be split into \(outputCount) equal pieces")
    }
    return Array(repeating: size, count: outputCount - 1) + [last]
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try inputs.required(0, "input")
    let axis = try input.shape.checkedAxis(axis)
    return try sizes(for: inputs).map { size in
      var extents = input.shape.dimensions
      extents[axis] = size
      return ValueType(try Shape.checked(extents), input.dataType.inferred)
    }
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0, "input")
    let types = try infer(inputs.types)
    return try zip(try parts(inputs.types), types).map { part, type in
      try part.read(input, as: type.shape)
    }
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.pulledBack(cotangents) { index in
      guard index == 0, cotangents.contains(where: { $0 != nil }) else { return nil }
      var result = Tensor(zeros: try point.inputs.required(0, "input").shape, T.dataType)
      for (part, cotangent) in zip(try parts(point.inputs.types), cotangents) {
        if let cotangent { try part.write(cotangent, to: &result) }
      }
      return result
    }
  }

  /// Returns the view of each output's elements in the input.
  private func parts(_ inputs: [ValueType?]) throws -> [AffineView] {
    let shape = try inputs.required(0, "input").shape
    return consecutiveParts(
      of: shape, axis: try shape.checkedAxis(axis), sizes: try sizes(for: inputs))
  }
}

/// Returns the views of parts that follow each other along one axis.
private func consecutiveParts(of shape: Shape, axis: Int, sizes: [Int]) -> [AffineView] {
  var start = 0
  return sizes.map { size in
    defer { start += size }
    return AffineView(shape).sliced(axis: axis, start: start, count: size)
  }
}
