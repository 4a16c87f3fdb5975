import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Grad-CAM and guided Grad-CAM")
struct GradCAMTests {
  private func explain(
    _ method: any Explainer, _ model: any Model, _ tensor: Tensor, target: Target = .index(0)
  ) throws -> Explanation {
    try method.explain(model, at: Inputs(tensor, for: model), target: target, context: Context())
  }

  private func elements(_ explanation: Explanation) throws -> [Double] {
    try explanation.attribution.tensor.converted(to: .float64).elements(of: Double.self)
  }

  /// The value of a step is its input, under another kind and shape.
  private func identity(_ name: String, kind: String, _ dimensions: [Int]) -> AnalyticFunction {
    AnalyticFunction(
      name: name, kind: kind, dimensions: dimensions, value: \.self, pullback: { $1 })
  }

  /// Two feature maps of one row and two columns, A = x, and F = Σ v A.
  private let pair = AnalyticModel(
    dimensions: [2, 1, 2], axes: [.channel, .height, .width],
    functions: [
      AnalyticFunction(
        name: "conv", kind: "Conv", dimensions: [2, 1, 2], value: \.self, pullback: { $1 }),
      .affine("sum", weights: [[2, -1, -3, 5]], bias: [0]),
    ])

  private let pairInput: [Float] = [1, -2, 3, 4]

  @Test("the map is the sum of feature maps weighted by mean gradients, in each dialect")
  func closedForm() throws {
    // Mean gradients 0.5 and 1; where gradient and map are positive, 1 and 2.5.
    let cases: [(GradCAM, Float, [Double], Attribution.Range)] = [
      (GradCAM(), 1, [3.5, 3], .nonnegative),
      (GradCAM(dialect: .captum), -1, [-3.5, -3], .signed),
      (GradCAM(relu: true, dialect: .captum), -1, [0, 0], .nonnegative),
      (GradCAM(dialect: .tfExplain), 1, [8.5, 8], .signed),
      (GradCAM(relu: false), -1, [-3.5, -3], .signed),
    ]
    for (method, sign, expected, range) in cases {
      let x = try Tensor(pairInput.map { sign * $0 }, shape: [1, 2, 1, 2])
      let result = try explain(method, pair, x)
      #expect(try elements(result) == expected)
      #expect(result.attribution.tensor.shape.dimensions == [1, 1, 1, 2])
      #expect(result.attribution.axes == [.batch, .channel, .height, .width])
      #expect(result.attribution.range == range)
      #expect(result.diagnostic("layer") == .texts(["conv"]))
      #expect(result.diagnostic("map-size") == .texts(["1x2"]))
    }
  }

