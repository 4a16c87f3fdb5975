import Testing
import Vitrine

@Suite("The standard catalog")
struct StandardMethodsTests {
  @Test("methods are found by the names that scripts rely on")
  func names() throws {
    for (name, identifier) in [
      ("jacobian", "jacobian"), ("gradient-magnitude", "gradient-magnitude"),
      ("saliency", "gradient-magnitude"), ("activations", "activations"),
      ("grad-cam", "grad-cam"), ("guided-grad-cam", "guided-grad-cam"),
      ("guided-backpropagation", "guided-backpropagation"), ("deconvnet", "deconvnet"),
      ("integrated-gradients", "integrated-gradients"), ("ig", "integrated-gradients"),
      ("occlusion", "occlusion"),
    ] {
      let type = try MethodCatalog.standard.explainerType(named: name)
      #expect(type.method.identifier == identifier)
    }
  }

  @Test("every method can be made without options")
  func defaults() throws {
    for method in MethodCatalog.standard.methods {
      _ = try MethodCatalog.standard.explainer(named: method.identifier)
    }
  }
}
