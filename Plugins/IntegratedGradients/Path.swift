import VitrineCore
import VitrineTensor

/// The straight path from the baselines to the inputs of a batch, and the scores at its ends.
struct Path {
  private let ports: [Port]
  private let inputs: Inputs
  private let baselines: Inputs
  private let objective: Objective
  /// In which the model computes, and attributions are given.
  private let dataType: DataType
  private let isSplit: Bool
  /// F(x) for each sample.
  let scores: [Double]
  /// F(x') for each sample.
  let baselineScores: [Double]

  /// F(x) − F(x') for each sample.
  var differences: [Double] { zip(scores, baselineScores).map { $0 - $1 } }

  /// Finds the baselines and evaluates the model at both ends.
  init(
    _ model: any Differentiable, _ real: RealInputs, _ inputs: Inputs, _ objective: Objective,
    _ baseline: Baseline, _ context: Context
  ) throws {
    let value = try model.evaluate(inputs, observing: [objective.site])[0]
    let dataType: DataType = value.dataType == .float64 ? .float64 : .float32
    var moving = inputs
    var baselines: [(name: String, value: Tensor)] = []
    for port in real.ports {
      guard let tensor = inputs[port.name] else {
        throw CoreError.inputCount(expected: real.ports.map(\.name), found: inputs.tensors.count)
      }
      // In the type the model computes in, or points in between would be rounded more than its numbers.
      let input = tensor.converted(to: dataType)
      moving = moving.replacing(port.name, with: input)
      baselines.append((port.name, try baseline.tensor(for: input, at: port, context: context)))
    }
    try context.checkCancellation()
    let start = baselines.reduce(moving) { $0.replacing($1.name, with: $1.value) }
    let startValue = try model.evaluate(start, observing: [objective.site])[0]
    try context.checkCancellation()
    let scores = try objective.values(of: value)
    let baselineScores = try objective.values(of: startValue)
    guard (scores + baselineScores).allSatisfy(\.isFinite) else {
      throw CoreError.notFinite("the explained score, at the input or at the baseline,")
    }
    self.init(
      ports: real.ports, inputs: moving, baselines: Inputs(baselines), objective: objective,
      dataType: dataType, isSplit: model.takesBatches && scores.count > 1, scores: scores,
      baselineScores: baselineScores)
  }

  private init(
    ports: [Port], inputs: Inputs, baselines: Inputs, objective: Objective, dataType: DataType,
    isSplit: Bool, scores: [Double], baselineScores: [Double]
  ) {
    self.ports = ports
    self.inputs = inputs
    self.baselines = baselines
    self.objective = objective
    self.dataType = dataType
    self.isSplit = isSplit
    self.scores = scores
    self.baselineScores = baselineScores
  }

  /// Returns the path of each sample, or the whole if the model takes no other batch.
  func samples() throws -> [Path] {
    guard isSplit else { return [self] }
    return try scores.indices.map { n in
      func sample(_ inputs: Inputs) throws -> Inputs {
        Inputs(try inputs.tensors.map { ($0.name, try $0.value.sliced(axis: 0, n..<n + 1)) })
      }
      return Path(
        ports: ports, inputs: try sample(inputs), baselines: try sample(baselines),
        objective: try objective.selecting([n], of: scores.count), dataType: dataType,
        isSplit: false, scores: [scores[n]], baselineScores: [baselineScores[n]])
    }
  }

  /// Returns what was computed for each of ``samples()`` as one batch for each input, rounded once to the
  /// type of the model.
  func joined(_ parts: [[Tensor]]) throws -> [Tensor] {
    try ports.indices.map { index in
      let tensors = parts.map { $0[index].converted(to: dataType) }
      return tensors.count == 1 ? tensors[0] : try Tensor.concatenation(of: tensors, axis: 0)
    }
  }

  /// Returns the integral of the gradients by one quadrature.
  func integral(
    _ rule: IntegratedGradients.Rule, steps: Int, _ model: any Differentiable, _ context: Context
  ) throws -> PathIntegral {
    let points = rule.points(steps: steps)
    let gradients = try model.pathGradients(
      of: objective, from: baselines, to: inputs, at: points,
      withRespectTo: ports.map { .input($0.name) }, context: context)
    guard gradients.count == ports.count else {
      throw CoreError.inputCount(expected: ports.map(\.name), found: gradients.count)
    }
    var contributions: [Tensor] = []
    var gaps = differences.map { -$0 }
    for (port, gradient) in zip(ports, gradients) {
      guard let input = inputs[port.name], let baseline = baselines[port.name] else { continue }
      let contribution = try input.converted(to: .float64)
        .subtracting(baseline.converted(to: .float64)).multiplied(by: gradient)
      let axes = contribution.shape.dimensions.indices.filter { $0 != port.batchAxis }
      let sums = try contribution.sum(axes: Array(axes)).elements(of: Double.self)
      for n in gaps.indices where n < sums.count { gaps[n] += sums[n] }
      contributions.append(contribution)
    }
    return PathIntegral(
      meanGradients: gradients, contributions: contributions, gaps: gaps, steps: steps,
      evaluations: points.count)
  }
}
