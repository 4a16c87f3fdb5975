import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Filter visualisation")
struct FilterVisualizationTests {
  private func explain(
    _ model: any Model, _ tensor: Tensor, target: Target = .top, seed: UInt64 = 0,
    _ options: [String: String] = [:]
  ) throws -> Explanation {
    try FilterVisualization(options).explain(
      model, at: Inputs(tensor, for: model), target: target, context: Context(seed: seed))
  }

  private func numbers(_ name: String, in explanation: Explanation) -> [Double] {
    guard
      case .numbers(let values)? = explanation.diagnostics.first(where: { $0.name == name })?.value
    else { return [] }
    return values
  }

  /// One channel of `height` × `width` pixels, seen as a weighted sum behind a rectifier.
  private func rectifiedSum(_ weights: [Double], bias: Double, _ dimensions: [Int]) -> AnalyticModel
  {
    AnalyticModel(
      dimensions: dimensions, axes: [.channel, .height, .width],
      functions: [
        .affine("sum", weights: [weights], bias: [bias]), .rectifier("relu", dimensions: [1]),
      ])
  }

  @Test("each step on a linear model is the learning rate times the unit gradient")
  func linear() throws {
    let start = try Tensor([1, 2, 3, 4] as [Double], shape: [1, 4])
    let result = try explain(
      AnalyticModel.linear, start, target: .index(2), ["steps": "3", "learning-rate": "0.5"])
    let weights = [-2, 0.5, 1, -1]
    let rms = (6.25 / 4).squareRoot() + 1e-8
    let values = try result.attribution.tensor.elements(of: Double.self)
    for (i, weight) in weights.enumerated() {
      #expect(abs(values[i] - (Double(i + 1) + 3 * 0.5 * weight / rms)) < 1e-14)
    }
    // F(x) = w·x + 0.3, and each step adds 0.5 · ‖w‖² / rms.
    let objective = numbers("objective", in: result)
    #expect(objective.count == 4)
    for (step, value) in objective.enumerated() {
      #expect(abs(value - (0.3 - 2 + 1 + 3 - 4 + Double(step) * 0.5 * 6.25 / rms)) < 1e-13)
    }
    #expect(result.explained.values == [objective[3]])
    #expect(result.explained.elements == [2] && result.attribution.range == .input)
  }

