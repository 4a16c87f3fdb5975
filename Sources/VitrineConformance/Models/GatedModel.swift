public import VitrineCore
public import VitrineTensor

/// A model of three inputs, one of them an integer: F_k(a, b, r) = Σ_i W_ki a_i b_i + T_kr.
///
/// `a` and `b` hold 3 real numbers for each sample, `row` chooses one of two columns of a table. The
/// derivatives are ∂F_k/∂a_i = W_ki b_i and ∂F_k/∂b_i = W_ki a_i; there is none with respect to `row`.
public struct GatedModel: Differentiable {
  private static let weights: [[Double]] = [[1, -2, 0.5], [0.25, 3, -1]]
  private static let table: [[Double]] = [[0, 1], [0.5, -0.5]]

  public let signature = Signature(
    inputs: [
      Port(name: "a", dataType: .float32, dimensions: [nil, 3], axes: [.batch, .feature]),
      Port(name: "b", dataType: .float32, dimensions: [nil, 3], axes: [.batch, .feature]),
      Port(name: "row", dataType: .int64, dimensions: [nil], axes: [.batch]),
    ],
    outputs: [
      Port(name: "output", dataType: .float32, dimensions: [nil, 2], axes: [.batch, .feature])
    ])

  public let layers = [Layer(name: "sum", kind: "Add", aliases: ["output"], dimensions: [1, 2])]

  /// Creates the model.
  public init() {}

  public func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    let call = try Call(inputs, signature)
    return try sites.map { site in
      switch site {
      case .output("output"), .layer("sum"), .layer("output"):
        try Tensor(call.outputs(Self.weights, Self.table), shape: [call.samples, 2])
          .converted(to: call.type)
      case .input(let name):
        try inputs[name] ?? { throw unknown(site) }()
      default: throw unknown(site)
      }
    }
  }

  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    let call = try Call(inputs, signature)
    let output = try evaluate(inputs, observing: [objective.site])[0].converted(to: .float64)
    guard objective.site.name == "output" || objective.site.name == "sum" else {
      throw CoreError.notApplicable("\(objective.site) depends on no other value")
    }
    let cotangent = try objective.cotangent(for: output.shape, .float64)
      .elements(of: Double.self)
    let tensors = try sites.map { site in
      let other: [Double]
      switch site {
      case .input("a"): other = call.b
      case .input("b"): other = call.a
      case .input("row"):
        throw CoreError.notApplicable("\(site) holds integers: there is no derivative")
      default: throw unknown(site)
      }
      let gradient = other.indices.map { j in
        let (n, i) = j.quotientAndRemainder(dividingBy: 3)
        return (0..<2).reduce(0) { $0 + cotangent[2 * n + $1] * Self.weights[$1][i] * other[j] }
      }
      return try Tensor(gradient, shape: [call.samples, 3]).converted(to: call.type)
    }
    return Gradients(values: try objective.values(of: output), tensors: tensors)
  }

  private func unknown(_ site: Site) -> CoreError {
    let known = signature.inputs.map(\.name) + ["sum", "output"]
    return .unknownName(
      what: "site", name: site.name, suggestion: closestName(to: site.name, among: known),
      known: known)
  }
}

/// The inputs of one call, checked.
private struct Call {
  let samples: Int
  let type: DataType
  let a: [Double]
  let b: [Double]
  let rows: [Int]

  init(_ inputs: Inputs, _ signature: Signature) throws {
    guard let a = inputs["a"], let b = inputs["b"], let row = inputs["row"] else {
      throw CoreError.inputCount(
        expected: signature.inputs.map(\.name), found: inputs.tensors.count)
    }
    samples = row.count
    type = a.dataType
    for (name, tensor) in [("a", a), ("b", b)] where tensor.shape.dimensions != [samples, 3] {
      throw CoreError.shapeMismatch(
        what: "input '\(name)'", expected: [samples, 3], found: tensor.shape.dimensions)
    }
    self.a = try a.converted(to: .float64).elements(of: Double.self)
    self.b = try b.converted(to: .float64).elements(of: Double.self)
    rows = try row.elements(of: Int64.self).map { row in
      guard row == 0 || row == 1 else {
        throw CoreError.elementOutOfRange(
          element: Int(truncatingIfNeeded: row), count: 2, site: "row")
      }
      return Int(row)
    }
  }

  func outputs(_ weights: [[Double]], _ table: [[Double]]) -> [Double] {
    var outputs: [Double] = []
    for n in 0..<samples {
      for (k, row) in weights.enumerated() {
        let products = row.indices.map { row[$0] * a[3 * n + $0] * b[3 * n + $0] }
        outputs.append(products.reduce(table[k][rows[n]], +))
      }
    }
    return outputs
  }
}
