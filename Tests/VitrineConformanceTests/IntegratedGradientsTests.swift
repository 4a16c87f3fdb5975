import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Integrated gradients")
struct IntegratedGradientsTests {
  private typealias Rule = IntegratedGradients.Rule

  private func explain(
    _ model: any Model, _ tensor: Tensor, target: Target = .index(0),
    _ options: [String: String] = [:], context: Context = Context()
  ) throws -> Explanation {
    try IntegratedGradients(options).explain(
      model, at: Inputs(tensor, for: model), target: target, context: context)
  }

  private func number(_ name: String, _ explanation: Explanation) throws -> Double {
    guard
      case .number(let number)? = explanation.diagnostics.first(where: { $0.name == name })?.value
    else { throw CoreError.notApplicable("no number '\(name)'") }
    return number
  }

  /// F(x) = Σ_i x_i^power
  private func power(_ power: Int, count: Int) -> AnalyticModel {
    AnalyticModel(
      dimensions: [count], axes: [.feature],
      functions: [
        AnalyticFunction(
          name: "sum", kind: "Pow", dimensions: [1],
          value: { [$0.reduce(0) { $0 + raised($1, power) }] },
          pullback: { x, g in x.map { g[0] * Double(power) * raised($0, power - 1) } })
      ])
  }

  // MARK: - Quadrature

  @Test("weights sum to 1, points lie on the path in order")
  func weights() {
    for rule in Rule.allCases {
      for steps in [1, 2, 3, 7, 50, 333] {
        let points = rule.points(steps: steps)
        #expect(points.count == (rule == .trapezoid ? steps + 1 : steps))
        #expect(abs(points.reduce(0) { $0 + $1.weight } - 1) < 1e-13)
        #expect(points.allSatisfy { (0...1).contains($0.fraction) && $0.weight > 0 })
        #expect(zip(points, points.dropFirst()).allSatisfy { $0.fraction < $1.fraction })
      }
    }
  }

