internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

/// Training steps in float32 for inputs of certain shapes: kernels on one block of memory, and reference
/// operators where there are no kernels.
///
/// Every value and every cotangent has a place in the memory; what an operator needs is copied to a
/// tensor for the reference, and its results are copied back.
final class TrainingPlan: TrainingExecutor {
  enum Step {
    case kernels([vk_train_op])
    /// Node by its index.
    case evaluate(Int)
    case pullback(Pullback)
  }

  /// A node that the reference differentiates.
  struct Pullback {
    let node: Int
    let wanted: [Bool]
    /// For each output where its cotangent is, `nil` for zero.
    let cotangents: [Int?]
    /// For each input where its share goes, and whether it is added to what is there.
    let targets: [(place: Int, adds: Bool)?]
  }

  /// Where everything is, in floats from the beginning of the memory.
  struct Places {
    var values: [Int: Int] = [:]
    /// Of the parameters; `nil` where the loss does not depend on one.
    var gradients: [Int?] = []
    var output = 0
    var outputCotangent = 0
    var size = 0
  }

  private let graph: TrainingGraph
  private let specialization: Specialization
  private let output: Int
  private let threads: Int
  private let places: Places
  private let forward: [Step]
  private let backward: [Step]
  private let memory: TrainingMemory

  /// Plans a step.
  ///
  /// - Throws: ``NetworkError/memoryLimit(needed:limit:what:)`` if values and cotangents do not fit.
  init(
    _ graph: TrainingGraph, _ specialization: Specialization, output: Int, threads: Int,
    memoryLimit: Int
  ) throws {
    var builder = TrainingPlanBuilder(graph, specialization, output: output)
    try builder.build()
    self.graph = graph
    self.specialization = specialization
    self.output = output
    self.threads = threads
    places = builder.places
    forward = builder.forward
    backward = builder.backward
    guard places.size <= memoryLimit / 4 else {
      throw NetworkError.memoryLimit(
        needed: places.size * 4, limit: memoryLimit,
        what:
          "a training step with \(specialization.types[output].shape.dimensions.first ?? 1) samples"
      )
    }
    memory = TrainingMemory(count: places.size)
    for (value, place) in places.values {
      if let constant = specialization.types[value].constant {
        try memory.write(constant, at: place)
      }
    }
  }

  func step(_ arguments: [Tensor], loss: (Tensor) throws -> Tensor) throws -> TrainingEngine.Step {
    var others: [Int: Tensor] = [:]
    for (value, tensor) in zip(specialization.wiring.inputs, arguments) {
      if let place = places.values[value] {
        try memory.write(tensor, at: place)
      } else {
        others[value] = tensor
      }
    }
    for step in forward { try run(step, &others) }
    let cotangent = try loss(read(output, at: places.output))
    try memory.write(cotangent, at: places.outputCotangent)
    for step in backward { try run(step, &others) }
    return TrainingEngine.Step(
      gradients: zip(places.gradients, graph.parameterShapes).map { place, shape in
        place.map { memory.read(shape, at: $0) } ?? Tensor(zeros: shape)
      },
      statistics: try graph.statistics.map { statistics in
        let mean = try value(statistics.batchMean, others)
        return TrainingEngine.BatchStatistics(
          mean: mean, variance: try value(statistics.batchVariance, others),
          count: specialization.types[statistics.input].shape.count / max(1, mean.count))
      })
  }

  // MARK: - Steps

  private func run(_ step: Step, _ others: inout [Int: Tensor]) throws {
    switch step {
    case .kernels(let operations):
      memory.run(operations, threads: threads)
    case .evaluate(let index):
      let node = specialization.wiring.nodes[index]
      let arguments = try node.inputs.map { try $0.map { try value($0, others) } }
      let results = try named(node) { try node.operation.evaluate(arguments, Float.self) }
      for case (let output?, let result) in zip(node.outputs, results) {
        if let place = places.values[output] {
          try memory.write(result, at: place)
        } else {
          others[output] = result
        }
      }
    case .pullback(let pullback):
      try run(pullback, others)
    }
  }

  private func run(_ pullback: Pullback, _ others: [Int: Tensor]) throws {
    let node = specialization.wiring.nodes[pullback.node]
    let cotangents = zip(node.outputs, pullback.cotangents).map { output, place -> Tensor? in
      guard let output, let place else { return nil }
      return memory.read(specialization.types[output].shape, at: place)
    }
    let point = Point(
      inputs: try node.inputs.map { try $0.map { try value($0, others) } },
      outputs: try node.outputs.compactMap { try $0.map { try value($0, others) } },
      wanted: pullback.wanted)
    let results = try named(node) {
      try node.operation.pullback(cotangents, at: point, Float.self)
    }
    for (index, target) in pullback.targets.enumerated() {
      guard let target else { continue }
      if let result = results[index] {
        try memory.write(result, at: target.place, adds: target.adds)
      } else if !target.adds, let input = node.inputs[index] {
        memory.clear(specialization.types[input].shape, at: target.place)
      }
    }
  }

  private func value(_ value: Int, _ others: [Int: Tensor]) throws -> Tensor {
    if let constant = specialization.types[value].constant { return constant }
    if let place = places.values[value] { return read(value, at: place) }
    if let tensor = others[value] { return tensor }
    throw NetworkError.malformedGraph(
      "'\(specialization.wiring.values[value].name)' was not computed")
  }

  private func read(_ value: Int, at place: Int) -> Tensor {
    memory.read(specialization.types[value].shape, at: place)
  }

  private func named<Result>(_ node: Wiring.Node, _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as OperatorError {
      throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.reason)
    } catch let error as TensorError {
      throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.description)
    }
  }
}
