import VitrineTensor

/// A graph as training sees it: parameters are values that change, batch normalisation looks at the
/// batch, dropout drops.
package struct TrainingGraph: Sendable {
  /// The running statistics of one batch normalisation.
  package struct Statistics: Sendable, Hashable {
    /// Names of the constants that hold them.
    package let mean: String
    package let variance: String
    /// The share of the old value that a step keeps.
    package let momentum: Double
    /// Values that hold the batch's own.
    let batchMean: Int
    let batchVariance: Int
    /// The normalised value.
    let input: Int
  }

  package let wiring: Wiring
  /// The network's inputs, in order.
  package let inputs: [Graph.Port]
  /// Names of the constants that are trained, ascending.
  package let parameters: [String]
  package let statistics: [Statistics]
  /// One number for each dropout.
  let dropouts: Int

  /// The parameters' values in the wiring, and their shapes.
  let parameterValues: [Int]
  let parameterShapes: [Shape]

  /// Operators of inference, with those that training replaces.
  private static let catalog = OperatorCatalog.operators.merging([
    batchNormalization: BatchStatisticsNormalization.self, dropout: RandomDropout.self,
  ]) { first, _ in first }
  private static let batchNormalization = "training.BatchNormalization"
  private static let dropout = "training.Dropout"

  /// Checks a graph and takes `trainable` of its constants as parameters.
  ///
  /// A batch normalisation whose scale and bias are both fixed stays as it is in inference.
  ///
  /// - Throws: ``NetworkError``, also if a name is not that of a real constant.
  package init(_ graph: Graph, trainable: Set<String>) throws {
    for name in trainable {
      guard let constant = graph.constants[name], constant.dataType.isFloatingPoint else {
        throw NetworkError.malformedGraph("'\(name)' is not a parameter with real elements")
      }
    }
    inputs = graph.inputs.filter { graph.constants[$0.name] == nil }
    let parameters = trainable.sorted()
    self.parameters = parameters
    parameterShapes = parameters.compactMap { graph.constants[$0]?.shape }

    var rewritten = graph
    rewritten.inputs =
      inputs
      + parameters.compactMap { name in
        graph.constants[name].map {
          Graph.Port(
            name: name, dataType: .float32, dimensions: $0.shape.dimensions.map { .fixed($0) })
        }
      }
    for name in parameters { rewritten.constants[name] = nil }

    var normalizations: [(node: Graph.Node, momentum: Double)] = []
    var seeds: [String] = []
    for (index, node) in graph.nodes.enumerated() {
      switch node.kind {
      case "BatchNormalization"
      where node.inputs.count == 5 && node.outputs.count == 1
        && (trainable.contains(node.inputs[1]) || trainable.contains(node.inputs[2]))
        && graph.constants[node.inputs[3]] != nil && graph.constants[node.inputs[4]] != nil:
        let reader = NodeReader(node, opset: graph.opset)
        let momentum = try reader.real("momentum", default: 0.9)
        rewritten.nodes[index] = Graph.Node(
          name: node.name, kind: Self.batchNormalization, inputs: Array(node.inputs[0..<3]),
          outputs: [node.outputs[0], Self.hidden("mean", index), Self.hidden("variance", index)],
          attributes: node.attributes)
        normalizations.append((node, momentum))
      case "Dropout" where !node.inputs.isEmpty && !node.outputs.isEmpty:
        guard !node.outputs.dropFirst().contains(where: { name in Self.isRead(name, in: graph) })
        else {
          throw NetworkError.invalidNode(
            name: node.name, kind: node.kind,
            reason: "its mask is used elsewhere, which training does not support")
        }
        let seed = Self.hidden("seed", index)
        let ratio = graph.opset >= 12 && node.inputs.count > 1 ? node.inputs[1] : ""
        rewritten.nodes[index] = Graph.Node(
          name: node.name, kind: Self.dropout, inputs: [node.inputs[0], ratio, seed],
          outputs: [node.outputs[0]], attributes: node.attributes)
        rewritten.inputs.append(
          Graph.Port(name: seed, dataType: .int64, dimensions: [.fixed(2)]))
        seeds.append(seed)
      default: break
      }
    }
    let wiring = try Wiring(rewritten, catalog: Self.catalog)
    self.wiring = wiring
    dropouts = seeds.count
    parameterValues = try parameters.map { name throws(NetworkError) in
      try wiring.value(named: name)
    }
    statistics = try normalizations.map { normalization in
      let node = normalization.node
      let index = try wiring.value(named: node.outputs[0])
      guard case .node(let position, _) = wiring.values[index].source,
        let mean = wiring.nodes[position].outputs[1],
        let variance = wiring.nodes[position].outputs[2],
        let input = wiring.nodes[position].inputs[0]
      else { throw NetworkError.malformedGraph("nothing writes '\(node.outputs[0])'") }
      return Statistics(
        mean: node.inputs[3], variance: node.inputs[4], momentum: normalization.momentum,
        batchMean: mean, batchVariance: variance, input: input)
    }
  }

  /// A name that no file can have given.
  private static func hidden(_ what: String, _ node: Int) -> String {
    "\u{0}training.\(what).\(node)"
  }

  private static func isRead(_ name: String, in graph: Graph) -> Bool {
    !name.isEmpty
      && (graph.outputs.contains { $0.name == name }
        || graph.nodes.contains { $0.inputs.contains(name) })
  }
}
