public import VitrineCore
import VitrineTensor

/// The examination that every explainer must pass, ours and a stranger's.
///
///     let violations = Conformance.check(MyExplainer.self)
///     #expect(violations.isEmpty)
///
/// It needs no test framework, no runtime and no files. What it can see is what it tries: small models,
/// three samples, the options given. A method whose options matter is examined once for each setting.
public enum Conformance {
  /// A model with inputs to explain it at.
  public struct Case: Sendable {
    /// For messages.
    public let name: String
    /// What is explained.
    public let model: any Differentiable
    /// A batch of at least two samples, batch axis first in every input.
    public let inputs: Inputs

    /// Creates a case.
    public init(_ name: String, _ model: any Differentiable, _ inputs: Inputs) {
      self.name = name
      self.model = model
      self.inputs = inputs
    }
  }

  /// Models with closed forms: dense ones, a classifier with a softmax, an image model with a spatial
  /// layer, and one with several inputs of which one holds integers.
  public static let cases: [Case] = [
    Case("linear", AnalyticModel.linear, batch(of: [4])),
    Case("quadratic", AnalyticModel.quadratic, batch(of: [4])),
    Case("rectifier", AnalyticModel.rectifier, batch(of: [4])),
    Case("classifier", AnalyticModel.classifier, batch(of: [4])),
    Case("image", AnalyticModel.image, batch(of: [2, 5, 4])),
    Case("gated", GatedModel(), gatedBatch()),
  ]

  /// Returns the laws that an explainer breaks: none if it conforms.
  ///
  /// - Parameters:
  ///   - type: The explainer.
  ///   - options: Texts of its options; defaults for the rest.
  ///   - cases: What to explain. A case that the method refuses with a `CoreError` saying that it does not
  ///     apply is passed over, as long as one remains.
  ///   - claims: Axioms to examine as well. By default those of the manifest, or none where options are
  ///     given: a method claims them with its defaults.
  /// - Returns: At most one violation for each law and case.
  /// - Complexity: About ten explanations for each case, and ten for each claim.
  public static func check(
    _ type: any Explainer.Type, options: [String: String] = [:],
    on cases: [Case] = Conformance.cases, claims: Set<Claim>? = nil
  ) -> [Violation] {
    var examination = Examination(type, options)
    examination.checkManifest()
    examination.checkOptions()
    for subject in cases { examination.examine(subject) }
    examination.checkApplicability()
    examination.check(claims ?? (options.isEmpty ? type.method.claims : []), on: cases)
    return examination.violations
  }

  private static func batch(of dimensions: [Int]) -> Inputs {
    let count = 3 * dimensions.reduce(1, *)
    return Inputs([("input", tensor((0..<count).map { Float(spread($0)) }, [3] + dimensions))])
  }

  private static func gatedBatch() -> Inputs {
    Inputs([
      ("a", tensor((0..<9).map { Float(spread($0)) }, [3, 3])),
      ("b", tensor((0..<9).map { Float(spread($0 + 9)) }, [3, 3])),
      ("row", tensor([0, 1, 0] as [Int64], [3])),
    ])
  }

  private static func tensor<T: Scalar>(_ elements: [T], _ shape: [Int]) -> Tensor {
    guard let tensor = try? Tensor(elements, shape: shape) else {
      preconditionFailure("the shape was made for the elements")
    }
    return tensor
  }
}
