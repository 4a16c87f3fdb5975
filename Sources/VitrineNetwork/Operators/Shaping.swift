package import VitrineTensor

/// Operators that keep all elements in their order, or look at the shape alone.
package enum Shaping {
  package static let operators: [String: any Operator.Type] = [
    "Dropout": Dropout.self, "Flatten": Flatten.self, "Identity": Identity.self,
    "Reshape": Reshape.self, "Shape": ShapeOf.self, "Size": SizeOf.self, "Squeeze": Squeeze.self,
    "Unsqueeze": Unsqueeze.self,
  ]
}

/// Gives the elements of the first input, in their order, another shape.
package protocol Reshaping: Operator {
  /// Returns the output's shape, which has as many elements as the first input.
  func outputShape(_ inputs: [ValueType?]) throws -> Shape
}

extension Reshaping {
  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    return [ValueType(try outputShape(inputs), data.dataType.inferred)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let data = try inputs.required(0, "data")
    return [try data.reshaped(to: try outputShape(inputs.types).dimensions)]
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.pulledBack(cotangents) { index in
      guard index == 0 else { return nil }
      return try cotangents[0]?.reshaped(to: point.inputs.required(0, "data").shape.dimensions)
    }
  }
}

/// Returns its input.
package struct Identity: Reshaping {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 1...1) }

  package func outputShape(_ inputs: [ValueType?]) throws -> Shape {
    try inputs.required(0, "data").shape
  }
}

/// Gives a tensor the shape that a second input lists.
struct Reshape: Reshaping {
  /// Whether an extent of 0 means no elements, instead of the input's extent at the same place.
  private let allowsZero: Bool

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 2...2)
    allowsZero = try node.flag("allowzero", default: false)
  }

  package func outputShape(_ inputs: [ValueType?]) throws -> Shape {
    let input = try inputs.required(0, "data").shape
    let requested = try inputs.integers(1, "shape")
    guard requested.count <= Shape.maximalRank else {
      throw OperatorError("a value has at most \(Shape.maximalRank) axes, found \(requested.count)")
    }
    var extents = requested
    var inferred: Int?
    for (axis, extent) in requested.enumerated() {
      if extent == -1 {
        guard inferred == nil else {
          throw OperatorError("shape \(requested) has more than one extent of -1")
        }
        inferred = axis
        extents[axis] = 1
      } else if extent == 0 && !allowsZero {
        guard axis < input.rank else {
          throw OperatorError("shape \(requested) copies axis \(axis), which \(input) lacks")
        }
        extents[axis] = input[axis]
      }
    }
    let known = try Shape.checked(extents)
    if let inferred {
      guard known.count > 0, input.count % known.count == 0 else {
        throw OperatorError(
          "shape \(requested) does not fit \(input): no extent in place of -1 gives "
            + "\(input.count) elements")
      }
      extents[inferred] = input.count / known.count
    } else if known.count != input.count {
      throw OperatorError(
        "shape \(requested) has \(known.count) elements, \(input) has \(input.count)")
    }
    return try Shape.checked(extents)
  }
}

/// Makes a matrix of a tensor: the axes before ``axis`` become its rows, the others its columns.
struct Flatten: Reshaping {
  /// As the node has it: counted from the end if negative; the rank is allowed.
  package let axis: Int

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...1)
    axis = try node.integer("axis", default: 1)
  }

  package func outputShape(_ inputs: [ValueType?]) throws -> Shape {
    let input = try inputs.required(0, "input").shape
    let split = axis == input.rank ? axis : try input.checkedAxis(axis)
    // Neither can overflow: a shape's product does not, leaving zeros aside.
    let rows = input.dimensions[..<split].reduce(1, &*)
    let columns = input.dimensions[split...].reduce(1, &*)
    return try Shape.checked([rows, columns])
  }
}

