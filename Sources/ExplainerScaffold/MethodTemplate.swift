/// The files of a new method: gradient times input, which is short, right, and meant to be replaced.
struct MethodTemplate {
  let name: ExplainerName

  let summary = "The gradient of the score times the input, element by element."
  let source = "Shrikumar, Greenside, Shcherbina, Kundaje: Not Just a Black Box, 2016"
  let shortSource = "Shrikumar et al. 2016"

  /// The explainer.
  var code: String {
    """
    public import VitrineCore
    import VitrineTensor

    /// \(summary)
    ///
    /// Source: Shrikumar, Greenside, Shcherbina, Kundaje, "Not Just a Black Box" (2016). Of a linear model
    /// it is what each element contributes to the score.
    public struct \(name.type): Explainer {
      public static let method = Method(
        identifier: "\(name.identifier)",
        summary: "\(summary)",
        paper: "\(source)",
        requirement: .gradients,
        options: [
          Option(
            "absolute", .flag, default: "false",
            help: "Drop the signs, so that only magnitudes remain.")
        ],
        claims: [.dummy, .implementationInvariance, .linearity, .symmetry])

      /// Whether the signs are dropped.
      public let absolute: Bool

      /// Creates the method.
      public init(absolute: Bool = false) { self.absolute = absolute }

      public init(options: Options) throws { self.init(absolute: options.flag("absolute")) }

      /// Returns the products.
      ///
      /// - Returns: For each real input one attribution in its shape, in units of the score.
      /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
      ///   `CoreError.notFinite(_:)` for a product that overflows; what the model throws.
      /// - Complexity: One forward and one backward pass; one more forward pass to find the top class.
      public func explain(
        _ model: any Model, at inputs: Inputs, target: Target, context: Context
      ) throws -> Explanation {
        let model = try differentiable(model)
        let real = try model.realInputs()
        try context.checkCancellation()
        let resolved = try model.resolve(target, at: inputs, context: context)
        try context.checkCancellation()
        let gradients = try model.gradients(
          of: resolved.objective, withRespectTo: real.sites, at: inputs, rules: .gradient)
        let products = try zip(real.ports, gradients.tensors).map { port, gradient in
          guard let input = inputs[port.name] else {
            throw CoreError.inputCount(
              expected: real.ports.map(\\.name), found: inputs.tensors.count)
          }
          let product = try gradient.multiplied(by: input.converted(to: gradient.dataType))
          return absolute ? try product.absolute() : product
        }
        return Explanation(
          method: Self.method.identifier,
          attributions: try real.attributions(
            of: products, range: absolute ? .nonnegative : .signed),
          explained: Explained(resolved, values: gradients.values),
          warnings: real.warnings)
      }
    }

    """
  }

  /// The article of the module, for docc.
  var article: String {
    """
    # ``Vitrine\(name.type)``

    \(summary)

    ## Overview

    ```swift
    let explanation = try \(name.type)()
      .explain(model, at: inputs, target: .top, context: Context())
    ```

    By name it is `\(name.identifier)`. Formula, options, a picture, cost and the choices made where other systems
    differ are on its page, `Docs/Methods/\(name.identifier).md`.

    ## Topics

    - ``\(name.type)``

    """
  }

  /// The page for people.
  var page: String {
    """
    # `\(name.identifier)`

    \(summary)

    ![The green cross, and beside it a map of what its pixels contribute to the score: positive in red, negative in
    blue.](../Images/methods/\(name.identifier).png)

        vitrine explain shapes.onnx cross.png --method \(name.identifier) --labels labels.txt --output \(name.identifier).png

    ## Formula

        A(x) = x · ∂F/∂x

    for the score F, element by element, in the shape of the input and in units of the score.

    ## Options

    <!-- options -->
    | Option | Values | Default | What it does |
    |---|---|---|---|
    | `absolute` | true or false | `false` | Drop the signs, so that only magnitudes remain. |
    <!-- /options -->

    ## Choices

    The gradient is the model's own, at the input itself; nothing is averaged, scaled or clipped.

    ## Cost

    One forward and one backward pass; one more forward pass to find the top class.

    ## What it does not say

    An element whose value is zero contributes nothing here, whatever it means. The products add up to the score only
    where the model is linear; [`integrated-gradients`](integrated-gradients.md) add up everywhere.

    ## Source

    \(source). In Swift: `\(name.type)`.

    """
  }

  /// The tests, of a method that is part of this package.
  var ownTests: String {
    tests(imports: ["Testing", "Vitrine", "VitrineConformance"], catalog: "MethodCatalog.standard")
  }

  /// The tests: the conformance kit, and a closed form.
  ///
  /// - Parameter catalog: An expression in Swift.
  func tests(imports: [String], catalog: String) -> String {
    """
    \(imports.map { "import " + $0 }.joined(separator: "\n"))

    @Suite("\(name.title)")
    struct \(name.type)Tests {
      private let model = AnalyticModel(
        dimensions: [3], axes: [.feature],
        functions: [.affine("sum", weights: [[2, -3, 1]], bias: [5])])

      private func explain(_ values: [Float], absolute: Bool = false) throws -> Explanation {
        let inputs = Inputs([("input", try Tensor(values, shape: [1, 3]))])
        return try \(name.type)(absolute: absolute).explain(
          model, at: inputs, target: .index(0), context: Context())
      }

      @Test(
        "it obeys the laws of explainers and its own claims",
        arguments: [[:], ["absolute": "true"]])
      func conformance(options: [String: String]) {
        let violations = Conformance.check(\(name.type).self, options: options)
        #expect(violations.isEmpty, "\\(violations)")
      }

      @Test("of a linear model it is each weight times its input")
      func closedForm() throws {
        let result = try explain([1, 2, -4])
        #expect(try result.attribution.tensor.elements(of: Float.self) == [2, -6, -4])
        #expect(result.explained.values == [-3])
      }

      @Test("without signs the magnitudes remain")
      func magnitudes() throws {
        let result = try explain([1, 2, -4], absolute: true)
        #expect(try result.attribution.tensor.elements(of: Float.self) == [2, 6, 4])
        #expect(result.attribution.range == .nonnegative)
      }

      @Test("it is in the catalog under its name")
      func registration() throws {
        let type = try \(catalog).explainerType(
          named: "\(name.identifier)")
        #expect(type.method == \(name.type).method)
      }
    }

    """
  }
}
