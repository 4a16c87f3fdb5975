internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

/// Lays out the memory of a ``TrainingPlan`` and lists its operations, forwards and backwards.
struct TrainingPlanBuilder {
  let wiring: Wiring
  let types: [ValueType]
  private let graph: TrainingGraph
  private let output: Int
  private let path: DifferentiationPath
  private let needed: [Bool]
  let fusion: TrainingFusion

  private(set) var places = TrainingPlan.Places()
  private(set) var forward: [TrainingPlan.Step] = []
  private(set) var backward: [TrainingPlan.Step] = []

  /// The value whose memory a value shares.
  private var owners: [Int: Int] = [:]
  private var cotangents: [Int: Int] = [:]
  /// Owners whose cotangent some operation has already written.
  private var begun: Set<Int> = []
  /// Operations since the last step of the reference.
  private var operations: [vk_train_op] = []
  private var scratch = 0
  /// What a product's forward and backward pass keep, by node.
  var transposed: [Int: Int] = [:]
  var indices: [Int: Int] = [:]

  init(_ graph: TrainingGraph, _ specialization: Specialization, output: Int) {
    self.graph = graph
    self.output = output
    wiring = specialization.wiring
    types = specialization.types
    path = DifferentiationPath(wiring, from: graph.parameterValues, to: output)
    let targets = [output] + graph.statistics.flatMap { [$0.batchMean, $0.batchVariance] }
    needed = wiring.nodesNeeded(for: targets, known: specialization.isConstant)
    fusion = TrainingFusion(specialization, needed: needed, observed: targets)
  }

  /// Fills ``places``, ``forward`` and ``backward``.
  mutating func build() throws {
    guard types[output].constant == nil, types[output].dataType.isFloatingPoint else {
      throw NetworkError.notDifferentiable(
        "'\(wiring.values[output].name)' does not depend on the parameters")
    }
    for index in wiring.nodes.indices where needed[index] { try addForward(index) }
    forward += takeKernels()
    places.output = place(output)
    places.outputCotangent = cotangentPlace(output)
    begun.insert(owner(output))
    for index in path.nodes.reversed() where needed[index] { try addBackward(index) }
    backward += takeKernels()
    places.gradients = graph.parameterValues.map { value in
      begun.contains(owner(value)) ? cotangentPlace(value) : nil
    }
    for value in wiring.inputs where types[value].dataType.isFloatingPoint { _ = place(value) }
    let scratchPlace = places.size
    places.size += Self.rounded(scratch)
    forward = forward.map { Self.placing($0, scratch: scratchPlace) }
    backward = backward.map { Self.placing($0, scratch: scratchPlace) }
  }

  // MARK: - Nodes

  private mutating func addForward(_ index: Int) throws {
    let node = wiring.nodes[index]
    if fusion.isPartOfAnother[index] { return }
    if let input = alias(node), let output = node.outputs[0] {
      share(output, with: input)
    } else if try addForwardKernel(index) {
      return
    } else {
      forward += takeKernels()
      for case let output? in node.outputs where types[output].dataType.isFloatingPoint {
        _ = place(output)
      }
      forward.append(.evaluate(index))
    }
  }

  private mutating func addBackward(_ index: Int) throws {
    let node = wiring.nodes[index]
    if fusion.isPartOfAnother[index] || alias(node) != nil { return }
    let results = node.outputs.map { $0.map { fusion.result(of: index, $0) } }
    guard results.contains(where: { $0.map { begun.contains(owner($0)) } ?? false }) else { return }
    if try addBackwardKernel(index) { return }
    backward += takeKernels()
    let wanted = node.inputs.map { $0.map(isActive) ?? false }
    var targets: [(place: Int, adds: Bool)?] = []
    for (input, isWanted) in zip(node.inputs, wanted) {
      guard let input, isWanted else {
        targets.append(nil)
        continue
      }
      targets.append((cotangentPlace(input), begun.contains(owner(input))))
      begun.insert(owner(input))
    }
    backward.append(
      .pullback(
        TrainingPlan.Pullback(
          node: index, wanted: wanted,
          cotangents: node.outputs.map {
            $0.flatMap { begun.contains(owner($0)) ? cotangentPlace($0) : nil }
          }, targets: targets)))
  }

  /// Whether a value's cotangent is asked for.
  func isActive(_ value: Int) -> Bool { path.isActive[value] }

