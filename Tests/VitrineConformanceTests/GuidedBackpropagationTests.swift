import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Guided backpropagation and deconvnet")
struct GuidedBackpropagationTests {
  private func explain(
    _ method: any Explainer, _ model: any Model, _ tensor: Tensor, target: Target = .index(0)
  ) throws -> Explanation {
    try method.explain(model, at: Inputs(tensor, for: model), target: target, context: Context())
  }

  /// F(x) = Σ_i w_i f(x_i)
  private func weightedSum(_ weights: [Double], of functions: [AnalyticFunction]) -> AnalyticModel {
    AnalyticModel(
      dimensions: [weights.count], axes: [.feature],
      functions: functions + [.affine("sum", weights: [weights], bias: [0])])
  }

  @Test("of one rectifier they are the rules of the papers")
  func closedForm() throws {
    let model = weightedSum([2, -3, 1, 5], of: [.rectifier("relu", dimensions: [4])])
    let x = try Tensor([1, 2, -1, 0] as [Float], shape: [1, 4])
    for (method, expected) in [
      (GuidedBackpropagation(), [2, 0, 0, 0]), (Deconvnet(), [2, 0, 1, 5]),
    ] as [(any Explainer, [Float])] {
      let result = try explain(method, model, x)
      #expect(try result.attribution.tensor.elements(of: Float.self) == expected)
      #expect(result.attribution.range == .signed && result.warnings.isEmpty)
      #expect(result.explained.values == [-4])
      #expect(result.diagnostic("rule-applications") == .number(1))
      #expect(result.diagnostic("rule-layers") == .texts(["relu"]))
    }
  }

  @Test("signs survive below the last rectifier")
  func signs() throws {
    let model = AnalyticModel(
      dimensions: [2], axes: [.feature],
      functions: [
        .affine("mix", weights: [[1, -2], [3, 1]], bias: [5, 5]),
        .rectifier("relu", dimensions: [2]), .affine("sum", weights: [[1, -1]], bias: [0]),
      ])
    let result = try explain(
      GuidedBackpropagation(), model, Tensor([0, 0] as [Float], shape: [1, 2]))
    #expect(try result.attribution.tensor.elements(of: Float.self) == [1, -2])
  }

  @Test("guided backpropagation is deconvnet where the rectifier is on, and never negative there")
  func laws() throws {
    let model = weightedSum([0.5, -1, 2, 1, -0.25, 3], of: [.rectifier("relu", dimensions: [6])])
    for seed in 0..<5 {
      let x = try Tensor.random([3, 6], seed: UInt64(seed))
      let guided = try explain(GuidedBackpropagation(), model, x).attribution.tensor
      let deconvnet = try explain(Deconvnet(), model, x).attribution.tensor
      let gradient = try explain(GradientMagnitude(signed: true), model, x).attribution.tensor
      let numbers = try [x, guided, deconvnet, gradient].map { try $0.elements(of: Float.self) }
      for i in numbers[0].indices {
        #expect(numbers[1][i] == (numbers[0][i] > 0 ? numbers[2][i] : 0))
        #expect(numbers[1][i] == max(numbers[3][i], 0) && numbers[2][i] >= 0)
      }
    }
  }

  @Test("without rectifiers they are the gradient, and say so")
  func noRectifier() throws {
    let x = try Tensor.random([2, 4], seed: 3)
    let gradient = try explain(GradientMagnitude(signed: true), AnalyticModel.quadratic, x)
    for method in [GuidedBackpropagation(), Deconvnet()] as [any Explainer] {
      let result = try explain(method, AnalyticModel.quadratic, x)
      #expect(result.attribution.tensor == gradient.attribution.tensor)
      #expect(result.diagnostic("rule-applications") == .number(0))
      #expect(result.warnings.count == 1)
      #expect(result.warnings[0].contains("equals the plain gradient"))
    }
  }

  @Test(
    "nonlinear layers that the rule does not know are named, and a Clip with other bounds is one")
  func otherNonlinearities() throws {
    let leaky = AnalyticFunction(
      name: "leaky", kind: "LeakyRelu", dimensions: [2],
      value: { $0.map { $0 > 0 ? $0 : 0.1 * $0 } },
      pullback: { x, g in zip(x, g).map { $0 > 0 ? $1 : 0.1 * $1 } })
    let clip = AnalyticFunction(
      name: "clip", kind: "Clip", dimensions: [2], value: { $0.map { max(-1, $0) } },
      pullback: { x, g in zip(x, g).map { $0 > -1 ? $1 : 0 } })
    let model = weightedSum([2, -3], of: [leaky, clip, .rectifier("relu", dimensions: [2])])
    let result = try explain(Deconvnet(), model, Tensor([-1, 4] as [Float], shape: [1, 2]))
    let elements = try result.attribution.tensor.elements(of: Float.self)
    #expect(elements == [0.2, 0])
    #expect(
      result.warnings == [
        "Layers of kind Clip, LeakyRelu (2) pass the plain gradient: the rule 'deconvnet' is defined "
          + "at rectifiers only."
      ])
  }

  @Test(
    "channels are combined as each option says", arguments: GuidedBackpropagation.Channels.allCases)
  func channels(_ channels: GuidedBackpropagation.Channels) throws {
    let model = AnalyticModel(
      dimensions: [2, 1, 2], axes: [.channel, .height, .width],
      functions: [.affine("sum", weights: [[3, -1, -4, -5]], bias: [0])])
    let x = try Tensor(zeros: Shape([1, 2, 1, 2]))
    let result = try explain(GuidedBackpropagation(channels: channels), model, x).attribution
    let expected: [Float] =
      switch channels {
      case .none: [3, -1, -4, -5]
      case .max: [4, 5]
      case .sum: [-1, -6]
      case .l2: [5, Float(26).squareRoot()]
      }
    #expect(try result.tensor.elements(of: Float.self) == expected)
    #expect(result.axes == [.batch, .channel, .height, .width])
    #expect(result.tensor.shape.dimensions == [1, channels == .none ? 2 : 1, 1, 2])
  }
}

extension Explanation {
  func diagnostic(_ name: String) -> Diagnostic? { diagnostics.first { $0.name == name }?.value }
}
