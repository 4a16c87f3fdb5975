import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Activations")
struct ActivationsTests {
  private func explain(
    _ model: any Model, _ tensor: Tensor, layers: String? = nil, context: Context = Context()
  ) throws -> Explanation {
    try Activations(layers.map { ["layers": $0] } ?? [:]).explain(
      model, at: Inputs(tensor, for: model), target: .top, context: context)
  }

  @Test("each layer asked for comes under its name, in order and in its own shape")
  func namedLayers() throws {
    let result = try explain(
      AnalyticModel.image, .random([2, 2, 5, 4], seed: 1), layers: "pool,conv,relu")
    #expect(result.attributions.map(\.name) == ["pool", "conv", "relu"])
    #expect(
      result.attributions.map(\.tensor.shape.dimensions) == [[2, 3], [2, 3, 5, 4], [2, 3, 5, 4]])
    #expect(result.attributions[0].axes == [.batch, .feature])
    #expect(result.attributions[1].axes == [.batch, .channel, .height, .width])
    #expect(result.attributions.map(\.range) == [.signed, .signed, .nonnegative])
    #expect(result.explained.site == .layer("pool") && result.explained.score == nil)
  }

  @Test("values are what the layers compute")
  func values() throws {
    let x = try Tensor([1, -2, 3, 0.5] as [Float], shape: [1, 4])
    let result = try explain(AnalyticModel.quadratic, x, layers: "squares,logits")
    #expect(try result.attributions[0].tensor.elements(of: Float.self) == [1, 4, 9, 0.25])
    #expect(try result.attributions[1].tensor.elements(of: Float.self) == [-17.875, 10.5])
  }

  @Test("inputs and outputs can be looked at under their names")
  func ports() throws {
    let x = try Tensor([1, -2, 3, 0.5] as [Float], shape: [1, 4])
    let result = try explain(AnalyticModel.quadratic, x, layers: "input,output")
    #expect(result.attributions[0].tensor == x)
    #expect(try result.attributions[1].tensor.elements(of: Float.self) == [-17.875, 10.5])
    #expect(result.explained.site == .input("input"))
  }

  @Test("without names every layer is recorded, unless they exceed the memory limit")
  func everyLayer() throws {
    let model = AnalyticModel.image
    let tensor = try Tensor.random([2, 2, 5, 4], seed: 1)
    // (60 + 60 + 3 + 2) elements × 2 samples × 4 bytes
    let result = try explain(model, tensor, context: Context(memoryLimit: 1000))
    #expect(result.attributions.map(\.name) == ["conv", "relu", "pool", "logits"])
    #expect(throws: CoreError.self) {
      try explain(model, tensor, context: Context(memoryLimit: 999))
    }
  }

  @Test("an unknown layer is refused with the nearest name")
  func unknownLayer() throws {
    let tensor = try Tensor.random([1, 2, 5, 4], seed: 1)
    let error = #expect(throws: CoreError.self) {
      try explain(AnalyticModel.image, tensor, layers: "conv,rleu")
    }
    #expect(error?.description == "unknown layer 'rleu'; did you mean 'relu'?")
  }

  @Test("values that are not finite are shown, with a warning")
  func notFinite() throws {
    let x = try Tensor([1e30, 0, 0, 0] as [Float], shape: [1, 4])
    let result = try explain(AnalyticModel.quadratic, x, layers: "squares,input")
    #expect(result.warnings == ["The values of layer 'squares' contain NaN or infinity."])
    #expect(try result.attribution.tensor.elements(of: Float.self)[0] == .infinity)
  }
}
