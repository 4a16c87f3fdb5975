public import VitrineCore
public import VitrineTensor

// One box after the other of an input is covered: only what a box changes is computed.
extension Network {
  public func scores(
    of objective: Objective, at inputs: Inputs, covering input: String, with cover: Tensor,
    in boxes: [Box], context: Context
  ) throws -> [[Double]] {
    let port = try checkCover(cover, of: input, at: inputs, in: boxes)
    guard configuration.precision != .double, takesBatches, port.batchAxis == 0, boxes.count > 1,
      let value = try? value(.input(input)), let target = try? self.value(objective.site),
      let covered = ChangedRegion(boxes, over: cover.shape.dimensions),
      let prepared = try prepare(
        covered, of: value, to: target, objective, at: inputs, boxes: boxes.count)
    else {
      return try scoresVariantByVariant(
        of: objective, at: inputs, covering: input, with: cover, in: boxes, context: context)
    }
    let (call, single, evaluation, batch) = prepared
    let covers = try Call(inputs.replacing(input, with: cover), network: self)
    return try (0..<call.samples).map { sample in
      let sampleInputs = try call.selecting([sample])
      try evaluation.start(
        inputs: call.selecting([Int](repeating: sample, count: batch), exceptFor: [value]),
        bases: single.evaluate(evaluation.baseValues, inputs: sampleInputs),
        cover: covers.selecting([sample])[wiring.inputs.firstIndex(of: value) ?? 0])
      var scores: [Double] = []
      for start in stride(from: 0, to: boxes.count, by: batch) {
        try context.checkCancellation()
        let indices = (start..<start + batch).map { min($0, boxes.count - 1) }
        guard let values = try evaluation.evaluate(indices) else { break }
        let rows = [Int](repeating: sample, count: batch)
        scores += try objective.selecting(rows, of: call.samples).values(of: values)
          .prefix(boxes.count - start)
        context.progress(
          sample * boxes.count + scores.count, of: call.samples * boxes.count, "variants")
      }
      return scores
    }
  }

  private func prepare(
    _ covered: ChangedRegion, of input: Int, to target: Int, _ objective: Objective,
    at inputs: Inputs,
    boxes: Int
  ) throws -> (
    call: Call, single: PreparedEngine, evaluation: CoveredEvaluation, batch: Int
  )? {
    let call = try Call(inputs, network: self)
    let single = try engines.engine(for: try call.selecting([0]))
    let batch = Self.batch(boxes, preferred: single.preferredBatch)
    guard let engine = try? engines.engine(for: call.selecting([0]), samples: batch),
      engine.keepsSamplesApart(batch),
      let evaluation = try engine.coveredEvaluation(
        of: target, channels: objective.channels(of: engine.shape(of: target)), covering: input,
        covered)
    else { return nil }
    return (call, single, evaluation, batch)
  }

  /// Boxes are several times smaller than what they are cut from.
  private static let boxesPerSample = 8

  private static func batch(_ boxes: Int, preferred: Int) -> Int {
    let most = max(2, min(preferred * boxesPerSample, boxes, 64))
    // As few empty places as possible in the last batch.
    let batches = (boxes + most - 1) / most
    return (boxes + batches - 1) / batches
  }
}

extension ChangedRegion {
  /// Returns `nil` for an input without height and width.
  init?(_ boxes: [Box], over dimensions: [Int]) {
    guard dimensions.count == 3 || dimensions.count == 4 else { return nil }
    let columns = dimensions.count - 1
    rows = ChangedAxis(
      extent: dimensions.count == 3 ? 1 : dimensions[2],
      changed: boxes.map { dimensions.count == 3 ? 0..<1 : $0.ranges[2] })
    self.columns = ChangedAxis(
      extent: dimensions[columns], changed: boxes.map { $0.ranges[columns] })
    // Every channel of a covered position is replaced.
    guard boxes.allSatisfy({ $0.ranges[1] == 0..<dimensions[1] }) else { return nil }
  }
}
