package import VitrineTensor

/// Converts elements to another type.
///
/// Every real type becomes the precision of the run and every integer type `int64`, as they do when a
/// file is read: a cast to `float16` does not round, and one to `int8` does not wrap. Real numbers
/// are truncated towards zero; those beyond the range of `int64`, where ONNX promises nothing, become
/// its ends and NaN becomes 0.
package struct Cast: Operator {
  /// `float32` for every real type.
  package let target: DataType

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 1...1)
    target = try DataType(onnxCode: try node.integer("to"), attribute: "to")
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try inputs.required(0, "input").shape, target)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [try inputs.required(0, "input").converted(to: target.inRun(with: T.self))]
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.pulledBack(cotangents) { _ in target.isFloatingPoint ? cotangents[0] : nil }
  }
}

/// Converts elements to the type of a second tensor; see ``Cast``.
package struct CastLike: Operator {
  package init(_ node: NodeReader) throws { try node.expect(inputs: 2...2) }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let target = try inputs.required(1, "target_type").dataType.inferred
    return [ValueType(try inputs.required(0, "input").shape, target)]
  }

  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let target = try inputs.required(1, "target_type").dataType
    return [try inputs.required(0, "input").converted(to: target.inRun(with: T.self))]
  }

  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    // The second input only lends its type.
    try point.pulledBack(cotangents) { index in
      index == 0 && point.outputs[0].dataType.isFloatingPoint ? cotangents[0] : nil
    }
  }
}

extension DataType {
  /// Returns the type that stands for one of ONNX's; `float32` for every real one.
  ///
  /// Source: `TensorProto.DataType` in ONNX's `onnx.proto`.
  init(onnxCode code: Int, attribute name: String) throws(OperatorError) {
    switch code {
    case 1, 10, 11, 16: self = .float32
    case 2...7, 12, 13, 21, 22, 25, 26: self = .int64
    case 9: self = .bool
    default:
      throw OperatorError(
        "attribute '\(name)' asks for element type \(code), which is not supported: expected a "
          + "floating-point type of at least 16 bits, an integer type or bool")
    }
  }
}
