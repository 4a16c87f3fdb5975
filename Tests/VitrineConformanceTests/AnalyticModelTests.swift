import Testing
import VitrineConformance
import VitrineCore
import VitrineTensor
import VitrineTestSupport

@Suite("Models of the conformance kit")
struct AnalyticModelTests {
  private let models: [(name: String, model: AnalyticModel, dimensions: [Int])] = [
    ("linear", .linear, [4]), ("quadratic", .quadratic, [4]), ("rectifier", .rectifier, [4]),
    ("classifier", .classifier, [4]), ("image", .image, [2, 5, 4]),
  ]

  /// Central differences at step 1e-5 in float64: curvature of order 1 leaves 1e-10, rounding 1e-11.
  private let tolerance = 1e-8

  @Test("gradients agree with central differences")
  func centralDifferences() throws {
    for (name, model, dimensions) in models {
      let inputs = try Inputs(
        .random([3] + dimensions, seed: 11, .float64), for: model)
      for form in [Objective.Form.elements([1, 0, 1]), .sum, .weighted([(0, 2), (1, -1)])] {
        let objective = Objective(.output("output"), form)
        let gradients = try model.gradients(
          of: objective, withRespectTo: [.input("input")], at: inputs, rules: .gradient)
        let differences = try model.centralDifferences(
          of: objective, withRespectTo: "input", at: inputs)
        // A softmax sums to one, so that the gradient of its sum is zero and a ratio means nothing.
        if name == "classifier", case .sum = form {
          try #expect(gradients.tensors[0].elements(of: Double.self).allSatisfy { abs($0) < 1e-12 })
        } else {
          try #expect(relativeDistance(gradients.tensors[0], differences) < tolerance, "\(name)")
        }
      }
    }
  }

