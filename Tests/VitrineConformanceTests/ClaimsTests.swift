import Testing
import Vitrine
import VitrineConformance

/// A score as a function of one sample, and its gradient.
private struct Score {
  let model: any Differentiable
  let objective: Objective
  let input: Tensor
  let context: Context

  private func inputs(_ x: [Double]) throws -> Inputs {
    try context.checkCancellation()
    return try Inputs(
      Tensor(x, shape: input.shape.dimensions).converted(to: input.dataType), for: model)
  }

  func value(at x: [Double]) throws -> Double {
    let site = try model.evaluate(inputs(x), observing: [objective.site])[0]
    return try objective.values(of: site)[0]
  }

  func gradient(at x: [Double], _ rules: BackwardRules = .gradient) throws -> [Double] {
    let site = Site.input(model.signature.inputs[0].name)
    return try model.gradients(
      of: objective, withRespectTo: [site], at: inputs(x), rules: rules
    ).tensors[0].converted(to: .float64).elements(of: Double.self)
  }

  /// The mean gradient on the straight path from zero, at the middles of 50 steps.
  func meanGradient(to x: [Double]) throws -> [Double] {
    var sum = [Double](repeating: 0, count: x.count)
    for step in 0..<50 {
      let position = (Double(step) + 0.5) / 50
      sum = zip(sum, try gradient(at: x.map { position * $0 })).map { $0 + $1 / 50 }
    }
    return sum
  }

  /// Integrated gradients from zero.
  func integratedGradients(at x: [Double]) throws -> [Double] {
    try zip(meanGradient(to: x), x).map { $0 * $1 }
  }
}

/// An explainer for models of one input, that obeys the general laws whatever its numbers are.
private protocol Specimen: Explainer {
  static var claims: Set<Claim> { get }
  init()
  func attribution(of score: Score, at x: [Double]) throws -> [Double]
}

extension Specimen {
  static var claims: Set<Claim> { Set(Claim.allCases) }

  static var method: Method {
    Method(
      identifier: "specimen", summary: "Has one defect.", paper: "none", requirement: .gradients,
      options: [], claims: claims)
  }

  init(options: Options) { self.init() }

  func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    guard inputs.tensors.count == 1 else { throw CoreError.notApplicable("several inputs") }
    let input = inputs.tensors[0].value
    let numbers = try input.converted(to: .float64).elements(of: Double.self)
    let count = numbers.count / input.shape[0]
    var attributions: [Double] = []
    var values: [Double] = []
    for n in 0..<input.shape[0] {
      try context.checkCancellation()
      let x = Array(numbers[n * count..<(n + 1) * count])
      let sample = try Tensor(x, shape: [1] + input.shape.dimensions.dropFirst())
        .converted(to: input.dataType)
      let resolved = try model.resolve(target, at: Inputs(sample, for: model), context: context)
      let score = Score(
        model: model, objective: resolved.objective, input: sample, context: context)
      values.append(try score.value(at: x))
      attributions += try attribution(of: score, at: x)
    }
    return Explanation(
      method: Self.method.identifier,
      attributions: try model.realInputs().attributions(
        of: [
          Tensor(attributions, shape: input.shape.dimensions).converted(to: input.dataType)
        ], range: .signed),
      explained: Explained(
        site: .output("output"), score: .logit, skippedSoftmax: false, elements: [],
        values: values))
  }
}

private let claimsOfGradients: Set<Claim> = [
  .dummy, .linearity, .implementationInvariance, .symmetry,
]

private struct Sound: Specimen {
  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    try score.integratedGradients(at: x)
  }
}

/// Lacks the factor x − x'.
private struct WithoutFactor: Specimen {
  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    try score.meanGradient(to: x)
  }
}

private struct Absolute: Specimen {
  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    try score.integratedGradients(at: x).map(\.magnitude)
  }
}

