import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("SmoothGrad")
struct SmoothGradTests {
  private func explain(
    _ method: SmoothGrad, _ model: any Model, _ tensor: Tensor, target: Target = .index(0),
    seed: UInt64 = 0
  ) throws -> Explanation {
    try method.explain(
      model, at: Inputs(tensor, for: model), target: target, context: Context(seed: seed))
  }

  private func numbers(_ explanation: Explanation) throws -> [Double] {
    try explanation.attribution.tensor.converted(to: .float64).elements(of: Double.self)
  }

  private func diagnostic(_ name: String, _ explanation: Explanation) throws -> [Double] {
    guard
      case .numbers(let list)? = explanation.diagnostics.first(where: { $0.name == name })?.value
    else { throw CoreError.notApplicable("no numbers '\(name)'") }
    return list
  }

  /// F(x) = Σ_i max(x_i, 0)
  private func rectifiers(_ count: Int) -> AnalyticModel {
    AnalyticModel(
      dimensions: [count], axes: [.feature],
      functions: [
        .rectifier("relu", dimensions: [count]),
        .affine("sum", weights: [Array(repeating: 1, count: count)], bias: [0]),
      ])
  }

  private let x: Tensor
  /// Of ``AnalyticModel/quadratic``'s first output.
  private let weights: [Double] = [1, 2, -3, 0.5]

  init() throws { x = try Tensor([1, -0.5, 2, 0] as [Double], shape: [1, 4]) }

  // MARK: - Closed forms

  @Test("of a linear model it is the weights, without variance, whatever the noise")
  func linear() throws {
    for noise in [0.0, 0.15, 3] {
      let mean = try explain(SmoothGrad(samples: 7, noise: noise), AnalyticModel.linear, x)
      for (found, weight) in zip(try numbers(mean), [0.5, -1, 2, 0]) {
        #expect(abs(found - weight) < 1e-15)
      }
      let variance = try explain(
        SmoothGrad(samples: 7, noise: noise, kind: .vargrad), AnalyticModel.linear, x)
      #expect(try numbers(variance).allSatisfy { $0 < 1e-30 })
    }
  }

  @Test("without noise it is the gradient")
  func noNoise() throws {
    let found = try explain(SmoothGrad(samples: 3, noise: 0), AnalyticModel.quadratic, x)
    #expect(try numbers(found) == [2, -2, -12, 0])
    #expect(found.attribution.range == .signed)
  }

  @Test("of a quadratic model it is the gradient at the mean of the noisy inputs")
  func quadratic() throws {
    let found = try explain(
      SmoothGrad(samples: 20, noise: 0.3, noiseScale: .absolute), AnalyticModel.quadratic, x,
      seed: 5)
    var generator = RandomGenerator(seed: 5)
    var sums = [0.0, 0, 0, 0]
    for _ in 0..<20 { for i in 0..<4 { sums[i] += 0.3 * generator.normalDouble() } }
    for (i, found) in try numbers(found).enumerated() {
      let place = [1, -0.5, 2, 0][i] + sums[i] / 20
      #expect(abs(found - 2 * weights[i] * place) < 1e-13)
    }
  }

  @Test("of a quadratic model the variance is (2wσ)², the squares add the mean's")
  func moments() throws {
    let n = 4000
    let sigma = 0.4
    func found(_ kind: SmoothGrad.Kind) throws -> [Double] {
      try numbers(
        explain(
          SmoothGrad(samples: n, noise: sigma, noiseScale: .absolute, kind: kind),
          AnalyticModel.quadratic, x))
    }
    let (mean, squares, variance) = (
      try found(.smoothgrad), try found(.squared), try found(.vargrad)
    )
    for i in 0..<4 {
      let expected = (2 * weights[i] * sigma) * (2 * weights[i] * sigma)
      // The relative standard error of a variance is √(2/n).
      #expect(abs(variance[i] / expected - 1) < 4 * (2 / Double(n)).squareRoot())
      #expect(abs(squares[i] - mean[i] * mean[i] - variance[i]) < 1e-12)
    }
  }

  @Test("of a rectifier it is the normal distribution function of x / σ")
  func rectifier() throws {
    let n = 2000
    let x = try Tensor([-1, -0.5, 0, 0.5, 1] as [Double], shape: [1, 5])
    let found = try explain(
      SmoothGrad(samples: n, noise: 0.5, noiseScale: .absolute), rectifiers(5), x)
    // Φ(-2), Φ(-1), Φ(0), Φ(1), Φ(2)
    let expected = [0.022750131948, 0.158655253931, 0.5, 0.841344746069, 0.977249868052]
    for (found, p) in zip(try numbers(found), expected) {
      #expect(abs(found - p) < 4 * (p * (1 - p) / Double(n)).squareRoot())
    }
  }

