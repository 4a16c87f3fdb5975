import Testing
import VitrineCore

@Suite("Backward rules")
struct BackwardRulesTests {
  @Test("the plain gradient applies where nothing is assigned")
  func gradient() {
    #expect(BackwardRules.gradient.rule(forLayer: "a", kind: "Relu") == .gradient)
    #expect(BackwardRules.guided.rule(forLayer: "a", kind: "Conv") == .gradient)
  }

  @Test("rules are assigned by kind and by name, the last one wins")
  func precedence() {
    let rules = BackwardRules([
      .init(.kind("Relu"), .guided), .init(.layer("last"), .deconvnet),
      .init(.layer("first"), .guided), .init(.layer("first"), .gradient),
    ])
    #expect(rules.rule(forLayer: "middle", kind: "Relu") == .guided)
    #expect(rules.rule(forLayer: "last", kind: "Relu") == .deconvnet)
    #expect(rules.rule(forLayer: "first", kind: "Relu") == .gradient)
  }
}
