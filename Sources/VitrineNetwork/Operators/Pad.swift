package import VitrineTensor

/// Adds elements before and after those there are along some axes; a negative number takes away.
///
/// What is taken away is so before anything is added. Reflections repeat, as in NumPy, if more is
/// added than there is.
package struct Pad: Operator {
  /// Where added elements come from.
  package enum Mode: String, Sendable {
    /// All are one number.
    case constant
    /// The nearest element.
    case edge
    /// The mirror image, without the element at the mirror.
    case reflect
    /// The other end.
    case wrap
  }

  package let mode: Mode
  private let pads: IntegerList
  private let axes: IntegerList
  /// Of older opsets, in which it is an attribute.
  private let value: Double

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: node.opset < 11 ? 1...1 : 2...(node.opset < 18 ? 3 : 4))
    let name = try node.string("mode", default: Mode.constant.rawValue)
    guard let mode = Mode(rawValue: name) else {
      throw OperatorError(
        "attribute 'mode' must be constant, edge, reflect or wrap, found '\(name)'")
    }
    self.mode = mode
    pads = try IntegerList(node, "pads", isInput: 1, since: 11)
    axes = try IntegerList(node, "axes", isInput: 3, since: 18)
    value = node.opset < 11 ? try node.real("value", default: 0) : 0
  }

  /// One axis of input and output.
  private struct Side {
    var extent: Int
    var before = 0
    var after = 0

    /// Extent of the output.
    var padded: Int { extent + before + after }
    /// The input's elements that stay: from `start`, `count` of them.
    var start: Int { max(0, -before) }
    var count: Int { max(0, min(extent, extent + after) - start) }
  }

  /// Whether nothing is added to or taken from the first axis.
  package func keepsFirstAxis(_ inputs: [ValueType?]) throws -> Bool {
    try sides(inputs).first.map { $0.before == 0 && $0.after == 0 } ?? false
  }

  /// Returns how many zeros are added before and after each axis; `nil` if it is anything else that happens.
  func addedZeros(_ inputs: [ValueType?]) throws -> [(before: Int, after: Int)]? {
    guard mode == .constant else { return nil }
    if let value = inputs.optional(2) {
      guard let constant = value.constant, constant.dataType.isFloatingPoint,
        try constant.converted(to: .float64).elements(of: Double.self) == [0]
      else { return nil }
    } else if value != 0 {
      return nil
    }
    let sides = try sides(inputs)
    guard sides.allSatisfy({ $0.before >= 0 && $0.after >= 0 }) else { return nil }
    return sides.map { ($0.before, $0.after) }
  }

  private func sides(_ inputs: [ValueType?]) throws -> [Side] {
    let shape = try inputs.required(0, "data").shape
    let pads = try pads.required(inputs)
    let axes = try axes.values(inputs) ?? Array(0..<shape.rank)
    _ = try shape.checkedAxes(axes)
    guard pads.count == 2 * axes.count else {
      throw OperatorError("expected two pads for each of \(axes.count) axes, found \(pads.count)")
    }
    var sides = shape.dimensions.map { Side(extent: $0) }
    for (index, axis) in axes.enumerated() {
      let axis = try shape.checkedAxis(axis)
      let (before, after) = (pads[index], pads[axes.count + index])
      // Far above what fits into memory, far below what overflows.
      guard max(before.magnitude, after.magnitude) < 1 << 60 else {
        throw OperatorError("pads \(before) and \(after) are too large")
      }
      sides[axis].before = before
      sides[axis].after = after
      let side = sides[axis]
      guard side.padded >= 0, mode == .constant || side.padded == 0 || side.count > 0 else {
        throw OperatorError(
          "pads \(before) and \(after) do not fit axis \(axis) of shape \(shape)")
      }
    }
    return sides
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    if let value = inputs.optional(2) {
      try value.expectSameType(as: data)
      guard value.shape.count == 1 else {
        throw OperatorError("input 'constant_value' must have one element, found \(value.shape)")
      }
    }
    return [ValueType(try shape(try sides(inputs)), data.dataType.inferred)]
  }

  private func shape(_ sides: [Side]) throws -> Shape { try Shape.checked(sides.map(\.padded)) }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let data = try inputs.required(0, "data")
    _ = try infer(inputs.types)
    let sides = try sides(inputs.types)
    guard mode == .constant else {
      return [
        try orderedAxes(sides).reduce(data) { try take($0, axis: $1, sources(sides[$1])) }
      ]
    }
    let shape = try shape(sides)
    let given = inputs.count > 2 ? inputs[2] : nil
    let value = try given?.reshaped(to: []) ?? Tensor(scalar: value).converted(to: data.dataType)
    var result = try AffineView(value.shape).broadcast(to: shape).read(value, as: shape)
    let (from, to, kept) = try interior(sides, data.shape)
    try to.write(try from.read(data, as: kept), to: &result)
    return [result]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let data = try point.inputs.required(0, "data")
    let sides = try sides(point.inputs.types)
    return try point.pulledBack(cotangents) { index in
      guard let g = cotangents[0] else { return nil }
      if index == 0 && mode != .constant { return try pullReflection(g, sides, T.self) }
      let (from, to, kept) = try interior(sides, data.shape)
      if index == 0 {
        var result = Tensor(zeros: data.shape, T.dataType)
        try from.write(try to.read(g, as: kept), to: &result)
        return result
      }
      guard let value = point.inputs[index], mode == .constant else { return nil }
      // The constant is in all places but the interior.
      var outside = g
      try to.write(Tensor(zeros: kept, T.dataType), to: &outside)
      return try unbroadcast(outside, to: Shape([]), T.self).reshaped(to: value.shape.dimensions)
    }
  }

  /// Returns the views of the elements that stay, in the input and in the output, and their shape.
  private func interior(
    _ sides: [Side], _ input: Shape
  ) throws -> (from: AffineView, to: AffineView, shape: Shape) {
    var (from, to) = (AffineView(input), AffineView(try shape(sides)))
    for (axis, side) in sides.enumerated() {
      from = from.sliced(axis: axis, start: side.start, count: side.count)
      to = to.sliced(axis: axis, start: max(0, side.before), count: side.count)
    }
    return (from, to, try Shape.checked(sides.map(\.count)))
  }

  // MARK: - Modes that repeat elements, one axis after the other

  /// Axes that change, those that shrink first: no intermediate is larger than both input and output.
  private func orderedAxes(_ sides: [Side]) -> [Int] {
    let changed = sides.indices.filter { sides[$0].before != 0 || sides[$0].after != 0 }
    return changed.filter { sides[$0].padded < sides[$0].extent }
      + changed.filter { sides[$0].padded >= sides[$0].extent }
  }

  /// Returns, for each index of the output, that of the input.
  private func sources(_ side: Side) -> [Int] {
    let (count, period) = (side.count, max(1, 2 * (side.count - 1)))
    return (0..<side.padded).map { index in
      let position = index - side.before - side.start
      switch mode {
      case .constant, .edge: return side.start + min(max(position, 0), count - 1)
      case .wrap: return side.start + modulo(position, count)
      case .reflect:
        let phase = modulo(position, period)
        return side.start + min(phase, period - phase)
      }
    }
  }

  private func modulo(_ a: Int, _ b: Int) -> Int {
    let remainder = a % b
    return remainder < 0 ? remainder + b : remainder
  }

  private func pullReflection<T: RealScalar>(
    _ g: Tensor, _ sides: [Side], _: T.Type
  ) throws -> Tensor {
    try orderedAxes(sides).reversed().reduce(g) { cotangent, axis in
      try pullTake(
        cotangent, axis: axis, sources(sides[axis]), extent: sides[axis].extent, T.self)
    }
  }
}
