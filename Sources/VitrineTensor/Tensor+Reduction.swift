// Reductions.
//
// Sums of real numbers are accumulated in double precision and rounded once, to the type of the
// elements. The order of additions depends on the shape and the axes alone, so that a result is
// the same at every run: along a run of neighbours that reduce to one element there are eight
// interleaved partial sums, added pairwise at the end; otherwise it is row-major.

extension Tensor {
  // MARK: - Along axes

  /// Returns the sum along some axes, 0 where there is nothing to add.
  ///
  /// `float32` is accumulated in double precision and rounded once; integers wrap around.
  ///
  /// - Parameters:
  ///   - axes: The axes to sum along, counted from the back if negative; `nil` for all.
  ///   - keepDimensions: Whether reduced axes stay, with extent 1, or are left out.
  /// - Throws: ``TensorError/axisOutOfRange(axis:shape:)``,
  ///   ``TensorError/repeatedAxis(axis:shape:)``, ``TensorError/unsupportedType(_:operation:)`` for
  ///   `bool`.
  /// - Complexity: O(`count`).
  public func sum(axes: [Int]?, keepDimensions: Bool = false) throws(TensorError) -> Tensor {
    let plan = try ReductionPlan(shape, axes: axes, keepDimensions: keepDimensions)
    if dataType == .int64 {
      let sums = plan.reduce(self, of: Int64.self, from: Int64(0), { $0 &+ $1 }, { $0 &+ $1 })
      return plan.tensor(sums)
    }
    return plan.tensor(try sums(plan, "sum"), roundedTo: dataType)
  }