  @Test("a map with nothing but evidence against the score says so, for the sample it is")
  func allNegative() throws {
    let x = try Tensor(
      pairInput + pairInput.map { -$0 } + [0, 0, 0, 0], shape: [3, 2, 1, 2])
    let result = try explain(GradCAM(), pair, x)
    #expect(try elements(result) == [3.5, 3, 0, 0, 0, 0])
    #expect(result.warnings.count == 1)
    #expect(result.warnings[0].contains("only evidence against the score for sample 1, "))
    #expect(result.warnings[0].contains("relu=false"))
    #expect(result.warnings[0].contains("zero everywhere for sample 2, before any ReLU"))
    #expect(
      try explain(GradCAM(relu: false), pair, x.sliced(axis: 0, 0..<2)).warnings.isEmpty)
  }

  @Test("with global average pooling the signed map sums to the score without its bias")
  func completeness() throws {
    for seed in 0..<3 {
      let x = try Tensor.random([1, 2, 5, 4], seed: UInt64(seed), .float64)
      for (k, bias) in [0.1, -0.1].enumerated() {
        let result = try explain(
          GradCAM(relu: false), AnalyticModel.image, x, target: .index(k))
        let sum = try elements(result).reduce(0, +)
        #expect(abs(sum - (result.explained.values[0] - bias)) < 1e-12)
      }
    }
  }

  @Test("a map is brought to the input's size between centres of cells, edges clamped")
  func upsampling() throws {
    let model = halved
    let x = try Tensor([1, 3, 4, 8] as [Float], shape: [1, 1, 1, 4])
    // A = [2, 6], mean gradient 2.
    let small = try explain(GradCAM(), model, x)
    #expect(try elements(small) == [4, 12])
    let large = try explain(GradCAM(upsample: true), model, x)
    #expect(try elements(large) == [4, 6, 10, 12])
    #expect(large.attribution.tensor.shape.dimensions == [1, 1, 1, 4])
    #expect(large.diagnostic("upsampled-to") == .text("1x4"))
  }

  /// Feature maps of four and of two columns: A1 = x, A2 the means of neighbours, F = A2_0 + 3 A2_1.
  private var halved: AnalyticModel {
    AnalyticModel(
      dimensions: [1, 1, 4], axes: [.channel, .height, .width],
      functions: [
        identity("fine", kind: "Conv", [1, 1, 4]),
        .affine(
          "coarse", kind: "AveragePool", weights: [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]],
          bias: [0, 0], dimensions: [1, 1, 2]),
        .affine("sum", weights: [[1, 3]], bias: [0]),
      ])
  }

  @Test("several layers become one map at the input's size, by the largest or the mean")
  func severalLayers() throws {
    let x = try Tensor([9, 3, 4, 8] as [Float], shape: [1, 1, 1, 4])
    // fine: mean gradient 1, map [9, 3, 4, 8]; coarse: mean gradient 2, map 2·[6, 6].
    for (aggregate, expected) in [("max", [12, 12, 12, 12]), ("mean", [10.5, 7.5, 8, 10])] {
      let method = try GradCAM(["layer": "fine,coarse", "aggregate": aggregate])
      let result = try explain(method, halved, x)
      #expect(try elements(result) == expected)
      #expect(result.diagnostic("layer") == .texts(["fine", "coarse"]))
      #expect(result.diagnostic("map-size") == .texts(["1x4", "1x2"]))
    }
  }

  @Test("the layer is the last with height and width on the way to the score")
  func defaultLayer() throws {
    let result = try explain(GradCAM(), AnalyticModel.image, .random([2, 2, 5, 4], seed: 4))
    #expect(result.diagnostic("layer") == .texts(["relu"]))
    #expect(result.diagnostic("layer-layout") == .texts(["channels-first"]))
    let named = try explain(
      GradCAM(layers: ["relu"]), AnalyticModel.image, .random([2, 2, 5, 4], seed: 4))
    #expect(named.attribution.tensor == result.attribution.tensor)
  }

  @Test("scores of an attention and a spatial output are no feature maps to choose")
  func notMaps() throws {
    let model = AnalyticModel(
      dimensions: [1, 2, 2], axes: [.channel, .height, .width],
      functions: [
        identity("patches", kind: "Conv", [1, 2, 2]),
        .affine(
          "attention", kind: "MatMul",
          weights: (0..<9).map { i in (0..<4).map { Double(i + $0) } },
          bias: Array(repeating: 0, count: 9), dimensions: [1, 3, 3]),
        identity("weights", kind: "Softmax", [1, 3, 3]),
        .affine(
          "segments", kind: "Conv", weights: (0..<4).map { i in (0..<9).map { Double(i - $0) } },
          bias: [0, 0, 0, 0], dimensions: [1, 2, 2]),
      ])
    let result = try explain(GradCAM(), model, .random([1, 1, 2, 2], seed: 1))
    #expect(result.diagnostic("layer") == .texts(["patches"]))
    let error = #expect(throws: CoreError.self) {
      try explain(GradCAM(layers: ["weights"]), model, .random([1, 1, 2, 2], seed: 1))
    }
    #expect(error?.description.contains("try 'segments', 'patches'") == true)
    let forced = try explain(
      GradCAM(layers: ["weights"], layout: .channelsFirst), model, .random([1, 1, 2, 2], seed: 1))
    #expect(forced.attribution.tensor.shape.dimensions == [1, 1, 3, 3])
  }

  @Test("channels may come last: in the input, and after a transpose that a ReduceMean pools")
  func channelsLast() throws {
    // Positions p, channels k: value 2p + k in [height, width, channel] is k·6 + p with channels first.
    let order = (0..<12).map { ($0 % 2) * 6 + $0 / 2 }
    let transpose = AnalyticFunction(
      name: "transpose", kind: "Transpose", dimensions: [2, 3, 2],
      value: { x in order.map { x[$0] } },
      pullback: { _, g in
        var result = g
        for (i, source) in order.enumerated() { result[source] = g[i] }
        return result
      })
    let pool = AnalyticFunction.affine(
      "pool", kind: "ReduceMean",
      weights: (0..<2).map { k in (0..<12).map { $0 % 2 == k ? 1 / 6.0 : 0 } }, bias: [0, 0],
      dimensions: [1, 1, 2])
    let logits = AnalyticFunction.affine("logits", weights: [[1, -0.5], [-2, 3]], bias: [0, 0])
    let first = AnalyticModel(
      dimensions: [2, 2, 3], axes: [.channel, .height, .width],
      functions: [identity("conv", kind: "Conv", [2, 2, 3]), transpose, pool, logits])
    let x = try Tensor.random([2, 2, 2, 3], seed: 5)
    let atTranspose = try explain(GradCAM(upsample: true), first, x, target: .top)
    #expect(atTranspose.diagnostic("layer") == .texts(["transpose"]))
    #expect(atTranspose.diagnostic("layer-layout") == .texts(["channels-last"]))
    let atConvolution = try explain(GradCAM(layers: ["conv"]), first, x, target: .top)
    #expect(atTranspose.attribution.tensor == atConvolution.attribution.tensor)

    let last = AnalyticModel(
      dimensions: [2, 3, 2], axes: [.height, .width, .channel],
      functions: [identity("relu", kind: "Identity", [2, 3, 2]), pool, logits])
    let transposed = try x.transposed(axes: [0, 2, 3, 1])
    let lastMap = try explain(GradCAM(upsample: true), last, transposed, target: .top)
    #expect(lastMap.diagnostic("layer") == .texts(["relu"]))
    #expect(lastMap.attribution.tensor == atTranspose.attribution.tensor)

    let guided = try explain(GuidedGradCAM(), last, transposed, target: .top)
    #expect(guided.attribution.tensor.shape.dimensions == [2, 2, 3, 2])
    let reference = try explain(GuidedGradCAM(), first, x, target: .top)
    #expect(
      try guided.attribution.tensor.transposed(axes: [0, 3, 1, 2]) == reference.attribution.tensor)
  }

  @Test("guided Grad-CAM is the product of the two, for every channel")
  func guidedProduct() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 8, .float64)
    for relu in [true, false] {
      let guided = try explain(GuidedBackpropagation(), AnalyticModel.image, x, target: .top)
      let map = try explain(
        GradCAM(relu: relu, upsample: true), AnalyticModel.image, x, target: .top)
      let product = try explain(GuidedGradCAM(relu: relu), AnalyticModel.image, x, target: .top)
      let expected = try guided.attribution.tensor.multiplied(by: map.attribution.tensor)
      #expect(product.attribution.tensor == expected)
      #expect(product.attribution.range == .signed)
      #expect(product.diagnostic("rule-applications") == .number(1))
      #expect(product.diagnostic("layer") == .texts(["relu"]))
    }
  }

  @Test("Captum's guided Grad-CAM repeats the cells of the map, tf-explain's masks and keeps signs")
  func guidedDialects() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 8, .float64)
    let guided = try explain(GuidedBackpropagation(), AnalyticModel.image, x, target: .top)
    for dialect in [GradCAM.Dialect.captum, .tfExplain] {
      let map = try explain(
        GradCAM(relu: dialect == .captum, dialect: dialect), AnalyticModel.image, x, target: .top)
      // The layer has the size of the input: cells are repeated once.
      let product = try explain(
        GuidedGradCAM(dialect: dialect), AnalyticModel.image, x, target: .top)
      let expected = try guided.attribution.tensor.multiplied(by: map.attribution.tensor)
      #expect(product.attribution.tensor == expected)
      #expect(product.diagnostic("dialect") == .text(dialect.rawValue))
      #expect(product.diagnostic("relu") == .text(dialect == .captum ? "yes" : "no"))
    }
  }

  @Test("a layer that is none or has no height and width is refused with ones that have")
  func wrongLayer() throws {
    let x = try Tensor.random([1, 2, 5, 4], seed: 1)
    for (layer, message) in [
      (
        "logits",
        "layer 'logits': expected feature maps with height and width, found that it has the shape "
          + "[1, 2]; try 'relu', 'conv'"
      ),
      ("rleu", "unknown layer 'rleu'; did you mean 'relu'?"),
      (
        "input",
        "layer 'input': expected feature maps with height and width, found that it is no layer "
          + "inside the model; try 'relu', 'conv'"
      ),
    ] {
      for method in [GradCAM(layers: [layer]), GuidedGradCAM(layers: [layer])] as [any Explainer] {
        let error = #expect(throws: CoreError.self) { try explain(method, AnalyticModel.image, x) }
        #expect(error?.description == message)
      }
    }
    let error = #expect(throws: CoreError.self) {
      try explain(GradCAM(), AnalyticModel.linear, .random([1, 4], seed: 1))
    }
    #expect(error?.description.contains("no layer with height and width") == true)
  }

  @Test("a model that does not know the sizes of its layers is called to find them")
  func unknownSizes() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 4)
    let result = try explain(GradCAM(), Sizeless(model: .image), x, target: .top)
    let expected = try explain(GradCAM(), AnalyticModel.image, x, target: .top)
    #expect(result.attribution.tensor == expected.attribution.tensor)
  }

  @Test("a wrong target is refused once, not at every layer")
  func wrongTarget() throws {
    let x = try Tensor.random([1, 2, 5, 4], seed: 1)
    let error = #expect(throws: CoreError.self) {
      try explain(GradCAM(), AnalyticModel.image, x, target: .index(7))
    }
    guard case .elementOutOfRange(element: 7, count: 2, _)? = error else {
      Issue.record("expected elementOutOfRange, found \(String(describing: error))")
      return
    }
  }
}

/// A model that hides the extents of its layers.
private struct Sizeless: Differentiable {
  let model: AnalyticModel

  var signature: Signature { model.signature }
  var layers: [Layer] {
    model.layers.map { Layer(name: $0.name, kind: $0.kind, aliases: $0.aliases, dimensions: []) }
  }

  func site(of score: Score, output: String) -> Site? { model.site(of: score, output: output) }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    try model.evaluate(inputs, observing: sites)
  }

  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    try model.gradients(of: objective, withRespectTo: sites, at: inputs, rules: rules)
  }
}
