package import VitrineTensor

/// Operators that make tensors of next to nothing.
package enum Constants {
  package static let operators: [String: any Operator.Type] = [
    "Constant": Constant.self, "ConstantOfShape": ConstantOfShape.self, "EyeLike": EyeLike.self,
    "Range": Progression.self,
  ]
}

/// Returns a tensor that the node contains.
package struct Constant: Operator {
  /// In the precision of the file.
  package let value: Tensor

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 0...0)
    let names = node.node.attributes.keys.filter { $0.hasPrefix("value") || $0 == "sparse_value" }
    guard names.count == 1, let name = names.first else {
      throw OperatorError("expected exactly one value, found \(names.count)")
    }
    switch name {
    case "value_int": value = Tensor(scalar: Int64(try node.integer(name)))
    case "value_float": value = Tensor(scalar: try node.real(name))
    case "value_ints": value = Tensor((try node.integers(name) ?? []).map { Int64($0) })
    case "value_floats": value = Tensor(try node.reals(name) ?? [])
    case "value":
      guard let tensor = try node.tensor(name) else {
        throw OperatorError("attribute 'value' is missing")
      }
      value = tensor
    default: throw OperatorError("a constant given as '\(name)' is not supported")
    }
  }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(value.shape, value.dataType.inferred, constant: value)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [value.converted(to: value.dataType.inRun(with: T.self))]
  }
}

/// Returns a tensor of the given shape whose elements are all the same.
package struct ConstantOfShape: Operator {
  /// One element, in the precision of the file.
  private let value: Tensor

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...1)
    value = try node.tensor("value") ?? Tensor(scalar: Float(0))
    guard value.count == 1 else {
      throw OperatorError("attribute 'value' must have one element, found \(value.count)")
    }
  }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try Shape.checked(try inputs.integers(0, "input")), value.dataType.inferred)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let shape = try infer(inputs.types)[0].shape
    let value = try value.converted(to: value.dataType.inRun(with: T.self)).reshaped(to: [])
    return [try AffineView(value.shape).broadcast(to: shape).read(value, as: shape)]
  }
}

/// Returns `start`, `start + delta`, `start + 2 · delta`, … as far as `limit`, which is left out.
///
/// The number of elements is found from the values rounded to `Float`, so that it does not depend on
/// the precision of the run.
package struct Progression: Operator {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 3...3) }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let names = ["start", "limit", "delta"]
    let terms = try names.indices.map { try inputs.known($0, names[$0]) }
    for (index, term) in terms.enumerated() {
      let type = ValueType(constant: term)
      try type.expect(.float32, .int64, as: names[index])
      try type.expectSameType(as: ValueType(constant: terms[0]))
      guard term.count == 1 else {
        throw OperatorError("input '\(names[index])' must have one element, found \(term.shape)")
      }
    }
    let count =
      terms[0].dataType == .int64
      ? try count(try terms.map { try $0.elements(of: Int64.self)[0] })
      : try count(try terms.map { try $0.converted(to: .float32).elements(of: Float.self)[0] })
    return [ValueType(try Shape.checked([count]), terms[0].dataType.inferred)]
  }

  private func count(_ terms: [Int64]) throws -> Int {
    let (start, limit, delta) = (terms[0], terms[1], terms[2])
    guard delta != 0 else { throw OperatorError("input 'delta' is zero") }
    guard delta > 0 ? start < limit : start > limit else { return 0 }
    // The distance may need all 64 bits.
    let distance = UInt64(bitPattern: delta > 0 ? limit &- start : start &- limit)
    guard let count = Int(exactly: (distance - 1) / delta.magnitude), count < Int.max else {
      throw tooMany
    }
    return count + 1
  }

  private func count(_ terms: [Float]) throws -> Int {
    let (start, limit, delta) = (Double(terms[0]), Double(terms[1]), Double(terms[2]))
    guard delta != 0, start.isFinite, limit.isFinite, delta.isFinite else {
      throw OperatorError("a range from \(start) to \(limit) in steps of \(delta) has no end")
    }
    let count = ((limit - start) / delta).rounded(.up)
    guard count < 0x1p62 else { throw tooMany }
    return Int(max(count, 0))
  }

  private var tooMany: OperatorError { OperatorError("the range has too many elements") }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let shape = try infer(inputs.types)[0].shape
    let (start, delta) = (try inputs.required(0, "start"), try inputs.required(2, "delta"))
    if start.dataType == .int64 {
      let first = try start.elements(of: Int64.self)[0]
      let step = try delta.elements(of: Int64.self)[0]
      return [
        Tensor(uninitialized: shape, of: Int64.self) { result in
          for i in result.indices { result[i] = first &+ Int64(i) &* step }
        }
      ]
    }
    let (first, step) = (try start.elements(of: T.self)[0], try delta.elements(of: T.self)[0])
    return [
      Tensor(uninitialized: shape, of: T.self) { result in
        for i in result.indices { result[i] = first + T(i) * step }
      }
    ]
  }
}

/// Returns a matrix of the input's shape with ones on one diagonal and zeros elsewhere.
package struct EyeLike: Operator {
  /// How far the diagonal is above the main one.
  private let diagonal: Int
  private let dataType: DataType?

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...1)
    diagonal = try node.integer("k", default: 0)
    dataType =
      node.has("dtype")
      ? try DataType(onnxCode: try node.integer("dtype"), attribute: "dtype") : nil
  }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try inputs.required(0, "input")
    guard input.shape.rank == 2 else {
      throw OperatorError("input 'input' must be a matrix, found shape \(input.shape)")
    }
    return [ValueType(input.shape, dataType ?? input.dataType.inferred)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let type = try infer(inputs.types)[0]
    let (rows, columns) = (type.shape[0], type.shape[1])
    let dataType = type.dataType.inRun(with: T.self)
    var result = Tensor(zeros: type.shape, dataType)
    // Rows where 0 <= row + diagonal < columns; a diagonal outside the matrix has none.
    if diagonal > -rows && diagonal < columns {
      let first = max(0, -diagonal)
      let count = min(rows, columns - diagonal) - first
      let diagonalShape = try Shape.checked([count])
      let ones = Tensor(repeating: true, shape: diagonalShape).converted(to: dataType)
      let view = AffineView(try Shape.checked([type.shape.count])).sliced(
        axis: 0, start: first * columns + first + diagonal, step: columns + 1, count: count)
      try view.write(ones, to: &result)
    }
    return [result]
  }
}
