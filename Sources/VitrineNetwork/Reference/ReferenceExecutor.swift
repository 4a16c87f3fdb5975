internal import VitrineCore
package import VitrineTensor

/// Runs and differentiates a specialised graph operator by operator with their reference
/// implementations, in the precision `T`.
///
/// It is the float64 path, and the oracle of the planned float32 one.
package struct ReferenceExecutor<T: RealScalar>: Engine {
  package let specialization: Specialization
  private var wiring: Wiring { specialization.wiring }

  private let memoryLimit: Int

  package init(_ specialization: Specialization, memoryLimit: Int) {
    self.specialization = specialization
    self.memoryLimit = memoryLimit
  }

  package func evaluate(_ targets: [Int], inputs: [Tensor]) throws -> [Tensor] {
    let values = try forward(to: targets, inputs: inputs, keeping: Set(targets))
    return try targets.map { try value($0, in: values) }
  }

  package func gradients(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], observing targets: [Int],
    inputs: [Tensor], rules: RuleTable, cotangents: [Tensor]
  ) throws -> (values: [Tensor], gradients: [[Tensor]]) {
    try gradients(
      of: source, withRespectTo: sites, observing: targets, inputs: inputs, rules: rules
    ) { _ in cotangents }
  }

  /// Returns the values of `observed`, and for each cotangent the gradients of `⟨source, cotangent⟩`
  /// with respect to `sites`.
  ///
  /// - Parameter cotangents: Returns tensors of the shape of `source` when it is told its value.
  package func gradients(
    of source: Int, withRespectTo sites: [Int], observing observed: [Int], inputs: [Tensor],
    rules: RuleTable, cotangents: (Tensor) throws -> [Tensor]
  ) throws -> (values: [Tensor], gradients: [[Tensor]]) {
    let path = DifferentiationPath(wiring, from: sites, to: source)
    var kept: Set<Int> = [source]
    kept.formUnion(observed)
    for index in path.nodes {
      kept.formUnion(wiring.nodes[index].inputs.compactMap { $0 })
      kept.formUnion(wiring.nodes[index].outputs.compactMap { $0 })
    }
    let values = try forward(to: Array(kept), inputs: inputs, keeping: kept)
    let rows = try cotangents(value(source, in: values)).map { cotangent in
      try backward(cotangent, from: source, to: sites, path: path, values: values, rules: rules)
    }
    return (try observed.map { try value($0, in: values) }, rows)
  }

  // MARK: - Passes

  func forward(to targets: [Int], inputs: [Tensor], keeping kept: Set<Int>) throws
    -> [Int: Tensor]
  {
    var values: [Int: Tensor] = [:]
    for (value, tensor) in zip(wiring.inputs, inputs) { values[value] = tensor }
    let needed = wiring.nodesNeeded(for: targets, known: specialization.isConstant)
    var remainingReaders = [Int](repeating: 0, count: wiring.values.count)
    for (index, node) in wiring.nodes.enumerated() where needed[index] {
      for case let input? in node.inputs { remainingReaders[input] += 1 }
    }
    var liveBytes = 0
    for (index, node) in wiring.nodes.enumerated() where needed[index] {
      for case let output? in node.outputs { liveBytes += bytes(output) }
      guard liveBytes <= memoryLimit else {
        throw NetworkError.memoryLimit(
          needed: liveBytes, limit: memoryLimit, what: "a pass up to node \(node.name)")
      }
      let arguments = try node.inputs.map { try $0.map { try value($0, in: values) } }
      let results = try named(node) { try node.operation.evaluate(arguments, T.self) }
      for case (let output?, let result) in zip(node.outputs, results) { values[output] = result }
      for case let input? in node.inputs {
        remainingReaders[input] -= 1
        if remainingReaders[input] == 0, !kept.contains(input), values[input] != nil {
          values[input] = nil
          liveBytes -= bytes(input)
        }
      }
    }
    return values
  }

  private func bytes(_ value: Int) -> Int {
    specialization.types[value].shape.count * MemoryLayout<T>.size
  }

  private func backward(
    _ cotangent: Tensor, from source: Int, to sites: [Int], path: DifferentiationPath,
    values: [Int: Tensor], rules: RuleTable
  ) throws -> [Tensor] {
    var cotangents: [Int: Tensor] = [source: cotangent]
    for index in path.nodes.reversed() {
      let node = wiring.nodes[index]
      let incoming = node.outputs.map { $0.flatMap { cotangents[$0] } }
      guard incoming.contains(where: { $0 != nil }) else { continue }
      let point = Point(
        inputs: try node.inputs.map { try $0.map { try value($0, in: values) } },
        outputs: try node.outputs.compactMap { try $0.map { try value($0, in: values) } },
        wanted: node.inputs.map { $0.map { path.isActive[$0] } ?? false },
        rule: rules[index])
      let outgoing = try named(node) { try node.operation.pullback(incoming, at: point, T.self) }
      // A value's cotangent is complete here: only sites are needed any longer.
      for case let output? in node.outputs where !sites.contains(output) {
        cotangents[output] = nil
      }
      for case (let input?, let contribution?) in zip(node.inputs, outgoing)
      where path.isActive[input] {
        try accumulate(contribution, into: &cotangents[input])
      }
    }
    return sites.map { site in
      cotangents[site] ?? Tensor(zeros: specialization.types[site].shape, T.dataType)
    }
  }

  private func accumulate(_ contribution: Tensor, into sum: inout Tensor?) throws {
    guard var total = sum else {
      sum = contribution
      return
    }
    sum = nil
    try total.withMutableElements(of: T.self) { target in
      try contribution.withElements(of: T.self) { source in
        for i in target.indices { target[i] += source[i] }
      }
    }
    sum = total
  }

  func value(_ value: Int, in values: [Int: Tensor]) throws -> Tensor {
    if let tensor = values[value] ?? specialization.types[value].constant { return tensor }
    throw NetworkError.malformedGraph("'\(wiring.values[value].name)' was not computed")
  }

  func named<Result>(_ node: Wiring.Node, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as OperatorError {
      throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.reason)
    } catch let error as TensorError {
      throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.description)
    }
  }
}
