public import VitrineCore
public import VitrineTensor

extension ReferenceExecutor {
  /// Returns the derivatives of a value along tangents of inputs.
  ///
  /// - Parameters:
  ///   - tangents: By value number, each in the shape of the value and the precision of the run.
  ///   - checkpoint: Called after each tangent with the number done.
  /// - Complexity: One forward pass, whose values on the way are kept, and about one or two for each
  ///   tangent.
  package func pushforward(
    of target: Int, along tangents: [[Int: Tensor]], inputs: [Tensor],
    checkpoint: (Int) throws -> Void
  ) throws -> [Tensor] {
    let wiring = specialization.wiring
    let seeds = Set(tangents.flatMap(\.keys))
    let path = DifferentiationPath(wiring, from: seeds.sorted(), to: target)
    var kept: Set<Int> = [target]
    for index in path.nodes {
      kept.formUnion(wiring.nodes[index].inputs.compactMap { $0 })
      kept.formUnion(wiring.nodes[index].outputs.compactMap { $0 })
    }
    let values = try forward(to: Array(kept), inputs: inputs, keeping: kept)
    var readers = [Int](repeating: 0, count: wiring.values.count)
    for index in path.nodes {
      for case let input? in wiring.nodes[index].inputs { readers[input] += 1 }
    }
    return try tangents.enumerated().map { number, seed in
      var moving = seed
      var remaining = readers
      for index in path.nodes {
        let node = wiring.nodes[index]
        let incoming = node.inputs.map { $0.flatMap { moving[$0] } }
        if incoming.contains(where: { $0 != nil }) {
          let point = Point(
            inputs: try node.inputs.map { try $0.map { try value($0, in: values) } },
            outputs: try node.outputs.compactMap { try $0.map { try value($0, in: values) } },
            wanted: node.inputs.map { _ in false })
          let outgoing = try named(node) {
            try node.operation.pushforward(incoming, at: point, T.self)
          }
          for case (let output?, let tangent?) in zip(node.outputs, outgoing) {
            moving[output] = tangent
          }
        }
        for case let input? in node.inputs {
          remaining[input] -= 1
          if remaining[input] == 0, input != target { moving[input] = nil }
        }
      }
      try checkpoint(number + 1)
      return moving[target] ?? Tensor(zeros: specialization.types[target].shape, T.dataType)
    }
  }
}

// MARK: - Network

extension Network {
  public func forwardModeObstacle(to site: Site) -> String? {
    guard let target = try? value(site) else { return "there is no \(site)" }
    let sites = signature.inputs.filter(\.dataType.isFloatingPoint).compactMap {
      try? value(.input($0.name))
    }
    let path = DifferentiationPath(wiring, from: sites, to: target)
    for index in path.nodes {
      let node = wiring.nodes[index]
      for (position, input) in node.inputs.enumerated() {
        guard let input, path.isActive[input],
          !node.operation.pushforwardRule.carries(input: position)
        else { continue }
        return "layer '\(node.name)' has no forward mode: none is known for operator \(node.kind)"
          + (node.operation.pushforwardRule == .none ? "" : " and its input \(position)")
      }
    }
    return nil
  }

  public func directionalDerivatives(
    of site: Site, along tangents: [Inputs], at inputs: Inputs, context: Context
  ) throws -> [Tensor] {
    let target = try value(site)
    if let obstacle = forwardModeObstacle(to: site) {
      throw CoreError.notApplicable(obstacle + "; differentiate in reverse")
    }
    for tangent in tangents {
      for (name, tensor) in tangent.tensors {
        guard let input = inputs[name], input.shape == tensor.shape,
          tensor.dataType.isFloatingPoint
        else {
          throw NetworkError.invalidInput(
            name: name, expected: "a tangent of real numbers in the shape of the input",
            found: "\(tensor.dataType) elements of shape \(tensor.shape)")
        }
      }
    }
    let call = try Call(inputs, network: self)
    let parts = try call.chunks { engine, tensors, samples in
      guard engine.dataType(of: target).isFloatingPoint else {
        throw NetworkError.notDifferentiable(
          "'\(site.name)' holds \(engine.dataType(of: target)) elements, which do not change smoothly"
        )
      }
      let seeds = try tangents.map { tangent in
        try Dictionary(
          tangent.tensors.map { name, tensor in
            let part = samples.count == call.samples ? tensor : try rows(samples, of: tensor)
            return (try value(.input(name)), part.converted(to: engine.realType))
          }, uniquingKeysWith: { first, _ in first })
      }
      return try engine.pushforward(of: target, along: seeds, inputs: tensors) { done in
        context.progress(done, of: tangents.count, "tangents")
        try context.checkCancellation()
      }
    }
    return try tangents.indices.map { index in try joined(parts.map { $0[index] }) }
  }
}