/// Gives every feature a tenth of the mean, also those that do nothing; the sum stays the same.
private struct Leaking: Specimen {
  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    let exact = try score.integratedGradients(at: x)
    let mean = exact.reduce(0, +) / Double(x.count)
    return exact.map { 0.9 * $0 + 0.1 * mean }
  }
}

/// Follows the edges of the cube from zero to x instead of its diagonal: complete, but it depends on the
/// order of the features.
private struct AlongEdges: Specimen {
  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    var point = [Double](repeating: 0, count: x.count)
    var last = try score.value(at: point)
    return try x.indices.map { i in
      point[i] = x[i]
      let next = try score.value(at: point)
      defer { last = next }
      return next - last
    }
  }
}

private struct GradientTimesInput: Specimen {
  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    try zip(score.gradient(at: x), x).map { $0 * $1 }
  }
}

private struct ScaledByLargest: Specimen {
  static let claims = claimsOfGradients

  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    let gradient = try score.gradient(at: x)
    let largest = gradient.map(\.magnitude).max() ?? 0
    return gradient.map { largest > 0 ? $0 / largest : 0 }
  }
}

private struct WeightedByPosition: Specimen {
  static let claims = claimsOfGradients

  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    try score.gradient(at: x).enumerated().map { (1 + 0.01 * Double($0)) * $1 }
  }
}

/// Treats each ReLU by a rule of its own, and so sees how a function is written.
private struct GuidedByRectifiers: Specimen {
  static let claims: Set<Claim> = [.linearity, .implementationInvariance, .symmetry]

  func attribution(of score: Score, at x: [Double]) throws -> [Double] {
    try score.gradient(at: x, BackwardRules([.init(.kind("Relu"), .guided)]))
  }
}

@Suite("The conformance kit examines the axioms that a method claims")
struct ClaimsTests {
  private func expect(_ type: any Explainer.Type, breaks laws: Law...) {
    let violations = Conformance.check(type)
    #expect(Set(violations.map(\.law)) == Set(laws), "\(type): \(violations)")
  }

  @Test("integrated gradients written from the paper's equation have no violation")
  func sound() {
    expect(Sound.self)
  }

  @Test("each defect is found as a breach of the axiom it breaks, and of no other")
  func defects() {
    expect(WithoutFactor.self, breaks: .completeness)
    expect(Absolute.self, breaks: .completeness, .linearity)
    expect(Leaking.self, breaks: .dummy)
    expect(AlongEdges.self, breaks: .symmetry)
    expect(GradientTimesInput.self, breaks: .completeness, .sensitivity)
    expect(ScaledByLargest.self, breaks: .linearity)
    expect(WeightedByPosition.self, breaks: .symmetry)
    expect(GuidedByRectifiers.self, breaks: .implementationInvariance)
  }

  @Test("the methods claim exactly the axioms that they obey")
  func standardMethods() {
    let claimants: [any Explainer.Type] = [
      IntegratedGradients.self, Occlusion.self, GradientMagnitude.self, InputJacobian.self,
    ]
    for type in claimants {
      let broken = Conformance.check(type, on: [], claims: Set(Claim.allCases)).map(\.law.rawValue)
      let kept = Set(Claim.allCases.filter { !broken.contains($0.rawValue) })
      #expect(kept == type.method.claims, "\(type)")
    }
  }

  @Test("a claim that cannot be examined on any model is a violation")
  func unexamined() {
    #expect(
      Conformance.check(GradCAM.self, claims: [.dummy]).map(\.description) == [
        "dummy: expected at least one model on which to examine the claim, found none"
      ])
  }

  @Test("options may void a claim, which is then examined only where it is named")
  func options() {
    let options = ["multiply-by-inputs": "false"]
    #expect(Conformance.check(IntegratedGradients.self, options: options) == [])
    let violations = Conformance.check(
      IntegratedGradients.self, options: options, claims: IntegratedGradients.method.claims)
    #expect(Set(violations.map(\.law)) == [.completeness])
  }
}
