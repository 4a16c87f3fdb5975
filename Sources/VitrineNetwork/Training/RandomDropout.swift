package import VitrineTensor

/// Dropout while training: each element becomes 0 with probability `ratio`, and is divided by
/// `1 - ratio` otherwise.
///
/// Inputs: the data, the ratio, and the seed that decides what is dropped: two `int64` numbers of which
/// the first changes from step to step and the second tells nodes apart. Source: Srivastava et al.,
/// "Dropout: A Simple Way to Prevent Neural Networks from Overfitting" (JMLR 15, 2014), with the scaling
/// moved from testing to training.
package struct RandomDropout: Operator {
  private let attribute: Double

  package init(_ node: NodeReader) throws {
    attribute = try node.real("ratio", default: 0.5)
  }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let data = try inputs.required(0, "data")
    try data.expect(.float32, as: "data")
    if inputs.optional(1) != nil { _ = try ratio(inputs.known(1, "ratio")) }
    let seed = try inputs.required(2, "seed")
    try seed.expect(.int64, as: "seed")
    guard seed.shape.dimensions == [2] else {
      throw OperatorError("input 'seed': expected shape [2], found \(seed.shape)")
    }
    return [ValueType(data.shape, .float32)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [try masked(inputs.required(0), inputs, T.self)]
  }

  @specialized(where T == Float)
  @specialized(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let data = try point.inputs.required(0)
    guard point.wants(0), let g = try point.cotangent(cotangents, of: data.shape) else {
      return [nil, nil, nil]
    }
    return [try masked(g, point.inputs, T.self), nil, nil]
  }

  /// Returns the elements times their factor, 0 or `1 / (1 - ratio)`.
  @inline(__always)
  private func masked<T: RealScalar>(_ data: Tensor, _ inputs: [Tensor?], _: T.Type) throws
    -> Tensor
  {
    let ratio = try inputs.optional(1).map(ratio) ?? attribute
    let seed = try inputs.required(2).elements(of: Int64.self)
    var generator = RandomGenerator(seed: Self.seed(seed))
    let threshold = Float(ratio)
    let factor = T(1 / (1 - ratio))
    return try mapElements(data, of: T.self) {
      generator.uniformFloat() < threshold ? 0 : $0 * factor
    }
  }

  /// Returns the generator's seed for a step and a node.
  package static func seed(_ numbers: [Int64]) -> UInt64 {
    numbers.reduce(0) { RandomGenerator.mixed($0, UInt64(bitPattern: $1)) }
  }

  private func ratio(_ tensor: Tensor) throws -> Double {
    guard tensor.count == 1, tensor.dataType.isFloatingPoint,
      let ratio = try tensor.converted(to: .float64).elements(of: Double.self).first,
      ratio >= 0, ratio < 1
    else {
      throw OperatorError("input 'ratio': expected one number in 0..<1, found \(tensor)")
    }
    return ratio
  }
}

extension RandomGenerator {
  /// Returns a seed that depends on both numbers.
  package static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var generator = RandomGenerator(seed: a)
    let word = generator.next()
    generator = RandomGenerator(seed: word ^ b)
    return generator.next()
  }
}
