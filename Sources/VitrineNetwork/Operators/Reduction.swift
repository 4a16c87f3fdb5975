package import VitrineTensor

/// Operators that make one number of many.
package enum Reductions {
  package static let operators: [String: any Operator.Type] = {
    var operators: [String: any Operator.Type] = [:]
    for kind in Reduction.Kind.allCases { operators[kind.rawValue] = Reduction.self }
    for kind in ExtremumIndex.Kind.allCases { operators[kind.rawValue] = ExtremumIndex.self }
    return operators
  }()
}

/// Reduces a tensor along some of its axes.
///
/// Sums of real numbers are taken in double precision, in row-major order, and rounded once.
/// A maximum or minimum that occurs more than once passes its cotangent to the first occurrence in
/// row-major order; NaN counts as the greatest and the least number.
package struct Reduction: Operator {
  /// A reduction by its ONNX name.
  package enum Kind: String, CaseIterable, Sendable {
    /// Sum of magnitudes.
    case l1 = "ReduceL1"
    /// Square root of the sum of squares.
    case l2 = "ReduceL2"
    case logSum = "ReduceLogSum"
    case logSumExp = "ReduceLogSumExp"
    case maximum = "ReduceMax"
    case mean = "ReduceMean"
    case minimum = "ReduceMin"
    case product = "ReduceProd"
    case sum = "ReduceSum"
    case sumOfSquares = "ReduceSumSquare"

    /// The operator set that made `axes` an input.
    fileprivate var axesAreInputSince: Int { self == .sum ? 13 : 18 }
  }

  package let kind: Kind
  /// Whether reduced axes stay, with extent 1.
  package let keepsDimensions: Bool
  private let axes: IntegerList
  /// Whether to reduce along no axis, instead of all, if none is listed.
  private let keepsAllIfNoneListed: Bool

  package init(_ node: NodeReader) throws {
    kind = try Kind(kindOf: node)
    let since = kind.axesAreInputSince
    try node.expect(inputs: 1...(node.opset < since ? 1 : 2))
    keepsDimensions = try node.flag("keepdims", default: true)
    axes = try IntegerList(node, "axes", isInput: 1, since: since)
    keepsAllIfNoneListed = try node.flag("noop_with_empty_axes", default: false)
  }

  /// Returns the axes to reduce, counted from the front, ascending.
  package func axes(for inputs: [ValueType?]) throws -> [Int] {
    let shape = try inputs.required(0, "data").shape
    let listed = try axes.values(inputs) ?? []
    if listed.isEmpty { return keepsAllIfNoneListed ? [] : Array(0..<shape.rank) }
    return try shape.checkedAxes(listed)
  }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    switch kind {
    case .logSum, .logSumExp: try data.expect(.float32, as: "data")
    case .maximum, .minimum: try data.expect(.float32, .int64, .bool, as: "data")
    default: try data.expect(.float32, .int64, as: "data")
    }
    let axes = try axes(for: inputs)
    if kind == .mean && data.dataType == .int64 && axes.contains(where: { data.shape[$0] == 0 }) {
      throw OperatorError("the mean of no integers is not defined, shape \(data.shape)")
    }
    let shape = try data.shape.reduced(along: axes, keepingDimensions: keepsDimensions)
    return [ValueType(shape, data.dataType.inferred)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let x = try inputs.required(0, "data")
    let shape = try infer(inputs.types)[0].shape
    let loop = ReductionLoop(x.shape, axes: try axes(for: inputs.types))
    switch x.dataType {
    case .bool: return [try reduceBooleans(x, loop, shape)]
    case .int64: return [try reduceIntegers(x, loop, shape)]
    case .float32, .float64: return [try reduceReals(x, loop, shape, T.self)]
    }
  }

  private func reduceReals<T: RealScalar>(
    _ x: Tensor, _ loop: ReductionLoop, _ shape: Shape, _: T.Type
  ) throws -> Tensor {
    /// Returns `result` of the sums of `term`.
    func sums(of term: (Double) -> Double, result: (Double) -> Double) throws -> Tensor {
      try reduceGroups(x, of: T.self, loop, shape, from: 0.0) {
        $0 += term(Double($1))
      } result: {
        T(result($0))
      }
    }
    let count = Double(loop.groupCount)
    switch kind {
    case .sum: return try sums(of: { $0 }, result: { $0 })
    case .mean: return try sums(of: { $0 }, result: { $0 / count })
    case .l1: return try sums(of: { abs($0) }, result: { $0 })
    case .l2: return try sums(of: { $0 * $0 }, result: { $0.squareRoot() })
    case .sumOfSquares: return try sums(of: { $0 * $0 }, result: { $0 })
    case .logSum: return try sums(of: { $0 }, result: { Double.log($0) })
    case .logSumExp:
      return try reduceGroups(x, of: T.self, loop, shape, from: LogSumExp()) {
        $0.add(Double($1))
      } result: {
        T($0.value)
      }
    case .product:
      return try reduceGroups(x, of: T.self, loop, shape, from: 1.0) {
        $0 *= Double($1)
      } result: {
        T($0)
      }
    case .maximum:
      return try reduceGroups(x, of: T.self, loop, shape, from: -T.infinity) {
        if beats($1, $0, maximum: true) { $0 = $1 }
      } result: {
        $0
      }
    case .minimum:
      return try reduceGroups(x, of: T.self, loop, shape, from: T.infinity) {
        if beats($1, $0, maximum: false) { $0 = $1 }
      } result: {
        $0
      }
    }
  }

  /// Integers wrap around at the ends of their range.
  private func reduceIntegers(
    _ x: Tensor, _ loop: ReductionLoop, _ shape: Shape
  ) throws -> Tensor {
    func reduce(
      from start: Int64, _ combine: (inout Int64, Int64) -> Void,
      result: (Int64) -> Int64 = { $0 }
    ) throws -> Tensor {
      try reduceGroups(
        x, of: Int64.self, loop, shape, from: start, combine, result: result)
    }
    let count = Int64(loop.groupCount)
    switch kind {
    case .sum: return try reduce(from: 0) { $0 &+= $1 }
    case .mean:
      return try reduce(from: 0) {
        $0 &+= $1
      } result: {
        $0 / count
      }
    case .l1: return try reduce(from: 0) { $0 &+= $1 < 0 ? 0 &- $1 : $1 }
    case .sumOfSquares: return try reduce(from: 0) { $0 &+= $1 &* $1 }
    case .product: return try reduce(from: 1) { $0 &*= $1 }
    case .maximum: return try reduce(from: .min) { $0 = max($0, $1) }
    case .minimum: return try reduce(from: .max) { $0 = min($0, $1) }
    case .l2:
      return try reduceGroups(x, of: Int64.self, loop, shape, from: 0.0) {
        $0 += Double($1) * Double($1)
      } result: {
        $0.squareRoot()
      }.converted(to: .int64)
    case .logSum, .logSumExp: throw OperatorError("input 'data' must be real, found integer")
    }
  }

  /// The greatest of truth values is whether any is true, the least whether all are.
  private func reduceBooleans(
    _ x: Tensor, _ loop: ReductionLoop, _ shape: Shape
  ) throws -> Tensor {
    switch kind {
    case .maximum:
      try reduceGroups(x, of: Bool.self, loop, shape, from: false) {
        $0 = $0 || $1
      } result: {
        $0
      }
    case .minimum:
      try reduceGroups(x, of: Bool.self, loop, shape, from: true) {
        $0 = $0 && $1
      } result: {
        $0
      }
    default: throw OperatorError("input 'data' must be real or integer, found boolean")
    }
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let x = try point.inputs.required(0, "data")
    let axes = try axes(for: point.inputs.types)
    return try point.pulledBack(cotangents) { index in
      guard index == 0, let g = cotangents[0] else { return nil }
      // Seen with extent 1 along the reduced axes, results broadcast to the elements they are of.
      let kept = try x.shape.reduced(along: axes, keepingDimensions: true)
      let result = try g.reshaped(to: kept.dimensions)
      let y = try point.outputs[0].reshaped(to: kept.dimensions)
      switch kind {
      case .sum: return try spread(result, over: x.shape)
      case .mean:
        let count = T(ReductionLoop(x.shape, axes: axes).groupCount)
        return try spread(try mapElements(result, of: T.self) { $0 / count }, over: x.shape)
      case .l1:
        return try zipElements(result, x, of: T.self) { $1 > 0 ? $0 : $1 < 0 ? -$0 : 0 }
      case .l2: return try zipElements(result, x, y, of: T.self) { $2 == 0 ? 0 : $0 * $1 / $2 }
      case .sumOfSquares: return try zipElements(result, x, of: T.self) { 2 * $0 * $1 }
      case .logSum:
        return try spread(
          try zipElements(result, y, of: T.self) { $0 / T.exp($1) }, over: x.shape)
      case .logSumExp:
        return try zipElements(result, x, y, of: T.self) {
          $1 == -T.infinity ? 0 : $0 * T.exp($1 - $2)
        }
      case .product: return try cotangentOfFactors(result, x, axes, T.self)
      case .maximum, .minimum: return try cotangentOfExtremum(result, x, axes, T.self)
      }
    }
  }

  /// Each element takes part in one result: the pullback of ones holds the derivative for each, and
  /// the products with the tangents are summed.
  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    guard let tangent = tangents.optional(0) else { return [nil] }
    let ones = Tensor(repeating: T(1), shape: point.outputs[0].shape)
    guard let derivatives = try pullback([ones], at: point.wantingFirst, T.self)[0] else {
      return [nil]
    }
    let products = try zipElements(derivatives, tangent, of: T.self) { $0 * $1 }
    let loop = ReductionLoop(products.shape, axes: try axes(for: point.inputs.types))
    return [
      try reduceGroups(products, of: T.self, loop, ones.shape, from: 0.0) {
        $0 += Double($1)
      } result: {
        T($0)
      }
    ]
  }

  private func spread(_ result: Tensor, over shape: Shape) throws -> Tensor {
    try AffineView(result.shape).broadcast(to: shape).read(result, as: shape)
  }

  /// Each factor's derivative is the product of the others, also where some are zero.
  private func cotangentOfFactors<T: RealScalar>(
    _ g: Tensor, _ x: Tensor, _ axes: [Int], _: T.Type
  ) throws -> Tensor {
    var result = Tensor(zeros: x.shape, T.dataType)
    var loop = ReductionLoop(x.shape, axes: axes)
    try x.withElements(of: T.self) { x in
      try g.withElements(of: T.self) { g in
        try result.withMutableElements(of: T.self) { result in
          loop.forEachGroup { i, group in
            var zeros = 0
            var productOfOthers = Double(g[i])
            group.forEachElement { offset in
              if x[offset] == 0 { zeros += 1 } else { productOfOthers *= Double(x[offset]) }
            }
            group.forEachElement { offset in
              switch (zeros, x[offset] == 0) {
              case (0, _): result[offset] = T(productOfOthers / Double(x[offset]))
              case (1, true): result[offset] = T(productOfOthers)
              default: break
              }
            }
          }
        }
      }
    }
    return result
  }

  /// The extremum's first occurrence takes it all.
  private func cotangentOfExtremum<T: RealScalar>(
    _ g: Tensor, _ x: Tensor, _ axes: [Int], _: T.Type
  ) throws -> Tensor {
    var result = Tensor(zeros: x.shape, T.dataType)
    var loop = ReductionLoop(x.shape, axes: axes)
    let isMaximum = kind == .maximum
    try x.withElements(of: T.self) { x in
      try g.withElements(of: T.self) { g in
        try result.withMutableElements(of: T.self) { result in
          loop.forEachGroup { i, group in
            let best = group.firstExtremum { offset, best in
              beats(x[offset], x[best], maximum: isMaximum)
            }
            if let best { result[best.offset] = g[i] }
          }
        }
      }
    }
    return result
  }
}

