package import VitrineTensor

/// Operators that bring groups of elements of each sample to mean 0 and variance 1.
package enum MomentNormalizations {
  package static let operators: [String: any Operator.Type] = [
    "GroupNormalization": GroupNormalization.self,
    "InstanceNormalization": InstanceNormalization.self,
    "LayerNormalization": LayerNormalization.self,
  ]
}

/// `scale · (x - mean) / sqrt(variance + epsilon) + bias` over the axes from `axis` on.
///
/// `scale` and the optional `bias` have the shape of those axes. The other two outputs, mean and
/// `1 / sqrt(variance + epsilon)`, have extent 1 there.
///
/// Source: Ba, Kiros, Hinton, "Layer Normalization" (2016), equation 4.
package struct LayerNormalization: Operator {
  /// As the node has it: counted from the end if negative.
  package let axis: Int
  private let epsilon: Double

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 2...3, outputs: 1...3)
    axis = try node.integer("axis", default: -1)
    epsilon = try node.real("epsilon", default: Double(Float(1e-5)))
  }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let layout = try Layout(self, RealInputs(inputs, "X", "Scale", "B", optional: 1))
    return [layout.input, layout.moments, layout.moments].map { ValueType($0, .float32) }
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try Layout(self, RealInputs(inputs, "X", "Scale", "B", optional: 1))
    let moments = try layout.groups.moments(of: inputs.required(0), epsilon, T.self)
    return [
      try layout.groups.normalized(
        inputs.required(0), moments, scale: inputs.required(1), bias: inputs.optional(2)),
      try Tensor(moments.means, shape: layout.moments.dimensions),
      try Tensor(moments.reciprocals, shape: layout.moments.dimensions),
    ]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let layout = try Layout(self, RealInputs(point.inputs, "X", "Scale", "B", optional: 1))
    return try layout.groups.pullback(
      cotangents, epsilon, at: point, [layout.input, layout.moments, layout.moments], T.self)
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    guard let tangent = tangents.optional(0) else { return point.outputs.map { _ in nil } }
    let layout = try Layout(self, RealInputs(point.inputs, "X", "Scale", "B", optional: 1))
    let (output, moments) = try layout.groups.pushforward(tangent, epsilon, at: point, T.self)
    return [
      output,
      try Tensor(moments.means, shape: layout.moments.dimensions),
      try Tensor(moments.reciprocals, shape: layout.moments.dimensions),
    ]
  }

  private struct Layout {
    let input: Shape
    let moments: Shape
    let groups: NormalizedGroups

    init(_ node: LayerNormalization, _ inputs: RealInputs) throws {
      input = try inputs.shape(0)
      let axis = try input.checkedAxis(node.axis)
      let normalized = Array(input.dimensions[axis...])
      for (index, name) in [(1, "Scale"), (2, "B")] {
        guard let shape = inputs.optionalShape(index) else { continue }
        guard shape.dimensions == normalized else {
          throw OperatorError("input '\(name)': expected shape \(normalized), found \(shape)")
        }
      }
      let length = try Shape.checked(normalized).count
      guard length > 0 else {
        throw OperatorError("expected elements to normalise along axis \(axis), found \(input)")
      }
      moments = try Shape.checked(
        Array(input.dimensions[..<axis]) + Array(repeating: 1, count: input.rank - axis))
      groups = NormalizedGroups(
        count: input.count == 0 ? 0 : input.count / length, runs: 1, runLength: length,
        parameters: length, parameterPerElement: true)
    }
  }
}

