// Parts and rearrangements: slices, permuted axes, broadcasting, joining.
//
// Every result is contiguous again, so each of these copies, except where the result has the same
// elements in the same order.

extension Tensor {
  // MARK: - Parts

  /// Returns the part inside a range of positions along each axis.
  ///
  /// A step of 2 takes every other position from the lower end of the range up; a negative step
  /// starts with the last position of the range and goes down: `0..<5` by -2 takes 4, 2, 0.
  ///
  /// - Parameters:
  ///   - ranges: One range for each axis, inside `0...shape[axis]`.
  ///   - steps: One step for each axis, none of them 0; `nil` for steps of 1.
  /// - Throws: ``TensorError/rankMismatch(expected:found:operation:)``,
  ///   ``TensorError/invalidSlice(lower:upper:step:axis:shape:)``.
  /// - Complexity: O(number of elements of the result).
  public func sliced(_ ranges: [Range<Int>], steps: [Int]? = nil) throws(TensorError) -> Tensor {
    let steps = steps ?? [Int](repeating: 1, count: rank)
    for found in [ranges.count, steps.count] where found != rank {
      throw .rankMismatch(expected: rank, found: found, operation: "slicing")
    }
    let strides = shape.strides
    var offset = 0
    var counts: [Int] = []
    var sourceStrides: [Int] = []
    for axis in 0..<rank {
      let range = ranges[axis]
      let step = steps[axis]
      guard range.lowerBound >= 0, range.upperBound <= shape[axis], step != 0 else {
        throw .invalidSlice(
          lower: range.lowerBound, upper: range.upperBound, step: step, axis: axis,
          shape: shape.dimensions)
      }
      // With a step beyond the range one position is taken, whatever the step: the range's length
      // serves as well and keeps the products small. `Int.min` has a magnitude but no negation.
      let stride = Int(Swift.min(step.magnitude, UInt(Swift.max(range.count, 1))))
      counts.append(range.isEmpty ? 0 : (range.count - 1) / stride + 1)
      if !range.isEmpty {
        offset += (step > 0 ? range.lowerBound : range.upperBound - 1) * strides[axis]
      }
      sourceStrides.append((step > 0 ? stride : -stride) * strides[axis])
    }
    return gathered(try Shape(counts), from: offset, strides: sourceStrides)
  }

  /// Returns the part inside a range of positions along one axis.
  ///
  /// - Parameters:
  ///   - axis: The axis to cut, counted from the back if negative.
  ///   - range: The positions to take, inside `0...shape[axis]`.
  ///   - step: Distance between positions, see ``sliced(_:steps:)``; not 0.
  /// - Throws: ``TensorError/axisOutOfRange(axis:shape:)``,
  ///   ``TensorError/invalidSlice(lower:upper:step:axis:shape:)``.
  /// - Complexity: O(number of elements of the result).
  public func sliced(
    axis: Int, _ range: Range<Int>, step: Int = 1
  ) throws(TensorError) -> Tensor {
    let axis = try shape.normalizedAxis(axis)
    var ranges = shape.dimensions.map { 0..<$0 }
    var steps = [Int](repeating: 1, count: rank)
    ranges[axis] = range
    steps[axis] = step
    return try sliced(ranges, steps: steps)
  }

  /// Returns the part at one position along an axis, which the result does not have any more.
  ///
  /// - Parameters:
  ///   - axis: The axis to leave out, counted from the back if negative.
  ///   - index: A position in `0..<shape[axis]`.
  /// - Throws: ``TensorError/axisOutOfRange(axis:shape:)``,
  ///   ``TensorError/indexOutOfRange(index:axis:shape:)``.
  /// - Complexity: O(number of elements of the result).
  public func select(axis: Int, index: Int) throws(TensorError) -> Tensor {
    let axis = try shape.normalizedAxis(axis)
    guard index >= 0, index < shape[axis] else {
      throw .indexOutOfRange(index: index, axis: axis, shape: shape.dimensions)
    }
    var dimensions = shape.dimensions
    dimensions.remove(at: axis)
    return try sliced(axis: axis, index..<index + 1).reshaped(to: dimensions)
  }

  // MARK: - Rearrangement

  /// Returns the tensor with its axes in another order.
  ///
  /// - Parameter axes: For each axis of the result, the axis of this tensor it comes from, counted
  ///   from the back if negative.
  /// - Returns: A tensor of shape `[shape[axes[0]], shape[axes[1]], …]`.
  /// - Throws: ``TensorError/rankMismatch(expected:found:operation:)``,
  ///   ``TensorError/axisOutOfRange(axis:shape:)``, ``TensorError/repeatedAxis(axis:shape:)``.
  /// - Complexity: O(`count`).
  public func transposed(axes: [Int]) throws(TensorError) -> Tensor {
    guard axes.count == rank else {
      throw .rankMismatch(expected: rank, found: axes.count, operation: "transposition")
    }
    let strides = shape.strides
    var isTaken = [Bool](repeating: false, count: rank)
    var dimensions: [Int] = []
    var sourceStrides: [Int] = []
    for axis in axes {
      let axis = try shape.normalizedAxis(axis)
      guard !isTaken[axis] else { throw .repeatedAxis(axis: axis, shape: shape.dimensions) }
      isTaken[axis] = true
      dimensions.append(shape[axis])
      sourceStrides.append(strides[axis])
    }
    return gathered(try Shape(dimensions), from: 0, strides: sourceStrides)
  }

  /// Returns the tensor with its axes in reverse order.
  ///
  /// - Throws: Nothing for a valid tensor.
  /// - Complexity: O(`count`).
  public func transposed() throws(TensorError) -> Tensor {
    try transposed(axes: [Int]((0..<rank).reversed()))
  }