  /// Returns the arithmetic mean along some axes, accumulated in double precision.
  ///
  /// - Parameters: As ``sum(axes:keepDimensions:)``.
  /// - Throws: ``TensorError/emptyReduction(shape:operation:)`` for a mean of nothing;
  ///   ``TensorError/unsupportedType(_:operation:)`` for integers and `bool`; otherwise as
  ///   ``sum(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func mean(axes: [Int]?, keepDimensions: Bool = false) throws(TensorError) -> Tensor {
    let plan = try ReductionPlan(shape, axes: axes, keepDimensions: keepDimensions)
    try plan.requireElements("mean")
    if dataType == .int64 { throw .unsupportedType(.int64, operation: "mean") }
    let divisor = Double(plan.reducedCount)
    return plan.tensor(try sums(plan, "mean").map { $0 / divisor }, roundedTo: dataType)
  }

  /// Returns the L2 norm along some axes: the root of the sum of squares, 0 of nothing.
  ///
  /// Squares are accumulated in double precision: the sum does not overflow for `float32`; for
  /// `float64` it is infinite if elements exceed about 1e154.
  ///
  /// - Parameters: As ``sum(axes:keepDimensions:)``.
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` for integers and `bool`; otherwise as
  ///   ``sum(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func norm(axes: [Int]?, keepDimensions: Bool = false) throws(TensorError) -> Tensor {
    let plan = try ReductionPlan(shape, axes: axes, keepDimensions: keepDimensions)
    return plan.tensor(try norms(plan), roundedTo: dataType)
  }

  /// Returns the largest element along some axes; NaN if one is NaN.
  ///
  /// - Parameters: As ``sum(axes:keepDimensions:)``.
  /// - Throws: ``TensorError/emptyReduction(shape:operation:)`` for a maximum of nothing; otherwise
  ///   as ``sum(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func max(axes: [Int]?, keepDimensions: Bool = false) throws(TensorError) -> Tensor {
    let plan = try ReductionPlan(shape, axes: axes, keepDimensions: keepDimensions)
    try plan.requireElements("max")
    switch dataType {
    case .float32: return plan.tensor(plan.maxima(self, from: -Float.infinity))
    case .float64: return plan.tensor(plan.maxima(self, from: -Double.infinity))
    case .int64: return plan.tensor(plan.maxima(self, from: Int64.min))
    case .bool: throw .unsupportedType(.bool, operation: "max")
    }
  }

  /// Returns the smallest element along some axes; NaN if one is NaN.
  ///
  /// - Parameters: As ``sum(axes:keepDimensions:)``.
  /// - Throws: As ``max(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func min(axes: [Int]?, keepDimensions: Bool = false) throws(TensorError) -> Tensor {
    let plan = try ReductionPlan(shape, axes: axes, keepDimensions: keepDimensions)
    try plan.requireElements("min")
    switch dataType {
    case .float32: return plan.tensor(plan.minima(self, from: Float.infinity))
    case .float64: return plan.tensor(plan.minima(self, from: Double.infinity))
    case .int64: return plan.tensor(plan.minima(self, from: Int64.max))
    case .bool: throw .unsupportedType(.bool, operation: "min")
    }
  }

  // MARK: - Over everything

  /// Returns the sum of all elements in double precision, not rounded to their type.
  ///
  /// Integers are converted first and do not wrap around.
  ///
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(`count`).
  public func sum() throws(TensorError) -> Double {
    let plan = try ReductionPlan(shape, axes: nil, keepDimensions: false)
    return try sums(plan, "sum")[0]
  }

  /// Returns the arithmetic mean of all elements in double precision.
  ///
  /// - Throws: ``TensorError/emptyReduction(shape:operation:)`` if there are none;
  ///   ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(`count`).
  public func mean() throws(TensorError) -> Double {
    guard count > 0 else {
      throw .emptyReduction(shape: shape.dimensions, operation: "mean")
    }
    return try sum() / Double(count)
  }

  /// Returns the L2 norm of all elements in double precision, see ``norm(axes:keepDimensions:)``.
  ///
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` for integers and `bool`.
  /// - Complexity: O(`count`).
  public func norm() throws(TensorError) -> Double {
    let plan = try ReductionPlan(shape, axes: nil, keepDimensions: false)
    return try norms(plan)[0]
  }

  /// Returns the largest element; NaN if one is NaN; an integer above 2⁵³ as the nearest double.
  ///
  /// - Throws: As ``max(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func max() throws(TensorError) -> Double { try max(axes: nil).onlyElement }

  /// Returns the smallest element; NaN if one is NaN; an integer above 2⁵³ as the nearest double.
  ///
  /// - Throws: As ``max(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func min() throws(TensorError) -> Double { try min(axes: nil).onlyElement }

  /// The element of a tensor that has one, as a double.
  private var onlyElement: Double {
    converted(to: .float64).withElements(knownToBe: Double.self) { $0[0] }
  }

  private func sums(
    _ plan: ReductionPlan, _ operation: String
  ) throws(TensorError) -> [Double] {
    switch dataType {
    case .float32:
      plan.reduce(self, of: Float.self, from: 0.0, { $0 + Double($1) }, { $0 + $1 })
    case .float64:
      plan.reduce(self, of: Double.self, from: 0.0, { $0 + $1 }, { $0 + $1 })
    case .int64:
      plan.reduce(self, of: Int64.self, from: 0.0, { $0 + Double($1) }, { $0 + $1 })
    case .bool: throw .unsupportedType(.bool, operation: operation)
    }
  }

  private func norms(_ plan: ReductionPlan) throws(TensorError) -> [Double] {
    let squares: [Double]
    switch dataType {
    case .float32:
      squares = plan.reduce(
        self, of: Float.self, from: 0.0, { $0 + Double($1) * Double($1) }, { $0 + $1 })
    case .float64:
      squares = plan.reduce(self, of: Double.self, from: 0.0, { $0 + $1 * $1 }, { $0 + $1 })
    case .int64, .bool: throw .unsupportedType(dataType, operation: "norm")
    }
    return squares.map { $0.squareRoot() }
  }

  // MARK: - Rank order

  /// Returns the position of the largest element along an axis, the lowest of equals.
  ///
  /// NaN ranks above all numbers, so that a broken computation is seen and not passed over.
  ///
  /// - Parameters:
  ///   - axis: The axis to search along, counted from the back if negative.
  ///   - keepDimensions: Whether the axis stays, with extent 1, or is left out.
  /// - Returns: Positions in `0..<shape[axis]`, as `int64`.
  /// - Throws: As ``max(axes:keepDimensions:)``.
  /// - Complexity: O(`count`).
  public func argMax(axis: Int, keepDimensions: Bool = false) throws(TensorError) -> Tensor {
    let plan = try ReductionPlan(shape, axes: [axis], keepDimensions: keepDimensions)
    try plan.requireElements("argMax")
    let axis = try shape.normalizedAxis(axis)
    switch dataType {
    case .float32: return plan.tensor(positionsOfMaxima(Float.self, axis, plan.result.count))
    case .float64: return plan.tensor(positionsOfMaxima(Double.self, axis, plan.result.count))
    case .int64: return plan.tensor(positionsOfMaxima(Int64.self, axis, plan.result.count))
    case .bool: throw .unsupportedType(.bool, operation: "argMax")
    }
  }

  private func positionsOfMaxima<T: Scalar & Comparable>(
    _ type: T.Type, _ axis: Int, _ resultCount: Int
  ) -> [Int64] {
    var result: [Int64] = []
    result.reserveCapacity(resultCount)
    guard resultCount > 0 else { return result }
    let length = shape[axis]
    let inner = shape.strides[axis]
    withElements(knownToBe: T.self) { elements in
      for outer in 0..<resultCount / inner {
        for i in 0..<inner {
          let start = outer * length * inner + i
          var best = 0
          for k in 1..<Swift.max(length, 1)
          where outranks(elements[start + k * inner], elements[start + best * inner]) {
            best = k
          }
          result.append(Int64(best))
        }
      }
    }
    return result
  }

  /// Returns the largest elements of a vector with their positions, the largest first.
  ///
  /// Of equal elements the one at the lower index comes first. NaN ranks above all numbers.
  ///
  /// - Parameter k: How many to return; all are returned if there are fewer.
  /// - Returns: Indices in `0..<count` and values; an integer above 2⁵³ as the nearest double.
  /// - Throws: ``TensorError/rankMismatch(expected:found:operation:)`` if the tensor is not a
  ///   vector, ``TensorError/indexOutOfRange(index:axis:shape:)`` if `k` is negative,
  ///   ``TensorError/unsupportedType(_:operation:)`` for `bool`.
  /// - Complexity: O(`count` · log `count`).
  public func top(_ k: Int) throws(TensorError) -> [(index: Int, value: Double)] {
    guard rank == 1 else { throw .rankMismatch(expected: 1, found: rank, operation: "top") }
    guard k >= 0 else { throw .indexOutOfRange(index: k, axis: 0, shape: shape.dimensions) }
    switch dataType {
    case .float32: return top(k, of: Float.self) { Double($0) }
    case .float64: return top(k, of: Double.self) { $0 }
    case .int64: return top(k, of: Int64.self) { Double($0) }
    case .bool: throw .unsupportedType(.bool, operation: "top")
    }
  }

  private func top<T: Scalar & Comparable>(
    _ k: Int, of type: T.Type, _ value: (T) -> Double
  ) -> [(index: Int, value: Double)] {
    withElements(knownToBe: T.self) { elements in
      let order = elements.indices.sorted { i, j in
        if outranks(elements[i], elements[j]) { return true }
        if outranks(elements[j], elements[i]) { return false }
        return i < j
      }
      return order.prefix(k).map { (index: $0, value: value(elements[$0])) }
    }
  }
}

