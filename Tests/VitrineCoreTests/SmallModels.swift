import VitrineCore
import VitrineTensor

/// A model whose logits are given, `[batch, …]`, and whose probability may be another given tensor.
struct FixedModel: Model {
  var logits: Tensor
  var probabilities: Tensor?
  var inputs = [
    Port(name: "x", dataType: .float32, dimensions: [nil, 2], axes: [.batch, .feature])
  ]
  var outputs = ["y"]
  var layers: [Layer] = []

  var signature: Signature {
    Signature(
      inputs: inputs,
      outputs: outputs.map {
        Port(name: $0, dataType: .float32, dimensions: [nil, nil], axes: [.batch, .feature])
      })
  }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) -> [Tensor] {
    sites.map { site in
      if case .output = site, let probabilities { probabilities } else { logits }
    }
  }

  func site(of score: Score, output: String) -> Site? {
    guard probabilities != nil else { return score == .logit ? .output(output) : nil }
    return score == .logit ? .layer("logits") : .output(output)
  }
}

/// F_k(x) = Σ_i W_ki x_i², with W = [[1, 2], [-3, 0.5], [0, 1]]; uses every default of the protocols.
struct QuadraticModel: Differentiable {
  static let weights: [[Double]] = [[1, 2], [-3, 0.5], [0, 1]]

  let signature = Signature(
    inputs: [Port(name: "x", dataType: .float64, dimensions: [nil, 2], axes: [.batch, .feature])],
    outputs: [Port(name: "y", dataType: .float64, dimensions: [nil, 3], axes: [.batch, .feature])])
  let layers: [Layer] = []
  /// Makes the row of this output one sample too long: a faulty model.
  var brokenRow: Int?

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    let x = try numbers(inputs)
    let values = stride(from: 0, to: x.count, by: 2).flatMap { n in
      Self.weights.map { $0[0] * x[n] * x[n] + $0[1] * x[n + 1] * x[n + 1] }
    }
    let tensor = try Tensor(values, shape: [x.count / 2, 3])
    return sites.map { _ in tensor }
  }

  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    let x = try numbers(inputs)
    let value = try evaluate(inputs, observing: [objective.site])[0]
    let g = try objective.cotangent(for: value.shape, .float64).elements(of: Double.self)
    var gradient = x.indices.map { j in
      (0..<3).reduce(0) { $0 + g[j / 2 * 3 + $1] * Self.weights[$1][j % 2] * 2 * x[j] }
    }
    if case .elements(let rows) = objective.form, rows.first == brokenRow { gradient += [0, 0] }
    let tensor = try Tensor(gradient, shape: [gradient.count / 2, 2])
    return Gradients(values: try objective.values(of: value), tensors: sites.map { _ in tensor })
  }

  private func numbers(_ inputs: Inputs) throws -> [Double] {
    guard let x = inputs["x"] else { throw CoreError.inputCount(expected: ["x"], found: 0) }
    return try x.elements(of: Double.self)
  }
}
