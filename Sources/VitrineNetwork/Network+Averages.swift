public import VitrineCore
public import VitrineTensor

// Sums of gradients over many points share what is the same at every point: the affine stem of the graph,
// forward along a straight path and backward always, one plan, and its memory.
extension Network {
  public func pathGradients(
    of objective: Objective, from baselines: Inputs, to inputs: Inputs, at points: [PathPoint],
    withRespectTo sites: [Site], context: Context
  ) throws -> [Tensor] {
    let names = baselines.tensors.map(\.name)
    guard
      let average = try Average(
        self, of: objective, withRespectTo: sites, at: inputs, moving: names, terms: points.count)
    else {
      return try pathGradientsCallByCall(
        of: objective, from: baselines, to: inputs, at: points, withRespectTo: sites,
        context: context)
    }
    for (name, baseline) in baselines.tensors where baseline.shape != inputs[name]?.shape {
      throw CoreError.shapeMismatch(
        what: "baseline of input '\(name)'", expected: inputs[name]?.shape.dimensions ?? [],
        found: baseline.shape.dimensions)
    }
    let starts = try Call(
      baselines.tensors.reduce(inputs) { $0.replacing($1.name, with: $1.value) }, network: self)
    return try average.results { sample in
      let sum = try average.alongLine(of: sample, from: starts)
      for batch in average.batches(of: points.count) {
        try context.checkCancellation()
        let rows = average.padded(batch)
        try sum.add(
          fractions: rows.map { points[$0].fraction },
          weights: average.weights(batch, points.map(\.weight)))
        context.progress(
          sample * points.count + batch.upperBound, of: average.samples * points.count,
          "gradients")
      }
      return try sum.finish()
    }
  }

  public func averageGradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, weights: [Double],
    context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [Tensor] {
    let names = signature.inputs.filter(\.dataType.isFloatingPoint).map(\.name)
    guard
      let average = try Average(
        self, of: objective, withRespectTo: sites, at: inputs, moving: names, terms: weights.count)
    else {
      return try averageGradientsCallByCall(
        of: objective, withRespectTo: sites, at: inputs, weights: weights, context: context,
        variant: variant)
    }
    return try average.results { sample in
      let original = Inputs(
        try inputs.tensors.map { ($0.name, try rows(sample..<sample + 1, of: $0.value)) })
      let sum = try average.atPoints(of: sample)
      for batch in average.batches(of: weights.count) {
        try context.checkCancellation()
        var changed = try batch.map { index in
          try Call(variant(index, sample..<sample + 1, original), network: self).tensors
        }
        while changed.count < average.batch, let last = changed.last { changed.append(last) }
        try sum.add(
          inputs: try changed[0].indices.map { port in try joined(changed.map { $0[port] }) },
          weights: average.weights(batch, weights))
        context.progress(
          sample * weights.count + batch.upperBound, of: average.samples * weights.count,
          "gradients")
      }
      return try sum.finish()
    }
  }
}

/// A sum of gradients over many terms, for each sample of a batch.
private struct Average {
  let samples: Int
  /// How many terms run together.
  let batch: Int
  private let problem: Problem
  private let objective: Objective
  private let call: Call
  private let stem: AffineStem
  private let single: PreparedEngine
  private let engine: PreparedEngine
  /// Sites that the stem does not contain: their gradients are summed where they arise.
  private let direct: [Int]
  private let moving: [Int]
  private let network: Network

  /// Returns `nil` if one call for each batch is as good: there is no stem, the graph mixes samples, or
  /// numbers are computed by the reference.
  ///
  /// - Throws: What a gradient would.
  init?(
    _ network: Network, of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs,
    moving: [String], terms: Int
  ) throws {
    guard network.configuration.precision != .double, network.takesBatches, terms > 1,
      let moving = try? moving.map({ try network.value(.input($0)) })
    else { return nil }
    problem = try Problem(objective.site, sites, .gradient, network: network)
    call = try Call(inputs, network: network)
    samples = call.samples
    let single = try network.engines.engine(for: try call.selecting([0]))
    _ = try problem.differentiableShape(single)
    let stem = single.affineStem(of: problem.source, moving: moving)
    guard !stem.boundary.contains(where: moving.contains),
      stem.boundary.allSatisfy({ single.hasPlanes($0) })
    else { return nil }
    batch = Self.batch(terms, preferred: single.preferredBatch)
    guard let engine = try? network.engines.engine(for: call.selecting([0]), samples: batch),
      engine.keepsSamplesApart(batch)
    else { return nil }
    let direct = Array(Set(problem.sites.filter { !stem.contains[$0] })).sorted()
    guard direct.allSatisfy({ engine.hasPlanes($0) }) else { return nil }
    self.single = single
    self.engine = engine
    self.stem = stem
    self.direct = direct
    self.moving = moving
    self.objective = objective
    self.network = network
  }

