internal import Synchronization
internal import VitrineTensor

/// Runs and differentiates a specialised graph in float32 with plans, one for each request.
final class PlannedExecutor: Engine {
  private let specialization: Specialization
  private let constants: PackedConstants
  private let arenas: ArenaPool
  private let threads: Int
  private let memoryLimit: Int
  private let cacheBytes: Int
  private let isExact: Bool
  private let stopwatch: Stopwatch
  private let plans = Mutex<[PlanRequest: (plan: Plan, results: [Int])]>([:])

  init(
    _ specialization: Specialization, constants: PackedConstants, arenas: ArenaPool, threads: Int,
    memoryLimit: Int, cacheBytes: Int, isExact: Bool, stopwatch: Stopwatch
  ) {
    self.arenas = arenas
    self.stopwatch = stopwatch
    self.memoryLimit = memoryLimit
    self.cacheBytes = cacheBytes
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
    let repetitions = (cotangents.count + cotangentsAtOnce - 1) / cotangentsAtOnce
    let atOnce = repetitions > 1 ? (cotangents.count - 1) / repetitions + 1 : cotangents.count
    let (plan, results) = try plan(
      PlanRequest(
        targets: targets, source: source, sites: sites, rules: rules, cotangents: atOnce,
        repeatsBackward: repetitions > 1,
        channels: channels))

    func gradients(_ count: Int, _ slots: [Tensor?]) throws -> [[Tensor]] {
      try (0..<count).map { k in
        try zip(sites, results.dropFirst(targets.count)).compactMap { site, slot in
          try slots[slot].map {
            try part(k, of: atOnce, in: $0, shape: specialization.types[site].shape)
          }
        }
      }
    }

    guard repetitions > 1 else {
      let slots = try plan.run(
        inputs + [try joined(cotangents.map(row))], log: stopwatch.log)
      let values = results.prefix(targets.count).compactMap { slots[$0] }
      return (values, try gradients(cotangents.count, slots))
    }
    let repetition = try Plan.Repetition(plan, inputs, log: stopwatch.log)
    var values: [Tensor] = []
    var rows: [[Tensor]] = []
    for start in stride(from: 0, to: cotangents.count, by: atOnce) {
      var chunk = Array(cotangents[start..<min(start + atOnce, cotangents.count)])
      let count = chunk.count
      // The plan takes as many every time; the results of the surplus are not used.
      chunk += Array(repeating: chunk[0], count: atOnce - count)
      let slots = try repetition.repeatSteps([(inputs.count, try joined(chunk.map(row)))])
      values = results.prefix(targets.count).compactMap { slots[$0] }
      rows += try gradients(count, slots)
    }
    return (values, rows)
  }

  func gradientFunction(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], inputs: [Tensor],
    rules: RuleTable, cotangent: Tensor
  ) throws -> (_ inputs: [Tensor]) throws -> (value: Tensor, gradients: [Tensor]) {
    let (plan, results) = try plan(
      PlanRequest(
        targets: [source], source: source, sites: sites, rules: rules, cotangents: 1,
        channels: channels))
    let repetition = try Plan.Repetition(
      plan, inputs + [try row(cotangent)], log: stopwatch.log)
    let shapes = sites.map { specialization.types[$0].shape.dimensions }
    return { inputs in
      let slots = try repetition.repeatSteps(Array(inputs.enumerated()).map { ($0, $1) })
      let found = results.compactMap { slots[$0] }
      return (
        found[0], try zip(found.dropFirst(), shapes).map { try $0.reshaped(to: $1) }
      )
    }
  }

  /// How many cotangents of all samples keep the values around the widest operator within the cache.
  private var cotangentsAtOnce: Int {
    let samples = specialization.wiring.inputs.first.flatMap {
      specialization.types[$0].shape.dimensions.first
    }
    return max(1, specialization.samplesInCache / max(1, samples ?? 1))
  }

  func summation(_ terms: GradientTerms) throws -> GradientSummation? {
    let request = PlanRequest(
      targets: [], source: terms.source, cotangents: 1, channels: terms.channels,
      lines: terms.lines.map(\.value), sums: terms.sums,
      preciseSums: terms.precise.intersection(terms.sums))
    let (plan, results) = try plan(request)
    return try GradientSummation(plan, request, terms, results: results, log: stopwatch.log)
  }

  func coveredEvaluation(
    of target: Int, channels: Set<Int>?, covering input: Int, _ covered: ChangedRegion
  ) throws -> CoveredEvaluation? {
    let builder = try PlanBuilder(
      specialization, PlanRequest(targets: [target], channels: channels), constants: constants,
      arenas: arenas, isExact: isExact, threads: threads, memoryLimit: memoryLimit,
      cacheBytes: cacheBytes)
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
      specialization, request, constants: constants, arenas: arenas, isExact: isExact,
      threads: threads, memoryLimit: memoryLimit, cacheBytes: cacheBytes)
    let made = try builder.plan()
    plans.withLock { cache in
      // Callers with ever new sites must not fill the memory with plans.
      if cache.count >= 64 { cache.removeAll() }
      cache[request] = made
    }
    return made
  }
}