  /// Returns the input whose elements a node's output has, in the same order.
  private func alias(_ node: Wiring.Node) -> Int? {
    guard ["Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"].contains(node.kind),
      node.outputs.count == 1, let output = node.outputs[0],
      let first = node.inputs.first, let input = first,
      types[output].dataType.isFloatingPoint, types[input].constant == nil
    else { return nil }
    return input
  }

  // MARK: - Memory

  private static func rounded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  /// Returns a new place of at least `count` floats.
  mutating func reserve(_ count: Int) -> Int {
    defer { places.size += Self.rounded(max(count, 1)) }
    return places.size
  }

  private func owner(_ value: Int) -> Int { owners[value] ?? value }

  /// Lets a value have the memory of another, cotangent included.
  mutating func share(_ value: Int, with other: Int) {
    owners[value] = owner(other)
    places.values[value] = place(other)
  }

  /// Returns where a real value is.
  mutating func place(_ value: Int) -> Int {
    let owner = owner(value)
    if let place = places.values[owner] { return place }
    let place = reserve(types[owner].shape.count)
    places.values[owner] = place
    return place
  }

  /// Returns where a value's cotangent is.
  mutating func cotangentPlace(_ value: Int) -> Int {
    let owner = owner(value)
    if let place = cotangents[owner] { return place }
    let place = reserve(types[owner].shape.count)
    cotangents[owner] = place
    return place
  }

  // MARK: - Operations

  func at(_ place: Int?) -> vk_place {
    vk_place(buffer: place == nil ? -1 : 0, offset: Int64(place ?? 0))
  }

  /// Adds an operation of the pass that is being listed.
  mutating func emit(_ operation: vk_train_op) {
    var operation = operation
    scratch = max(scratch, Int(vk_train_prepare(&operation)))
    operations.append(operation)
  }

  /// Adds an operation that computes a share of a value's cotangent at the place it is told.
  mutating func contribute(to value: Int, _ emitAt: (inout TrainingPlanBuilder, Int) -> Void) {
    let place = cotangentPlace(value)
    if begun.insert(owner(value)).inserted {
      emitAt(&self, place)
      return
    }
    let share = reserve(types[value].shape.count)
    emitAt(&self, share)
    emitSum(place, share, to: place, count: types[value].shape.count)
  }

  /// Adds what is at a place to a value's cotangent.
  mutating func contribute(_ share: Int, to value: Int) {
    let place = cotangentPlace(value)
    let count = types[value].shape.count
    if begun.insert(owner(value)).inserted {
      emitFunction(KernelFunction.identity, from: share, to: place, count: count)
    } else {
      emitSum(place, share, to: place, count: count)
    }
  }

  mutating func emitSum(_ first: Int, _ second: Int, to target: Int, count: Int) {
    var operation = vk_train_op()
    operation.kind = VK_TRAIN_ADD
    operation.as.elements.input = at(first)
    operation.as.elements.second = at(second)
    operation.as.elements.output = at(target)
    operation.as.elements.count = Int64(count)
    emit(operation)
  }

  /// Applies a function, or multiplies with its derivative at `point`.
  mutating func emitFunction(
    _ function: KernelFunction, from source: Int, point: Int? = nil, to target: Int, count: Int
  ) {
    var operation = vk_train_op()
    operation.kind = point == nil ? VK_TRAIN_UNARY : VK_TRAIN_UNARY_BACKWARD
    operation.as.elements.input = at(source)
    operation.as.elements.second = at(point)
    operation.as.elements.output = at(target)
    operation.as.elements.count = Int64(count)
    operation.as.elements.function = function.function
    operation.as.elements.alpha = function.alpha
    operation.as.elements.beta = function.beta
    emit(operation)
  }

  /// Returns the operations listed since the last step of the reference as a step.
  private mutating func takeKernels() -> [TrainingPlan.Step] {
    defer { operations = [] }
    return operations.isEmpty ? [] : [.kernels(operations)]
  }

  /// Tells convolutions where their scratch memory is.
  private static func placing(_ step: TrainingPlan.Step, scratch: Int) -> TrainingPlan.Step {
    guard case .kernels(let operations) = step else { return step }
    return .kernels(
      operations.map { operation in
        guard
          [VK_TRAIN_CONVOLUTION, VK_TRAIN_CONVOLUTION_INPUT, VK_TRAIN_CONVOLUTION_WEIGHT]
            .contains(operation.kind)
        else { return operation }
        var placed = operation
        placed.as.convolution.scratch = vk_place(buffer: 0, offset: Int64(scratch))
        return placed
      })
  }
}
