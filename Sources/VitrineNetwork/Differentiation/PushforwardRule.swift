package import VitrineTensor

/// How an operator carries tangents forwards, from t to J t.
///
/// Most operators need to say no more than one of these words: their evaluation or pullback then does
/// the work.
package enum PushforwardRule: Sendable, Equatable {
  /// Not known: forward mode is refused, with the operator's name.
  case none
  /// The derivative is zero everywhere.
  case zero
  /// A linear function of all real inputs together, such as a concatenation: the operator itself, applied
  /// to the tangents, and zeros where there is none.
  case linear
  /// A linear function of each real input while the others stay, such as a product, plus the `additive`
  /// ones, such as a bias: the sum of what the operator gives with one input replaced by its tangent.
  case multilinear(additive: Set<Int>)
  /// Each element of the output depends on the elements at the same place, after broadcasting: the
  /// pullback is its own transpose.
  case elementwise
  /// The Jacobian with respect to the first input is symmetric, such as softmax's: pushforward and
  /// pullback are the same. Other inputs carry no tangents.
  case symmetric
  /// The operator has a ``Operator/pushforward(_:at:_:)`` of its own for its first input.
  case own

  /// Whether tangents of an input are carried.
  package func carries(input: Int) -> Bool {
    switch self {
    case .none: false
    case .zero, .linear, .multilinear, .elementwise: true
    case .symmetric, .own: input == 0
    }
  }
}

extension Operator {
  package var pushforwardRule: PushforwardRule { .none }

  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    switch pushforwardRule {
    case .zero: return point.outputs.map { _ in nil }
    case .linear:
      let inputs = point.inputs.indices.map { tangents[$0] ?? point.zeros(at: $0, T.self) }
      return point.reals(try evaluate(inputs, T.self))
    case .multilinear(let additive):
      return try point.sum(T.self, over: tangents) { index, tangent in
        var inputs = point.inputs
        for other in inputs.indices
        where additive.contains(other) || additive.contains(index) {
          inputs[other] = point.zeros(at: other, T.self)
        }
        inputs[index] = tangent
        return try evaluate(inputs, T.self)[0]
      }
    case .elementwise:
      let shape = point.outputs[0].shape.dimensions
      return try point.sum(T.self, over: tangents) { index, tangent in
        var inputs = point.inputs
        inputs[index] = try inputs[index]?.broadcast(to: shape)
        let place = Point(
          inputs: inputs, outputs: point.outputs, wanted: inputs.indices.map { $0 == index })
        return try pullback([tangent.broadcast(to: shape)], at: place, T.self)[index]
      }
    case .symmetric: return [try pullback([tangents[0]], at: point.wantingFirst, T.self)[0]]
    case .none, .own:
      throw OperatorError("forward mode is not known")
    }
  }
}

extension Point {
  /// The same, with the cotangent of the first input alone wanted.
  var wantingFirst: Point {
    Point(inputs: inputs, outputs: outputs, wanted: inputs.indices.map { $0 == 0 })
  }

  /// Returns zeros in place of a real input, and any other input as it is.
  fileprivate func zeros<T: RealScalar>(at index: Int, _: T.Type) -> Tensor? {
    guard let input = inputs[index], input.dataType.isFloatingPoint else { return inputs[index] }
    return Tensor(zeros: input.shape, T.dataType)
  }

  /// Returns tangents of the outputs that have one.
  fileprivate func reals(_ tensors: [Tensor]) -> [Tensor?] {
    tensors.map { $0.dataType.isFloatingPoint ? $0 : nil }
  }

  /// Returns the sum of what tangents contribute to the first output; `nil` for none.
  fileprivate func sum<T: RealScalar>(
    _: T.Type, over tangents: [Tensor?], _ contribution: (Int, Tensor) throws -> Tensor?
  ) throws -> [Tensor?] {
    var total: Tensor?
    for (index, tangent) in tangents.enumerated() {
      guard let tangent, let part = try contribution(index, tangent) else { continue }
      total = try total.map { try $0.adding(part) } ?? part
    }
    return [total] + outputs.dropFirst().map { _ in nil }
  }
}
