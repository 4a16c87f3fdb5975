public import VitrineCore
import VitrineTensor

/// How each output changes with each element of the input: all rows of the Jacobian ∂F_k/∂x_i.
///
/// All rows share one forward pass where the model can do that
/// (`Differentiable.jacobian(of:elements:withRespectTo:at:rules:context:)`). The result says what that
/// is worth: it times forward passes and the Jacobian, and estimates what one forward pass for each
/// input element, the price of finite differences, would have taken.
///
/// The target's output and score say what is differentiated. A target that chooses one element, by
/// index, label or coordinates, asks for that row alone; without a choice (`Target.Choice.top`) all
/// rows are computed, or those in ``outputs``.
///
/// ``Mode/finiteDifference`` is independent of any differentiation, also for models that have none, and
/// ``compare`` checks the one against the other.
public struct InputJacobian: Explainer {
  /// How derivatives are found.
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    /// ``forward`` where there are fewer input elements than outputs and the model can do that, else
    /// ``reverse``.
    case auto
    /// One backward pass for each output, from one forward pass where the model can share it.
    case reverse
    /// One pass for each input element, which carries values and derivatives forwards together.
    case forward
    /// Central differences (F(x + ε) − F(x − ε)) / 2ε: two forward passes for each input element.
    case finiteDifference = "finite-difference"
  }

  public static let method = Method(
    identifier: "jacobian",
    summary: "How each output reacts to a small change of each input element.",
    paper: "Siboni: aug-net, github.com/nima-siboni/aug-net",
    requirement: .gradients,
    options: [
      Option(
        "outputs", .integers(0...Int.max), default: nil,
        help: "Which outputs to differentiate, by index; all if not given."),
      Option(
        "timing", .flag, default: "true",
        help: "Time three forward passes to compare the Jacobian with."),
      Option(
        "mode", .choice(Mode.allCases.map(\.rawValue)), default: Mode.auto.rawValue,
        help:
          "How derivatives are found: backwards, forwards, or by central differences; auto goes "
          + "forwards where there are fewer inputs than outputs."),
      Option(
        "epsilon", .number(1e-12...1e6), default: nil, unit: "units of the input",
        help: "Step of central differences; if not given 1e-5 for models that compute in double "
          + "precision, else 4e-3."),
      Option(
        "compare", .integer(0...Int.max), default: "0",
        help:
          "Check so many random elements of the input against central differences; all if there "
          + "are no more."),
      Option(
        "ranking", .integer(0...100), default: "3",
        help:
          "List so many of the most and of the least influential input elements for each output."
      ),
    ],
    claims: [.dummy, .linearity, .implementationInvariance, .symmetry])

  /// Flat indices of the outputs to differentiate; `nil` for all.
  public let outputs: [Int]?
  /// Whether forward passes are timed.
  public let timing: Bool
  /// How derivatives are found.
  public let mode: Mode
  /// Step of central differences, in units of the input; `nil` for one that suits the precision.
  public let epsilon: Double?
  /// How many elements of the input are compared with central differences.
  public let compare: Int
  /// How many of the most and of the least influential elements are listed.
  public let ranking: Int

  /// Creates the method.
  public init(
    outputs: [Int]? = nil, timing: Bool = true, mode: Mode = .auto, epsilon: Double? = nil,
    compare: Int = 0, ranking: Int = 3
  ) {
    self.outputs = outputs
    self.timing = timing
    self.mode = mode
    self.epsilon = epsilon
    self.compare = compare
    self.ranking = ranking
  }

  public init(options: Options) throws {
    self.init(
      outputs: options.integers("outputs"), timing: options.flag("timing"),
      mode: Mode(rawValue: options.choice("mode")) ?? .auto,
      epsilon: options.optionalNumber("epsilon"), compare: options.integer("compare"),
      ranking: options.integer("ranking"))
  }

  /// Returns the derivatives of the outputs with respect to the inputs.
  ///
  /// - Returns: For each real input one attribution `[batch, output, …input]` in units of the output
  ///   per unit of the input. The explained values are those of the outputs, `[batch, output]`. The
  ///   diagnostic `mode` says which was taken; `forward-seconds` (median of three passes after a warm-up), `jacobian-seconds`,
  ///   `jacobian-to-forward-ratio` and `finite-difference-seconds` (forward time × elements of one
  ///   sample) differ from run to run.
  ///   With ``compare``, `largest-difference` is the largest |autodiff − difference| over the compared
  ///   elements, all outputs and samples, `largest-relative-difference` the same divided by the largest
  ///   compared |derivative|, and `comparison` lists both numbers for the first sample. With
  ///   ``ranking``, `most-influential` and `least-influential` list elements for each output of the
  ///   first sample.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients unless ``mode``
  ///   is ``Mode/finiteDifference``, `CoreError.notApplicable(_:)` if the result would exceed `Context.memoryLimit`, the model
  ///   has no forward mode and ``mode`` asks for it, or the target is a weighted sum or differs between
  ///   samples, `CoreError.notFinite(_:)`; what the model throws.
  /// - Complexity: The model's Jacobian (one backward pass for each output, or one or two passes for each
  ///   input element) and one forward pass, four with ``timing``; memory of outputs × input elements for
  ///   each sample.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    if mode != .finiteDifference { _ = try differentiable(model) }
    try context.checkCancellation()
    let realInputs = try model.realInputs()
    let (site, skippedSoftmax) = try model.explainedSite(of: target)
    let row = try chosenRow(of: target, model, at: inputs, context)
    try context.checkCancellation()

    // Warms up the model for the timed passes, and says how many outputs there are.
    let output = try model.evaluate(inputs, observing: [site])[0]
    let samples = max(output.rank > 0 ? output.shape[0] : 1, 1)
    let outputCount = output.count / samples
    let elements = row.map { [$0] } ?? outputs ?? Array(0..<outputCount)
    for element in elements where element < 0 || element >= outputCount {
      throw CoreError.elementOutOfRange(element: element, count: outputCount, site: site.name)
    }
    try checkMemory(of: elements.count, realInputs.ports, inputs, context)
    try context.checkCancellation()

    let inputElements = realInputs.ports.reduce(0) {
      $0 + elementsPerSample(of: inputs[$1.name], $1)
    }
    let isForward =
      mode == .forward
      || (mode == .auto && inputElements < elements.count
        && forwardModeObstacle(model, to: site) == nil)
    let chosen: Mode = isForward ? .forward : mode == .auto ? .reverse : mode
    let forwardSeconds =
      timing
      ? try medianSeconds(of: 3) {
        try context.checkCancellation()
        _ = try model.evaluate(inputs, observing: [site])
      } : nil
    var result: Jacobian?
    let jacobianSeconds = try seconds {
      switch chosen {
      case .finiteDifference:
        result = try centralDifferences(
          of: site, elements, model, realInputs.ports, at: inputs, context)
      case .forward:
        result = try forwardJacobian(
          of: site, elements, differentiable(model), realInputs.ports, at: inputs, context)
      case .auto, .reverse:
        result = try differentiable(model).jacobian(
          of: site, elements: elements, withRespectTo: realInputs.sites, at: inputs,
          rules: .gradient, context: context)
      }
    }
    guard let result else { preconditionFailure("the clock's body ran") }
    try result.values.requireFinite("\(site)")

    var diagnostics: [(name: String, value: Explanation.Diagnostic)] = []
    diagnostics.append(("mode", .text(chosen.rawValue)))
    if let forwardSeconds {
      diagnostics += [
        ("forward-seconds", .number(forwardSeconds)),
        ("jacobian-seconds", .number(jacobianSeconds)),
        ("jacobian-to-forward-ratio", .number(jacobianSeconds / max(forwardSeconds, 1e-9))),
        ("finite-difference-seconds", .number(Double(inputElements) * forwardSeconds)),
      ]
    }
    if elements.count < outputCount {
      diagnostics.append(("outputs", .numbers(elements.map(Double.init))))
    }
    if compare > 0 {
      diagnostics += try comparison(
        of: result, at: site, elements, model, realInputs.ports, inputs, context)
    }
    if ranking > 0 { diagnostics += try rankings(of: result, elements, realInputs.ports) }
    return Explanation(
      method: Self.method.identifier,
      attributions: try realInputs.attributions(
        of: result.tensors, rowAxis: .output, range: .signed),
      explained: Explained(
        site: site, score: target.score, skippedSoftmax: skippedSoftmax,
        elements: row.map { Array(repeating: $0, count: samples) } ?? [],
        values: try result.values.converted(to: .float64).elements(of: Double.self)),
      diagnostics: diagnostics,
      warnings: realInputs.warnings)
  }
}

