internal import VitrineTensor

extension Model {
  public func scores(
    of objective: Objective, at inputs: Inputs, variants count: Int, context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [[Double]] {
    let limit = RowLimit(self, at: inputs, memoryLimit: context.memoryLimit)
    guard let samples = limit.samples else {
      return try wholeScores(
        of: objective, at: inputs, variants: count, context: context, variant: variant)
    }
    return try (0..<samples).map { sample in
      let original = try inputs.rows([sample])
      var scores: [Double] = []
      for start in stride(from: 0, to: count, by: limit.rows) {
        let indices = start..<min(start + limit.rows, count)
        let changed = try indices.map { try variant($0, sample..<sample + 1, original) }
        let batch = Inputs(
          try original.tensors.map { name, tensor in
            (name, try Tensor.concatenation(of: changed.map { $0[name] ?? tensor }, axis: 0))
          })
        try context.checkCancellation()
        let value = try evaluate(batch, observing: [objective.site])[0]
        let rows = Array(repeating: sample, count: indices.count)
        let found = try objective.selecting(rows, of: samples).values(of: value)
        // The model is one we do not know, and its answers are told apart by their places.
        guard found.count == indices.count else {
          throw CoreError.shapeMismatch(
            what: "samples at \(objective.site)", expected: [indices.count], found: [found.count])
        }
        scores += found
        context.progress(sample * count + scores.count, of: samples * count, "variants")
      }
      return scores
    }
  }

  /// Evaluates the variants one by one, each with all its samples.
  private func wholeScores(
    of objective: Objective, at inputs: Inputs, variants count: Int, context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [[Double]] {
    let isBatch = signature.inputs.first?.batchAxis == 0
    let samples = isBatch ? inputs.tensors.first?.value.shape.dimensions.first ?? 1 : 1
    var scores = [[Double]](repeating: [], count: samples)
    for index in 0..<count {
      let changed = try variant(index, 0..<samples, inputs)
      try context.checkCancellation()
      let value = try evaluate(changed, observing: [objective.site])[0]
      let found = try objective.values(of: value)
      guard found.count == samples else {
        throw CoreError.shapeMismatch(
          what: "samples at \(objective.site)", expected: [samples], found: [found.count])
      }
      for (sample, score) in found.enumerated() { scores[sample].append(score) }
      context.progress(index + 1, of: count, "variants")
    }
    return scores
  }
}
