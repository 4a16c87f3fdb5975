package import VitrineCore
package import VitrineTensor

package enum Activations {
  package static let operators: [String: any Operator.Type] = [
    "Celu": Celu.self, "Clip": Clip.self, "Elu": Elu.self, "Erf": Erf.self, "Gelu": Gelu.self,
    "HardSigmoid": HardSigmoid.self, "HardSwish": HardSwish.self, "LeakyRelu": LeakyRelu.self,
    "Mish": Mish.self, "PRelu": PRelu.self, "Relu": Relu.self, "Selu": Selu.self,
    "Sigmoid": Sigmoid.self, "Softplus": Softplus.self, "Softsign": Softsign.self,
    "Swish": Swish.self, "Tanh": Tanh.self, "ThresholdedRelu": ThresholdedRelu.self,
  ]
}

/// An operator that applies one function of one real number to every element.
///
/// Where one side of a kink is constant the derivative there is 0, as for ReLU at 0; at other kinks it
/// is the derivative from below. NaN stays NaN.
protocol Activation: Operator {
  func value<T: RealScalar>(_ x: T) -> T
  func derivative<T: RealScalar>(_ x: T) -> T
}

extension Activation {
  package var pushforwardRule: PushforwardRule { .symmetric }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try RealInputs(inputs, "X").shape(0), .float32)]
  }

  // Whoever holds an `any Operator` calls without knowing `T`. Inlined into the conforming type, where
  // `Self` is known, the two branches are specialised: 4 instead of 27 ns an element.
  @inline(__always)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    T.dataType == .float32 ? try values(inputs, Float.self) : try values(inputs, Double.self)
  }

  @inline(__always)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    T.dataType == .float32
      ? try derivatives(cotangents, point, Float.self)
      : try derivatives(cotangents, point, Double.self)
  }

  private func values<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    [try inputs.required(0).map(T.self) { value($0) }]
  }

  private func derivatives<T: RealScalar>(
    _ cotangents: [Tensor?], _ point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule(isIn: backwardRules)
    let x = try point.inputs.required(0)
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: x.shape) else {
      return [nil]
    }
    return switch point.rule {
    case .guided: [try cotangent.map(with: x, T.self) { max($0, 0) * derivative($1) }]
    case .deconvnet: [try cotangent.map(T.self) { max($0, 0) }]
    default: [try cotangent.map(with: x, T.self) { $0 * derivative($1) }]
    }
  }
}

// MARK: - Rectifiers

/// `max(x, 0)`.
package struct Relu: Activation {
  package init(_ node: NodeReader) {}

  package var backwardRules: Set<BackwardRule> { [.guided, .deconvnet] }

  func value<T: RealScalar>(_ x: T) -> T { x <= 0 ? 0 : x }
  func derivative<T: RealScalar>(_ x: T) -> T { x > 0 ? 1 : 0 }
}

/// `x` above 0, `alpha · x` below.
package struct LeakyRelu: Activation {
  package let alpha: Double

  package init(_ node: NodeReader) throws {
    alpha = try node.real("alpha", default: Double(Float(0.01)))
  }

  func value<T: RealScalar>(_ x: T) -> T { x < 0 ? T(alpha) * x : x }
  func derivative<T: RealScalar>(_ x: T) -> T { x > 0 ? 1 : T(alpha) }
}

/// `x` above `alpha`, 0 below.
package struct ThresholdedRelu: Activation {
  package let alpha: Double

  package init(_ node: NodeReader) throws { alpha = try node.real("alpha", default: 1) }

  func value<T: RealScalar>(_ x: T) -> T { x <= T(alpha) ? 0 : x }
  func derivative<T: RealScalar>(_ x: T) -> T { x > T(alpha) ? 1 : 0 }
}