  /// Returns the tensor repeated along new axes in front and along axes of extent 1, as in NumPy.
  ///
  /// - Throws: ``TensorError/cannotBroadcast(_:_:)`` if another axis would have to change;
  ///   ``TensorError/invalidShape(_:)``.
  /// - Complexity: O(number of elements of the result).
  public func broadcast(to dimensions: [Int]) throws(TensorError) -> Tensor {
    let target = try Shape(dimensions)
    guard try shape.broadcast(with: target) == target else {
      throw .cannotBroadcast(shape.dimensions, dimensions)
    }
    return gathered(target, from: 0, strides: shape.strides(broadcastTo: target))
  }

  // MARK: - Joining

  /// Returns tensors joined one after the other along an axis they all have.
  ///
  /// - Parameters:
  ///   - tensors: At least one, of one type and equal in shape except along `axis`.
  ///   - axis: The axis that grows, counted from the back if negative.
  /// - Throws: ``TensorError/noTensors(operation:)``, ``TensorError/axisOutOfRange(axis:shape:)``,
  ///   ``TensorError/typeMismatch(expected:found:operation:)``,
  ///   ``TensorError/shapeMismatch(expected:found:operation:)``,
  ///   ``TensorError/invalidShape(_:)`` if the result is too large to address.
  /// - Complexity: O(number of elements of the result).
  public static func concatenation(
    of tensors: [Tensor], axis: Int
  ) throws(TensorError) -> Tensor {
    let operation = "concatenation"
    guard let first = tensors.first else { throw .noTensors(operation: operation) }
    let axis = try first.shape.normalizedAxis(axis)
    var dimensions = first.shape.dimensions
    dimensions[axis] = 0
    for tensor in tensors {
      guard tensor.dataType == first.dataType else {
        throw .typeMismatch(
          expected: first.dataType, found: tensor.dataType, operation: operation)
      }
      var expected = first.shape.dimensions
      if axis < tensor.rank { expected[axis] = tensor.shape[axis] }
      guard tensor.shape.dimensions == expected else {
        throw .shapeMismatch(
          expected: expected, found: tensor.shape.dimensions, operation: operation)
      }
      let (length, overflow) = dimensions[axis].addingReportingOverflow(tensor.shape[axis])
      guard !overflow else { throw .invalidShape(first.shape.dimensions) }
      dimensions[axis] = length
    }
    let shape = try Shape(dimensions)
    var result = Tensor(zeros: shape, first.dataType)
    if shape.count == 0 { return result }
    // Before `axis` the tensors alternate block by block; a block is contiguous in each of them.
    let rowBytes = shape.strides[axis] * first.dataType.byteCount
    let blockBytes = dimensions[axis] * rowBytes
    result.withMutableBytes { target in
      var start = 0
      for tensor in tensors {
        let length = tensor.shape[axis] * rowBytes
        tensor.withBytes { source in
          for block in 0..<target.count / blockBytes {
            let part = UnsafeRawBufferPointer(
              rebasing: source[block * length..<(block + 1) * length])
            let place = block * blockBytes + start
            UnsafeMutableRawBufferPointer(rebasing: target[place..<place + length])
              .copyMemory(from: part)
          }
        }
        start += length
      }
    }
    return result
  }

  /// Returns tensors of one shape joined along a new axis.
  ///
  /// - Parameters:
  ///   - tensors: At least one, equal in type and shape.
  ///   - axis: Where the new axis is in the result, in `0...rank`; `-1` makes it the last.
  /// - Throws: As ``concatenation(of:axis:)``.
  /// - Complexity: O(number of elements of the result).
  public static func stack(_ tensors: [Tensor], axis: Int = 0) throws(TensorError) -> Tensor {
    guard let first = tensors.first else { throw .noTensors(operation: "stacking") }
    var dimensions = first.shape.dimensions
    let axis = try Shape(dimensions + [1]).normalizedAxis(axis)
    dimensions.insert(1, at: axis)
    var expanded: [Tensor] = []
    for tensor in tensors {
      guard tensor.shape == first.shape else {
        throw .shapeMismatch(
          expected: first.shape.dimensions, found: tensor.shape.dimensions, operation: "stacking")
      }
      expanded.append(try tensor.reshaped(to: dimensions))
    }
    return try concatenation(of: expanded, axis: axis)
  }

  // MARK: - Copying with strides

  /// Returns a tensor of the elements at `offset + Σ position[axis] · strides[axis]`.
  ///
  /// - Precondition: All these offsets are inside this tensor.
  private func gathered(_ shape: Shape, from offset: Int, strides: [Int]) -> Tensor {
    let walk = StridedWalk(dimensions: shape.dimensions, left: strides, right: shape.strides)
    if shape.count == count, walk.isSingleRun, walk.leftStep == 1,
      let same = try? reshaped(to: shape.dimensions)
    {
      return same
    }
    switch dataType {
    case .float32: return gathered(Float.self, shape, from: offset, walk)
    case .float64: return gathered(Double.self, shape, from: offset, walk)
    case .int64: return gathered(Int64.self, shape, from: offset, walk)
    case .bool: return gathered(Bool.self, shape, from: offset, walk)
    }
  }

  private func gathered<T: Scalar>(
    _ type: T.Type, _ shape: Shape, from offset: Int, _ walk: StridedWalk
  ) -> Tensor {
    withElements(knownToBe: T.self) { source in
      Tensor(uninitialized: shape, of: T.self) { result in
        let step = walk.leftStep
        walk.forEachRun { left, target in
          let start = offset &+ left
          if step == 1 {
            for i in 0..<walk.runLength { result[target &+ i] = source[start &+ i] }
          } else {
            for i in 0..<walk.runLength { result[target &+ i] = source[start &+ i &* step] }
          }
        }
      }
    }
  }
}