  @Test("the standard error foretells the distance to the limit")
  func standardError() throws {
    let limit = [2, -2, -12, 0].map(Double.init)
    var ratios: [Double] = []
    for seed in 0..<20 {
      let result = try explain(
        SmoothGrad(samples: 25, noise: 0.5, standardError: true), AnalyticModel.quadratic, x,
        seed: UInt64(seed))
      let mean = try numbers(result)
      let distance = zip(mean, limit).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let length = mean.reduce(0) { $0 + $1 * $1 }
      let foretold = try diagnostic("standard-error", result)[0]
      ratios.append(distance / length / (foretold * foretold))
    }
    // The mean of 20 ratios, each of about one: dominated by one weight, so near a χ² of one degree.
    let average = ratios.reduce(0, +) / 20
    #expect(average > 0.3 && average < 2.3)
  }

  // MARK: - Noise

  @Test("a share of the range is that of each sample's own elements")
  func range() throws {
    // Ranges of 2.5 and 5.
    let batch = try Tensor([1, -0.5, 2, 0, 2, -1, 4, 0] as [Double], shape: [2, 4])
    let shares = try explain(SmoothGrad(samples: 4, noise: 0.2), AnalyticModel.quadratic, batch)
    #expect(try diagnostic("noise-deviation", shares) == [0.5, 1])
    let absolute = try explain(
      SmoothGrad(samples: 4, noise: 0.5, noiseScale: .absolute), AnalyticModel.quadratic, x)
    #expect(try Array(numbers(shares)[..<4]) == numbers(absolute))
  }

  @Test("the seed decides, and more samples begin with those of fewer")
  func seeds() throws {
    func mean(_ samples: Int, _ seed: UInt64) throws -> [Double] {
      try numbers(explain(SmoothGrad(samples: samples), AnalyticModel.quadratic, x, seed: seed))
    }
    #expect(try mean(3, 1) == mean(3, 1))
    #expect(try mean(3, 1) != mean(3, 2))
    // σ is 0.15 of the range, 2.5; the second sample is what the mean of two adds to the first.
    let (one, two) = (try mean(1, 1), try mean(2, 1))
    var generator = RandomGenerator(seed: 1)
    for sample in [one, zip(two, one).map { 2 * $0 - $1 }] {
      for i in 0..<4 {
        let place = [1, -0.5, 2, 0][i] + 0.375 * generator.normalDouble()
        #expect(abs(sample[i] - 2 * weights[i] * place) < 1e-13)
      }
    }
  }

  @Test("an input without a range keeps its gradient, and a warning says so")
  func constantInput() throws {
    let flat = try Tensor([2, 2, 2, 2] as [Double], shape: [1, 4])
    let result = try explain(SmoothGrad(samples: 5), AnalyticModel.quadratic, flat)
    for (found, weight) in zip(try numbers(result), weights) {
      #expect(abs(found - 4 * weight) < 1e-14)
    }
    #expect(result.warnings.contains { $0.contains("noise-scale=absolute") })
  }

  // MARK: - Options

  @Test("magnitudes are taken after averaging, and channels combined as asked")
  func reductions() throws {
    let signed = try numbers(explain(SmoothGrad(samples: 6), AnalyticModel.quadratic, x))
    let magnitude = try explain(
      SmoothGrad(samples: 6, magnitude: true), AnalyticModel.quadratic, x)
    #expect(try numbers(magnitude) == signed.map(\.magnitude))
    #expect(magnitude.attribution.range == .nonnegative)

    let picture = try Tensor.random([2, 2, 5, 4], seed: 3)
    let plain = try explain(SmoothGrad(samples: 4), AnalyticModel.image, picture)
    for channels in ChannelReduction.allCases {
      let reduced = try explain(
        SmoothGrad(samples: 4, channels: channels), AnalyticModel.image, picture)
      #expect(
        reduced.attribution.tensor.shape.dimensions
          == (channels == .none ? [2, 2, 5, 4] : [2, 1, 5, 4]))
      #expect(reduced.attribution.range == (channels.keepsSign ? .signed : .nonnegative))
      let expected = try channels.reduced(
        plain.attribution.tensor, channelAxis: 1, signed: true)
      #expect(try relativeDistance(reduced.attribution.tensor, expected) < 1e-6)
    }
  }

  @Test("it conforms with each of its settings")
  func conformance() {
    for options in [
      ["kind": "squared"], ["kind": "vargrad"], ["noise-scale": "absolute", "noise": "1"],
      ["magnitude": "true"], ["channels": "max"], ["samples": "1"],
    ] {
      #expect(Conformance.check(SmoothGrad.self, options: options) == [])
    }
  }

  @Test("options outside their ranges are refused")
  func errors() {
    for options in [
      ["samples": "0"], ["noise": "-1"], ["noise": "nan"], ["kind": "cube"],
      ["noise-scale": "std"],
    ] {
      #expect(throws: CoreError.self) { try SmoothGrad(options) }
    }
    #expect(throws: CoreError.self) { try SmoothGrad(samples: 0) }
    #expect(throws: CoreError.self) { try SmoothGrad(noise: .infinity) }
  }
}