/// `x` above 0, `slope · x` below, with a slope that broadcasts to the input.
package struct PRelu: Operator {
  package init(_ node: NodeReader) {}

  package var pushforwardRule: PushforwardRule { .elementwise }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let inputs = try RealInputs(inputs, "X", "slope")
    _ = try Broadcast(inputs.shape(1), to: inputs.shape(0))
    return [ValueType(try inputs.shape(0), .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let x = try inputs.required(0)
    let slope = try inputs.required(1)
    let broadcast = try Broadcast(slope.shape, to: x.shape)
    let result = try x.withElements(of: T.self) { x in
      try slope.withElements(of: T.self) { slope in
        Tensor(uninitialized: broadcast.result, of: T.self) { y in
          broadcast.forEachRow { row, offset, step in
            for i in row {
              let slope = slope[offset + (i - row.lowerBound) * step]
              y[i] = x[i] < 0 ? slope * x[i] : x[i]
            }
          }
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule(isIn: backwardRules)
    let x = try point.inputs.required(0)
    let slope = try point.inputs.required(1)
    guard let cotangent = try point.cotangent(cotangents, of: x.shape) else { return [nil, nil] }
    let broadcast = try Broadcast(slope.shape, to: x.shape)
    var toInput = Tensor(zeros: x.shape, T.dataType)
    var toSlope = Tensor(zeros: slope.shape, T.dataType)
    try x.withElements(of: T.self) { x in
      try cotangent.withElements(of: T.self) { g in
        try slope.withElements(of: T.self) { slope in
          try toInput.withMutableElements(of: T.self) { dx in
            try toSlope.withMutableElements(of: T.self) { dslope in
              broadcast.forEachRow { row, offset, step in
                for i in row {
                  let k = offset + (i - row.lowerBound) * step
                  dx[i] = x[i] > 0 ? g[i] : slope[k] * g[i]
                  dslope[k] += x[i] > 0 ? 0 : x[i] * g[i]
                }
              }
            }
          }
        }
      }
    }
    return [point.wants(0) ? toInput : nil, point.wants(1) ? toSlope : nil]
  }
}

/// `min(max(x, minimum), maximum)`; the maximum if it is below the minimum.
///
/// The bounds are attributes before operator set 11 and inputs from then on. At a bound the derivative
/// with respect to `x` is 0 and that with respect to the bound is 1.
package struct Clip: Operator {
  /// `nil` for the largest finite number of either sign.
  package struct Bounds: Sendable, Hashable {
    package let minimum: Double?
    package let maximum: Double?

    package init(minimum: Double?, maximum: Double?) {
      self.minimum = minimum
      self.maximum = maximum
    }

    fileprivate func range<T: RealScalar>(_: T.Type) -> (minimum: T, maximum: T) {
      (
        minimum.map { T($0) } ?? -T.greatestFiniteMagnitude,
        maximum.map { T($0) } ?? T.greatestFiniteMagnitude
      )
    }
  }

  /// `nil` if the bounds are inputs.
  private let attributes: Bounds?

  package init(_ node: NodeReader) throws {
    guard node.opset < 11 else {
      attributes = nil
      return
    }
    attributes = Bounds(
      minimum: node.has("min") ? try node.real("min") : nil,
      maximum: node.has("max") ? try node.real("max") : nil)
  }

  /// Those of a rectifier; a run throws for them if the minimum is an input and turns out not to be 0.
  package var backwardRules: Set<BackwardRule> {
    guard let attributes else { return [.guided, .deconvnet] }
    return attributes.minimum == 0 ? [.guided, .deconvnet] : []
  }

  /// Returns the bounds, or `nil` if they are known only when the network runs.
  package func bounds(inputs: [ValueType?]) throws -> Bounds? {
    _ = try infer(inputs)
    let bounds = [1, 2].map { $0 < inputs.count ? inputs[$0] : nil }
    guard bounds.allSatisfy({ $0 == nil || $0?.constant != nil }) else { return nil }
    return try self.bounds(inputs: [nil] + bounds.map { $0?.constant })
  }

  /// Returns the bounds of a run.
  package func bounds(inputs: [Tensor?]) throws -> Bounds {
    try attributes ?? Bounds(minimum: bound(inputs, 1), maximum: bound(inputs, 2))
  }

  package var pushforwardRule: PushforwardRule { .symmetric }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    if attributes != nil { return [ValueType(try RealInputs(inputs, "X").shape(0), .float32)] }
    let inputs = try RealInputs(inputs, "input", "min", "max", optional: 2)
    for index in [1, 2] {
      guard let shape = inputs.optionalShape(index), shape.count != 1 || shape.rank > 1 else {
        continue
      }
      throw OperatorError("\(index == 1 ? "min" : "max"): expected a scalar, found shape \(shape)")
    }
    return [ValueType(try inputs.shape(0), .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let (minimum, maximum) = try bounds(inputs: inputs).range(T.self)
    let result = try inputs.required(0).map(T.self) { x in
      let raised = x < minimum ? minimum : x
      return raised > maximum ? maximum : raised
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let bounds = try bounds(inputs: point.inputs)
    try point.checkRule(isIn: bounds.minimum == 0 ? [.guided, .deconvnet] : [])
    var results = [Tensor?](repeating: nil, count: point.inputs.count)
    let x = try point.inputs.required(0)
    guard let cotangent = try point.cotangent(cotangents, of: x.shape) else { return results }
    let (minimum, maximum) = bounds.range(T.self)
    if point.wants(0) {
      results[0] =
        switch point.rule {
        case .guided:
          try cotangent.map(with: x, T.self) { g, x in
            x > minimum && x < maximum ? max(g, 0) : 0
          }
        case .deconvnet: try cotangent.map(T.self) { max($0, 0) }
        default:
          try cotangent.map(with: x, T.self) { g, x in x > minimum && x < maximum ? g : 0 }
        }
    }
    for index in [1, 2] where point.wants(index) {
      guard let bound = point.inputs.optional(index) else { continue }
      let selected = try cotangent.map(with: x, T.self) { g, x in
        let isAbove = x >= maximum || minimum >= maximum
        return isAbove ? (index == 2 ? g : 0) : (index == 1 && x <= minimum ? g : 0)
      }
      let total = try selected.withElements(of: T.self) { sum($0) }
      results[index] = Tensor(repeating: total, shape: bound.shape)
    }
    return results
  }

  private func bound(_ inputs: [Tensor?], _ index: Int) throws -> Double? {
    guard let tensor = inputs.optional(index) else { return nil }
    guard tensor.count == 1, tensor.dataType.isFloatingPoint else {
      throw OperatorError("bounds: expected real scalars, found \(tensor)")
    }
    return try tensor.converted(to: .float64).withElements(of: Double.self) { $0[0] }
  }
}

// MARK: - Exponential units

/// `x` above 0, `alpha · (exp(x) - 1)` below.
package struct Elu: Activation {
  package let alpha: Double

  package init(_ node: NodeReader) throws { alpha = try node.real("alpha", default: 1) }

  func value<T: RealScalar>(_ x: T) -> T { x > 0 ? x : T(alpha) * .expMinusOne(x) }
  func derivative<T: RealScalar>(_ x: T) -> T { x > 0 ? 1 : T(alpha) * .exp(x) }
}

/// `gamma · x` above 0, `gamma · alpha · (exp(x) - 1)` below.
package struct Selu: Activation {
  package let alpha: Double
  package let gamma: Double

  package init(_ node: NodeReader) throws {
    // Self-normalising for zero mean and unit variance; the digits are those of the ONNX schema.
    alpha = try node.real("alpha", default: 1.67326319217681884765625)
    gamma = try node.real("gamma", default: 1.05070102214813232421875)
  }

  func value<T: RealScalar>(_ x: T) -> T {
    x > 0 ? T(gamma) * x : T(gamma) * (T(alpha) * .expMinusOne(x))
  }
  func derivative<T: RealScalar>(_ x: T) -> T {
    x > 0 ? T(gamma) : T(gamma) * (T(alpha) * .exp(x))
  }
}

/// `x` above 0, `alpha · (exp(x / alpha) - 1)` below.
package struct Celu: Activation {
  package let alpha: Double

  package init(_ node: NodeReader) throws {
    alpha = try node.real("alpha", default: 1)
    guard alpha != 0 else { throw OperatorError("alpha: expected a number other than 0, found 0") }
  }

  func value<T: RealScalar>(_ x: T) -> T { x > 0 ? x : T(alpha) * .expMinusOne(x / T(alpha)) }
  func derivative<T: RealScalar>(_ x: T) -> T { x > 0 ? 1 : .exp(x / T(alpha)) }
}

// MARK: - Smooth steps

/// `1 / (1 + exp(-x))`.
package struct Sigmoid: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T { .sigmoid(x) }
  // Not `y · (1 - y)`, which has no digits left where `y` is close to 1.
  func derivative<T: RealScalar>(_ x: T) -> T { .sigmoid(x) * .sigmoid(-x) }
}

package struct Tanh: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T { .tanh(x) }
  // `1 - tanh²(x)` without its cancellation.
  func derivative<T: RealScalar>(_ x: T) -> T { 4 * (.sigmoid(2 * x) * .sigmoid(-2 * x)) }
}

/// `log(1 + exp(x))`.
package struct Softplus: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T {
    (x <= 0 ? 0 : x) + .logOnePlus(.exp(-x.magnitude))
  }
  func derivative<T: RealScalar>(_ x: T) -> T { .sigmoid(x) }
}

/// `x / (1 + |x|)`.
package struct Softsign: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T { x / (1 + x.magnitude) }
  func derivative<T: RealScalar>(_ x: T) -> T {
    let root = 1 / (1 + x.magnitude)
    return root * root
  }
}

/// `alpha · x + beta`, clipped to 0...1.
package struct HardSigmoid: Activation {
  package let alpha: Double
  package let beta: Double

  package init(_ node: NodeReader) throws {
    alpha = try node.real("alpha", default: Double(Float(0.2)))
    beta = try node.real("beta", default: 0.5)
  }

  func value<T: RealScalar>(_ x: T) -> T {
    let y = T(alpha) * x + T(beta)
    return y <= 0 ? 0 : y >= 1 ? 1 : y
  }
  func derivative<T: RealScalar>(_ x: T) -> T {
    let y = T(alpha) * x + T(beta)
    return y > 0 && y < 1 ? T(alpha) : 0
  }
}

/// The error function.
package struct Erf: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T { .erf(x) }
  func derivative<T: RealScalar>(_ x: T) -> T { 2 / T.pi.squareRoot() * .exp(-x * x) }
}

// MARK: - Gated units

/// `x · clip(x / 6 + 1/2, 0, 1)`.
package struct HardSwish: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T { x <= -3 ? 0 : x >= 3 ? x : x * (x + 3) / 6 }
  func derivative<T: RealScalar>(_ x: T) -> T { x <= -3 ? 0 : x > 3 ? 1 : x / 3 + 0.5 }
}