  @Test("Gauss–Legendre is exact for polynomials of degree up to 2m - 1, and not beyond")
  func polynomials() {
    for steps in [1, 2, 3, 5, 10, 24] {
      let points = Rule.gaussLegendre.points(steps: steps)
      func integral(_ degree: Int) -> Double {
        points.reduce(0) { $0 + $1.weight * raised($1.fraction, degree) }
      }
      for degree in 0..<2 * steps {
        #expect(abs(integral(degree) - 1 / Double(degree + 1)) < 1e-15)
      }
      if steps <= 5 { #expect(abs(integral(2 * steps) - 1 / Double(2 * steps + 1)) > 1e-7) }
    }
  }

  @Test("nodes and weights of three points are those in closed form")
  func threePoints() {
    let points = Rule.gaussLegendre.points(steps: 3)
    let node = 0.5 * (0.6).squareRoot()
    for (point, (fraction, weight)) in zip(
      points, [(0.5 - node, 5.0 / 18), (0.5, 8.0 / 18), (0.5 + node, 5.0 / 18)])
    {
      #expect(abs(point.fraction - fraction) < 1e-16 && abs(point.weight - weight) < 1e-15)
    }
  }

  @Test("thousands of points keep their precision")
  func manyPoints() {
    let points = Rule.gaussLegendre.points(steps: 3000)
    // ∫ e^α dα = e - 1
    let integral = points.reduce(0) { $0 + $1.weight * Double.exp($1.fraction) }
    #expect(abs(integral - (Double.exp(1) - 1)) < 1e-13)
  }

  // MARK: - Closed forms

  @Test("of a linear model it is weight times distance from the baseline, for every rule")
  func linear() throws {
    let x = try Tensor([3, 1, 4, -1] as [Double], shape: [1, 4])
    for rule in Rule.allCases {
      for steps in ["1", "50"] {
        let found = try explain(
          AnalyticModel.linear, x, ["rule": rule.rawValue, "steps": steps, "baseline": "1"])
        let numbers = try found.attribution.tensor.elements(of: Double.self)
        // W = [0.5, -1, 2, 0], x - x' = [2, 0, 3, -2]
        let expected: [Double] = [1, 0, 6, 0]
        for (found, expected) in zip(numbers, expected) {
          #expect(abs(found - expected) < 1e-13)
        }
      }
    }
  }

  @Test("of a quadratic model each rule has the error of its formula")
  func quadratic() throws {
    let x = try Tensor([1, -0.5, 2, 3] as [Double], shape: [1, 4])
    // w x² with W = [1, 2, -3, 0.5]
    let squares: [Double] = [1, 0.5, -12, 4.5]
    // The gradient 2 w α x sums to w x (1 ± 1/m) by the one-sided rules, exactly by the others.
    let factors: [(Rule, Double)] = [
      (.left, 0.9), (.right, 1.1), (.middle, 1), (.trapezoid, 1), (.gaussLegendre, 1),
    ]
    for (rule, factor) in factors {
      let found = try explain(
        AnalyticModel.quadratic, x, ["rule": rule.rawValue, "steps": "10"])
      let numbers = try found.attribution.tensor.elements(of: Double.self)
      for (found, square) in zip(numbers, squares) { #expect(abs(found - factor * square) < 1e-13) }
      let difference = squares.reduce(0, +)
      #expect(try abs(number("completeness-gap", found) - (factor - 1) * difference) < 1e-13)
      #expect(try abs(number("relative-gap", found) - abs(factor - 1)) < 1e-13)
      #expect(try number("baseline-score", found) == 0)
      #expect(try number("steps", found) == 10)
      #expect(try number("gradient-evaluations", found) == (rule == .trapezoid ? 11 : 10))
    }
  }

  @Test("of several inputs all move together: a product is shared by halves")
  func severalInputs() throws {
    let inputs = Inputs([
      ("a", try Tensor([1, 2, 3] as [Float], shape: [1, 3])),
      ("b", try Tensor([-1, 0.5, 4] as [Float], shape: [1, 3])),
      ("row", Tensor([1] as [Int64])),
    ])
    let result = try IntegratedGradients().explain(
      GatedModel(), at: inputs, target: .index(0), context: Context())
    #expect(
      result.attributions.map(\.name) == ["a", "b", "mean-gradient of a", "mean-gradient of b"])
    // F = Σ W a b + 1 with W = [1, -2, 0.5]: IG of a_i is W a_i b_i / 2, the mean gradient W b_i / 2.
    let rows: [[Double]] = [[-0.5, -1, 3], [-0.5, -1, 3], [-0.5, -0.5, 1], [0.5, -2, 0.75]]
    for (index, expected) in rows.enumerated() {
      let numbers = try result.attributions[index].tensor.elements(of: Float.self)
      for (found, expected) in zip(numbers, expected) {
        #expect(abs(Double(found) - expected) < 1e-6)
      }
    }
    #expect(result.warnings.contains { $0.contains("'row'") })
  }

  @Test("both the integrated gradients and the mean gradient are there, in the order of the option")
  func multiplication() throws {
    let x = try Tensor([1, -0.5, 2, 3] as [Double], shape: [1, 4])
    let first = try explain(AnalyticModel.quadratic, x)
    let second = try explain(AnalyticModel.quadratic, x, ["multiply-by-inputs": "no"])
    #expect(first.attributions.map(\.name) == ["attribution", "mean-gradient"])
    #expect(second.attributions.map(\.name) == ["attribution", "integrated-gradients"])
    #expect(first.attributions[0].tensor == second.attributions[1].tensor)
    #expect(first.attributions[1].tensor == second.attributions[0].tensor)
    let product = try first.attributions[1].tensor.multiplied(by: x)
    #expect(try relativeDistance(first.attributions[0].tensor, product) < 1e-15)
  }

  // MARK: - Adaptive quadrature

  @Test("a tolerance doubles the steps until the gap is small enough, for each sample on its own")
  func tolerance() throws {
    // ∫ 12 α¹¹ by the middle rule errs by about 5.5 / m²; sample 0 is linear in effect: all zeros.
    let model = power(12, count: 2)
    let x = try Tensor([0, 0, 1, -1] as [Double], shape: [2, 2])
    let options = ["rule": "middle", "steps": "4", "tolerance": "0.001"]
    let both = try explain(model, x, options)
    guard case .numbers(let steps)? = both.diagnostics.first(where: { $0.name == "steps" })?.value
    else { throw CoreError.notApplicable("no steps") }
    #expect(steps == [4, 128])
    let alone = try explain(model, x.sliced(axis: 0, 1..<2), options)
    #expect(try number("steps", alone) == 128)
    #expect(try abs(number("relative-gap", alone)) < 1e-3)
    // 2 + 4 + 8 + … + 128
    #expect(try number("gradient-evaluations", alone) == 254)
    // The coarser quadrature errs by four times as much, so the estimate is three times the error.
    let estimate = try number("error-estimate", alone)
    let gap = try number("relative-gap", alone)
    #expect(abs(estimate / gap - 3) < 0.05)
    #expect(alone.warnings.isEmpty)
    #expect(
      try both.attribution.tensor.sliced(axis: 0, 1..<2) == alone.attribution.tensor)
  }

