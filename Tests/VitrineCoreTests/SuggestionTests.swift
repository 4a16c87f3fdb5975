import Testing
import VitrineCore

@Suite("Suggestions")
struct SuggestionTests {
  private let methods = [
    "jacobian", "gradient-magnitude", "saliency", "integrated-gradients", "ig", "grad-cam",
  ]

  @Test("one slip of the fingers is understood")
  func slips() {
    for (typed, meant) in [
      ("jacobain", "jacobian"), ("Saliency", "saliency"), ("grad-cma", "grad-cam"),
      ("gradcam", "grad-cam"), ("integrated-gradient", "integrated-gradients"),
      ("gradient_magnitude", "gradient-magnitude"), ("saleincy", "saliency"),
    ] {
      #expect(closestName(to: typed, among: methods) == meant)
    }
  }

  @Test("a beginning that only one name has is enough")
  func prefix() {
    #expect(closestName(to: "integ", among: methods) == "integrated-gradients")
    #expect(closestName(to: "grad", among: ["grad-cam-plus", "gradient-magnitude"]) == nil)
  }

  @Test("nothing is suggested for what resembles nothing")
  func nothing() {
    for typed in ["", "occlusion", "zz", "q"] {
      #expect(closestName(to: typed, among: methods) == nil)
    }
    #expect(closestName(to: "steps", among: []) == nil)
  }
}
