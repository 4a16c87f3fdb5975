internal import VitrineCore
package import VitrineTensor

/// Computes parameter gradients of one training step after another.
///
/// It keeps what it has prepared for the shapes of a batch; one engine serves one thread at a time.
package final class TrainingEngine {
  /// What a step learns from a batch, besides the loss.
  package struct Step {
    /// One per parameter, in the order of ``TrainingGraph/parameters``.
    package let gradients: [Tensor]
    /// One per entry of ``TrainingGraph/statistics``.
    package let statistics: [BatchStatistics]
  }

  /// What a batch normalisation saw.
  package struct BatchStatistics {
    /// Shape `[channel]`.
    package let mean: Tensor
    /// Mean squared distance from the mean, shape `[channel]`.
    package let variance: Tensor
    /// Values per channel.
    package let count: Int
  }

  package let graph: TrainingGraph
  private let output: Int
  private let configuration: Network.Configuration
  private let memoryLimit: Int
  private var prepared: [[[Int]]: any TrainingExecutor] = [:]

  /// Prepares steps whose loss is a function of one value.
  ///
  /// - Parameters:
  ///   - graph: Of the network and its parameters.
  ///   - output: Name of the value that the loss looks at.
  ///   - configuration: Precision, threads and memory.
  /// - Throws: ``NetworkError/unknownSite(name:suggestion:)``.
  package init(
    _ graph: TrainingGraph, output: String, configuration: Network.Configuration
  ) throws {
    self.graph = graph
    self.output = try graph.wiring.value(named: output)
    self.configuration = configuration
    memoryLimit = configuration.memoryLimit ?? EngineCache.defaultMemoryLimit
  }

  /// The type of parameters, gradients and the loss.
  package var realType: DataType { configuration.precision == .double ? .float64 : .float32 }

  /// Runs a batch forwards and backwards.
  ///
  /// - Parameters:
  ///   - inputs: One per input of the network, samples along the first axis.
  ///   - parameters: In the order of ``TrainingGraph/parameters``, of type ``realType``.
  ///   - seed: Decides what dropout drops.
  ///   - loss: Is told the output and returns the derivative of the loss with respect to it.
  /// - Throws: ``NetworkError`` if an input does not fit; what `loss` throws.
  /// - Complexity: One forward and one backward pass.
  package func step(
    inputs: [Tensor], parameters: [Tensor], seed: UInt64, loss: (Tensor) throws -> Tensor
  ) throws -> Step {
    var arguments = try checked(inputs)
    let executor = try executor(for: arguments)
    arguments += parameters
    for index in 0..<graph.dropouts {
      arguments.append(Tensor([Int64(bitPattern: seed), Int64(index)]))
    }
    return try executor.step(arguments, loss: loss)
  }

  private func executor(for inputs: [Tensor]) throws -> any TrainingExecutor {
    let key = inputs.map(\.shape.dimensions)
    if let found = prepared[key] { return found }
    let made = try makeExecutor(inputs)
    // Full batches and the rest at the end of an epoch; more shapes come one after the other.
    if prepared.count >= 4 { prepared.removeAll() }
    prepared[key] = made
    return made
  }

  private func makeExecutor(_ inputs: [Tensor]) throws -> any TrainingExecutor {
    var types: [(shape: Shape, dataType: DataType)] = inputs.map {
      ($0.shape, $0.dataType.isFloatingPoint ? .float32 : $0.dataType)
    }
    types += graph.parameterShapes.map { ($0, .float32) }
    for _ in 0..<graph.dropouts { types.append((try Shape([2]), .int64)) }
    if configuration.precision == .double {
      let specialization = try Specialization(
        graph.wiring, inputs: types, real: Double.self, memoryLimit: memoryLimit)
      return ReferenceTraining<Double>(
        graph, specialization, output: output, memoryLimit: memoryLimit)
    }
    let specialization = try Specialization(
      graph.wiring, inputs: types, real: Float.self, memoryLimit: memoryLimit)
    if configuration.precision == .exact {
      return ReferenceTraining<Float>(
        graph, specialization, output: output, memoryLimit: memoryLimit)
    }
    return try TrainingPlan(
      graph, specialization, output: output,
      threads: max(1, configuration.threads ?? Machine.threads), memoryLimit: memoryLimit)
  }

  /// Returns the inputs in the types of the run.
  private func checked(_ inputs: [Tensor]) throws -> [Tensor] {
    guard inputs.count == graph.inputs.count else {
      throw NetworkError.invalidInput(
        name: graph.inputs.first?.name ?? "", expected: "\(graph.inputs.count) input tensors",
        found: "\(inputs.count)")
    }
    return try zip(inputs, graph.inputs).map { tensor, port in
      guard port.accepts(tensor), tensor.shape.dimensions.first != 0 else {
        throw NetworkError.invalidInput(
          name: port.name, expected: "samples of \(port.dataType) \(port.shapeDescription)",
          found: "\(tensor.dataType) \(tensor.shape)")
      }
      return tensor.converted(to: port.dataType.isFloatingPoint ? realType : port.dataType)
    }
  }
}

