public import VitrineCore
public import VitrineTensor

/// A network that can be run and differentiated at any site: immutable and thread-safe.
///
/// A plan is made for each combination of input shapes and sites when it is first asked for, and kept.
public struct Network: Differentiable {
  /// How numbers are computed.
  public enum Precision: String, Sendable, Hashable, CaseIterable {
    /// float32, fast.
    case single
    /// float32 with long sums split, so that rounding stays near one unit in the last place.
    case exact
    /// float64, the reference.
    case double
  }

  /// What a network may use.
  public struct Configuration: Sendable, Hashable {
    /// How numbers are computed.
    public var precision: Precision
    /// Threads for one call; `nil` for all cores.
    public var threads: Int?
    /// Bytes that one call may use for activations; `nil` for 70 % of the machine's memory.
    public var memoryLimit: Int?
    /// Bytes of values and weights that stay in the processor's last cache; plans cut batches by it.
    package var cacheBytes = BatchSchedule.cacheBytes

    /// Creates a configuration.
    public init(precision: Precision = .single, threads: Int? = nil, memoryLimit: Int? = nil) {
      self.precision = precision
      self.threads = threads
      self.memoryLimit = memoryLimit
    }
  }

  /// What it was made from.
  public let graph: Graph
  /// How it computes, and what it may use.
  public let configuration: Configuration
  public let signature: Signature
  public let layers: [Layer]
  let wiring: Wiring
  let engines: EngineCache
  private let scores: [String: OutputScores]

  /// Checks a graph and prepares it.
  ///
  /// - Throws: ``NetworkError`` if an operator is not supported (all are named at once), the graph is
  ///   malformed, or a node's attributes or shapes do not fit.
  /// - Complexity: O(nodes); constants are not copied.
  public init(_ graph: Graph, configuration: Configuration = Configuration()) throws {
    self.graph = graph
    self.configuration = configuration
    let wiring = try Wiring(graph)
    self.wiring = wiring
    let inputs = graph.inputs.filter { graph.constants[$0.name] == nil }
    engines = EngineCache(wiring, configuration: configuration)
    let sample = try engines.sampleTypes(of: inputs)
    signature = Signature(
      inputs: inputs.enumerated().map { index, port in
        describe(port, sample: sample?[wiring.inputs[index]], isInput: true)
      },
      outputs: graph.outputs.enumerated().map { index, port in
        describe(port, sample: sample?[wiring.outputs[index]], isInput: false)
      })
    layers = wiring.layers(types: sample)
    scores = wiring.outputScores()
  }

  /// Size of the largest arena that a plan has needed so far: values between operators, masks and scratch memory, in
  /// bytes. 0 where only reference implementations ran.
  package var workingByteCount: Int { engines.workingByteCount }

  /// Number of elements of all real constants that are not single numbers: weights and biases.
  public var parameterCount: Int {
    graph.parameters.values.reduce(0) { $0 + $1.count }
  }

  /// Returns multiplications with addition for one sample, of convolutions, matrix products and
  /// recurrent layers; `nil` if shapes are not known before the network is called.
  public func multiplyAdds() -> Int? {
    guard let types = try? engines.sampleTypes(of: inputPorts) else { return nil }
    return wiring.multiplyAdds(types)
  }

  public func site(of score: Score, output: String) -> Site? {
    guard let found = scores[output] else { return score == .logit ? .output(output) : nil }
    return score == .logit ? .layer(found.logit) : found.probability.map { .output($0) }
  }

  // MARK: - Model

  /// Also where the file fixes one sample: a call runs a batch whole if the graph keeps samples apart,
  /// else sample by sample.
  public var takesBatches: Bool {
    signature.inputs.allSatisfy { $0.batchAxis == 0 && ($0.dimensions[0] ?? 1) == 1 }
  }