/// Returns whether `x` is a greater maximum than `best`, or a lesser minimum; NaN beats all numbers.
private func beats<T: RealScalar>(_ x: T, _ best: T, maximum: Bool) -> Bool {
  (maximum ? x > best : x < best) || (x.isNaN && !best.isNaN)
}

/// Combines the elements of each group, from `start` on.
@inline(__always)
private func reduceGroups<S: Scalar, R: Scalar, Partial>(
  _ x: Tensor, of _: S.Type, _ loop: ReductionLoop, _ shape: Shape, from start: Partial,
  _ combine: (inout Partial, S) -> Void, result: (Partial) -> R
) throws -> Tensor {
  var loop = loop
  return try x.read(as: S.self) { x in
    try Tensor.filled(shape, of: R.self) { results in
      loop.forEachGroup { i, group in
        var partial = start
        group.forEachElement { combine(&partial, x[$0]) }
        results[i] = result(partial)
      }
    }
  }
}

/// The logarithm of a sum of exponentials, scaled by the greatest one so far so that none overflows.
private struct LogSumExp {
  private var maximum = -Double.infinity
  private var sum = 0.0

  mutating func add(_ x: Double) {
    if x > maximum {
      sum = sum * Double.exp(maximum - x) + 1
      maximum = x
    } else {
      // Without the test, infinities would give their difference, NaN.
      sum += x == maximum ? 1 : Double.exp(x - maximum)
    }
  }