  /// Beyond this many, repetitions no longer run faster: networks of 32 × 32 pixels are fastest with 5.
  private static let mostTogether = 8

  /// Returns how many terms to run together: few enough to fit the cache, and such that few places of the
  /// last batch stay empty.
  private static func batch(_ terms: Int, preferred: Int) -> Int {
    let most = max(2, min(preferred, terms, mostTogether))
    return (max(2, most / 2)...most).reversed().min { a, b in
      (terms + a - 1) / a * a < (terms + b - 1) / b * b
    } ?? most
  }

  func batches(of terms: Int) -> [Range<Int>] {
    stride(from: 0, to: terms, by: batch).map { $0..<min($0 + batch, terms) }
  }

  /// Returns the terms of a batch, the last one repeated until it is full.
  func padded(_ terms: Range<Int>) -> [Int] {
    (0..<batch).map { min(terms.lowerBound + $0, terms.upperBound - 1) }
  }

  /// Returns the weights of a batch; 0 for places that stay empty.
  func weights(_ terms: Range<Int>, _ weights: [Double]) -> [Double] {
    (0..<batch).map { $0 < terms.count ? weights[terms.lowerBound + $0] : 0 }
  }

  // MARK: - Terms

  /// Returns the sum over points of the line from a sample of `starts` to the same one of the inputs.
  func alongLine(of sample: Int, from starts: Call) throws -> GradientSummation {
    let starts = try single.evaluate(stem.boundary, inputs: starts.selecting([sample]))
    var directions = try single.evaluate(stem.boundary, inputs: call.selecting([sample]))
    return try summation(
      sample,
      lines: stem.boundary.indices.map { index in
        // In the memory of the ends, which are as large as all else of a small network.
        try directions[index].withMutableElements(of: Float.self) { ends in
          try starts[index].withElements(of: Float.self) { starts in
            for i in ends.indices { ends[i] -= starts[i] }
          }
        }
        return GradientTerms.Line(
          value: stem.boundary[index], start: starts[index], direction: directions[index])
      })
  }

  /// Returns the sum over points that are given as inputs.
  func atPoints(of sample: Int) throws -> GradientSummation { try summation(sample, lines: []) }

  private func summation(
    _ sample: Int, lines: [GradientTerms.Line]
  ) throws -> GradientSummation {
    let rows = [Int](repeating: sample, count: batch)
    let needsStem = problem.sites.contains { stem.contains[$0] }
    let shape = try problem.differentiableShape(engine)
    let terms = GradientTerms(
      source: problem.source, channels: objective.channels(of: shape),
      cotangent: try objective.selecting(rows, of: samples).cotangent(
        for: shape, engine.realType),
      sums: (needsStem ? stem.boundary : []) + direct,
      precise: Set(problem.sites), lines: lines,
      // Points take the place of what moves.
      inputs: try call.selecting(rows, exceptFor: moving))
    guard let summation = try engine.summation(terms) else {
      preconditionFailure("engines of single precision sum gradients")
    }
    return summation
  }

  // MARK: - Results

  /// Returns for each site the sums of all samples, given those of one sample at the stem's boundary and at
  /// the sites behind it.
  func results(_ sums: (_ sample: Int) throws -> [Tensor]) throws -> [Tensor] {
    let parts = try (0..<samples).map { sample in
      try gradients(from: sums(sample), sample: sample)
    }
    return try problem.sites.indices.map { index in try joined(parts.map { $0[index] }) }
  }

  private func gradients(from sums: [Tensor], sample: Int) throws -> [Tensor] {
    let inStem = Array(Set(problem.sites.filter { stem.contains[$0] })).sorted()
    var found: [Int: Tensor] = [:]
    for (value, sum) in zip(direct, sums.dropFirst(sums.count - direct.count)) {
      found[value] = sum
    }
    if !inStem.isEmpty {
      let inputs = try call.selecting([sample])
      for (value, sum) in zip(stem.boundary, sums) {
        let path = DifferentiationPath(network.wiring, from: inStem, to: value)
        let sites = inStem.filter { path.isActive[$0] }
        let result = try single.gradients(
          of: value, withRespectTo: sites, observing: [], inputs: inputs,
          rules: RuleTable(.gradient, network.wiring, path: path),
          cotangents: [sum.converted(to: single.realType)])
        for (site, gradient) in zip(sites, result.gradients[0]) {
          let part = site == value ? sum : gradient.converted(to: .float64)
          found[site] = try found[site]?.adding(part) ?? part
        }
      }
    }
    return problem.sites.compactMap { found[$0] }
  }
}
