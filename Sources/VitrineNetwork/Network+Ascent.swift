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

    func climb(_ limit: Int) throws -> [AscentResult] {
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
          for (index, position) in zip(moving, result.positions) {
            point[index] = position.converted(to: engine.realType)
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
        return result
      }
    }

    var parts = try climb(count)
    // All samples stop where the first one has to.
    while let least = parts.map(\.values.count).min(),
      parts.contains(where: { $0.values.count > least })
    {
      parts = try climb(least)
    }
    return try AscentResult(joining: parts)
  }
}
