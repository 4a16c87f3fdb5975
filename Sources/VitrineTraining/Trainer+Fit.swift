public import VitrineCore
import VitrineNetwork
import VitrineTensor

extension Trainer {
  /// Trains until `epochs` epochs are complete since the beginning of the run.
  ///
  /// A second call with more epochs goes on where the first ended, and a trainer restored from a
  /// checkpoint where the checkpoint was made.
  ///
  /// - Parameters:
  ///   - data: Seen once in each epoch, in random order.
  ///   - validation: Measured after each epoch.
  ///   - epochs: In all, those done before included.
  ///   - batchSize: Samples for each step; the last step of an epoch takes what is left.
  ///   - callbacks: Called in order.
  ///   - context: Told the batches done; asked after each batch whether to stop.
  /// - Returns: ``history``.
  /// - Throws: ``TrainingError``; what the network, the data set and callbacks throw;
  ///   `CoreError.cancelled`, after which the trainer can go on.
  @discardableResult
  public mutating func fit(
    _ data: some Dataset, validation: (any Dataset)? = nil, epochs: Int, batchSize: Int = 32,
    callbacks: [Callback] = [], context: Context = Context()
  ) throws -> History {
    try check(data, validation, epochs: epochs, batchSize: batchSize)
    if let checkpoint, checkpoint.resumes, checkpoint.exists {
      try restore(fromCheckpointAt: checkpoint.path)
    }
    if position.batch > 0, position.samples != data.count || position.batchSize != batchSize {
      throw TrainingError.invalidData(
        what: "the epoch that was begun",
        expected: "\(position.samples) samples in batches of \(position.batchSize)",
        found: "\(data.count) in batches of \(batchSize)")
    }
    position.samples = data.count
    position.batchSize = batchSize
    let batches = batchRanges(data.count, batchSize)
    let engine = try TrainingEngine(
      graph, output: output.name, configuration: template.configuration)
    let stop = StopRequest()
    func call(_ moment: Callback.Moment, _ trainer: Trainer, batchLoss: Double? = nil) throws {
      let isBatch = moment == .batchBegan || moment == .batchEnded
      let count = isBatch ? trainer.position.batch : trainer.position.epoch
      // Beginnings are those of the next epoch or batch.
      let number = moment == .epochBegan || moment == .batchBegan ? count + 1 : count
      for callback in callbacks
      where callback.moment == moment && number % callback.interval == 0 {
        try callback.body(
          trainer.status(
            moment, epochs: epochs, batches: batches.count, batchLoss: batchLoss, stop))
      }
    }

    try call(.trainingBegan, self)
    while position.epoch < epochs, !stop.isMade, !hasStoppedEarly {
      let clock = ContinuousClock()
      let start = clock.now
      if position.batch == 0 { try call(.epochBegan, self) }
      var generator = RandomGenerator(
        seed: RandomGenerator.mixed(seed, UInt64(position.epoch)))
      let order = generator.shuffledIndices(data.count)
      while position.batch < batches.count, !stop.isMade {
        try call(.batchBegan, self)
        let batch = try data.samples(at: Array(order[batches[position.batch]]))
        let value = try step(batch, engine: engine, share: 1 / Double(batches.count))
        position.batch += 1
        context.progress(
          position.epoch * batches.count + position.batch, of: epochs * batches.count, "batches")
        try call(.batchEnded, self, batchLoss: value)
        if position.batch < batches.count {
          try checkpoint?.write(self, afterBatch: state.steps)
          try context.checkCancellation()
        }
      }
      guard position.batch == batches.count else { break }
      try endEpoch(
        validation, seconds: (clock.now - start) / .seconds(1), batches: batches.count)
      try call(.epochEnded, self)
      try checkpoint?.write(self, afterEpoch: position.epoch)
      if position.epoch < epochs { try context.checkCancellation() }
    }
    if let best, earlyStopping?.restoresBest == true, position.batch == 0 {
      parameters = best.parameters
      statistics = best.statistics
    }
    try call(.trainingEnded, self)
    return history
  }

  /// Returns loss and metrics of the network as it is now, as in inference.
  ///
  /// - Parameters:
  ///   - data: All samples count, in order.
  ///   - batchSize: Samples for each forward pass; the result does not depend on it but for rounding.
  /// - Throws: ``TrainingError/invalidData(what:expected:found:)``; what the network and the data set throw.
  /// - Complexity: One forward pass for each sample.
  public func evaluate(_ data: some Dataset, batchSize: Int = 256) throws -> Evaluation {
    let network = try snapshot()
    var sums = EvaluationSums()
    for start in stride(from: 0, to: data.count, by: max(1, batchSize)) {
      let batch = try data.samples(
        at: Array(start..<min(start + max(1, batchSize), data.count)))
      let inputs = Inputs(
        zip(network.signature.inputs, batch.inputs).map { (name: $0.name, value: $1) })
      let outputs = try network.evaluate(inputs, observing: [output])[0]
      let value = try loss.evaluate(outputs, targets: batch.targets)
      try sums.add(outputs, targets: batch.targets, loss: value.value, metrics: metrics)
    }
    return sums.evaluation(metrics)
  }

  // MARK: - Steps