  var value: Double { maximum + Double.log(sum) }
}

/// Finds where along an axis the greatest or least element is.
///
/// Among equals the first counts, or the last if the node asks for it; NaN counts as the greatest and
/// the least number.
package struct ExtremumIndex: Operator {
  /// An operator by its ONNX name.
  package enum Kind: String, CaseIterable, Sendable {
    case maximum = "ArgMax"
    case minimum = "ArgMin"
  }

  package let kind: Kind
  /// As the node has it: counted from the end if negative.
  package let axis: Int
  package let keepsDimensions: Bool
  private let selectsLast: Bool

  package init(_ node: NodeReader) throws {
    kind = try Kind(kindOf: node)
    try node.expect(inputs: 1...1)
    axis = try node.integer("axis", default: 0)
    keepsDimensions = try node.flag("keepdims", default: true)
    selectsLast = try node.flag("select_last_index", default: false)
  }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    try data.expect(.float32, .int64, as: "data")
    let axis = try data.shape.checkedAxis(axis)
    guard data.shape[axis] > 0 else {
      throw OperatorError("axis \(axis) of shape \(data.shape) has no elements to choose from")
    }
    let shape = try data.shape.reduced(along: [axis], keepingDimensions: keepsDimensions)
    return [ValueType(shape, .int64)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let x = try inputs.required(0, "data")
    let shape = try infer(inputs.types)[0].shape
    var loop = ReductionLoop(x.shape, axes: [try x.shape.checkedAxis(axis)])
    let isMaximum = kind == .maximum

    func indices<S: Scalar>(of _: S.Type, _ beats: (S, S) -> Bool) throws -> Tensor {
      try x.read(as: S.self) { x in
        try Tensor.filled(shape, of: Int64.self) { result in
          loop.forEachGroup { i, group in
            let best = group.firstExtremum { offset, best in
              beats(x[offset], x[best]) || (selectsLast && !beats(x[best], x[offset]))
            }
            result[i] = Int64(best?.position ?? 0)
          }
        }
      }
    }
    return x.dataType == .int64
      ? [try indices(of: Int64.self) { isMaximum ? $0 > $1 : $0 < $1 }]
      : [try indices(of: T.self) { beats($0, $1, maximum: isMaximum) }]
  }
}

extension ReductionLoop.Group {
  /// Returns the element that no later one beats, in row-major order; `nil` if there are none.
  fileprivate mutating func firstExtremum(
    _ beats: (_ offset: Int, _ best: Int) -> Bool
  ) -> (offset: Int, position: Int)? {
    var best: (offset: Int, position: Int)?
    var position = 0
    forEachElement { offset in
      if let found = best, !beats(offset, found.offset) {
        // The earlier one stands.
      } else {
        best = (offset, position)
      }
      position += 1
    }
    return best
  }
}

extension Shape {
  /// Returns the shape without `axes`, or with extent 1 there.
  fileprivate func reduced(along axes: [Int], keepingDimensions: Bool) throws -> Shape {
    try Shape.checked(
      dimensions.indices.compactMap { axis in
        guard axes.contains(axis) else { return dimensions[axis] }
        return keepingDimensions ? 1 : nil
      })
  }
}
