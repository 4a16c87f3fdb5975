import VitrineCore
import VitrineTensor

/// One run of the ascent: the inputs as they are now, and how they came there.
struct Ascent {
  private let method: FilterVisualization
  private let model: any Differentiable
  private let objective: Objective
  private let ports: [Port]
  private let sites: [Site]
  private var inputs: Inputs
  private var planes: [Planes]
  private let preconditioners: [Preconditioner?]
  /// Of the tensors that the model is given: the type in which it computes, once that is known.
  private var dataType: DataType?
  /// Draws the moves and magnifications.
  private var generator: RandomGenerator
  private let noiseSeed: UInt64
  /// Whether a gradient was zero at the last step that was tried.
  private var isStuck = false
  private var redirectedSteps = 0
  private var perturbedSteps = 0

  /// The objective of the first sample before each step and after the last.
  private(set) var history: [Double] = []
  /// The objective of each sample after the last step.
  private(set) var finalValues: [Double] = []
  private var kept: [[[Double]]] = []
  /// After how many steps each snapshot was taken.
  private(set) var snapshotSteps: [Int] = []

  init(
    _ method: FilterVisualization, _ model: any Differentiable, _ objective: Objective,
    from inputs: Inputs, ports: [Port], seed: UInt64
  ) throws {
    self.method = method
    self.model = model
    self.objective = objective
    self.ports = ports
    self.inputs = inputs
    sites = ports.map { .input($0.name) }
    planes = try ports.map { port in
      guard let tensor = inputs[port.name] else {
        throw CoreError.inputCount(
          expected: model.signature.inputs.map(\.name), found: inputs.tensors.count)
      }
      return try Planes(tensor, at: port)
    }
    let needsPicture =
      method.regularization.isSpatial || method.parameterization == .fourier
      || method.schedule.octaves > 1
    for (port, input) in zip(ports, planes) where needsPicture && !input.isSpatial {
      throw CoreError.notApplicable(
        "input '\(port.name)' has no height and width, which total-variation, blur-every, jitter, "
          + "scale, octaves and parameterization=fourier need; leave them out")
    }
    preconditioners = planes.map {
      method.parameterization == .fourier ? Preconditioner($0, colors: method.colors) : nil
    }
    // The noise of the start has used the seed itself.
    generator = RandomGenerator(seed: seed ^ 0x9E37_79B9_7F4A_7C15)
    noiseSeed = seed ^ 0xC2B2_AE3D_27D4_EB4F
  }

  /// Climbs all octaves.
  ///
  /// - Parameter context: Told the number of steps done.
  mutating func run(context: Context) throws {
    let schedule = method.schedule
    let total = schedule.steps * schedule.octaves
    var done = 0
    for octave in 1...schedule.octaves {
      if octave > 1 {
        let zoom = Warp(shift: (0, 0), scale: schedule.octaveScale)
        for i in planes.indices { planes[i].values = zoom.apply(to: planes[i]) }
      }
      while done < schedule.steps * octave {
        keepSnapshot(after: done, of: total)
        let limit = min(schedule.steps * octave, nextStop(after: done, of: total))
        let rest = context.part(after: done, of: total)
        var taken = 1
        if isPlain, !isStuck {
          taken = try climb(limit - done, rest)
        } else {
          try step(rest)
        }
        done += taken
        if taken > 0, isBlurred(after: done) {
          for i in planes.indices { planes[i].blur(deviation: method.regularization.blurDeviation) }
        }
      }
    }
    keepSnapshot(after: done, of: total)
    try context.checkCancellation()
    let value = try model.evaluate(
      try inputs(planes.map(\.values)), observing: [objective.site])[0]
    finalValues = try objective.values(of: value)
    guard finalValues.allSatisfy(\.isFinite) else { throw overflow }
    history.append(finalValues.first ?? .nan)
  }

  /// Whether nothing but the step itself moves the inputs between two stops.
  private var isPlain: Bool {
    let settings = method.regularization
    return settings.totalVariation == 0 && settings.jitter == 0 && settings.scale == 0
      && preconditioners.allSatisfy { $0 == nil }
  }

  private func isBlurred(after done: Int) -> Bool {
    let every = method.regularization.blurEvery
    return every > 0 && done.isMultiple(of: every)
  }

