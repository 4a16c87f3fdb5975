/// The extent of a tensor along each axis, outermost first.
///
/// The empty shape `[]` is that of a scalar, with one element. An extent may be zero.
public struct Shape: Hashable, Sendable {
  /// Extent of each axis, outermost first, none negative.
  public let dimensions: [Int]
  /// Number of elements: the product of the dimensions, 1 if there are none.
  public let count: Int

  /// Creates a shape.
  ///
  /// - Throws: ``TensorError/invalidShape(_:)`` if a dimension is negative or if the product of
  ///   those that are not zero exceeds `Int.max / 16`, so that bytes and strides never overflow.
  public init(_ dimensions: [Int]) throws(TensorError) {
    var count = 1
    var hasZero = false
    for dimension in dimensions {
      guard dimension >= 0 else { throw .invalidShape(dimensions) }
      if dimension == 0 {
        hasZero = true
        continue
      }
      let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
      guard !overflow, product <= Int.max / 16 else { throw .invalidShape(dimensions) }
      count = product
    }
    self.dimensions = dimensions
    self.count = hasZero ? 0 : count
  }

  /// Number of axes.
  public var rank: Int { dimensions.count }

  /// Distance in elements between neighbours along each axis, row-major.
  ///
  /// Of no use, but harmless, if a dimension is zero.
  public var strides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] &* dimensions[axis + 1]
    }
    return strides
  }

  /// The extent of an axis counted from the front, which must be in `0..<rank`.
  public subscript(_ axis: Int) -> Int { dimensions[axis] }

  /// Returns the position from the front of an axis that may be counted from the back: `-1` is the
  /// last.
  ///
  /// - Throws: ``TensorError/axisOutOfRange(axis:shape:)``.
  public func normalizedAxis(_ axis: Int) throws(TensorError) -> Int {
    let positive = axis < 0 ? axis &+ rank : axis
    guard positive >= 0, positive < rank else {
      throw .axisOutOfRange(axis: axis, shape: dimensions)
    }
    return positive
  }

  /// Returns the shape both operands take when broadcast together, as in NumPy.
  ///
  /// - Throws: ``TensorError/cannotBroadcast(_:_:)`` naming both shapes.
  public func broadcast(with other: Shape) throws(TensorError) -> Shape {
    let rank = max(self.rank, other.rank)
    var result = [Int](repeating: 1, count: rank)
    for axis in 0..<rank {
      let a = axis - (rank - self.rank)
      let b = axis - (rank - other.rank)
      let left = a >= 0 ? dimensions[a] : 1
      let right = b >= 0 ? other.dimensions[b] : 1
      guard left == right || left == 1 || right == 1 else {
        throw .cannotBroadcast(dimensions, other.dimensions)
      }
      result[axis] = left == 1 ? right : left
    }
    return try Shape(result)
  }
}

// MARK: - Conformances

extension Shape: CustomStringConvertible {
  public var description: String {
    "[" + dimensions.map(String.init).joined(separator: ", ") + "]"
  }
}
