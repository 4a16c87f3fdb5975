package import VitrineCore
internal import VitrineTensor

/// The part of a graph that a backward pass goes through.
package struct DifferentiationPath: Sendable {
  /// Node indices between the sites and the source, in execution order.
  package let nodes: [Int]
  /// For each value, whether it is a site or depends on one, and the source depends on it.
  package let isActive: [Bool]

  package init(_ wiring: Wiring, from sites: [Int], to source: Int) {
    let depends = wiring.dependents(of: sites)
    var leads = [Bool](repeating: false, count: wiring.values.count)
    leads[source] = true
    var nodes: [Int] = []
    for index in wiring.nodes.indices.reversed() {
      let node = wiring.nodes[index]
      guard node.outputs.contains(where: { $0.map { leads[$0] && depends[$0] } ?? false }) else {
        continue
      }
      // A site's own producer is passed only if something before it is a site too.
      guard node.inputs.contains(where: { $0.map { depends[$0] } ?? false }) else { continue }
      nodes.append(index)
      for case let input? in node.inputs { leads[input] = true }
    }
    self.nodes = nodes.reversed()
    isActive = zip(depends, leads).map { $0 && $1 }
  }
}

/// The backward rule of each node.
package struct RuleTable: Sendable, Hashable {
  private let rules: [BackwardRule]
  /// Where rules other than the gradient apply, on the path they were made for.
  package let applications: [RuleApplication]

  /// Assigns rules to the nodes of a path.
  ///
  /// - Throws: ``NetworkError/ruleNotApplicable(rule:node:kind:)`` before anything runs.
  package init(_ rules: BackwardRules, _ wiring: Wiring, path: DifferentiationPath) throws {
    for assignment in rules.assignments {
      if case .layer(let name) = assignment.selector { _ = try wiring.value(named: name) }
    }
    var table = [BackwardRule](repeating: .gradient, count: wiring.nodes.count)
    var applications: [RuleApplication] = []
    for index in path.nodes {
      let node = wiring.nodes[index]
      let rule = rules.rule(forLayer: node.name, kind: node.kind)
      guard rule != .gradient else { continue }
      guard node.operation.backwardRules.contains(rule) else {
        throw NetworkError.ruleNotApplicable(
          rule: rule.identifier, node: node.name, kind: node.kind)
      }
      table[index] = rule
      applications.append(RuleApplication(rule: rule, layer: node.name))
    }
    self.rules = table
    self.applications = applications
  }

  package subscript(_ node: Int) -> BackwardRule { rules[node] }
}