  /// Returns after how many steps something else is to be done than another step.
  private func nextStop(after done: Int, of total: Int) -> Int {
    let every = method.regularization.blurEvery
    return min(
      every > 0 ? (done / every + 1) * every : total, nextSnapshot(of: total) ?? total)
  }

  /// Takes steps in the model, up to one at which a gradient is zero.
  ///
  /// - Returns: How many were taken.
  private mutating func climb(_ steps: Int, _ context: Context) throws -> Int {
    let positions = try zip(ports, planes).map { port, input in
      (port.name, try input.tensor(input.values, .float64))
    }
    let result = try model.ascend(
      objective, from: Inputs(positions), at: try inputs(planes.map(\.values)), by: singleStep,
      count: steps, context: context)
    // It may come from a model we do not know.
    guard result.values.count <= steps,
      result.positions.map(\.shape) == positions.map(\.1.shape)
    else {
      throw CoreError.shapeMismatch(
        what: "inputs after at most \(steps) steps of an ascent",
        expected: positions.flatMap(\.1.shape.dimensions),
        found: result.positions.flatMap(\.shape.dimensions))
    }
    for i in planes.indices { planes[i].values = try planes[i].ordered(result.positions[i]) }
    history += result.values.map { $0.first ?? .nan }
    if dataType == nil { dataType = result.dataType }
    isStuck = result.values.count < steps
    return result.values.count
  }

  private var singleStep: AscentStep {
    AscentStep(length: method.schedule.learningRate, decay: method.regularization.decay)
  }

  /// Takes one step with everything that was asked for.
  private mutating func step(_ context: Context) throws {
    let settings = method.regularization
    try context.checkCancellation()
    let warps = planes.map { _ in randomWarp() }
    let point = try inputs(zip(warps, planes).map { $0.apply(to: $1) })
    let result = try model.gradients(
      of: objective, withRespectTo: sites, at: point, rules: .gradient)
    guard result.values.allSatisfy(\.isFinite) else { throw overflow }
    history.append(result.values.first ?? .nan)
    if dataType == nil { dataType = result.tensors.first?.dataType }
    var gradients = try zip(planes, result.tensors).map { try $0.ordered($1) }
    let dead = deadSamples(gradients)
    isStuck = !dead.isEmpty
    if isStuck, method.redirect { try revive(dead, &gradients, at: point, context) }
    for i in planes.indices {
      var direction = warps[i].pullBack(gradients[i], to: planes[i])
      // A small gradient is not lost against the 1e-8 when weighed or preconditioned.
      if settings.totalVariation > 0 || preconditioners[i] != nil {
        normalize(&direction, planes[i].sampleRanges)
      }
      if settings.totalVariation > 0 {
        let variation = planes[i].totalVariationGradient()
        for j in direction.indices { direction[j] -= settings.totalVariation * variation[j] }
      }
      if let preconditioner = preconditioners[i] {
        direction = preconditioner.direction(direction, planes[i])
      }
      let moved = try singleStep.moved(
        try planes[i].tensor(planes[i].values, .float64),
        along: try planes[i].tensor(direction, .float64), batchAxis: ports[i].batchAxis)
      planes[i].values = try planes[i].ordered(moved)
    }
    context.progress(1, of: 1, "steps")
  }

  /// Divides the values of each sample by their root mean square + 1e-8.
  private func normalize(_ values: inout [Double], _ samples: [Range<Int>]) {
    for sample in samples {
      var sum = 0.0
      for i in sample { sum += values[i] * values[i] }
      let divisor = sum.squareRoot() / Double(sample.count).squareRoot() + 1e-8
      for i in sample { values[i] /= divisor }
    }
  }

  private mutating func randomWarp() -> Warp {
    let settings = method.regularization
    var shift = (rows: 0, columns: 0)
    if settings.jitter > 0 {
      shift = (
        generator.index(below: 2 * settings.jitter + 1) - settings.jitter,
        generator.index(below: 2 * settings.jitter + 1) - settings.jitter
      )
    }
    let scale =
      settings.scale > 0 ? 1 + settings.scale * (2 * generator.uniformDouble() - 1) : 1
    return Warp(shift: shift, scale: scale)
  }

