import VitrineCore
import VitrineTensor

/// A kind of input, and networks of it for which a ``Claim`` has a known consequence.
///
/// Every network has one output. No kink lies at an input or baseline that is examined, so that every
/// derivative is defined.
struct ClaimModels {
  let name: String
  let dimensions: [Int]
  let axes: [Axis]

  /// Some methods treat columns of a table one by one, but pixels in groups.
  static let all = [
    ClaimModels(name: "table", dimensions: [6], axes: [.feature]),
    ClaimModels(name: "picture", dimensions: [1, 5, 4], axes: [.channel, .height, .width]),
  ]

  /// Features of one sample.
  var count: Int { dimensions.reduce(1, *) }

  /// Returns samples as one input.
  func batch(_ samples: [[Double]]) throws -> Tensor {
    try Tensor(samples.flatMap(\.self), shape: [samples.count] + dimensions)
      .converted(to: .float32)
  }

  /// Three samples in -1...1.
  var samples: [[Double]] {
    (0..<3).map { n in (0..<count).map { spread(n * count + $0) } }
  }

  private func model(_ functions: AnalyticFunction...) -> AnalyticModel {
    AnalyticModel(dimensions: dimensions, axes: axes, functions: functions)
  }

  private func row(_ seed: Int) -> [Double] { (0..<count).map { spread(31 * seed + $0) } }

  private func head(_ weights: [Double], bias: Double = 0.1) -> AnalyticFunction {
    .affine("score", weights: [weights], bias: [bias])
  }
}

// MARK: - Networks

extension ClaimModels {
  /// F(x) = wx + b: any quadrature is exact.
  var linear: AnalyticModel { model(head(row(1))) }

  /// F(x) = Σ v_i (1 − max(1 − (x_i − x'_i), 0)): from x_i = x'_i + 1 on a feature has its full effect,
  /// and no slope. The example of Sundararajan, Taly, Yan (2017), §2.1.
  func saturating(above baseline: [Double]) -> AnalyticModel {
    let effects = (0..<count).map { 1 + 0.5 * spread($0) }
    return model(
      .affine(
        "distance", weights: (0..<count).map { i in (0..<count).map { $0 == i ? -1 : 0 } },
        bias: baseline.map { 1 + $0 }),
      .rectifier("relu", dimensions: [count]),
      head(effects.map(-), bias: effects.reduce(0, +)))
  }

  /// A rectifier network that feature `unused` enters only where it cancels.
  func ignoring(_ unused: Int) -> AnalyticModel {
    var weights = (0..<5).map { row($0) }
    for unit in weights.indices { weights[unit][unused] = 0 }
    // max(x, 0) − max(−x, 0) is x, and so is (max(2x, 0) − max(−2x, 0)) / 2.
    weights += [1, -1, 2, -2].map { slope in
      (0..<count).map { $0 == unused ? slope : 0 }
    }
    return model(
      .affine("hidden", weights: weights, bias: [0.1, -0.1, 0.2, -0.2, 0.05, 0, 0, 0, 0]),
      .rectifier("relu", dimensions: [9]),
      head((0..<5).map { spread(500 + $0) } + [1, -1, -0.5, 0.5]))
  }

  /// The factors of ``sum(_:_:)`` that are examined.
  static let factors = (first: 2.0, second: -3.0)

  /// a F + b G for a piecewise linear F and a quadratic G.
  func sum(_ a: Double, _ b: Double) -> AnalyticModel {
    let units = 5
    return model(
      .affine(
        "hidden", weights: (0..<2 * units).map { row($0) },
        bias: (0..<2 * units).map { 0.3 * spread(600 + $0) }),
      AnalyticFunction(
        name: "mixed", kind: "Custom", dimensions: [2 * units],
        value: { x in x.indices.map { $0 < units ? max(x[$0], 0) : x[$0] * x[$0] } },
        pullback: { x, g in
          x.indices.map { $0 < units ? (x[$0] > 0 ? g[$0] : 0) : 2 * x[$0] * g[$0] }
        }),
      head(
        (0..<2 * units).map { spread(700 + $0) * ($0 < units ? a : b) }, bias: 0.1 * a - 0.2 * b))
  }

  /// One rectifier network written in two ways: the second takes the input apart at 0.437 and puts it
  /// together again, and has each hidden unit twice, in other units and in reverse order.
  var equivalents: (AnalyticModel, AnalyticModel) {
    let units = 6
    let kink = 0.437
    let weights = (0..<units).map { row($0) }
    let bias = (0..<units).map { 0.3 * spread(800 + $0) }
    let effects = (0..<units).map { spread(900 + $0) }
    let short = model(
      .affine("hidden", weights: weights, bias: bias), .rectifier("relu", dimensions: [units]),
      head(effects))

    let identity = (0..<count).map { i in (0..<count).map { $0 == i ? 1.0 : 0 } }
    let copies = (0..<units).reversed().flatMap { [(unit: $0, scale: 2.0), ($0, 3.0)] }
    let long = model(
      .affine(
        "parts", weights: identity + identity.map { $0.map(-) },
        bias: identity.map { _ in -kink } + identity.map { _ in kink }),
      .rectifier("parts-relu", dimensions: [2 * count]),
      .affine(
        "units",
        weights: copies.map { unit, scale in
          weights[unit].map { scale * $0 } + weights[unit].map { -scale * $0 }
        },
        bias: copies.map { unit, scale in
          scale * (bias[unit] + kink * weights[unit].reduce(0, +))
        }),
      .rectifier("units-relu", dimensions: [2 * units]),
      head(copies.map { unit, scale in effects[unit] / (2 * scale) }))
    return (short, long)
  }

  /// A rectifier network whose hidden units come in pairs that change places when features `i` and `j`
  /// do.
  func symmetric(in i: Int, _ j: Int) -> AnalyticModel {
    let pairs = (0..<4).flatMap { pair in
      let first = row(pair)
      var second = first
      second.swapAt(i, j)
      return [first, second]
    }
    return model(
      .affine("hidden", weights: pairs, bias: (0..<8).map { 0.3 * spread(1000 + $0 / 2) }),
      .rectifier("relu", dimensions: [8]), head((0..<8).map { spread(1100 + $0 / 2) }))
  }
}
