public import VitrineCore
internal import VitrineTensor

// The loop of an ascent runs beside the plan: what does not change from step to step is made once, and every
// step computes in the same memory.
extension Network {
  public func ascend(
    _ objective: Objective, from positions: Inputs, at inputs: Inputs, by step: AscentStep,
    count: Int, context: Context
  ) throws -> AscentResult {
    let batchAxes = try ascentAxes(from: positions, at: inputs)
    let names = positions.tensors.map(\.name)
    let problem = try Problem(
      objective.site, names.map { .input($0) }, .gradient, network: self)
    let call = try Call(inputs, network: self)
    let moving = names.compactMap { name in inputPorts.firstIndex { $0.name == name } }

    /// Takes steps with each part of the batch after the other, no more than the parts before it took.
    func climb(_ most: Int, _ context: Context) throws -> [AscentResult] {
      var limit = most
      var done = 0
      return try call.chunks { engine, tensors, samples in
        let part = try objective.restricted(to: samples, of: call.samples)
        let shape = try problem.differentiableShape(engine)
        let gradients = try engine.gradientFunction(
          of: problem.source, channels: part.channels(of: shape), withRespectTo: problem.sites,
          inputs: tensors, rules: problem.rules,
          cotangent: try part.cotangent(for: shape, engine.realType))
        var result = AscentResult(
          at: try positions.tensors.map {
            samples.count == call.samples ? $0.value : try rows(samples, of: $0.value)
          })
        while result.values.count < limit {
          try context.checkCancellation()
          var point = tensors
          for ((index, name), position) in zip(zip(moving, names), result.positions) {
            let type = result.dataType ?? inputs[name]?.dataType ?? engine.realType
            point[index] = position.converted(to: type).converted(to: engine.realType)
          }
          let found = try gradients(point)
          guard
            try result.take(
              step, along: found.gradients, of: objective, worth: part.values(of: found.value),
              batchAxes: batchAxes)
          else { break }
          done += samples.count
          context.progress(done / call.samples, of: count, "steps")
        }
        limit = result.values.count
        return result
      }
    }

    var parts = try climb(count, context)
    // All samples stop where the first one has to.
    if let least = parts.last?.values.count, parts.contains(where: { $0.values.count > least }) {
      parts = try climb(least, context.silent)
    }
    return try AscentResult(joining: parts)
  }
}
