import VitrineFiles
import VitrineNetwork
import VitrineTensor

/// The format, all numbers little-endian in 8 bytes: the magic word, the version, the settings that must
/// agree, the state in the order of ``Trainer``'s properties, and a checksum of all that.
extension Trainer {
  private static let magic: UInt64 = 0x5450_4b43_5254_4956  // "VITRCKPT"
  private static let version = 1

  /// Returns everything that the rest of the run depends on.
  ///
  /// - Complexity: O(parameters).
  public func checkpointBytes() -> [UInt8] {
    var writer = CheckpointWriter()
    writer.write(Self.magic)
    writer.write(Self.version)
    writer.write(settings)
    writer.write(parameters.count)
    for (name, parameter) in zip(graph.parameters, parameters) {
      writer.write(name)
      writer.write("\(parameter)")
    }

    writer.write(seed)
    for tensor in parameters + statistics { writer.write(tensor) }
    writer.write(state.steps)
    for slot in state.slots.joined() { writer.write(slot) }
    write(position, to: &writer)
    writer.write([plateau.factor, plateau.best])
    writer.write(plateau.epochsWithoutFall)
    writer.write(epochsWithoutBetter)
    if let best {
      writer.write(best.parameters.isEmpty ? 1 : 2)
      writer.write(best.cost)
      writer.write(best.number)
      for tensor in best.parameters + best.statistics { writer.write(tensor) }
    } else {
      writer.write(0)
    }
    write(history, to: &writer)
    writer.write(checkpointChecksum(writer.bytes))
    return writer.bytes
  }

  /// Goes back, or on, to the state in a checkpoint's bytes.
  ///
  /// - Throws: ``TrainingError/invalidCheckpoint(_:)`` if the bytes are damaged, or from a run with
  ///   other parameters, another optimizer, loss or seed; nothing has changed then.
  public mutating func restore(from bytes: [UInt8]) throws {
    func invalid(_ reason: String) -> TrainingError { .invalidCheckpoint(reason) }
    var reader = CheckpointReader(bytes[...].dropLast(8))
    guard bytes.count >= 8, try reader.unsigned() == Self.magic else {
      throw invalid("it does not begin as a Vitrine checkpoint does")
    }
    let version = try reader.integer(in: 0...Int.max, "version")
    guard version == Self.version else {
      throw invalid("expected version \(Self.version), found \(version)")
    }
    var tail = CheckpointReader(bytes[(bytes.count - 8)...])
    guard try tail.unsigned() == checkpointChecksum(bytes.dropLast(8)) else {
      throw invalid("its checksum is wrong: the file is damaged or cut off")
    }
    let settings = try reader.string("settings")
    guard settings == self.settings else {
      throw invalid("expected a run with \(self.settings), found one with \(settings)")
    }
    let count = try reader.integer(in: 0...Int.max, "number of parameters")
    guard count == parameters.count else {
      throw invalid("expected \(parameters.count) parameters, found \(count)")
    }
    for (name, parameter) in zip(graph.parameters, parameters) {
      let found = (try reader.string("name"), try reader.string("shape"))
      guard found == (name, "\(parameter)") else {
        throw invalid(
          "expected parameter '\(name)', \(parameter), found '\(found.0)', \(found.1)")
      }
    }

    var result = self
    let seed = try reader.unsigned()
    guard seed == self.seed else { throw invalid("expected seed \(self.seed), found \(seed)") }
    result.parameters = try parameters.map { try reader.tensor(like: $0) }
    result.statistics = try statistics.map { try reader.tensor(like: $0) }
    result.state.steps = try reader.integer(in: 0...Int.max, "steps")
    result.state.slots = try state.slots.map { try $0.map { try reader.tensor(like: $0) } }
    result.position = try Self.position(from: &reader)
    let levels = try reader.doubles("plateau")
    guard levels.count == 2 else { throw invalid("plateau: expected 2 numbers") }
    result.plateau = Plateau(
      factor: levels[0], best: levels[1],
      epochsWithoutFall: try reader.integer(in: 0...Int.max, "epochs without a fall"))
    result.epochsWithoutBetter = try reader.integer(in: 0...Int.max, "epochs without a better one")
    let kind = try reader.integer(in: 0...2, "best epoch")
    result.best =
      kind == 0
      ? nil
      : BestEpoch(
        cost: try reader.double(), number: try reader.integer(in: 0...Int.max, "best epoch"),
        parameters: kind == 2 ? try parameters.map { try reader.tensor(like: $0) } : [],
        statistics: kind == 2 ? try statistics.map { try reader.tensor(like: $0) } : [])
    result.history = try history(from: &reader, best: result.best?.number)
    guard reader.isAtEnd else { throw invalid("it is longer than its contents") }
    self = result
  }