  // MARK: - A dead start

  /// Replaces the gradients of samples for which all are zero.
  ///
  /// Rectifiers that are all off have no gradient. Redirected, they pass upwards what would switch them
  /// on: the rule of a deconvnet, which ignores whether a rectifier is off. Where that gives nothing
  /// either, the sample moves by noise.
  private mutating func revive(
    _ dead: [Int], _ gradients: inout [[Double]], at point: Inputs, _ context: Context
  ) throws {
    try context.checkCancellation()
    // A model that knows no such rule is moved by noise like one in which it finds nothing.
    let redirected = try? model.gradients(
      of: objective, withRespectTo: sites, at: point, rules: .deconvnet)
    let substitutes = try redirected.map { result in
      try zip(planes, result.tensors).map { try $0.ordered($1) }
    }
    // The same noise for all samples, from a stream of its own: no sample depends on the others.
    var noise = RandomGenerator(seed: noiseSeed &+ UInt64(history.count))
    let noises = planes.map { input in
      (0..<input.sampleCount).map { _ in noise.normalDouble() }
    }
    for n in dead {
      let isRedirected = substitutes.map { !isDead(n, $0) } ?? false
      for i in planes.indices {
        for (j, place) in planes[i].range(of: n).enumerated() {
          gradients[i][place] = isRedirected ? substitutes?[i][place] ?? 0 : noises[i][j]
        }
      }
      if isRedirected { redirectedSteps += 1 } else { perturbedSteps += 1 }
    }
  }

  private func isDead(_ n: Int, _ gradients: [[Double]]) -> Bool {
    zip(planes, gradients).allSatisfy { input, gradient in
      input.range(of: n).allSatisfy { gradient[$0] == 0 }
    }
  }

  /// Returns the samples of which all gradients are zero.
  private func deadSamples(_ gradients: [[Double]]) -> [Int] {
    (0..<(planes.map(\.samples).max() ?? 0)).filter { isDead($0, gradients) }
  }

  /// What a reader must know about zero gradients.
  var warnings: [String] {
    var warnings: [String] = []
    if redirectedSteps > 0 {
      warnings.append(
        "The gradient was zero at \(redirectedSteps) steps: rectifiers that were off passed what "
          + "would switch them on (rule deconvnet).")
    }
    if perturbedSteps > 0 {
      warnings.append(
        "The gradient was zero at \(perturbedSteps) steps, also with redirected rectifiers: the "
          + "input was moved by noise.")
    }
    return warnings
  }

  // MARK: - Tensors

  private var overflow: CoreError { .notFinite("the objective at \(objective.site)") }

  private func inputs(_ values: [[Double]]) throws -> Inputs {
    var result = inputs
    for (i, port) in ports.enumerated() {
      let type = dataType ?? inputs[port.name]?.dataType ?? .float32
      result = result.replacing(port.name, with: try planes[i].tensor(values[i], type))
    }
    return result
  }

  /// The inputs as they are now, in the type in which the model computes.
  func tensors() throws -> [Tensor] {
    try planes.map { try $0.tensor($0.values, dataType ?? .float32) }
  }

  /// Returns after how many steps the next snapshot is due; `nil` if no more are.
  private func nextSnapshot(of total: Int) -> Int? {
    let last = min(method.snapshots - 1, total)
    guard snapshotSteps.count <= last else { return nil }
    return last == 0 ? total : (snapshotSteps.count * total + last / 2) / last
  }

  private mutating func keepSnapshot(after done: Int, of total: Int) {
    guard done == nextSnapshot(of: total) else { return }
    snapshotSteps.append(done)
    kept.append(planes.map(\.values))
  }

  /// The snapshots of each input, `[batch, step, …]`.
  func snapshotTensors() throws -> [Tensor] {
    try planes.indices.map { i in
      let type: DataType = dataType ?? .float32
      return try Tensor.stack(
        try kept.map { values in
          let tensor = try planes[i].tensor(values[i], type)
          let batch = ports[i].batchAxis ?? 0
          guard batch != 0 else { return tensor }
          return try tensor.transposed(
            axes: [batch] + (0..<tensor.rank).filter { $0 != batch })
        }, axis: 1)
    }
  }
}
