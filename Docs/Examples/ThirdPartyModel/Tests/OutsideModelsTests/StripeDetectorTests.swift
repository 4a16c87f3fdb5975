import OutsideModels
import Testing
import Vitrine
import VitrineConformance

@Suite("A model that is no network")
struct StripeDetectorTests {
  private let model = StripeDetector(height: 5, width: 4)

  /// Numbers in -1...1 in no simple order, the same at every call.
  private func picture(samples: Int = 1, seed: UInt64 = 1) throws -> Tensor {
    var generator = RandomGenerator(seed: seed)
    return try generator.uniformTensor(Shape([samples, 1, 5, 4]), .float64).scaled(by: 2)
      .subtracting(1)
  }

  private func inputs(_ tensor: Tensor) throws -> Inputs { try Inputs(tensor, for: model) }

  // MARK: - The model

  @Test("a ramp of slope a has the mean of its differences: a · (width − 1) / width")
  func ramp() throws {
    let ramp = (0..<20).map { 0.5 * Double($0 % 4) }
    let x = try inputs(Tensor(ramp, shape: [1, 1, 5, 4]))
    let values = try model.evaluate(x, observing: [.output("stripes"), .layer("edges")])
    #expect(try values[0].elements(of: Double.self) == [0.375, -0.1875])
    #expect(values[1].shape.dimensions == [1, 4, 5, 4])
    // Differences telescope: the slope of each row's ends is ±1 / area, all others cancel.
    let gradient = try model.gradients(
      of: Objective(.output("stripes"), .elements([0])), withRespectTo: [.input("picture")],
      at: x, rules: .gradient
    ).tensors[0].elements(of: Double.self)
    for (pixel, slope) in gradient.enumerated() {
      #expect(slope == [-0.05, 0, 0, 0.05][pixel % 4])
    }
  }

  @Test("gradients between all sites are central differences")
  func centralDifferences() throws {
    let step = 1e-6
    let x = try inputs(picture())
    for (top, count) in [
      (Site.output("stripes"), 2), (.layer("rectified"), 80), (.layer("edges"), 80),
    ] {
      for element in stride(from: 0, to: count, by: 7) {
        let objective = Objective(top, .elements([element]))
        let gradient = try model.gradients(
          of: objective, withRespectTo: [.input("picture")], at: x, rules: .gradient
        ).tensors[0].elements(of: Double.self)
        for pixel in 0..<20 {
          let values = try [step, -step].map { step in
            var moved = try picture()
            try moved.withMutableElements(of: Double.self) { $0[pixel] += step }
            return try objective.values(
              of: model.evaluate(inputs(moved), observing: [top])[0])[0]
          }
          // Piecewise linear: only rounding is left, 1e-16 / 1e-6.
          #expect(abs((values[0] - values[1]) / (2 * step) - gradient[pixel]) < 1e-8)
        }
      }
    }
  }

  // MARK: - Every explainer

  @Test("every method of the catalog explains it and keeps its laws")
  func catalog() throws {
    let subject = Conformance.Case(
      "stripes", model,
      try inputs(picture(samples: 2, seed: 5).converted(to: .float32)))
    for explainer in MethodCatalog.standard.explainers {
      let options = explainer.method.identifier == "occlusion" ? ["window": "2"] : [:]
      let violations = Conformance.check(explainer, options: options, on: [subject], claims: [])
      #expect(violations == [], "\(explainer.method.identifier)")
    }
  }

  @Test("integrated gradients add up to the difference of the scores")
  func completeness() throws {
    let x = try inputs(picture(seed: 3))
    let result = try IntegratedGradients(["steps": "512"]).explain(
      model, at: x, target: .index(1), context: Context())
    let black = try model.evaluate(
      inputs(Tensor(zeros: Shape([1, 1, 5, 4]), .float64)), observing: [.output("stripes")])[0]
    let difference = try result.explained.values[0] - black.elements(of: Double.self)[1]
    // From black, the path crosses no kink but the first: the gradient is constant.
    #expect(abs(try result.attribution.tensor.sum() - difference) < 1e-12)
  }

  @Test("guided backpropagation follows the model's own rectifier, and says so")
  func rules() throws {
    let result = try GuidedBackpropagation().explain(
      model, at: inputs(picture()), target: .index(0), context: Context())
    #expect(
      result.diagnostics.contains { $0.name == "rule-layers" && $0.value == .texts(["rectified"]) })
    #expect(result.warnings == [])
    let rule = BackwardRules([.init(.layer("edges"), .guided)])
    #expect(throws: CoreError.self) {
      try model.gradients(
        of: Objective(.output("stripes"), .sum), withRespectTo: [.input("picture")],
        at: inputs(picture()), rules: rule)
    }
  }

  @Test("sites that are not there are refused with the nearest name")
  func unknownSite() throws {
    let error = #expect(throws: CoreError.self) {
      try model.evaluate(inputs(picture()), observing: [.layer("edge")])
    }
    #expect(error?.description == "unknown site 'edge'; did you mean 'edges'?")
  }
}
