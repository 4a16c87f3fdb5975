internal import Synchronization
internal import VitrineTensor

/// Runs and differentiates a specialised graph in float32 with plans, one for each request.
final class PlannedExecutor: Engine {
  private let specialization: Specialization
  private let constants: PackedConstants
  private let threads: Int
  private let memoryLimit: Int
  private let isExact: Bool
  private let stopwatch: Stopwatch
  private let plans = Mutex<[PlanRequest: (plan: Plan, results: [Int])]>([:])

  init(
    _ specialization: Specialization, constants: PackedConstants, threads: Int, memoryLimit: Int,
    isExact: Bool, stopwatch: Stopwatch
  ) {
    self.stopwatch = stopwatch
    self.memoryLimit = memoryLimit
    self.specialization = specialization
    self.constants = constants
    self.threads = threads
    self.isExact = isExact
  }

  func evaluate(_ targets: [Int], inputs: [Tensor]) throws -> [Tensor] {
    let (plan, results) = try plan(PlanRequest(targets: targets))
    let slots = try plan.run(inputs, log: stopwatch.log)
    return results.compactMap { slots[$0] }
  }

  func gradients(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], observing targets: [Int],
    inputs: [Tensor], rules: RuleTable, cotangents: [Tensor]
  ) throws -> (values: [Tensor], gradients: [[Tensor]]) {
    let (plan, results) = try plan(
      PlanRequest(
        targets: targets, source: source, sites: sites, rules: rules,
        cotangents: cotangents.count, channels: channels))
    let slots = try plan.run(
      inputs + [try joined(cotangents.map(row))], log: stopwatch.log)
    let tensors = results.compactMap { slots[$0] }
    let gradients = try cotangents.indices.map { k in
      try zip(sites, tensors.dropFirst(targets.count)).map { site, all in
        try part(k, of: cotangents.count, in: all, shape: specialization.types[site].shape)
      }
    }
    return (Array(tensors.prefix(targets.count)), gradients)
  }

  func summation(_ terms: GradientTerms) throws -> GradientSummation? {
    let request = PlanRequest(
      targets: [], source: terms.source, cotangents: 1, channels: terms.channels,
      lines: terms.lines.map(\.value),
      sums: terms.sums)
    let (plan, results) = try plan(request)
    return try GradientSummation(plan, request, terms, results: results, log: stopwatch.log)
  }

  func coveredEvaluation(
    of target: Int, channels: Set<Int>?, covering input: Int, _ covered: ChangedRegion
  ) throws -> CoveredEvaluation? {
    let builder = try PlanBuilder(
      specialization, PlanRequest(targets: [target], channels: channels), constants: constants,
      isExact: isExact,
      threads: threads, memoryLimit: memoryLimit)
    builder.covering = Covering(input, covered)
    guard builder.chooseRegions() else { return nil }
    let (plan, results) = try builder.plan()
    guard let covering = builder.covering else { return nil }
    return CoveredEvaluation(plan, covering, result: results[0], log: stopwatch.log)
  }

  /// Tangents are carried by the operators' reference implementations: no plan has them.
  func pushforward(
    of target: Int, along tangents: [[Int: Tensor]], inputs: [Tensor],
    checkpoint: (Int) throws -> Void
  ) throws -> [Tensor] {
    try ReferenceExecutor<Float>(specialization, memoryLimit: memoryLimit)
      .pushforward(of: target, along: tangents, inputs: inputs, checkpoint: checkpoint)
  }

  private func plan(_ request: PlanRequest) throws -> (plan: Plan, results: [Int]) {
    if let found = plans.withLock({ $0[request] }) { return found }
    let builder = try PlanBuilder(
      specialization, request, constants: constants, isExact: isExact, threads: threads,
      memoryLimit: memoryLimit)
    let made = try builder.plan()
    plans.withLock { cache in
      // Callers with ever new sites must not fill the memory with plans.
      if cache.count >= 64 { cache.removeAll() }
      cache[request] = made
    }
    return made
  }
}
