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
  mutating func run(context: Context, progress: (Int) -> Void) throws {
    let schedule = method.schedule
    let total = schedule.steps * schedule.octaves
    var done = 0
    for octave in 0..<schedule.octaves {
      if octave > 0 {
        let zoom = Warp(shift: (0, 0), scale: schedule.octaveScale)
        for i in planes.indices { planes[i].values = zoom.apply(to: planes[i]) }
      }
      for _ in 0..<schedule.steps {
        keepSnapshot(after: done, of: total)
        try context.checkCancellation()
        try step(number: done + 1, context)
        done += 1
        progress(done)
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

  private mutating func step(number: Int, _ context: Context) throws {
    let settings = method.regularization
    let warps = planes.map { _ in randomWarp() }
    let point = try inputs(zip(warps, planes).map { $0.apply(to: $1) })
    let result = try model.gradients(
      of: objective, withRespectTo: sites, at: point, rules: .gradient)
    guard result.values.allSatisfy(\.isFinite) else { throw overflow }
    history.append(result.values.first ?? .nan)
    if dataType == nil { dataType = result.tensors.first?.dataType }
    var gradients = try zip(planes, result.tensors).map { try $0.ordered($1) }
    if method.redirect {
      try revive(&gradients, at: point, context)
    }
    for i in planes.indices {
      let count = planes[i].sampleCount
      var direction = warps[i].pullBack(gradients[i], to: planes[i])
      // A small gradient is not lost against the 1e-8 when weighed or preconditioned.
      if settings.totalVariation > 0 || preconditioners[i] != nil {
        normalize(&direction, count: count)
      }
      if settings.totalVariation > 0 {
        let variation = planes[i].totalVariationGradient()
        for j in direction.indices { direction[j] -= settings.totalVariation * variation[j] }
      }
      if let preconditioner = preconditioners[i] {
        direction = preconditioner.direction(direction, planes[i])
      }
      normalize(&direction, count: count)
      for j in direction.indices {
        planes[i].values[j] += method.schedule.learningRate * direction[j]
      }
      if settings.decay > 0 {
        for j in direction.indices { planes[i].values[j] *= 1 - settings.decay }
      }
      if settings.blurEvery > 0, number % settings.blurEvery == 0 {
        planes[i].blur(deviation: settings.blurDeviation)
      }
    }
  }

  /// Divides the values of each sample by their root mean square + 1e-8.
  private func normalize(_ values: inout [Double], count: Int) {
    for start in stride(from: 0, to: values.count, by: max(count, 1)) {
      var sum = 0.0
      for i in start..<start + count { sum += values[i] * values[i] }
      let divisor = sum.squareRoot() / Double(count).squareRoot() + 1e-8
      for i in start..<start + count { values[i] /= divisor }
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
    _ gradients: inout [[Double]], at point: Inputs, _ context: Context
  ) throws {
    let samples = planes.first?.samples ?? 0
    func isDead(_ n: Int, _ gradients: [[Double]]) -> Bool {
      zip(planes, gradients).allSatisfy { input, gradient in
        gradient[n * input.sampleCount..<(n + 1) * input.sampleCount].allSatisfy { $0 == 0 }
      }
    }
    let dead = (0..<samples).filter { isDead($0, gradients) }
    guard !dead.isEmpty else { return }
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
        let start = n * planes[i].sampleCount
        for j in 0..<planes[i].sampleCount {
          gradients[i][start + j] =
            isRedirected ? substitutes?[i][start + j] ?? 0 : noises[i][j]
        }
      }
      if isRedirected { redirectedSteps += 1 } else { perturbedSteps += 1 }
    }
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

  private mutating func keepSnapshot(after done: Int, of total: Int) {
    guard method.snapshots > 0 else { return }
    let last = min(method.snapshots - 1, total)
    let wanted = last == 0 ? total : (snapshotSteps.count * total + last / 2) / last
    guard done == wanted, snapshotSteps.count <= last else { return }
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
