internal import VitrineCore
package import VitrineTensor

/// A checked graph: values and nodes by number, in execution order, with their operators.
package struct Wiring: Sendable {
  /// A value and where it comes from.
  package struct Value: Sendable {
    package enum Source: Sendable {
      case input(Int)
      case constant(Tensor)
      case node(Int, output: Int)
    }

    package let name: String
    package let source: Source
  }

  /// An operation with its wires.
  package struct Node: Sendable {
    /// What errors and rule reports call it: the node's own name, else that of its first output.
    package let name: String
    package let kind: String
    package let operation: any Operator
    /// `nil` for an optional input left out.
    package let inputs: [Int?]
    /// `nil` for an output nobody can refer to.
    package let outputs: [Int?]
  }

  package let values: [Value]
  package let nodes: [Node]
  package let inputs: [Int]
  package let outputs: [Int]
  private let valueByTensorName: [String: Int]
  private let valueByNodeName: [String: Int]

  /// Checks a graph and orders its nodes.
  ///
  /// - Parameter catalog: The operators that nodes may name.
  /// - Throws: ``NetworkError`` for unsupported operators (all at once), values missing or written
  ///   twice, cycles, and nodes whose attributes do not fit.
  /// - Complexity: O(nodes + wires).
  package init(
    _ graph: Graph, catalog: [String: any Operator.Type] = OperatorCatalog.operators
  ) throws {
    try Self.checkOperators(graph, catalog)
    let order = try Self.executionOrder(graph)

    var values: [Value] = []
    var byName: [String: Int] = [:]
    func add(_ name: String, _ source: Value.Source) throws -> Int {
      guard byName[name] == nil else {
        throw NetworkError.malformedGraph("the value '\(name)' is written twice")
      }
      values.append(Value(name: name, source: source))
      byName[name] = values.count - 1
      return values.count - 1
    }

    for (index, port) in graph.inputs.enumerated() where graph.constants[port.name] == nil {
      _ = try add(port.name, .input(index))
    }
    inputs = Array(values.indices)
    for name in graph.constants.keys.sorted() {
      if let tensor = graph.constants[name] { _ = try add(name, .constant(tensor)) }
    }

    var nodes: [Node] = []
    var byNode: [String: Int] = [:]
    for index in order {
      let node = graph.nodes[index]
      let name =
        node.name.isEmpty ? node.outputs.first { !$0.isEmpty } ?? "#\(index)" : node.name
      guard let type = catalog[node.kind] else { continue }
      let operation: any Operator
      do {
        operation = try type.init(NodeReader(node, opset: graph.opset))
      } catch let error as OperatorError {
        throw NetworkError.invalidNode(name: name, kind: node.kind, reason: error.reason)
      }
      let inputs = try node.inputs.map { input -> Int? in
        if input.isEmpty { return nil }
        guard let value = byName[input] else {
          throw NetworkError.malformedGraph(
            "node \(name) reads '\(input)', which nothing writes"
              + (closestName(to: input, among: Array(byName.keys.sorted()))
                .map { "; did you mean '\($0)'?" } ?? ""))
        }
        return value
      }
      let outputs = try node.outputs.enumerated().map { position, output -> Int? in
        output.isEmpty ? nil : try add(output, .node(nodes.count, output: position))
      }
      if let first = outputs.first, let value = first, byNode[name] == nil { byNode[name] = value }
      nodes.append(
        Node(
          name: name, kind: node.kind, operation: operation, inputs: inputs, outputs: outputs))
    }

    outputs = try graph.outputs.map { port in
      guard let value = byName[port.name] else {
        throw NetworkError.malformedGraph("nothing writes the output '\(port.name)'")
      }
      return value
    }
    self.values = values
    self.nodes = nodes
    valueByTensorName = byName
    valueByNodeName = byNode
  }

  /// Returns the value with this tensor name, else the first output of the node with this name.
  package func value(named name: String) throws(NetworkError) -> Int {
    if let value = valueByTensorName[name] ?? valueByNodeName[name] { return value }
    let known = valueByTensorName.keys.sorted() + valueByNodeName.keys.sorted()
    throw .unknownSite(name: name, suggestion: closestName(to: name, among: known))
  }

  /// Whether a node's name finds that node's own first output.
  package func nodeNameIsUnambiguous(_ name: String, value: Int) -> Bool {
    (valueByTensorName[name] ?? valueByNodeName[name]) == value
  }

  /// Returns, for each value, whether it is one of `seeds` or computed from one.
  package func dependents(of seeds: [Int]) -> [Bool] {
    var depends = [Bool](repeating: false, count: values.count)
    for seed in seeds { depends[seed] = true }
    for node in nodes where node.inputs.contains(where: { $0.map { depends[$0] } ?? false }) {
      for case let output? in node.outputs { depends[output] = true }
    }
    return depends
  }

  /// Returns, for each node, whether `targets` cannot be computed without it.
  ///
  /// - Parameter known: Values that need no computing.
  package func nodesNeeded(for targets: [Int], known: (Int) -> Bool) -> [Bool] {
    var needed = [Bool](repeating: false, count: nodes.count)
    var wanted = [Bool](repeating: false, count: values.count)
    for target in targets { wanted[target] = true }
    for index in nodes.indices.reversed() {
      let node = nodes[index]
      guard node.outputs.contains(where: { $0.map { wanted[$0] && !known($0) } ?? false }) else {
        continue
      }
      needed[index] = true
      for case let input? in node.inputs { wanted[input] = true }
    }
    return needed
  }

  // MARK: - Checks

  private static func checkOperators(
    _ graph: Graph, _ catalog: [String: any Operator.Type]
  ) throws(NetworkError) {
    var unsupported: [NetworkError.UnsupportedOperator] = []
    var positions: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated()
    where !(node.domain.isEmpty && catalog[node.kind] != nil) {
      let key = node.domain + "\u{0}" + node.kind
      let first = node.name.isEmpty ? node.outputs.first ?? "#\(index)" : node.name
      if let position = positions[key] {
        let found = unsupported[position]
        unsupported[position] = .init(
          kind: found.kind, domain: found.domain, count: found.count + 1,
          firstNode: found.firstNode)
      } else {
        positions[key] = unsupported.count
        unsupported.append(
          .init(kind: node.kind, domain: node.domain, count: 1, firstNode: first))
      }
    }
    if !unsupported.isEmpty { throw .unsupportedOperators(unsupported, opset: graph.opset) }
  }

  /// Returns node indices such that each comes after those it reads from, keeping the file's order
  /// where that is possible.
  private static func executionOrder(_ graph: Graph) throws(NetworkError) -> [Int] {
    var producer: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs where !output.isEmpty { producer[output] = index }
    }
    var waitingFor = [Int](repeating: 0, count: graph.nodes.count)
    var readers = [[Int]](repeating: [], count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs {
        guard let source = producer[input], graph.constants[input] == nil else { continue }
        waitingFor[index] += 1
        readers[source].append(index)
      }
    }
    // Passes over the file's order: one pass for a sorted file; each pass places at least one node.
    var order: [Int] = []
    order.reserveCapacity(graph.nodes.count)
    var ready = waitingFor.indices.filter { waitingFor[$0] == 0 }
    var isSorted = true
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs {
        if let source = producer[input], source >= index { isSorted = false }
      }
    }
    if isSorted { return Array(graph.nodes.indices) }
    var position = 0
    while position < ready.count {
      let index = ready[position]
      position += 1
      order.append(index)
      for reader in readers[index] {
        waitingFor[reader] -= 1
        if waitingFor[reader] == 0 { ready.append(reader) }
      }
    }
    guard order.count == graph.nodes.count else {
      let cycle = graph.nodes.indices.filter { waitingFor[$0] > 0 }.prefix(5)
        .map { graph.nodes[$0].name.isEmpty ? graph.nodes[$0].kind : graph.nodes[$0].name }
      throw .malformedGraph("it has a cycle through " + cycle.joined(separator: ", "))
    }
    return order
  }
}