  /// Goes back, or on, to the state in a checkpoint file.
  ///
  /// - Throws: As ``restore(from:)``, and `FileError` if it cannot be read.
  public mutating func restore(fromCheckpointAt path: String) throws {
    // Parameters, slots and the best epoch's, with room for names and history.
    let tensors = (parameters + statistics).reduce(0) { $0 + $1.count * 8 }
    try restore(
      from: InputFile.bytes(at: path, what: "checkpoint", limit: tensors * 5 + 256 << 20))
  }

  /// What must be the same when a run goes on.
  private var settings: String {
    "loss \(loss.identifier), optimizer \(optimizer.rule) decay \(optimizer.weightDecay), "
      + "metrics \(metrics.map(\.rawValue).sorted())"
  }

  // MARK: - Parts

  private func write(_ position: Position, to writer: inout CheckpointWriter) {
    writer.write(position.epoch)
    writer.write(position.batch)
    writer.write(position.samples)
    writer.write(position.batchSize)
    let sums = position.sums
    writer.write([
      sums.samples, sums.loss, sums.correct, sums.positions, sums.elements, sums.absolute,
      sums.squared,
    ])
    for column in sums.columns { writer.write(column) }
  }

  private static func position(from reader: inout CheckpointReader) throws -> Position {
    var position = Position()
    position.epoch = try reader.integer(in: 0...Int.max, "epoch")
    position.batch = try reader.integer(in: 0...Int.max, "batch")
    position.samples = try reader.integer(in: 0...Int.max, "samples")
    position.batchSize = try reader.integer(in: 0...Int.max, "batch size")
    let sums = try reader.doubles("sums")
    let columns = try (0..<4).map { _ in try reader.doubles("columns") }
    guard sums.count == 7, columns.allSatisfy({ $0.count == columns[0].count }) else {
      throw TrainingError.invalidCheckpoint("expected 7 sums and 4 columns of one length")
    }
    position.sums = EvaluationSums(
      samples: sums[0], loss: sums[1], correct: sums[2], positions: sums[3], elements: sums[4],
      absolute: sums[5], squared: sums[6], columns: columns)
    return position
  }

  private func write(_ history: History, to writer: inout CheckpointWriter) {
    writer.write(history.epochs.count)
    func write(_ evaluation: Evaluation) {
      writer.write(evaluation.loss)
      for metric in Metric.allCases where metrics.contains(metric) {
        writer.write(evaluation.metrics[metric] ?? .nan)
      }
    }
    for epoch in history.epochs {
      writer.write(epoch.number)
      writer.write([epoch.learningRate, epoch.seconds])
      write(epoch.training)
      writer.write(epoch.validation == nil ? 0 : 1)
      if let validation = epoch.validation { write(validation) }
    }
  }

  private func history(
    from reader: inout CheckpointReader, best: Int?
  ) throws -> History {
    func evaluation() throws -> Evaluation {
      let loss = try reader.double()
      var values: [Metric: Double] = [:]
      for metric in Metric.allCases where metrics.contains(metric) {
        values[metric] = try reader.double()
      }
      return Evaluation(loss: loss, metrics: values)
    }
    let count = try reader.integer(in: 0...1 << 32, "epochs")
    var history = History(bestEpoch: best)
    for _ in 0..<count {
      let number = try reader.integer(in: 0...Int.max, "epoch")
      let numbers = try reader.doubles("epoch")
      guard numbers.count == 2 else {
        throw TrainingError.invalidCheckpoint("epoch: expected 2 numbers")
      }
      let training = try evaluation()
      let validation =
        try reader.integer(in: 0...1, "validation") == 1 ? try evaluation() : nil
      history.epochs.append(
        History.Epoch(
          number: number, training: training, validation: validation, learningRate: numbers[0],
          seconds: numbers[1]))
    }
    return history
  }
}