/// `x · sigmoid(alpha · x)`, also called SiLU.
///
/// Source: Ramachandran, Zoph, Le, "Searching for Activation Functions" (2017), section 3.
package struct Swish: Activation {
  package let alpha: Double

  package init(_ node: NodeReader) throws { alpha = try node.real("alpha", default: 1) }

  func value<T: RealScalar>(_ x: T) -> T { x * .sigmoid(T(alpha) * x) }
  func derivative<T: RealScalar>(_ x: T) -> T {
    let u = T(alpha) * x
    let (inside, outside) = (T.sigmoid(u), T.sigmoid(-u))
    return inside * (1 + u * outside)
  }
}

/// `x · tanh(log(1 + exp(x)))`.
///
/// Source: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function" (2019), equation 1.
package struct Mish: Activation {
  package init(_ node: NodeReader) {}

  func value<T: RealScalar>(_ x: T) -> T { x * .tanh(Self.softplus(x)) }
  func derivative<T: RealScalar>(_ x: T) -> T {
    let s = Self.softplus(x)
    // `1 - tanh²(s)` without its cancellation.
    let slope = 4 * T.sigmoid(2 * s) * T.sigmoid(-2 * s)
    return T.tanh(s) + x * slope * T.sigmoid(x)
  }

  private static func softplus<T: RealScalar>(_ x: T) -> T {
    (x <= 0 ? 0 : x) + .logOnePlus(.exp(-x.magnitude))
  }
}

