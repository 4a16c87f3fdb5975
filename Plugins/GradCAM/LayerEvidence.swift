import VitrineCore
import VitrineTensor

/// The maps of one or several layers for a score, each at its layer's resolution.
struct LayerEvidence: Sendable {
  /// One for each layer, `[batch, 1, height, width]` in double precision; rectified if asked for.
  let maps: [Tensor]
  /// The real type of the model's gradients.
  let dataType: DataType
  /// The score of each sample.
  let values: [Double]
  let diagnostics: [(name: String, value: Explanation.Diagnostic)]
  let warnings: [String]

  /// - Throws: `CoreError.notApplicable(_:)` if there is no layer with maps; what the model throws.
  init(
    _ method: GradCAM, _ model: any Differentiable, at inputs: Inputs, target: ResolvedTarget,
    context: Context
  ) throws {
    let known = try MapLayers(model, at: inputs, layout: method.layout)
    let layers: [MapLayer]
    let gradients: Gradients
    if let names = method.layers {
      layers = try names.map(known.layer)
      gradients = try model.gradients(
        of: target.objective, withRespectTo: layers.map(\.site), at: inputs, rules: .gradient,
        observing: layers.map(\.site))
    } else {
      (layers, gradients) = try Self.lastLayer(
        of: known, model, at: inputs, target: target, context: context)
    }
    guard gradients.values.allSatisfy(\.isFinite) else {
      throw CoreError.notFinite("the explained score")
    }
    try context.checkCancellation()
    guard gradients.observed.count == layers.count else {
      throw CoreError.inputCount(
        expected: layers.map(\.name), found: gradients.observed.count)
    }

    var maps: [Tensor] = []
    var warnings: [String] = []
    for (index, layer) in layers.enumerated() {
      var map = try layer.map(
        of: gradients.observed[index], gradient: gradients.tensors[index],
        masked: method.dialect == .tfExplain)
      try map.requireFinite("the class activation map of \(layer.site)")
      if let warning = try Self.warning(about: map, of: layer, rectified: method.relu) {
        warnings.append(warning)
      }
      if method.relu { map = try map.maximum(with: 0) }
      maps.append(map)
    }
    self.maps = maps
    self.warnings = warnings
    dataType = gradients.tensors[0].dataType
    values = gradients.values
    diagnostics = [
      ("layer", .texts(layers.map(\.name))),
      ("layer-layout", .texts(layers.map(\.axes.description))),
      ("map-size", .texts(maps.map { "\($0.shape[2])x\($0.shape[3])" })),
    ]
  }

  /// Returns the last layer with maps on which the score depends, with its value and the gradient there.
  private static func lastLayer(
    of known: MapLayers, _ model: any Differentiable, at inputs: Inputs, target: ResolvedTarget,
    context: Context
  ) throws -> ([MapLayer], Gradients) {
    var firstError: (any Error)?
    for layer in known.candidates(before: target.site).reversed() {
      try context.checkCancellation()
      do {
        let gradients = try model.gradients(
          of: target.objective, withRespectTo: [layer.site], at: inputs, rules: .gradient,
          observing: [layer.site])
        return ([layer], gradients)
      } catch let error as CoreError where !error.isAboutTheModel {
        throw error
      } catch {
        // A layer behind the score or beside the way to it; or a fault that every layer shows.
        firstError = firstError ?? error
      }
    }
    throw firstError
      ?? CoreError.notApplicable(
        "the model has no layer with height and width before \(target.site), which Grad-CAM needs; "
          + "if one has another layout, name it and set layout=channels-first or channels-last")
  }

  /// Says that a map, before it is rectified, shows nothing or nothing in favour of the score.
  private static func warning(
    about map: Tensor, of layer: MapLayer, rectified: Bool
  ) throws -> String? {
    var against: [Int] = []
    var empty: [Int] = []
    for n in 0..<map.shape[0] {
      let sample = try map.select(axis: 0, index: n)
      guard sample.count > 0, try sample.max() <= 0 else { continue }
      if try sample.min() == 0 { empty.append(n) } else { against.append(n) }
    }
    func place(_ samples: [Int]) -> String {
      guard map.shape[0] > 1 else { return "" }
      let shown = samples.prefix(8).map(String.init).joined(separator: ", ")
      return " for sample\(samples.count == 1 ? "" : "s") \(shown)"
        + (samples.count > 8 ? ", … (\(samples.count))" : "")
    }
    var sentences: [String] = []
    if rectified, !against.isEmpty {
      sentences.append(
        "The map of \(layer.site) holds only evidence against the score\(place(against)), and its "
          + "ReLU leaves zero everywhere: set relu=false to see the signed map.")
    }
    if !empty.isEmpty {
      sentences.append(
        "The map of \(layer.site) is zero everywhere\(place(empty)), before any ReLU: to first order "
          + "the score does not depend on the means of its active channels.")
    }
    return sentences.isEmpty ? nil : sentences.joined(separator: " ")
  }
}

extension CoreError {
  /// Whether another layer of the model might do.
  fileprivate var isAboutTheModel: Bool {
    switch self {
    case .notApplicable, .unknownName: true
    default: false
    }
  }
}