/// `scale · (x - mean) / sqrt(variance + epsilon) + bias` over each channel of each sample.
///
/// Input and output `[batch, channel, …]`; `scale` and `bias` `[channel]`.
///
/// Source: Ulyanov, Vedaldi, Lempitsky, "Instance Normalization" (2016), equation 2.
package struct InstanceNormalization: Operator {
  private let epsilon: Double

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 3...3)
    epsilon = try node.real("epsilon", default: Double(Float(1e-5)))
  }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let inputs = try RealInputs(inputs, "input", "scale", "B")
    _ = try groups(inputs)
    return [ValueType(try inputs.shape(0), .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let groups = try groups(RealInputs(inputs, "input", "scale", "B"))
    let moments = try groups.moments(of: inputs.required(0), epsilon, T.self)
    return [
      try groups.normalized(
        inputs.required(0), moments, scale: inputs.required(1), bias: inputs.required(2))
    ]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let inputs = try RealInputs(point.inputs, "input", "scale", "B")
    return try groups(inputs).pullback(
      cotangents, epsilon, at: point, [try inputs.shape(0)], T.self)
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    guard let tangent = tangents.optional(0) else { return point.outputs.map { _ in nil } }
    let groups = try groups(RealInputs(point.inputs, "input", "scale", "B"))
    return [try groups.pushforward(tangent, epsilon, at: point, T.self).output]
  }

  private func groups(_ inputs: RealInputs) throws -> NormalizedGroups {
    let input = try inputs.shape(0)
    let plane = try planeSize(of: input)
    try inputs.expectVectors(of: input[1], "scale", "B")
    return NormalizedGroups(
      count: input.count == 0 ? 0 : input.count / plane, runs: 1, runLength: plane,
      parameters: input[1], parameterPerElement: false)
  }
}

/// `scale · (x - mean) / sqrt(variance + epsilon) + bias` over groups of channels of each sample.
///
/// Input and output `[batch, channel, …]`; `scale` and `bias` are `[channel]`, before operator set 21
/// `[group]`.
///
/// Source: Wu, He, "Group Normalization" (2018), equations 1 to 6.
package struct GroupNormalization: Operator {
  private let epsilon: Double
  private let groupCount: Int
  private let hasParameterPerGroup: Bool

  package init(_ node: NodeReader) throws {
    try node.expect(inputs: 3...3)
    epsilon = try node.real("epsilon", default: Double(Float(1e-5)))
    groupCount = try node.integer("num_groups")
    guard groupCount >= 1 else {
      throw OperatorError("num_groups: expected at least 1, found \(groupCount)")
    }
    hasParameterPerGroup = node.opset < 21
  }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let inputs = try RealInputs(inputs, "X", "scale", "bias")
    _ = try groups(inputs)
    return [ValueType(try inputs.shape(0), .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let groups = try groups(RealInputs(inputs, "X", "scale", "bias"))
    let moments = try groups.moments(of: inputs.required(0), epsilon, T.self)
    return [
      try groups.normalized(
        inputs.required(0), moments, scale: inputs.required(1), bias: inputs.required(2))
    ]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let inputs = try RealInputs(point.inputs, "X", "scale", "bias")
    return try groups(inputs).pullback(
      cotangents, epsilon, at: point, [try inputs.shape(0)], T.self)
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    guard let tangent = tangents.optional(0) else { return point.outputs.map { _ in nil } }
    let groups = try groups(RealInputs(point.inputs, "X", "scale", "bias"))
    return [try groups.pushforward(tangent, epsilon, at: point, T.self).output]
  }

  private func groups(_ inputs: RealInputs) throws -> NormalizedGroups {
    let input = try inputs.shape(0)
    let plane = try planeSize(of: input)
    let channels = input[1]
    guard channels % groupCount == 0 else {
      throw OperatorError("num_groups: expected a divisor of \(channels), found \(groupCount)")
    }
    try inputs.expectVectors(
      of: hasParameterPerGroup ? groupCount : channels, "scale", "bias")
    let perGroup = channels / groupCount
    let runs = hasParameterPerGroup ? 1 : perGroup
    return NormalizedGroups(
      count: input.count == 0 ? 0 : input[0] * groupCount, runs: runs,
      runLength: hasParameterPerGroup ? plane * perGroup : plane,
      parameters: hasParameterPerGroup ? groupCount : channels, parameterPerElement: false)
  }
}

/// Returns the number of elements of a channel; 0 if the tensor has none at all.
private func planeSize(of input: Shape) throws(OperatorError) -> Int {
  guard input.rank >= 2 else {
    throw OperatorError("expected an input [batch, channel, …], found \(input)")
  }
  return input.count == 0 ? 0 : input.dimensions.dropFirst(2).reduce(1, *)
}

extension RealInputs {
  /// Checks that the second and third input are vectors of `count` elements.
  fileprivate func expectVectors(of count: Int, _ scale: String, _ bias: String) throws {
    for (index, name) in [(1, scale), (2, bias)] {
      let found = try shape(index)
      guard found.dimensions == [count] else {
        throw OperatorError("input '\(name)': expected shape [\(count)], found \(found)")
      }
    }
  }
}
