import Testing
import Vitrine
import VitrineConformance

@Suite("Conformance of the methods that come with Vitrine")
struct ConformanceTests {
  @Test(
    "a method obeys every law with its defaults", arguments: MethodCatalog.standard.methods)
  func defaults(_ method: Method) throws {
    let type = try MethodCatalog.standard.explainerType(named: method.identifier)
    #expect(Conformance.check(type) == [])
  }

  @Test("gradient magnitude obeys every law with each of its options")
  func gradientMagnitude() {
    for channels in ChannelReduction.allCases {
      #expect(
        Conformance.check(GradientMagnitude.self, options: ["channels": channels.rawValue]) == [])
    }
    for channels in ["none", "sum"] {
      #expect(
        Conformance.check(
          GradientMagnitude.self, options: ["channels": channels, "signed": "true"]) == [])
    }
  }

  @Test("gradient magnitude obeys every law with signs, masks and layers")
  func gradientMagnitudeSelections() {
    for options in [
      ["sign": "negative", "top": "3"], ["sign": "positive", "signed": "true"],
      ["layer": "logits", "reduce": "mean", "layer-norms": "true"],
    ] {
      #expect(Conformance.check(GradientMagnitude.self, options: options) == [])
    }
  }

  @Test("the Jacobian by central differences obeys every law but that of needing gradients")
  func differences() {
    let violations = Conformance.check(
      InputJacobian.self, options: ["mode": "finite-difference", "timing": "no"])
    #expect(violations.allSatisfy { $0.law == .capability })
    #expect(Conformance.check(InputJacobian.self, options: ["compare": "5"]) == [])
  }

  @Test("the Jacobian obeys every law for some outputs and without timing")
  func jacobian() {
    #expect(Conformance.check(InputJacobian.self, options: ["timing": "no"]) == [])
    // A target and a choice of outputs exclude each other, so wrong targets are errors here too.
    #expect(Conformance.check(InputJacobian.self, options: ["outputs": "1,0"]) == [])
  }

  @Test("activations obey every law at named layers, on the models that have them")
  func activations() {
    #expect(Conformance.check(Activations.self, options: ["layers": "relu,logits"]) == [])
    #expect(Conformance.check(Activations.self, options: ["layers": "input,output"]) == [])
  }

  @Test("guided backpropagation and deconvnet obey every law with each way to combine channels")
  func rectifierRules() {
    for channels in GuidedBackpropagation.Channels.allCases {
      let options = ["channels": channels.rawValue]
      #expect(Conformance.check(GuidedBackpropagation.self, options: options) == [])
      #expect(Conformance.check(Deconvnet.self, options: options) == [])
    }
  }

  @Test("Grad-CAM obeys every law in each dialect, at several layers and at the input's size")
  func gradCAM() {
    for dialect in GradCAM.Dialect.allCases {
      #expect(Conformance.check(GradCAM.self, options: ["dialect": dialect.rawValue]) == [])
    }
    for aggregate in GradCAM.Aggregate.allCases {
      let options = ["layer": "conv,relu", "aggregate": aggregate.rawValue]
      #expect(Conformance.check(GradCAM.self, options: options) == [])
      #expect(Conformance.check(GuidedGradCAM.self, options: options) == [])
    }
    #expect(Conformance.check(GradCAM.self, options: ["upsample": "true", "relu": "false"]) == [])
    #expect(Conformance.check(GuidedGradCAM.self, options: ["relu": "false"]) == [])
  }

  @Test("integrated gradients obey every law with each rule, with a tolerance and other baselines")
  func integratedGradients() {
    for rule in IntegratedGradients.Rule.allCases {
      #expect(
        Conformance.check(
          IntegratedGradients.self, options: ["rule": rule.rawValue, "steps": "5"]) == [])
    }
    for options in [
      ["steps": "3", "tolerance": "0.01", "maximum-steps": "24"],
      ["steps": "3", "baseline": "mean", "multiply-by-inputs": "false"],
    ] {
      #expect(Conformance.check(IntegratedGradients.self, options: options) == [])
    }
  }

  @Test("occlusion obeys every law with each of its options")
  func occlusion() {
    for options in [
      ["window": "3", "stride": "2"], ["window": "2", "fill": "mean"], ["scales": "1,3"],
    ] {
      #expect(Conformance.check(Occlusion.self, options: options) == [])
    }
  }
}
