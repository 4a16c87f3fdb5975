import VitrineCore
public import VitrineNetwork
public import VitrineTensor

/// Trains a network: it holds the parameters that change, and gives a `Network` of them at any time.
///
///     var trainer = try Trainer(network, loss: .crossEntropy(), optimizer: .adam(), metrics: [.accuracy])
///     let history = try trainer.fit(digits, validation: others, epochs: 10, batchSize: 64)
///     let trained = trainer.network
///
/// Training takes the precision and the threads of the network's configuration. Everything random comes
/// from the seed, and results are the same bit for bit for any number of threads. While training, batch
/// normalisation uses the statistics of the batch, unless neither its scale nor its bias is trained, and
/// dropout drops; the networks it gives never do.
public struct Trainer {
  /// What is made small.
  public let loss: any Loss
  /// How parameters change.
  public var optimizer: Optimizer
  /// Of the learning rate.
  public var schedule: Schedule = .constant
  /// Whether gradients are limited.
  public var clipping: Clipping?
  /// Whether training ends when nothing improves.
  public var earlyStopping: EarlyStopping?
  /// Whether and when the state is written to a file.
  public var checkpoint: Checkpointing?
  /// Measured beside the loss.
  public let metrics: Set<Metric>
  /// Of everything random.
  public let seed: UInt64
  /// Of all epochs since the beginning of the run.
  public internal(set) var history = History()

  let template: Network
  let graph: TrainingGraph
  /// Name of the value that the loss reads, and its site in networks.
  let output: Site
  var parameters: [Tensor]
  /// Mean and variance of each batch normalisation, in turn.
  var statistics: [Tensor]
  var state: OptimizerState
  var position = Position()
  var plateau = Plateau()
  var best: BestEpoch?
  var epochsWithoutBetter = 0

  /// How far a run has come.
  struct Position: Hashable {
    /// Complete epochs.
    var epoch = 0
    /// Complete batches of the epoch after them.
    var batch = 0
    var sums = EvaluationSums()
    /// Of the run; 0 before the first batch.
    var samples = 0
    var batchSize = 0
  }

  /// Prepares the training of a network.
  ///
  /// - Parameters:
  ///   - network: Where training starts; also one read from a file, which is fine-tuned then.
  ///   - loss: Such as ``Loss/crossEntropy(smoothing:classWeights:)``.
  ///   - optimizer: Such as ``Optimizer/adam(learningRate:meanDecay:varianceDecay:epsilon:weightDecay:)``.
  ///   - metrics: Measured beside the loss.
  ///   - seed: Of everything random.
  ///   - output: Name of the output that is trained, if there are several; the first by default.
  ///   - isTrainable: Whether the real constant of this name is trained; by default those that
  ///     `Graph.trainableParameters` lists.
  /// - Throws: ``TrainingError``; `NetworkError` if the network cannot be trained.
  public init(
    _ network: Network, loss: some Loss, optimizer: Optimizer, metrics: Set<Metric> = [],
    seed: UInt64 = 0, output: String? = nil, trainable isTrainable: ((String) -> Bool)? = nil
  ) throws {
    try optimizer.check()
    self.loss = loss
    self.optimizer = optimizer
    self.metrics = metrics
    self.seed = seed
    template = network
    let names = Self.parameters(of: network.graph, isTrainable)
    guard !names.isEmpty else {
      throw TrainingError.noParameters(
        "no constant of the network is a weight, or the filter leaves none")
    }
    graph = try TrainingGraph(network.graph, trainable: Set(names))
    guard let name = output ?? network.signature.outputs.first?.name,
      network.signature.outputs.contains(where: { $0.name == name })
    else {
      throw TrainingError.invalidSetting(
        name: "output",
        expected: "one of " + network.signature.outputs.map(\.name).joined(separator: ", "),
        found: output ?? "none")
    }
    self.output =
      (loss.readsLogits ? network.site(of: .logit, output: name) : nil) ?? .output(name)
    let type: DataType = network.configuration.precision == .double ? .float64 : .float32
    func constants(_ names: [String]) -> [Tensor] {
      names.compactMap { network.graph.constants[$0]?.converted(to: type) }
    }
    parameters = constants(graph.parameters)
    statistics = constants(graph.statistics.flatMap { [$0.mean, $0.variance] })
    state = OptimizerState(optimizer, parameters: parameters)
  }

  /// Names of the parameters that are trained, ascending.
  public var parameterNames: [String] { graph.parameters }

  /// The parameters and running statistics of now by name, in the precision of the training.
  public var values: [String: Tensor] {
    var values = Dictionary(uniqueKeysWithValues: zip(graph.parameters, parameters))
    for (index, pair) in graph.statistics.enumerated() {
      values[pair.mean] = statistics[2 * index]
      values[pair.variance] = statistics[2 * index + 1]
    }
    return values
  }

  /// Number of trained elements.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

  /// The network with the parameters of now.
  ///
  /// It does not change when training goes on, and evaluates and explains as in inference.
  ///
  /// - Complexity: O(nodes + parameters).
  public var network: Network {
    do {
      return try snapshot()
    } catch {
      preconditionFailure("a network stays well formed when its weights change: \(error)")
    }
  }

  func snapshot() throws -> Network {
    var updated = template.graph
    func set(_ name: String, _ tensor: Tensor) {
      guard let old = updated.constants[name] else { return }
      updated.constants[name] = tensor.converted(to: old.dataType)
    }
    for (name, tensor) in zip(graph.parameters, parameters) { set(name, tensor) }
    for (index, pair) in graph.statistics.enumerated() {
      set(pair.mean, statistics[2 * index])
      set(pair.variance, statistics[2 * index + 1])
    }
    return try Network(updated, configuration: template.configuration)
  }

  private static func parameters(
    of graph: Graph, _ isTrainable: ((String) -> Bool)?
  ) -> [String] {
    guard let isTrainable else { return graph.trainableParameters }
    let statistics = Set(
      graph.nodes.filter { $0.kind == "BatchNormalization" }.flatMap { $0.inputs.dropFirst(3) })
    return graph.constants.compactMap { name, tensor in
      tensor.dataType.isFloatingPoint && tensor.rank > 0 && !statistics.contains(name)
        && isTrainable(name) ? name : nil
    }
  }
}
