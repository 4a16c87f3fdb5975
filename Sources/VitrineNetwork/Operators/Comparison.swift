package import VitrineTensor

/// Operators that make or use truth values.
package enum Comparisons {
  package static let operators: [String: any Operator.Type] = {
    var operators: [String: any Operator.Type] = [
      "IsNaN": IsNaN.self, "Not": Not.self, "Where": Where.self,
    ]
    for relation in Comparison.Relation.allCases { operators[relation.rawValue] = Comparison.self }
    for connective in Logic.Connective.allCases { operators[connective.rawValue] = Logic.self }
    return operators
  }()
}

/// Compares two tensors, broadcast together, element by element.
package struct Comparison: Operator {
  /// A relation by its ONNX name.
  package enum Relation: String, CaseIterable, Sendable {
    case equal = "Equal"
    case greater = "Greater"
    case greaterOrEqual = "GreaterOrEqual"
    case less = "Less"
    case lessOrEqual = "LessOrEqual"
  }

  package let relation: Relation

  package init(_ node: NodeReader) throws {
    relation = try Relation(kindOf: node)
    try node.expect(inputs: 2...2)
  }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let (a, b) = (try inputs.required(0, "A"), try inputs.required(1, "B"))
    if relation != .equal { try a.expect(.float32, .int64, as: "A") }
    try b.expectSameType(as: a)
    return [ValueType(try a.shape.checkedBroadcast(with: b.shape), .bool)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (a, b) = (try inputs.required(0, "A"), try inputs.required(1, "B"))
    switch a.dataType {
    case .bool: return [try zipElements(a, b, of: Bool.self) { $0 == $1 }]
    case .int64: return [try compare(a, b, of: Int64.self)]
    case .float32, .float64: return [try compare(a, b, of: T.self)]
    }
  }

  private func compare<S: Scalar & Comparable>(
    _ a: Tensor, _ b: Tensor, of _: S.Type
  ) throws -> Tensor {
    switch relation {
    case .equal: try zipElements(a, b, of: S.self) { $0 == $1 }
    case .greater: try zipElements(a, b, of: S.self) { $0 > $1 }
    case .greaterOrEqual: try zipElements(a, b, of: S.self) { $0 >= $1 }
    case .less: try zipElements(a, b, of: S.self) { $0 < $1 }
    case .lessOrEqual: try zipElements(a, b, of: S.self) { $0 <= $1 }
    }
  }
}

/// Combines two truth values, broadcast together, element by element.
package struct Logic: Operator {
  /// A connective by its ONNX name.
  package enum Connective: String, CaseIterable, Sendable {
    case and = "And"
    case or = "Or"
  }

  package let connective: Connective

  package init(_ node: NodeReader) throws {
    connective = try Connective(kindOf: node)
    try node.expect(inputs: 2...2)
  }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let (a, b) = (try inputs.required(0, "A"), try inputs.required(1, "B"))
    try a.expect(.bool, as: "A")
    try b.expect(.bool, as: "B")
    return [ValueType(try a.shape.checkedBroadcast(with: b.shape), .bool)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (a, b) = (try inputs.required(0, "A"), try inputs.required(1, "B"))
    return switch connective {
    case .and: [try zipElements(a, b, of: Bool.self) { $0 && $1 }]
    case .or: [try zipElements(a, b, of: Bool.self) { $0 || $1 }]
    }
  }
}

/// Negates truth values.
package struct Not: Operator {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 1...1) }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let x = try inputs.required(0, "X")
    try x.expect(.bool, as: "X")
    return [ValueType(x.shape, .bool)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [try mapElements(try inputs.required(0, "X"), of: Bool.self) { !$0 }]
  }
}

/// Finds the elements that are not a number.
package struct IsNaN: Operator {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 1...1) }

  package var pushforwardRule: PushforwardRule { .zero }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let x = try inputs.required(0, "X")
    try x.expect(.float32, as: "X")
    return [ValueType(x.shape, .bool)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [try mapElements(try inputs.required(0, "X"), of: T.self) { $0.isNaN }]
  }
}

/// Takes each element from one of two tensors, as a third says; all are broadcast together.
package struct Where: Operator {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 3...3) }

  package var pushforwardRule: PushforwardRule { .elementwise }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let condition = try inputs.required(0, "condition")
    let (x, y) = (try inputs.required(1, "X"), try inputs.required(2, "Y"))
    try condition.expect(.bool, as: "condition")
    try y.expectSameType(as: x)
    let shape = try condition.shape.checkedBroadcast(with: x.shape)
      .checkedBroadcast(with: y.shape)
    return [ValueType(shape, x.dataType.inferred)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let condition = try inputs.required(0, "condition")
    let (x, y) = (try inputs.required(1, "X"), try inputs.required(2, "Y"))
    switch x.dataType {
    case .bool: return [try selectElements(condition, x, y, of: Bool.self)]
    case .int64: return [try selectElements(condition, x, y, of: Int64.self)]
    case .float32, .float64: return [try selectElements(condition, x, y, of: T.self)]
    }
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let condition = try point.inputs.required(0, "condition")
    let zero = Tensor(scalar: T.zero)
    return try point.pulledBack(cotangents) { index in
      guard let g = cotangents[0], let input = point.inputs[index] else { return nil }
      let own =
        index == 1
        ? try selectElements(condition, g, zero, of: T.self)
        : try selectElements(condition, zero, g, of: T.self)
      return try unbroadcast(own, to: input.shape, T.self)
    }
  }
}