  @Test("several channels of a layer are ascended one by one from the same start")
  func channels() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 3, .float64)
    let both = try explain(
      AnalyticModel.image, x, ["layer": "conv", "channels": "2,0", "steps": "4"])
    #expect(both.attributions.map(\.name) == ["channel 2", "channel 0"])
    #expect(both.explained.values.count == 4 && both.explained.score == nil)
    for (index, channel) in [2, 0].enumerated() {
      let one = try explain(
        AnalyticModel.image, x, ["layer": "conv", "channel": String(channel), "steps": "4"])
      #expect(one.attribution.tensor == both.attributions[index].tensor)
      #expect(
        one.explained.values == [both.explained.values[index], both.explained.values[2 + index]])
    }
    // Affine: the gain of a step is the learning rate times √n times the gradient's length.
    let objective = numbers("objective-of-channel-2", in: both)
    let gains = zip(objective.dropFirst(), objective).map { $0 - $1 }
    #expect(gains.allSatisfy { $0 > 0 && abs($0 - gains[0]) < 1e-12 })
  }

  @Test("without a channel the mean of the layer is ascended")
  func wholeLayer() throws {
    let x = try Tensor.random([1, 2, 5, 4], seed: 3, .float64)
    let result = try explain(AnalyticModel.image, x, ["layer": "conv", "steps": "1"])
    let value = try AnalyticModel.image.evaluate(
      Inputs(x, for: AnalyticModel.image), observing: [.layer("conv")])[0]
    #expect(try abs(numbers("objective", in: result)[0] - value.mean()) < 1e-12)
  }

  @Test("noise depends on the seed alone, whatever input is given")
  func noise() throws {
    let options = [
      "layer": "conv", "channel": "1", "start": "noise", "steps": "2", "jitter": "2",
      "scale": "0.1", "noise-mean": "5",
    ]
    let zeros = Tensor(zeros: try Shape([1, 2, 5, 4]), .float64)
    let first = try explain(AnalyticModel.image, zeros, seed: 4, options)
    let again = try explain(
      AnalyticModel.image, try .random([1, 2, 5, 4], seed: 1, .float64), seed: 4, options)
    let other = try explain(AnalyticModel.image, zeros, seed: 5, options)
    #expect(first.attribution.tensor == again.attribution.tensor)
    #expect(first.attribution.tensor != other.attribution.tensor)
    #expect(try abs(first.attribution.tensor.mean() - 5) < 1)
  }

  @Test("decay takes its share, and total variation and blur smooth")
  func regularization() throws {
    let model = AnalyticModel.image
    let x = try Tensor.random([1, 2, 5, 4], seed: 8, .float64)
    let base = ["layer": "conv", "channel": "0", "learning-rate": "0"]
    let decayed = try explain(model, x, base.merging(["l2-decay": "0.1", "steps": "2"]) { $1 })
    #expect(try relativeDistance(decayed.attribution.tensor, x.scaled(by: 0.81)) < 1e-15)

    func roughness(_ tensor: Tensor) throws -> Double {
      let values = try tensor.elements(of: Double.self)
      var sum = 0.0
      for i in 0..<values.count - 1 where i % 4 != 3 { sum += abs(values[i + 1] - values[i]) }
      return sum
    }
    let plain = base.merging(["learning-rate": "0.02", "steps": "20"]) { $1 }
    let rough = try roughness(explain(model, x, plain).attribution.tensor)
    for option in [["total-variation": "3"], ["blur-every": "4"]] {
      let smooth = try explain(model, x, plain.merging(option) { $1 })
      #expect(try roughness(smooth.attribution.tensor) < 0.8 * rough)
    }
    // A blur keeps a constant picture.
    let flat = Tensor(repeating: 2.5 as Double, shape: try Shape([1, 2, 5, 4]))
    let blurred = try explain(
      model, flat, base.merging(["blur-every": "1", "blur-deviation": "3"]) { $1 })
    #expect(try relativeDistance(blurred.attribution.tensor, flat) < 1e-13)
  }

  @Test("a circular move of the picture moves its gradient back")
  func jitter() throws {
    // The weight of one pixel only: wherever jitter moves the picture, what grows sits within it.
    var weights = [Double](repeating: 0, count: 49)
    weights[24] = 1
    let model = rectifiedSum(weights, bias: 100, [1, 7, 7])
    let result = try explain(
      model, Tensor(zeros: try Shape([1, 1, 7, 7]), .float64),
      ["layer": "sum", "jitter": "1", "steps": "40", "learning-rate": "1"])
    let values = try result.attribution.tensor.elements(of: Double.self)
    for (i, value) in values.enumerated() {
      let isNear = (2...4).contains(i / 7) && (2...4).contains(i % 7)
      #expect(isNear ? value > 0 : value == 0)
    }
  }

  @Test("in the Fourier basis a step is smooth, has the same length, and still climbs")
  func fourier() throws {
    var weights = [Double](repeating: 0, count: 3 * 63)
    weights[31] = 1
    let model = rectifiedSum(weights, bias: 1, [3, 7, 9])
    let start = Tensor(zeros: try Shape([1, 3, 7, 9]), .float64)
    let result = try explain(
      model, start,
      ["layer": "sum", "parameterization": "fourier", "steps": "1", "learning-rate": "0.5"])
    let x = try result.attribution.tensor.elements(of: Double.self)
    let square = x.reduce(0) { $0 + $1 * $1 } / 189
    // The direction before its last division has a root mean square of about 0.03: 1e-8 is added to it.
    #expect(abs(square.squareRoot() - 0.5) < 1e-6)
    // A Aᵀ of an impulse: symmetric about it, largest there, and in the other colours in the ratio of
    // the rows of C Cᵀ = [[0.0761, 0.0692, 0.0627], …].
    #expect(x.max() == x[31])
    #expect(abs(x[31 - 1] - x[31 + 1]) < 1e-12 && abs(x[31 - 9] - x[31 + 9]) < 1e-12)
    #expect(abs(x[63 + 31] / x[31] - 0.0692 / 0.0761) < 1e-9)
    #expect(abs(x[126 + 31] / x[31] - 0.0627 / 0.0761) < 1e-9)
    // The spectrum of a Aᵀ is 1/f²: its mean (f = 0) and first harmonic along the longer side are
    // both weighted 1, the second 1/4.
    func harmonic(_ k: Int) -> Double {
      var sum = 0.0
      for i in 0..<63 { sum += x[i] * Double.cos(2 * .pi * Double(k * (i % 9 - 4)) / 9) }
      return sum
    }
    #expect(abs(harmonic(1) / harmonic(0) - 1) < 1e-9)
    #expect(abs(harmonic(2) / harmonic(0) - 0.25) < 1e-9)
    let objective = numbers("objective", in: result)
    #expect(objective[1] > objective[0])
  }

  @Test("octaves repeat the steps on the magnified middle")
  func octaves() throws {
    let model = AnalyticModel.image
    let flat = Tensor(repeating: 2 as Double, shape: try Shape([1, 2, 5, 4]))
    let options = ["layer": "conv", "channel": "0", "octaves": "3", "steps": "2"]
    let result = try explain(model, flat, options.merging(["learning-rate": "0"]) { $1 })
    #expect(try relativeDistance(result.attribution.tensor, flat) < 1e-15)
    #expect(numbers("objective", in: result).count == 7)
  }

  @Test("a dead start is redirected through rectifiers that are off, and the result says so")
  func deadStart() throws {
    let model = rectifiedSum([1, 2, 3, 4], bias: -3, [1, 2, 2])
    let start = Tensor(zeros: try Shape([1, 1, 2, 2]), .float64)
    let options = ["layer": "relu", "learning-rate": "0.2", "steps": "8"]
    let dead = try explain(model, start, options.merging(["redirect": "false"]) { $1 })
    #expect(dead.attribution.tensor == start && dead.explained.values == [0])
    let alive = try explain(model, start, options)
    #expect(alive.explained.values[0] > 0)
    #expect(alive.warnings.count == 1 && alive.warnings[0].contains("rule deconvnet"))
  }

  @Test("where no rectifier can be redirected, seeded noise moves the input")
  func noGradient() throws {
    let model = rectifiedSum([0, 0, 0, 0], bias: 1, [1, 2, 2])
    let start = Tensor(zeros: try Shape([1, 1, 2, 2]), .float64)
    let result = try explain(model, start, ["layer": "sum", "steps": "2"])
    #expect(result.attribution.tensor != start)
    #expect(result.warnings.count == 1 && result.warnings[0].contains("moved by noise"))
  }

  @Test("snapshots lead from the start to the result")
  func snapshots() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 2, .float64)
    let result = try explain(
      AnalyticModel.image, x, ["layer": "conv", "channel": "1", "steps": "10", "snapshots": "5"])
    let series = result.attributions[1]
    #expect(series.tensor.shape.dimensions == [2, 5, 2, 5, 4])
    #expect(series.axes == [.batch, .step, .channel, .height, .width])
    #expect(try series.tensor.select(axis: 1, index: 0) == x)
    #expect(try series.tensor.select(axis: 1, index: 4) == result.attribution.tensor)
    #expect(numbers("snapshot-steps", in: result) == [0, 3, 5, 8, 10])
    // Neither pictures on the way nor blurs that come too late change the way.
    let plain = try explain(
      AnalyticModel.image, x,
      ["layer": "conv", "channel": "1", "steps": "10", "blur-every": "11"])
    #expect(plain.attribution.tensor == result.attribution.tensor)
    #expect(numbers("objective", in: plain) == numbers("objective", in: result))
    let short = try explain(
      AnalyticModel.image, x, ["layer": "conv", "steps": "2", "snapshots": "30"])
    #expect(numbers("snapshot-steps", in: short) == [0, 1, 2])
  }

  @Test("contradictory choices are refused")
  func contradictions() throws {
    #expect(throws: CoreError.self) { try FilterVisualization(channels: [1]) }
    #expect(throws: CoreError.self) {
      try FilterVisualization(["layer": "conv", "channel": "1", "channels": "1,2"])
    }
    let x = Tensor(zeros: try Shape([1, 2, 5, 4]))
    #expect(throws: CoreError.self) {
      try explain(AnalyticModel.image, x, target: .index(0), ["layer": "conv"])
    }
    #expect(throws: CoreError.channelOutOfRange(channel: 9, count: 3, site: "conv")) {
      try explain(AnalyticModel.image, x, ["layer": "conv", "channel": "9"])
    }
    let row = Tensor(zeros: try Shape([1, 4]))
    for option in [["jitter": "1"], ["octaves": "2"], ["parameterization": "fourier"]] {
      #expect(throws: CoreError.self) {
        try explain(AnalyticModel.linear, row, target: .index(0), option)
      }
    }
  }

  @Test("it obeys every law with its options")
  func conformance() {
    for options in [
      ["layer": "conv", "channel": "1", "jitter": "2", "scale": "0.2", "snapshots": "3"],
      ["layer": "relu", "channels": "0,2", "start": "noise", "total-variation": "0.5"],
      ["start": "noise", "parameterization": "fourier", "octaves": "2", "steps": "3"],
      ["l2-decay": "0.1", "blur-every": "2", "redirect": "false"],
    ] {
      #expect(Conformance.check(FilterVisualization.self, options: options) == [])
    }
  }
}