  public func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    let targets = try sites.map(value)
    let call = try Call(inputs, network: self)
    let parts = try call.chunks { engine, tensors, _ in
      try engine.evaluate(targets, inputs: tensors)
    }
    let depends = wiring.dependents(of: wiring.inputs)
    return try targets.indices.map { index in
      // What no input changes is the same in every part.
      try depends[targets[index]] ? joined(parts.map { $0[index] }) : parts[0][index]
    }
  }

  // MARK: - Differentiable

  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    try gradients(
      of: objective, withRespectTo: sites, at: inputs, rules: rules, observing: [])
  }

  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules,
    observing observed: [Site]
  ) throws -> Gradients {
    let targets = try observed.map(value)
    let problem = try Problem(objective.site, sites, rules, network: self)
    let call = try Call(inputs, network: self)
    let parts = try call.chunks { engine, tensors, samples in
      let shape = try problem.differentiableShape(engine)
      let chunk = try objective.restricted(to: samples, of: call.samples)
      let result = try engine.gradients(
        of: problem.source,
        channels: targets.contains(problem.source) ? nil : chunk.channels(of: shape),
        withRespectTo: problem.sites, observing: [problem.source] + targets, inputs: tensors,
        rules: problem.rules,
        cotangents: [try chunk.cotangent(for: shape, engine.realType)])
      return (
        values: try chunk.values(of: result.values[0]), gradients: result.gradients[0],
        observed: Array(result.values.dropFirst())
      )
    }
    let depends = wiring.dependents(of: wiring.inputs)
    return Gradients(
      values: parts.flatMap(\.values),
      tensors: try sites.indices.map { index in try joined(parts.map { $0.gradients[index] }) },
      applications: problem.rules.applications,
      observed: try targets.indices.map { index in
        // What no input changes is the same in every part.
        try depends[targets[index]]
          ? joined(parts.map { $0.observed[index] }) : parts[0].observed[index]
      })
  }

  public func jacobian(
    of output: Site, elements: [Int]?, withRespectTo sites: [Site], at inputs: Inputs,
    rules: BackwardRules, context: Context
  ) throws -> Jacobian {
    let problem = try Problem(output, sites, rules, network: self)
    let call = try Call(inputs, network: self)
    let parts = try call.chunks { engine, tensors, samples in
      let shape = try problem.differentiableShape(engine)
      let count = samples.count > 0 ? shape.count / samples.count : 0
      let elements = elements ?? Array(0..<count)
      var values: [Tensor] = []
      var rows: [[Tensor]] = []
      // Chunks of elements share one forward pass each; memory stays bounded.
      let limit = engine.cotangentLimit(samples: samples.count)
      for start in stride(from: 0, to: elements.count, by: limit) {
        try context.checkCancellation()
        let chunk = elements[start..<min(start + limit, elements.count)]
        let result = try engine.gradients(
          of: problem.source, withRespectTo: problem.sites, observing: [problem.source],
          inputs: tensors, rules: problem.rules,
          cotangents: try chunk.map {
            try Objective(output, .elements([$0])).cotangent(for: shape, engine.realType)
          })
        rows += result.gradients
        values = result.values
        context.progress(rows.count, of: elements.count, "outputs")
      }
      let picked = try values.first.map { value in
        try stacked(elements.map { try column($0, of: value) }, samples: samples.count)
      }
      return (
        values: picked,
        rows: try sites.indices.map { site in
          try stacked(rows.map { $0[site] }, samples: samples.count)
        }
      )
    }
    return Jacobian(
      values: try joined(parts.compactMap(\.values)),
      tensors: try sites.indices.map { index in try joined(parts.map { $0.rows[index] }) },
      applications: problem.rules.applications)
  }

  // MARK: - Sites

  /// Returns the number of the value at a site.
  func value(_ site: Site) throws -> Int {
    switch site {
    case .input(let name):
      guard let index = inputPorts.firstIndex(where: { $0.name == name }) else {
        throw unknown(name, among: inputPorts.map(\.name))
      }
      return wiring.inputs[index]
    case .output(let name):
      guard let index = graph.outputs.firstIndex(where: { $0.name == name }) else {
        throw unknown(name, among: graph.outputs.map(\.name))
      }
      return wiring.outputs[index]
    case .layer(let name): return try wiring.value(named: name)
    }
  }

  var inputPorts: [Graph.Port] { graph.inputs.filter { graph.constants[$0.name] == nil } }

  private func unknown(_ name: String, among names: [String]) -> NetworkError {
    .unknownSite(name: name, suggestion: closestName(to: name, among: names))
  }
}

/// What is differentiated with respect to what.
struct Problem {
  let source: Int
  let sites: [Int]
  let rules: RuleTable
  private let name: String

  init(_ source: Site, _ sites: [Site], _ rules: BackwardRules, network: Network) throws {
    self.source = try network.value(source)
    self.sites = try sites.map(network.value)
    let path = DifferentiationPath(network.wiring, from: self.sites, to: self.source)
    for (site, value) in zip(sites, self.sites) {
      if case .input(let name) = site,
        let port = network.inputPorts.first(where: { $0.name == name }),
        !port.dataType.isFloatingPoint
      {
        throw NetworkError.notDifferentiable(
          "input '\(name)' holds integers; differentiate with respect to the output of its embedding"
            + (network.embedding(of: value).map { ", layer '\($0)'" } ?? ""))
      }
      guard path.isActive[value] else {
        throw NetworkError.notDifferentiable("\(source) does not depend on \(site)")
      }
    }
    self.rules = try RuleTable(rules, network.wiring, path: path)
    self.name = source.name
  }

  /// Returns the source's shape.
  ///
  /// - Throws: ``NetworkError/notDifferentiable(_:)`` if it holds integers or truth values.
  func differentiableShape(_ engine: PreparedEngine) throws -> Shape {
    let type = engine.dataType(of: source)
    guard type.isFloatingPoint else {
      throw NetworkError.notDifferentiable(
        "'\(name)' holds \(type) elements, which do not change smoothly; explain a value it is "
          + "computed from")
    }
    return try engine.shape(of: source)
  }
}

extension Network {
  /// Returns the name of the first Gather that an integer input indexes.
  public func embedding(of input: String) -> String? {
    (try? value(.input(input))).flatMap { embedding(of: $0) }
  }

  fileprivate func embedding(of value: Int) -> String? {
    let depends = wiring.dependents(of: [value])
    return wiring.nodes.first {
      $0.kind == "Gather" && $0.inputs.count > 1 && ($0.inputs[1].map { depends[$0] } ?? false)
    }?.name
  }
}