/// Whether `x` ranks above `y`: it is larger, or it alone is NaN.
@inline(__always)
private func outranks<T: Comparable>(_ x: T, _ y: T) -> Bool {
  x > y || (x != x && y == y)
}

// MARK: - Loops

/// The shape of a reduction's result and the way through its operand.
private struct ReductionPlan {
  let operand: Shape
  let result: Shape
  /// How many elements become one.
  let reducedCount: Int
  private let walk: StridedWalk

  init(_ operand: Shape, axes: [Int]?, keepDimensions: Bool) throws(TensorError) {
    var isReduced = [Bool](repeating: axes == nil, count: operand.rank)
    for axis in axes ?? [] {
      let axis = try operand.normalizedAxis(axis)
      guard !isReduced[axis] else {
        throw .repeatedAxis(axis: axis, shape: operand.dimensions)
      }
      isReduced[axis] = true
    }
    var kept: [Int] = []
    var reducedCount = 1
    for (axis, dimension) in operand.dimensions.enumerated() {
      kept.append(isReduced[axis] ? 1 : dimension)
      if isReduced[axis] { reducedCount *= dimension }
    }
    let full = try Shape(kept)
    self.operand = operand
    self.reducedCount = reducedCount
    result =
      keepDimensions ? full : try Shape(kept.indices.filter { !isReduced[$0] }.map { kept[$0] })
    walk = StridedWalk(
      dimensions: operand.dimensions, left: operand.strides,
      right: full.strides(broadcastTo: operand))
  }