/// `x · Φ(x)` with the normal distribution `Φ`, exactly or by tanh.
///
/// Source: Hendrycks, Gimpel, "Gaussian Error Linear Units" (2016), section 2.
package struct Gelu: Activation {
  package let usesTanh: Bool

  package init(_ node: NodeReader) throws {
    switch try node.string("approximate", default: "none") {
    case "none": usesTanh = false
    case "tanh": usesTanh = true
    case let other: throw OperatorError("approximate: expected none or tanh, found '\(other)'")
    }
  }

  func value<T: RealScalar>(_ x: T) -> T {
    x / 2 * (1 + (usesTanh ? .tanh(Self.argument(x)) : .erf(x * T(0.5).squareRoot())))
  }

  func derivative<T: RealScalar>(_ x: T) -> T {
    if usesTanh {
      let u = Self.argument(x)
      let slope = (2 / T.pi).squareRoot() * (1 + T(3 * 0.044715) * x * x)
      return (1 + .tanh(u)) / 2 + 2 * x * (.sigmoid(2 * u) * .sigmoid(-2 * u)) * slope
    }
    let density = .exp(-x * x / 2) / (2 * T.pi).squareRoot()
    return (1 + .erf(x * T(0.5).squareRoot())) / 2 + x * density
  }

  private static func argument<T: RealScalar>(_ x: T) -> T {
    (2 / T.pi).squareRoot() * (x + T(0.044715) * x * x * x)
  }
}