  /// Runs a batch and moves the parameters; returns its loss.
  private mutating func step(
    _ batch: Samples, engine: TrainingEngine, share: Double
  ) throws -> Double {
    var value = 0.0
    let (loss, metrics, epoch, number) = (loss, metrics, position.epoch, position.batch)
    var sums = position.sums
    let result = try engine.step(
      inputs: batch.inputs, parameters: parameters,
      seed: RandomGenerator.mixed(seed &+ 1, UInt64(state.steps))
    ) { outputs in
      let found = try loss.evaluate(outputs, targets: batch.targets)
      guard found.value.isFinite else {
        throw TrainingError.diverged(
          epoch: epoch + 1, batch: number + 1, loss: "\(found.value)")
      }
      value = found.value
      try sums.add(outputs, targets: batch.targets, loss: value, metrics: metrics)
      return found.gradient
    }
    position.sums = sums
    if engine.realType == .float64 {
      try move(result, share: share, Double.self)
    } else {
      try move(result, share: share, Float.self)
    }
    return value
  }

  @inline(__always)
  private mutating func move<T: RealScalar>(
    _ result: TrainingEngine.Step, share: Double, _: T.Type
  ) throws {
    var gradients = result.gradients
    try clipping?.apply(to: &gradients, T.self)
    try state.step(
      optimizer, factor: factor(share: share), parameters: &parameters, gradients: gradients,
      T.self)
    for (index, batch) in result.statistics.enumerated() {
      let keep = T(graph.statistics[index].momentum)
      // As PyTorch does, the running variance takes the unbiased estimate.
      let count = T(batch.count)
      try blend(batch.mean, keep: keep, scale: 1, into: &statistics[2 * index])
      try blend(
        batch.variance, keep: keep, scale: count / max(1, count - 1),
        into: &statistics[2 * index + 1])
    }
  }

  private func blend<T: RealScalar>(
    _ new: Tensor, keep: T, scale: T, into running: inout Tensor
  ) throws {
    try running.withMutableElements(of: T.self) { running in
      try new.withElements(of: T.self) { new in
        for i in running.indices {
          running[i] = keep * running[i] + (1 - keep) * scale * new[i]
        }
      }
    }
  }

  /// Factor on the learning rate for the next step.
  private func factor(share: Double) -> Double {
    schedule.factor(
      progress: Double(position.epoch) + Double(position.batch) * share, step: share,
      plateau: plateau.factor)
  }

  private mutating func endEpoch(
    _ validation: (any Dataset)?, seconds: Double, batches: Int
  ) throws {
    let share = 1 / Double(batches)
    let rate =
      optimizer.learningRate
      * schedule.factor(
        progress: Double(position.epoch) + Double(batches - 1) * share, step: share,
        plateau: plateau.factor)
    let epoch = History.Epoch(
      number: position.epoch + 1, training: position.sums.evaluation(metrics),
      validation: try validation.map { try evaluate($0) }, learningRate: rate, seconds: seconds)
    history.epochs.append(epoch)
    plateau.note((epoch.validation ?? epoch.training).loss, schedule)
    if let earlyStopping { try note(epoch, earlyStopping) }
    position.epoch += 1
    position.batch = 0
    position.sums = EvaluationSums()
  }

  private mutating func note(_ epoch: History.Epoch, _ rule: EarlyStopping) throws {
    let cost = try rule.cost(epoch)
    if best.map({ cost < $0.cost - rule.minimumChange }) ?? true {
      best = BestEpoch(
        cost: cost, number: epoch.number, parameters: rule.restoresBest ? parameters : [],
        statistics: rule.restoresBest ? statistics : [])
      epochsWithoutBetter = 0
      history.bestEpoch = epoch.number
    } else {
      epochsWithoutBetter += 1
    }
  }

  private var hasStoppedEarly: Bool {
    earlyStopping.map { epochsWithoutBetter > 0 && epochsWithoutBetter >= $0.patience } ?? false
  }

  // MARK: - What there is to do

  private func check(
    _ data: some Dataset, _ validation: (any Dataset)?, epochs: Int, batchSize: Int
  ) throws {
    try optimizer.check()
    try schedule.check()
    try clipping?.check()
    guard data.count > 0, validation.map({ $0.count > 0 }) ?? true else {
      throw TrainingError.invalidData(what: "data set", expected: "samples", found: "none")
    }
    guard epochs >= 0 else {
      throw TrainingError.invalidSetting(name: "epochs", expected: "0 or more", found: "\(epochs)")
    }
    guard batchSize >= 1 else {
      throw TrainingError.invalidSetting(
        name: "batch size", expected: "1 or more", found: "\(batchSize)")
    }
  }

  /// Returns the places in an epoch's order that each step takes.
  ///
  /// A single sample has no statistics: where batch normalisation needs them, a rest of one joins the
  /// batch before it.
  private func batchRanges(_ count: Int, _ size: Int) -> [Range<Int>] {
    var ranges = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    if !graph.statistics.isEmpty, ranges.count > 1, let last = ranges.last, last.count == 1 {
      ranges.removeLast()
      let before = ranges.removeLast()
      ranges.append(before.lowerBound..<count)
    }
    return ranges
  }

  private func status(
    _ moment: Callback.Moment, epochs: Int, batches: Int, batchLoss: Double?, _ stop: StopRequest
  ) -> TrainingStatus {
    let isOver = moment == .epochEnded || moment == .trainingEnded
    let last = isOver ? history.epochs.last : nil
    let batch = isOver ? batches : moment == .batchBegan ? position.batch + 1 : position.batch
    let share = 1 / Double(max(1, batches))
    return TrainingStatus(
      epoch: isOver ? position.epoch : position.epoch + 1, epochs: epochs, batch: batch,
      batches: batches, step: state.steps,
      learningRate: last?.learningRate ?? optimizer.learningRate * factor(share: share),
      batchLoss: batchLoss, training: last?.training ?? position.sums.evaluation(metrics),
      validation: last?.validation, history: history, snapshot: { [self] in try snapshot() },
      stopRequest: stop)
  }
}