  func requireElements(_ operation: String) throws(TensorError) {
    if reducedCount == 0, result.count > 0 {
      throw .emptyReduction(shape: operand.dimensions, operation: operation)
    }
  }

  func tensor<T: Scalar>(_ elements: [T]) -> Tensor {
    Tensor(uninitialized: result, of: T.self) { _ = $0.update(from: elements) }
  }

  func tensor(_ elements: [Double], roundedTo type: DataType) -> Tensor {
    type == .float32 ? tensor(elements.map { Float($0) }) : tensor(elements)
  }

  /// Reduces to one accumulator for each element of the result.
  ///
  /// - Parameters:
  ///   - initial: The neutral element of `merge`.
  ///   - accumulate: Adds an element to an accumulator.
  ///   - merge: Joins two accumulators.
  @inline(__always)
  func reduce<T: Scalar, A>(
    _ tensor: Tensor, of type: T.Type, from initial: A, _ accumulate: (A, T) -> A,
    _ merge: (A, A) -> A
  ) -> [A] {
    var accumulators = [A](repeating: initial, count: result.count)
    accumulators.withUnsafeMutableBufferPointer { accumulators in
      tensor.withElements(knownToBe: T.self) { elements in
        walk.forEachRun { source, target in
          if walk.rightStep == 0, walk.leftStep == 1 {
            // One chain of additions would wait for each of them: eight chains do not.
            var (a, b, c, d) = (initial, initial, initial, initial)
            var (e, f, g, h) = (initial, initial, initial, initial)
            var i = source
            let end = source &+ walk.runLength
            while end &- i >= 8 {
              a = accumulate(a, elements[i])
              b = accumulate(b, elements[i &+ 1])
              c = accumulate(c, elements[i &+ 2])
              d = accumulate(d, elements[i &+ 3])
              e = accumulate(e, elements[i &+ 4])
              f = accumulate(f, elements[i &+ 5])
              g = accumulate(g, elements[i &+ 6])
              h = accumulate(h, elements[i &+ 7])
              i &+= 8
            }
            while i < end {
              a = accumulate(a, elements[i])
              i &+= 1
            }
            let total = merge(merge(merge(a, b), merge(c, d)), merge(merge(e, f), merge(g, h)))
            accumulators[target] = merge(accumulators[target], total)
          } else if walk.rightStep == 1, walk.leftStep == 1 {
            for i in 0..<walk.runLength {
              accumulators[target &+ i] = accumulate(
                accumulators[target &+ i], elements[source &+ i])
            }
          } else {
            for i in 0..<walk.runLength {
              let j = target &+ i &* walk.rightStep
              accumulators[j] = accumulate(
                accumulators[j], elements[source &+ i &* walk.leftStep])
            }
          }
        }
      }
    }
    return accumulators
  }

  func maxima<T: Scalar & Comparable>(_ tensor: Tensor, from lowest: T) -> [T] {
    let larger: (T, T) -> T = { $1 > $0 || $1 != $1 ? $1 : $0 }
    return reduce(tensor, of: T.self, from: lowest, larger, larger)
  }

  func minima<T: Scalar & Comparable>(_ tensor: Tensor, from highest: T) -> [T] {
    let smaller: (T, T) -> T = { $1 < $0 || $1 != $1 ? $1 : $0 }
    return reduce(tensor, of: T.self, from: highest, smaller, smaller)
  }
}