/// Removes axes of extent 1: those listed, or all.
package struct Squeeze: Reshaping {
  private let axes: IntegerList

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...(node.opset < 13 ? 1 : 2))
    axes = try IntegerList(node, "axes", isInput: 1, since: 13)
  }

  package func outputShape(_ inputs: [ValueType?]) throws -> Shape {
    let input = try inputs.required(0, "data").shape
    // An empty list means all as well, as onnxruntime reads it.
    guard let listed = try axes.values(inputs), !listed.isEmpty else {
      return try Shape.checked(input.dimensions.filter { $0 != 1 })
    }
    let removed = try input.checkedAxes(listed)
    for axis in removed where input[axis] != 1 {
      throw OperatorError("axis \(axis) of shape \(input) cannot be removed: its extent is not 1")
    }
    return try Shape.checked(
      input.dimensions.indices.filter { !removed.contains($0) }.map { input[$0] })
  }
}

/// Inserts axes of extent 1, at the listed places of the output.
package struct Unsqueeze: Reshaping {
  private let axes: IntegerList

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: node.opset < 13 ? 1...1 : 2...2)
    axes = try IntegerList(node, "axes", isInput: 1, since: 13)
  }

  package func outputShape(_ inputs: [ValueType?]) throws -> Shape {
    let input = try inputs.required(0, "data").shape
    let listed = try axes.required(inputs)
    guard listed.count <= Shape.maximalRank else {
      throw OperatorError("\(listed.count) axes cannot be inserted: too many")
    }
    let ones = try Shape.checked(Array(repeating: 1, count: input.rank + listed.count))
    let inserted = try ones.checkedAxes(listed)
    var kept = input.dimensions.makeIterator()
    return try Shape.checked(
      ones.dimensions.indices.map { inserted.contains($0) ? 1 : kept.next() ?? 1 })
  }
}

/// Returns its input: dropping out is for training, and training has its own way.
///
/// The optional second output, the mask of what was kept, is all true.
struct Dropout: Operator {
  private let hasMask: Bool
  /// Until opset 10 the mask was real.
  private let maskIsReal: Bool

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...(node.opset < 12 ? 1 : 3), outputs: 1...2)
    hasMask = node.outputCount == 2
    maskIsReal = node.opset < 10
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    if inputs.optional(2) != nil {
      let isTraining = try inputs.known(2, "training_mode").converted(to: .bool)
      guard try !isTraining.elements(of: Bool.self).contains(true) else {
        throw OperatorError("training mode is not supported: export the model for inference")
      }
    }
    let output = ValueType(data.shape, data.dataType.inferred)
    return hasMask ? [output, ValueType(data.shape, maskIsReal ? .float32 : .bool)] : [output]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let data = try inputs.required(0, "data")
    guard hasMask else { return [data] }
    return [
      data,
      maskIsReal
        ? Tensor(repeating: T(1), shape: data.shape) : Tensor(repeating: true, shape: data.shape),
    ]
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.pulledBack(cotangents) { $0 == 0 ? cotangents[0] : nil }
  }
}

/// Returns the extents of its input, or a range of them.
package struct ShapeOf: Operator {
  private let start: Int
  private let end: Int?

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...1)
    start = try node.integer("start", default: 0)
    end = node.has("end") ? try node.integer("end") : nil
  }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(constant: extents(of: try inputs.required(0, "data").shape))]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [extents(of: try inputs.required(0, "data").shape)]
  }

  private func extents(of shape: Shape) -> Tensor {
    let lower = clamped(start, to: shape.rank)
    let upper = clamped(end ?? shape.rank, to: shape.rank)
    return Tensor(shape.dimensions[lower..<max(lower, upper)].map { Int64($0) })
  }

  private func clamped(_ axis: Int, to rank: Int) -> Int {
    min(max(axis < 0 ? axis + rank : axis, 0), rank)
  }
}

/// Returns the number of elements of its input.
package struct SizeOf: Operator {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 1...1) }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(constant: Tensor(scalar: Int64(try inputs.required(0, "data").shape.count)))]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [Tensor(scalar: Int64(try inputs.required(0, "data").count))]
  }
}
