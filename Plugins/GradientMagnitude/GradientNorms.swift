import VitrineCore
import VitrineTensor

/// How long the gradient of an objective is at each layer on its way to the inputs.
struct GradientNorms {
  /// In execution order; layers on which the objective does not depend are left out.
  private(set) var list: [(layer: String, norm: Double)] = []

  /// - Complexity: One forward and one backward pass for each group of layers whose gradients fit half of
  ///   `Context.memoryLimit`; a few more where the objective does not depend on some layer.
  init(
    of objective: Objective, _ model: any Differentiable, at inputs: Inputs, _ context: Context
  ) throws {
    var group: [Layer] = []
    var bytes = 0.0
    for layer in model.layers {
      let size = layer.dimensions.reduce(8.0) { $0 * Double($1 ?? 1) }
      if bytes + size > Double(context.memoryLimit) / 2, !group.isEmpty {
        try measure(group[...], objective, model, inputs, context)
        (group, bytes) = ([], 0)
      }
      group.append(layer)
      bytes += size
    }
    try measure(group[...], objective, model, inputs, context)
  }

  /// Measures a group; where one of its layers has no gradient, each half of it.
  private mutating func measure(
    _ layers: ArraySlice<Layer>, _ objective: Objective, _ model: any Differentiable,
    _ inputs: Inputs, _ context: Context
  ) throws {
    guard !layers.isEmpty else { return }
    try context.checkCancellation()
    let gradients: Gradients
    do {
      gradients = try model.gradients(
        of: objective, withRespectTo: layers.map { .layer($0.name) }, at: inputs, rules: .gradient)
    } catch {
      // The only way to learn that the objective does not depend on a layer.
      guard layers.count > 1 else { return }
      let middle = layers.startIndex + layers.count / 2
      try measure(layers[..<middle], objective, model, inputs, context)
      try measure(layers[middle...], objective, model, inputs, context)
      return
    }
    for (layer, tensor) in zip(layers, gradients.tensors) {
      list.append((layer.name, try tensor.norm()))
    }
  }
}