/// Runs training steps for inputs of certain shapes.
protocol TrainingExecutor {
  /// Returns gradients and batch statistics.
  ///
  /// - Parameter arguments: One per input of the training graph's wiring.
  func step(_ arguments: [Tensor], loss: (Tensor) throws -> Tensor) throws -> TrainingEngine.Step
}

/// Training operator by operator with the reference implementations.
struct ReferenceTraining<T: RealScalar>: TrainingExecutor {
  private let graph: TrainingGraph
  private let specialization: Specialization
  private let executor: ReferenceExecutor<T>
  private let output: Int

  init(
    _ graph: TrainingGraph, _ specialization: Specialization, output: Int, memoryLimit: Int
  ) {
    self.graph = graph
    self.specialization = specialization
    self.output = output
    executor = ReferenceExecutor(specialization, memoryLimit: memoryLimit)
  }

  func step(_ arguments: [Tensor], loss: (Tensor) throws -> Tensor) throws -> TrainingEngine.Step {
    let path = DifferentiationPath(graph.wiring, from: graph.parameterValues, to: output)
    let rules = try RuleTable(.gradient, graph.wiring, path: path)
    let observed = graph.statistics.flatMap { [$0.batchMean, $0.batchVariance] }
    let (values, gradients) = try executor.gradients(
      of: output, withRespectTo: graph.parameterValues, observing: observed, inputs: arguments,
      rules: rules
    ) { [try loss($0)] }
    return TrainingEngine.Step(
      gradients: gradients[0],
      statistics: graph.statistics.enumerated().map { index, statistics in
        let mean = values[2 * index]
        return TrainingEngine.BatchStatistics(
          mean: mean, variance: values[2 * index + 1],
          count: specialization.types[statistics.input].shape.count / max(1, mean.count))
      })
  }
}

extension Graph.Port {
  /// Whether a tensor fits but for the number of samples.
  fileprivate func accepts(_ tensor: Tensor) -> Bool {
    guard tensor.dataType.isFloatingPoint || !dataType.isFloatingPoint else { return false }
    guard let dimensions else { return true }
    return tensor.rank == dimensions.count
      && zip(tensor.shape.dimensions, dimensions).dropFirst().allSatisfy { extent, dimension in
        if case .fixed(let fixed) = dimension { return extent == fixed }
        return true
      }
  }

  fileprivate var shapeDescription: String {
    guard let dimensions else { return "of any shape" }
    let parts = dimensions.enumerated().map { axis, dimension in
      if case .fixed(let extent) = dimension, axis > 0 { return "\(extent)" }
      return axis == 0 ? "N" : "?"
    }
    return "[" + parts.joined(separator: ", ") + "]"
  }
}
