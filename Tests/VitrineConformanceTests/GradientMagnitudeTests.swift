import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Gradient magnitude")
struct GradientMagnitudeTests {
  private func explain(
    _ model: any Model, _ tensor: Tensor, target: Target = .index(0),
    _ options: [String: String] = [:]
  ) throws -> Explanation {
    try GradientMagnitude(options).explain(
      model, at: Inputs(tensor, for: model), target: target, context: Context())
  }

  /// F_0(x) = Σ_i w_i x_i over an input of the given shape.
  private func weightedSum(_ weights: [Double], _ dimensions: [Int], _ axes: [Axis])
    -> AnalyticModel
  {
    AnalyticModel(
      dimensions: dimensions, axes: axes,
      functions: [.affine("sum", weights: [weights], bias: [0])])
  }

  @Test("of a linear model it is the magnitude of the weights, whatever the input")
  func linear() throws {
    for seed in 0..<3 {
      let result = try explain(.linear, .random([2, 4], seed: UInt64(seed)), target: .index(2))
      #expect(result.attribution.tensor.shape.dimensions == [2, 4])
      #expect(
        try result.attribution.tensor.elements(of: Float.self) == [2, 0.5, 1, 1, 2, 0.5, 1, 1])
      #expect(result.attribution.axes == [.batch, .feature])
      #expect(result.attribution.range == .nonnegative)
      #expect(result.explained.elements == [2])
    }
  }

  @Test("of a quadratic model it is 2 |w x|, signed 2 w x, and the score is reported")
  func quadratic() throws {
    let x = try Tensor([1, -0.5, 2, 0] as [Float], shape: [1, 4])
    let magnitude = try explain(.quadratic, x)
    #expect(try magnitude.attribution.tensor.elements(of: Float.self) == [2, 2, 12, 0])
    let signed = try explain(.quadratic, x, ["signed": "true"])
    #expect(try signed.attribution.tensor.elements(of: Float.self) == [2, -2, -12, 0])
    #expect(signed.attribution.range == .signed)
    // 1·1 + 2·0.25 - 3·4
    #expect(signed.explained.values == [-10.5])
  }

  @Test("the top class is explained unless another is named, for each sample its own")
  func topClass() throws {
    let x = try Tensor([0, 0, 4, 0, 4, 0, 0, 0] as [Float], shape: [2, 4])
    let result = try explain(.linear, x, target: .top)
    #expect(result.explained.elements == [0, 1])
    #expect(
      try result.attribution.tensor.elements(of: Float.self)
        == [0.5, 1, 2, 0, 1.5, 0.25, 0.75, 1])
  }

  @Test(
    "channels are combined as each option says, in either layout",
    arguments: [
      ("none", "false", [3, 1, 4, 5]), ("max", "false", [4, 5]), ("sum", "false", [7, 6]),
      ("l2", "false", [5, Float(26).squareRoot()]), ("sum-then-abs", "false", [1, 6]),
      ("sum", "true", [-1, -6]), ("none", "true", [3, -1, -4, -5]),
    ] as [(String, String, [Float])])
  func channels(_ channels: String, _ signed: String, _ expected: [Float]) throws {
    // Two positions; channel 0 has gradients 3, -1, channel 1 has -4, -5.
    let options = ["channels": channels, "signed": signed]
    let first = try explain(
      weightedSum([3, -1, -4, -5], [2, 1, 2], [.channel, .height, .width]),
      Tensor(zeros: Shape([1, 2, 1, 2])), options)
    #expect(try first.attribution.tensor.elements(of: Float.self) == expected)
    #expect(first.attribution.axes == [.batch, .channel, .height, .width])
    let last = try explain(
      weightedSum([3, -4, -1, -5], [1, 2, 2], [.height, .width, .channel]),
      Tensor(zeros: Shape([1, 1, 2, 2])), options)
    let elements = try last.attribution.tensor.elements(of: Float.self)
    if channels == "none" {
      #expect(elements == [expected[0], expected[2], expected[1], expected[3]])
    } else {
      #expect(first.attribution.tensor.shape.dimensions == [1, 1, 1, 2])
      #expect(last.attribution.tensor.shape.dimensions == [1, 1, 2, 1])
      #expect(elements == expected)
    }
  }

  @Test("an input without a channel axis is one channel")
  func noChannelAxis() throws {
    let model = weightedSum([3, -1, -4, 0], [2, 2], [.height, .width])
    for channels in ChannelReduction.allCases {
      let result = try explain(
        model, Tensor(zeros: Shape([1, 2, 2])), ["channels": channels.rawValue])
      #expect(result.attribution.tensor.shape.dimensions == [1, 2, 2])
      #expect(try result.attribution.tensor.elements(of: Float.self) == [3, 1, 4, 0])
    }
  }

  @Test("a sign cannot be asked of channels combined without one")
  func contradiction() {
    for channels in [ChannelReduction.max, .l2, .sumThenAbs] {
      let error = #expect(throws: CoreError.self) {
        try GradientMagnitude(channels: channels, signed: true)
      }
      #expect(
        error?.description
          == "option 'signed' of gradient-magnitude: expected false with "
          + "channels=\(channels.rawValue), which has no sign (channels none and sum keep it), "
          + "found 'true'")
    }
  }

  @Test("the probability's gradient is p (1 - p) times that of the logit, for two classes")
  func probability() throws {
    let model = AnalyticModel(
      dimensions: [1], axes: [.feature],
      functions: [
        .affine("logits", weights: [[3], [0]], bias: [0, 0]), .softmax("softmax", count: 2),
      ])
    let x = try Tensor([0.25] as [Double], shape: [1, 1])
    let logit = try explain(model, x)
    #expect(try logit.attribution.tensor.elements(of: Double.self) == [3])
    #expect(logit.explained.site == .layer("logits") && logit.explained.skippedSoftmax)
    let share = try explain(model, x, target: Target(.index(0), score: .probability))
    let p = 1 / (1 + Double.exp(-0.75))
    let slope = try share.attribution.tensor.elements(of: Double.self)[0]
    #expect(abs(slope - 3 * p * (1 - p)) < 1e-15)
    #expect(!share.explained.skippedSoftmax)
  }

  @Test("several inputs get one attribution each, integers are left out and named")
  func severalInputs() throws {
    let inputs = Inputs([
      ("a", try Tensor([1, 2, 3] as [Float], shape: [1, 3])),
      ("b", try Tensor([-1, 0.5, 4] as [Float], shape: [1, 3])),
      ("row", Tensor([1] as [Int64])),
    ])
    let result = try GradientMagnitude().explain(
      GatedModel(), at: inputs, target: .index(0), context: Context())
    #expect(result.attributions.map(\.name) == ["a", "b"])
    // W = [1, -2, 0.5]: dF/da = W b, dF/db = W a
    #expect(try result.attributions[0].tensor.elements(of: Float.self) == [1, 1, 2])
    #expect(try result.attributions[1].tensor.elements(of: Float.self) == [1, 4, 1.5])
    #expect(result.warnings.count == 1 && result.warnings[0].contains("'row'"))
  }

  @Test(
    "derivatives of one sign are kept, of channels or of their sum",
    arguments: [
      ("none", "false", "positive", [3, 0, 0, 5]), ("none", "true", "negative", [0, -1, -4, 0]),
      ("max", "false", "negative", [4, 1]), ("sum", "false", "positive", [3, 5]),
      ("sum", "true", "positive", [0, 4]), ("sum-then-abs", "false", "negative", [1, 0]),
      ("l2", "false", "all", [5, Float(26).squareRoot()]),
    ] as [(String, String, String, [Float])])
  func sign(_ channels: String, _ signed: String, _ sign: String, _ expected: [Float]) throws {
    let result = try explain(
      weightedSum([3, -1, -4, 5], [2, 1, 2], [.channel, .height, .width]),
      Tensor(zeros: Shape([1, 2, 1, 2])),
      ["channels": channels, "signed": signed, "sign": sign])
    #expect(try result.attribution.tensor.elements(of: Float.self) == expected)
  }

  @Test("the strongest pixels are selected exactly, the first of equals, with their box")
  func mask() throws {
    // Strength by pixel, the larger of two channels: 1 2 4 / 4 0 3.
    let weights: [Double] = [1, -2, 4, -4, 0, 0, 0, 1, 1, 1, 0, -3]
    let model = weightedSum(weights, [2, 2, 3], [.channel, .height, .width])
    let x = Tensor(zeros: try Shape([2, 2, 2, 3]))
    for (top, mask, box) in [
      (1, [0, 0, 1, 0, 0, 0], [0, 2, 0, 2]), (2, [0, 0, 1, 1, 0, 0], [0, 0, 1, 2]),
      (3, [0, 0, 1, 1, 0, 1], [0, 0, 1, 2]), (6, [1, 1, 1, 1, 1, 1], [0, 0, 1, 2]),
    ] as [(Int, [Float], [Double])] {
      let result = try explain(model, x, ["top": String(top)])
      let selection = result.attributions[1]
      #expect(selection.name == "mask" && selection.range == .mask)
      #expect(selection.tensor.shape.dimensions == [2, 1, 2, 3])
      #expect(try selection.tensor.elements(of: Float.self) == mask + mask)
      #expect(result.diagnostics.first?.name == "mask-box")
      #expect(result.diagnostics.first?.value == .numbers(box + box))
      // With all six pixels, the one with no gradient is selected too, and the result says so.
      #expect(result.warnings.count == (top == 6 ? 1 : 0))
    }
    #expect(throws: CoreError.self) { try explain(model, x, ["top": "7"]) }
    // Channels last: the same pixels.
    let last = weightedSum(
      (0..<6).flatMap { [weights[$0], weights[6 + $0]] }, [2, 3, 2], [.height, .width, .channel])
    let moved = try explain(last, Tensor(zeros: Shape([1, 2, 3, 2])), ["top": "2"])
    #expect(moved.attributions[1].tensor.shape.dimensions == [1, 2, 3, 1])
    #expect(try moved.attributions[1].tensor.elements(of: Float.self) == [0, 0, 1, 1, 0, 0])
  }

  @Test("the sum or mean of a layer can be explained instead of a score")
  func layer() throws {
    // Columns of the weights add up to 0, -0.25, 2.25, 0.
    let x = try Tensor.random([1, 4], seed: 1)
    let sum = try explain(
      .linear, x, target: .top, ["layer": "logits", "signed": "true"])
    #expect(try sum.attribution.tensor.elements(of: Float.self) == [0, -0.25, 2.25, 0])
    #expect(sum.explained.score == nil && sum.explained.site == .layer("logits"))
    let mean = try explain(
      .linear, x, target: .top, ["layer": "logits", "signed": "true", "reduce": "mean"])
    #expect(
      try relativeDistance(mean.attribution.tensor, sum.attribution.tensor.scaled(by: 1 / 3)) < 1e-6
    )
    #expect(throws: CoreError.self) {
      try explain(.linear, x, target: .index(0), ["layer": "logits"])
    }
  }

  @Test("several classes count with signed weights")
  func weightedClasses() throws {
    let result = try explain(
      .linear, .random([1, 4], seed: 1),
      target: Target(.weighted([(index: 0, weight: 2), (index: 2, weight: -1)])),
      ["signed": "true"])
    #expect(try result.attribution.tensor.elements(of: Float.self) == [3, -2.5, 3, 1])
    #expect(result.explained.elements == [])
  }

  @Test("the gradient's length is reported for every layer the score depends on")
  func layerNorms() throws {
    let x = try Tensor([1, -0.5, 2, 0] as [Double], shape: [1, 4])
    let result = try explain(.quadratic, x, ["layer-norms": "true"])
    let names = result.diagnostics.first { $0.name == "layers" }?.value
    let norms = result.diagnostics.first { $0.name == "layer-gradient-norms" }?.value
    #expect(names == .texts(["squares", "logits"]))
    // dF/d squares are the weights 1, 2, -3, 0.5; dF/d logits is 1.
    #expect(norms == .numbers([Double(14.25).squareRoot(), 1]))
    // A layer behind the explained one has no say in it, and is left out.
    let early = try explain(
      .quadratic, x, target: .top, ["layer": "squares", "layer-norms": "true"])
    #expect(early.diagnostics.first { $0.name == "layers" }?.value == .texts(["squares"]))
  }

  @Test("a score that overflows is refused")
  func overflow() throws {
    let x = try Tensor([1e200, 0, 0, 0] as [Double], shape: [1, 4])
    #expect(throws: CoreError.notFinite("the explained score")) { try explain(.quadratic, x) }
  }
}

extension Model where Self == AnalyticModel {
  fileprivate static var linear: AnalyticModel { AnalyticModel.linear }
  fileprivate static var quadratic: AnalyticModel { AnalyticModel.quadratic }
}