// MARK: - Which rows

extension InputJacobian {
  /// Returns the one row a target asks for, or `nil` if it asks for none in particular.
  private func chosenRow(
    of target: Target, _ model: any Model, at inputs: Inputs, _ context: Context
  ) throws -> Int? {
    switch target.choice {
    case .top: return nil
    case .index, .label, .coordinates:
      guard outputs == nil else {
        throw CoreError.notApplicable(
          "a target and the option 'outputs' both choose rows of the Jacobian; give only one")
      }
      return try model.resolve(target, at: inputs, context: context).elements[0]
    case .perSample, .weighted:
      throw CoreError.notApplicable(
        "a Jacobian has the same rows for every sample and one output in each; "
          + "choose them by the option 'outputs'")
    }
  }

  private func checkMemory(
    of rows: Int, _ ports: [Port], _ inputs: Inputs, _ context: Context
  ) throws(CoreError) {
    var bytes = 0
    for port in ports {
      guard let tensor = inputs[port.name] else { continue }
      let (size, overflow) = (tensor.count * tensor.dataType.byteCount)
        .multipliedReportingOverflow(by: rows)
      let (sum, sumOverflow) = bytes.addingReportingOverflow(size)
      bytes = overflow || sumOverflow ? .max : sum
    }
    guard bytes <= context.memoryLimit else {
      throw .notApplicable(
        "the Jacobian of \(rows) outputs needs \(bytes / 1_000_000) MB, the limit is "
          + "\(context.memoryLimit / 1_000_000) MB; choose outputs with the option 'outputs', "
          + "or raise the memory limit")
    }
  }

  func elementsPerSample(of tensor: Tensor?, _ port: Port) -> Int {
    guard let tensor else { return 0 }
    guard let axis = port.batchAxis, axis < tensor.rank else { return tensor.count }
    return tensor.count / max(tensor.shape[axis], 1)
  }
}
