public import VitrineCore
public import VitrineTensor

/// A model whose derivatives are known in closed form: a chain of functions of one sample.
///
/// It needs no runtime and no file, so that an explainer can be tested anywhere. Samples are computed one
/// by one, in double precision, and each value is rounded once to the input's type (`float32` or
/// `float64`): a sample's numbers cannot depend on its batch.
///
/// Backward rules: `BackwardRule.guided` and `BackwardRule.deconvnet` at layers of kind `Relu`.
public struct AnalyticModel: Differentiable {
  public let signature: Signature
  public let layers: [Layer]
  private let functions: [AnalyticFunction]
  private let inputDimensions: [Int]

  /// Creates a model `input → functions… → output`.
  ///
  /// - Parameters:
  ///   - input: Name of the input.
  ///   - dimensions: Extents of one input sample, without the batch axis.
  ///   - axes: What they mean, one entry for each.
  ///   - output: Name of the output.
  ///   - functions: At least one; each takes the value of the one before.
  public init(
    input: String = "input", dimensions: [Int], axes: [Axis], output: String = "output",
    functions: [AnalyticFunction]
  ) {
    precondition(dimensions.count == axes.count, "one axis for each dimension")
    guard let last = functions.last else { preconditionFailure("at least one function") }
    self.functions = functions
    inputDimensions = dimensions
    signature = Signature(
      inputs: [
        Port(
          name: input, dataType: .float32, dimensions: [nil] + dimensions, axes: [.batch] + axes)
      ],
      outputs: [
        Port(
          name: output, dataType: .float32, dimensions: [nil] + last.dimensions,
          axes: [.batch] + Array(repeating: .feature, count: last.dimensions.count))
      ])
    layers = functions.enumerated().map { index, function in
      Layer(
        name: function.name, kind: function.kind,
        aliases: index == functions.count - 1 ? [output] : [],
        dimensions: [1] + function.dimensions)
    }
  }

  public func site(of score: Score, output: String) -> Site? {
    guard layers.last?.kind == "Softmax", layers.count > 1 else {
      return score == .logit ? .output(output) : nil
    }
    return score == .logit ? .layer(layers[layers.count - 2].name) : .output(output)
  }

  public func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    let stages = try sites.map { try stage(of: $0) }
    let (samples, type) = try self.samples(of: inputs)
    let values = samples.map { stageValues(of: $0, through: stages.max() ?? 0) }
    return try stages.map { stage in
      try batch(values.map { $0[stage] }, shape: dimensions(of: stage), type)
    }
  }

  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    let top = try stage(of: objective.site)
    let stages = try sites.map { try stage(of: $0) }
    for (site, stage) in zip(sites, stages) where stage > top {
      throw CoreError.notApplicable(
        "\(objective.site) does not depend on \(site), which follows it")
    }
    let bottom = stages.min() ?? top
    let applied = try applications(of: rules, after: bottom, through: top)
    let (samples, type) = try self.samples(of: inputs)
    let values = samples.map { stageValues(of: $0, through: top) }
    let value = try batch(values.map { $0[top] }, shape: dimensions(of: top), .float64)
    let seed = try objective.cotangent(for: value.shape, .float64).elements(of: Double.self)
    let count = dimensions(of: top).reduce(1, *)

    // cotangents[n][k] belongs to stage top - k of sample n.
    let cotangents = values.indices.map { n in
      var chain = [Array(seed[n * count..<(n + 1) * count])]
      for k in stride(from: top - 1, through: bottom, by: -1) {
        let rule = rules.rule(forLayer: functions[k].name, kind: functions[k].kind)
        chain.append(
          pullback(of: functions[k], at: values[n][k], chain[chain.count - 1], rule))
      }
      return chain
    }
    return Gradients(
      values: try objective.values(of: value),
      tensors: try stages.map { stage in
        try batch(cotangents.map { $0[top - stage] }, shape: dimensions(of: stage), type)
      },
      applications: applied)
  }
}

// MARK: - Stages: the input is stage 0, the value of function k is stage k + 1

extension AnalyticModel {
  private func stage(of site: Site) throws(CoreError) -> Int {
    switch site {
    case .input(let name):
      let known = signature.inputs.map(\.name)
      if known.contains(name) { return 0 }
      throw .unknownName(
        what: "input", name: name, suggestion: closestName(to: name, among: known), known: known)
    case .output(let name):
      let known = signature.outputs.map(\.name)
      if known.contains(name) { return functions.count }
      throw .unknownName(
        what: "output", name: name, suggestion: closestName(to: name, among: known), known: known)
    case .layer(let name):
      if let index = layers.firstIndex(where: { $0.name == name || $0.aliases.contains(name) }) {
        return index + 1
      }
      let known = layers.map(\.name)
      throw .unknownName(
        what: "layer", name: name, suggestion: closestName(to: name, among: known), known: known)
    }
  }

  private func dimensions(of stage: Int) -> [Int] {
    stage == 0 ? inputDimensions : functions[stage - 1].dimensions
  }

  private func stageValues(of sample: [Double], through last: Int) -> [[Double]] {
    functions[..<last].reduce(into: [sample]) { values, function in
      values.append(function.value(values[values.count - 1]))
    }
  }
}

// MARK: - Backward rules

extension AnalyticModel {
  private func applications(
    of rules: BackwardRules, after bottom: Int, through top: Int
  ) throws(CoreError) -> [RuleApplication] {
    for assignment in rules.assignments {
      if case .layer(let name) = assignment.selector { _ = try stage(of: .layer(name)) }
    }
    var applied: [RuleApplication] = []
    for function in functions[bottom..<top] {
      let rule = rules.rule(forLayer: function.name, kind: function.kind)
      if rule == .gradient { continue }
      guard function.kind == "Relu", [.guided, .deconvnet].contains(rule) else {
        throw .notApplicable(
          "the rule '\(rule)' cannot be applied at layer '\(function.name)' of kind \(function.kind)"
        )
      }
      applied.append(RuleApplication(rule: rule, layer: function.name))
    }
    return applied
  }

  private func pullback(
    of function: AnalyticFunction, at input: [Double], _ cotangent: [Double], _ rule: BackwardRule
  ) -> [Double] {
    if rule == .deconvnet { return cotangent.map { max($0, 0) } }
    return function.pullback(input, rule == .guided ? cotangent.map { max($0, 0) } : cotangent)
  }
}

// MARK: - Tensors and samples

extension AnalyticModel {
  private func samples(of inputs: Inputs) throws -> (samples: [[Double]], type: DataType) {
    let name = signature.inputs[0].name
    guard inputs.tensors.count == 1, let tensor = inputs[name] else {
      throw CoreError.inputCount(expected: [name], found: inputs.tensors.count)
    }
    guard tensor.dataType.isFloatingPoint, tensor.rank > 0,
      Array(tensor.shape.dimensions.dropFirst()) == inputDimensions
    else {
      throw CoreError.shapeMismatch(
        what: "real numbers for input '\(name)'",
        expected: [tensor.shape.dimensions.first ?? 1] + inputDimensions,
        found: tensor.shape.dimensions)
    }
    let numbers = try tensor.converted(to: .float64).elements(of: Double.self)
    let count = inputDimensions.reduce(1, *)
    let samples = (0..<tensor.shape[0]).map { Array(numbers[$0 * count..<($0 + 1) * count]) }
    return (samples, tensor.dataType)
  }

  private func batch(_ samples: [[Double]], shape: [Int], _ type: DataType) throws -> Tensor {
    try Tensor(samples.flatMap(\.self), shape: [samples.count] + shape).converted(to: type)
  }
}