  @Test("a tolerance that is out of reach ends at the maximum and says so")
  func outOfReach() throws {
    let x = try Tensor([1, -1] as [Double], shape: [1, 2])
    let found = try explain(
      power(12, count: 2), x,
      ["rule": "left", "steps": "4", "tolerance": "0.0001", "maximum-steps": "12"])
    #expect(try number("steps", found) == 12)
    #expect(found.warnings.count == 1 && found.warnings[0].hasPrefix("After 12 steps"))
    let error = #expect(throws: CoreError.self) {
      try IntegratedGradients(steps: 100, tolerance: 0.1, maximumSteps: 50)
    }
    #expect(error?.description.contains("maximum-steps") == true)
  }

  // MARK: - Baselines

  @Test("a baseline whose score is not near zero brings a warning")
  func presence() throws {
    let x = try Tensor([2, 0, 0, 0] as [Double], shape: [1, 4])
    // F(x) = 4, F(x') = 0.32 and 0.5
    #expect(try explain(AnalyticModel.quadratic, x, ["baseline": "0.8"]).warnings.isEmpty)
    let warned = try explain(AnalyticModel.quadratic, x, ["baseline": "1"])
    #expect(try number("baseline-score", warned) == 0.5)
    #expect(warned.warnings.count == 1 && warned.warnings[0].contains("not an absence"))
  }

  @Test("a tensor of one sample is the baseline of all, one of another size is refused")
  func tensorBaselines() throws {
    let x = try Tensor.random([3, 4], seed: 3, .float64)
    let baseline = try Tensor([1, 2, 3, 4] as [Double], shape: [1, 4])
    let method = try IntegratedGradients(baseline: .tensor(baseline))
    let found = try method.explain(
      AnalyticModel.linear, at: Inputs(x, for: AnalyticModel.linear), target: .index(2),
      context: Context())
    let expected = try x.subtracting(baseline).multiplied(
      by: Tensor([-2, 0.5, 1, -1] as [Double], shape: [1, 4]))
    #expect(try relativeDistance(found.attribution.tensor, expected) < 1e-14)
    let wrong = try IntegratedGradients(baseline: .tensor(Tensor(zeros: Shape([1, 3]))))
    #expect(throws: CoreError.self) {
      try wrong.explain(
        AnalyticModel.linear, at: Inputs(x, for: AnalyticModel.linear), target: .index(2),
        context: Context())
    }
  }

  // MARK: - Axioms

  @Test("completeness: attributions sum to the difference of the scores")
  func completeness() throws {
    for (model, dimensions) in [
      (AnalyticModel.rectifier, [4]), (.classifier, [4]), (.image, [2, 5, 4]), (.quadratic, [4]),
    ] {
      for seed in 0..<2 {
        let x = try Tensor.random([1] + dimensions, seed: UInt64(seed), .float64)
        let found = try explain(model, x, target: .index(1), ["steps": "200", "baseline": "0.3"])
        // Where a rectifier switches the integrand jumps: one cell of 1/200 errs.
        let scale = try found.attribution.tensor.absolute().sum()
        #expect(try abs(number("completeness-gap", found)) < 2e-2 * scale)
      }
    }
  }

  @Test("sensitivity: the one feature that differs gets everything, one without effect nothing")
  func sensitivity() throws {
    // F = max(1 - x_0, 0), the paper's example where the gradient is 0 at x_0 = 2; x_1 has no effect.
    let model = AnalyticModel(
      dimensions: [2], axes: [.feature],
      functions: [
        .affine("hidden", weights: [[-1, 0]], bias: [1]), .rectifier("relu", dimensions: [1]),
        .affine("output", weights: [[-1]], bias: [1]),
      ])
    let x = try Tensor([2, 5] as [Double], shape: [1, 2])
    let found = try explain(model, x, ["rule": "middle", "steps": "50"])
    let numbers = try found.attribution.tensor.elements(of: Double.self)
    #expect(abs(numbers[0] - 1) < 1e-14)
    #expect(numbers[1] == 0)
  }

  @Test("implementation invariance: duplicated and permuted hidden units change nothing")
  func implementationInvariance() throws {
    let hidden: [[Double]] = [
      [-1, -0.4, 0.2], [0.4, 1, -0.6], [-0.4, 0.2, 0.8], [1, -0.6, 0], [0.2, 0.8, -0.8],
    ]
    let bias: [Double] = [0.1, -0.2, 0.3, 0, -0.1]
    let output: [Double] = [0.7, -1.1, 0.4, 0.9, -0.3]
    func network(_ units: [(index: Int, share: Double)]) -> AnalyticModel {
      AnalyticModel(
        dimensions: [3], axes: [.feature],
        functions: [
          .affine(
            "hidden", weights: units.map { hidden[$0.index] }, bias: units.map { bias[$0.index] }),
          .rectifier("relu", dimensions: [units.count]),
          .affine(
            "output", weights: [units.map { output[$0.index] * $0.share }], bias: [0.5]),
        ])
    }
    let plain = network((0..<5).map { ($0, 1) })
    let rewritten = [
      network([3, 0, 4, 2, 1].map { ($0, 1) }),
      network((0..<5).flatMap { [($0, 0.25), ($0, 0.75)] }),
    ]
    for seed in 0..<4 {
      let x = try Tensor.random([2, 3], in: -2...2, seed: UInt64(seed), .float64)
      let expected = try explain(plain, x).attribution.tensor
      for model in rewritten {
        #expect(try relativeDistance(explain(model, x).attribution.tensor, expected) < 1e-13)
      }
    }
  }

  @Test("the memory limit changes how the path is cut into calls, not one bit of the result")
  func memoryLimit() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 9)
    let free = try explain(AnalyticModel.image, x)
    let tight = try explain(AnalyticModel.image, x, context: Context(memoryLimit: 1))
    #expect(free.attribution.tensor == tight.attribution.tensor)
  }
}

/// xⁿ by repeated multiplication.
private func raised(_ x: Double, _ exponent: Int) -> Double {
  (0..<exponent).reduce(1) { power, _ in power * x }
}
