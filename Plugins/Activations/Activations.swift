public import VitrineCore
import VitrineTensor

/// What layers compute for an input: their values, several layers from one pass.
///
/// Any value of the model can be named: a layer, a tensor it writes, an output, an input. The pass stops
/// at the deepest of them.
public struct Activations: Explainer {
  public static let method = Method(
    identifier: "activations",
    summary: "The values that layers compute for an input.",
    paper: "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2014",
    requirement: .evaluation,
    options: [
      Option(
        "layers", .layers, default: nil,
        help: "Which layers or tensors to record; every layer if not given.")
    ],
    usesTarget: false)

  /// Names of layers or tensors; `nil` for every layer.
  public let layers: [String]?

  /// Creates the method.
  public init(layers: [String]? = nil) { self.layers = layers }

  public init(options: Options) throws { self.init(layers: options.layers("layers")) }

  /// Returns the values of the layers.
  ///
  /// The target is not used: no score is explained.
  ///
  /// - Returns: One attribution for each layer, in the order asked for, named by it, in the layer's own
  ///   shape, such as `[batch, channel, height, width]` or `[batch, feature]`, and units.
  /// - Throws: `CoreError.notApplicable(_:)` if every layer is recorded and they exceed
  ///   `Context.memoryLimit`; for an unknown layer what the model throws.
  /// - Complexity: One forward pass, stopped at the deepest layer.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    try context.checkCancellation()
    let names = layers ?? model.layers.map(\.name)
    guard !names.isEmpty else {
      throw CoreError.notApplicable("the model has no layers to look at")
    }
    if layers == nil { try checkMemory(of: model, inputs, context) }
    let sites = names.map { model.site(named: $0) }
    let values = try model.evaluate(inputs, observing: sites)

    var warnings: [String] = []
    var attributions: [Attribution] = []
    for ((name, site), value) in zip(zip(names, sites), values) {
      do {
        try value.requireFinite(name)
      } catch CoreError.notFinite {
        warnings.append("The values of \(site) contain NaN or infinity.")
      }
      attributions.append(
        Attribution(
          name: name, tensor: value, axes: axes(of: value, at: site, in: model),
          range: isNonnegative(site, in: model) ? .nonnegative : .signed))
    }
    return Explanation(
      method: Self.method.identifier, attributions: attributions,
      explained: Explained(
        site: sites[0], score: nil, skippedSoftmax: false, elements: [], values: []),
      warnings: warnings)
  }
}

// MARK: - What the values mean

extension Activations {
  /// Returns the axes a port declares, and for layers those usual for the rank.
  private func axes(of value: Tensor, at site: Site, in model: any Model) -> [Axis] {
    let ports =
      switch site {
      case .input: model.signature.inputs
      case .output: model.signature.outputs
      case .layer: [Port]()
      }
    if let port = ports.first(where: { $0.name == site.name }), port.axes.count == value.rank {
      return port.axes
    }
    switch value.rank {
    case 0: return []
    case 1: return [.batch]
    case 2: return [.batch, .feature]
    case 3: return [.batch, .position, .feature]
    case 4: return [.batch, .channel, .height, .width]
    default:
      return [.batch, .channel] + Array(repeating: .position, count: value.rank - 2)
    }
  }

  private func isNonnegative(_ site: Site, in model: any Model) -> Bool {
    guard case .layer(let name) = site, let layer = model.layer(named: name) else { return false }
    return ["Relu", "Sigmoid", "Softmax"].contains(layer.kind)
  }

  /// Checks the sizes of all layers, as far as they are known before the model is called.
  private func checkMemory(of model: any Model, _ inputs: Inputs, _ context: Context)
    throws(CoreError)
  {
    let samples =
      model.signature.inputs.lazy.compactMap { port -> Int? in
        guard let axis = port.batchAxis, let tensor = inputs[port.name], axis < tensor.rank else {
          return nil
        }
        return tensor.shape[axis]
      }.first ?? 1
    var bytes = 0.0
    for layer in model.layers where !layer.dimensions.isEmpty {
      bytes += layer.dimensions.reduce(4 * Double(samples)) { $0 * Double($1 ?? 1) }
    }
    guard bytes <= Double(context.memoryLimit) else {
      throw .notApplicable(
        "the values of all \(model.layers.count) layers need \(Int(min(bytes / 1e6, 1e15))) MB, the "
          + "limit is \(context.memoryLimit / 1_000_000) MB; name some with the option 'layers', "
          + "or raise the memory limit")
    }
  }
}
