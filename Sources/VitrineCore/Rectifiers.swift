extension Differentiable {
  /// Returns the objective's gradients with a backward rule at every rectifier that has it.
  ///
  /// Rectifiers are layers of kind `Relu`, and of kind `Clip` if the model accepts the rule at them
  /// all: a ReLU with an upper bound, such as ReLU6, is exported as one. ``Gradients/applications`` says
  /// where the rule was applied, and ``Model/ruleReport(_:_:)`` says it to a reader.
  ///
  /// - Parameters:
  ///   - objective: What is differentiated.
  ///   - sites: What to differentiate with respect to.
  ///   - inputs: One tensor per input.
  ///   - rule: ``BackwardRule/guided`` or ``BackwardRule/deconvnet``.
  ///   - context: Asked whether to stop.
  /// - Throws: As ``gradients(of:withRespectTo:at:rules:)``.
  /// - Complexity: As ``gradients(of:withRespectTo:at:rules:)``; a second attempt if the model has a
  ///   `Clip` that is no rectifier.
  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs,
    atRectifiers rule: BackwardRule, context: Context
  ) throws -> Gradients {
    let relu = BackwardRules.Assignment(.kind("Relu"), rule)
    if layers.contains(where: { $0.kind == "Clip" }) {
      let rules = BackwardRules([relu, BackwardRules.Assignment(.kind("Clip"), rule)])
      // The model alone knows the bounds of its layers: it refuses the rule where they make no
      // rectifier, and reports anything else that is wrong once more below.
      if let gradients = try? gradients(
        of: objective, withRespectTo: sites, at: inputs, rules: rules)
      {
        return gradients
      }
      try context.checkCancellation()
    }
    return try gradients(
      of: objective, withRespectTo: sites, at: inputs, rules: BackwardRules([relu]))
  }
}

extension Model {
  /// Returns what a reader must know about where a backward rule was applied.
  ///
  /// - Parameters:
  ///   - rule: The rule asked for.
  ///   - applications: Where it was applied.
  /// - Returns: The number of layers and their names; a warning if there is none, or if the model has
  ///   nonlinear layers that the rule does not know and that passed the plain gradient.
  public func ruleReport(
    _ rule: BackwardRule, _ applications: [RuleApplication]
  ) -> (diagnostics: [(name: String, value: Explanation.Diagnostic)], warnings: [String]) {
    let names = applications.filter { $0.rule == rule }.map(\.layer)
    var warnings: [String] = []
    if names.isEmpty {
      warnings.append(
        "The rule '\(rule)' was applied nowhere: no Relu lies between the inputs and the score, so "
          + "the result equals the plain gradient.")
    } else {
      let bent = layers.filter { nonlinearKinds.contains($0.kind) && !names.contains($0.name) }
      let kinds = Set(bent.map(\.kind)).sorted()
      if !kinds.isEmpty {
        warnings.append(
          "Layers of kind \(kinds.joined(separator: ", ")) (\(bent.count)) pass the plain gradient: "
            + "the rule '\(rule)' is defined at rectifiers only.")
      }
    }
    var diagnostics: [(name: String, value: Explanation.Diagnostic)] = [
      ("rule-applications", .number(Double(names.count)))
    ]
    if !names.isEmpty { diagnostics.append(("rule-layers", .texts(names))) }
    return (diagnostics, warnings)
  }
}

/// Kinds that take the place of a rectifier in a network.
private let nonlinearKinds: Set<String> = [
  "Celu", "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Selu",
  "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
]