// MARK: - Functions

extension RealScalar {
  /// `1 / (1 + exp(-x))`, accurate at both ends.
  fileprivate static func sigmoid(_ x: Self) -> Self {
    let e = exp(-x.magnitude)
    return (x < 0 ? e : 1) / (1 + e)
  }

  /// `log(1 + x)` without cancellation for small `x`.
  ///
  /// Source: Goldberg, "What Every Computer Scientist Should Know About Floating-Point Arithmetic"
  /// (1991), theorem 4.
  fileprivate static func logOnePlus(_ x: Self) -> Self {
    let sum = 1 + x
    return sum == 1 ? x : x * log(sum) / (sum - 1)
  }

  /// `exp(x) - 1` without cancellation for small `x`: Kahan's counterpart of ``logOnePlus(_:)``.
  fileprivate static func expMinusOne(_ x: Self) -> Self {
    let power = exp(x)
    if power == 1 { return x }
    let difference = power - 1
    return difference == -1 || !power.isFinite ? difference : difference * x / log(power)
  }
}

extension Tensor {
  /// Returns a tensor of `function` of every element.
  @inline(__always)
  fileprivate func map<T: RealScalar>(_: T.Type, _ function: (T) -> T) throws -> Tensor {
    try withElements(of: T.self) { source in
      Tensor(uninitialized: shape, of: T.self) { target in
        for i in source.indices { target[i] = function(source[i]) }
      }
    }
  }

  /// Returns a tensor of `function` of every pair of elements of two tensors of one shape.
  @inline(__always)
  fileprivate func map<T: RealScalar>(
    with other: Tensor, _: T.Type, _ function: (T, T) -> T
  ) throws -> Tensor {
    try withElements(of: T.self) { source in
      try other.withElements(of: T.self) { other in
        Tensor(uninitialized: shape, of: T.self) { target in
          for i in source.indices { target[i] = function(source[i], other[i]) }
        }
      }
    }
  }
}