  @Test("gradients of a model with several inputs agree with central differences")
  func gatedModel() throws {
    let model = GatedModel()
    let inputs = Inputs([
      ("a", try .random([2, 3], seed: 1, .float64)), ("b", try .random([2, 3], seed: 2, .float64)),
      ("row", Tensor([1, 0] as [Int64])),
    ])
    let objective = Objective(.output("output"), .weighted([(0, 1), (1, -3)]))
    let gradients = try model.gradients(
      of: objective, withRespectTo: [.input("b"), .input("a")], at: inputs, rules: .gradient)
    for (gradient, name) in zip(gradients.tensors, ["b", "a"]) {
      let differences = try model.centralDifferences(
        of: objective, withRespectTo: name, at: inputs)
      try #expect(relativeDistance(gradient, differences) < tolerance)
    }
    #expect(throws: CoreError.self) {
      try model.gradients(
        of: objective, withRespectTo: [.input("row")], at: inputs, rules: .gradient)
    }
  }

  @Test("a gradient with respect to a layer continues the chain rule")
  func layerGradient() throws {
    let model = AnalyticModel.image
    let inputs = try Inputs(.random([1, 2, 5, 4], seed: 5, .float64), for: model)
    let gradients = try model.gradients(
      of: Objective(.layer("logits"), .elements([0])),
      withRespectTo: [.layer("relu"), .layer("pool"), .output("output")], at: inputs,
      rules: .gradient)
    #expect(gradients.tensors[0].shape.dimensions == [1, 3, 5, 4])
    // The mean over 20 positions spreads the weights 1, -0.5, 2 of logit 0.
    try #expect(
      relativeDistance(
        gradients.tensors[0],
        Tensor([1, -0.5, 2].flatMap { Array(repeating: $0 / 20, count: 20) }, shape: [1, 3, 5, 4]))
        < 1e-15)
    #expect(try gradients.tensors[1].elements(of: Double.self) == [1, -0.5, 2])
    #expect(try gradients.tensors[2].elements(of: Double.self) == [1, 0])
  }

  @Test("guided and deconvnet rules cut what their formulas cut, and are reported")
  func rules() throws {
    let model = AnalyticModel(
      dimensions: [3], axes: [.feature],
      functions: [
        .rectifier("relu", dimensions: [3]),
        .affine("sum", weights: [[2, -3, 4]], bias: [0]),
      ])
    let inputs = try Inputs(Tensor([1, 1, -1] as [Double], shape: [1, 3]), for: model)
    for (rules, expected) in [
      (BackwardRules.gradient, [2.0, -3, 0]), (.guided, [2, 0, 0]), (.deconvnet, [2, 0, 4]),
    ] {
      let gradients = try model.gradients(
        of: Objective(.output("output"), .sum), withRespectTo: [.input("input")], at: inputs,
        rules: rules)
      #expect(try gradients.tensors[0].elements(of: Double.self) == expected)
      #expect(gradients.applications.map(\.layer) == (rules == .gradient ? [] : ["relu"]))
    }
    for selector in [BackwardRules.Selector.layer("sum"), .kind("Gemm"), .layer("rule")] {
      #expect(throws: CoreError.self) {
        try model.gradients(
          of: Objective(.output("output"), .sum), withRespectTo: [.input("input")], at: inputs,
          rules: BackwardRules([.init(selector, .guided)]))
      }
    }
  }

  @Test(
    "a convolution of a single pixel shows the kernel, mirrored, without wrapping at the border")
  func convolution() throws {
    let model = AnalyticModel(
      dimensions: [1, 3, 3], axes: [.channel, .height, .width],
      functions: [
        .convolution("conv", channels: (input: 1, output: 1), height: 3, width: 3, bias: [0]) {
          _, _, row, column in Double(3 * row + column + 1)
        }
      ])
    let pixel = try Tensor([0, 0, 0, 0, 0, 1, 0, 0, 0] as [Float], shape: [1, 1, 3, 3])
    let value = try model.evaluate(Inputs(pixel, for: model), observing: [.output("output")])[0]
    #expect(try value.elements(of: Float.self) == [0, 9, 8, 0, 6, 5, 0, 3, 2])
  }

  @Test("a classifier has logits before its softmax, and probabilities that sum to one")
  func classifier() throws {
    let model = AnalyticModel.classifier
    #expect(model.site(of: .logit, output: "output") == .layer("logits"))
    #expect(model.site(of: .probability, output: "output") == .output("output"))
    let inputs = try Inputs(.random([2, 4], seed: 3, .float64), for: model)
    let shares = try model.evaluate(inputs, observing: [.output("output")])[0]
    #expect(
      try Objective(.output("output"), .sum).values(of: shares).allSatisfy { abs($0 - 1) < 1e-15 })
  }

  @Test("unknown sites and inputs that do not fit are errors")
  func errors() throws {
    let model = AnalyticModel.linear
    let inputs = try Inputs(.random([1, 4], seed: 3), for: model)
    for site in [Site.layer("logit"), .input("inputs"), .output("outputs")] {
      let error = #expect(throws: CoreError.self) {
        try model.evaluate(inputs, observing: [site])
      }
      #expect(error?.description.contains("did you mean") == true)
    }
    #expect(throws: CoreError.self) {
      try model.evaluate(Inputs(.random([1, 5], seed: 3), for: model), observing: [])
    }
    #expect(throws: CoreError.self) { try model.evaluate(Inputs([]), observing: []) }
    #expect(throws: CoreError.self) {
      try model.gradients(
        of: Objective(.input("input"), .sum), withRespectTo: [.output("output")], at: inputs,
        rules: .gradient)
    }
  }

  @Test("a black box has the values of its model, and no gradients")
  func blackBox() throws {
    let box: any Model = BlackBox(AnalyticModel.classifier)
    let inputs = try Inputs(.random([1, 4], seed: 3), for: box)
    let sites = [Site.output("output"), .layer("logits")]
    #expect(
      try box.evaluate(inputs, observing: sites)
        == AnalyticModel.classifier.evaluate(inputs, observing: sites))
    #expect(box.site(of: .logit, output: "output") == .layer("logits"))
    #expect(!(box is any Differentiable))
  }
}
