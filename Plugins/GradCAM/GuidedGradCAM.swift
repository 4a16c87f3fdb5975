public import VitrineCore
import VitrineTensor

/// The fine structure of guided backpropagation where Grad-CAM sees evidence: their product.
///
/// Source: Selvaraju et al., "Grad-CAM" (ICCV 2017), §3.3. The map is that of ``GradCAM``, brought to the
/// input's size (bilinear, half-pixel centres, edges clamped) and multiplied with every channel of guided
/// backpropagation, whose sign stays.
///
/// The dialect `captum` rectifies the map too, but repeats its cells instead of interpolating; `tf-explain`
/// takes its own map, with masked gradients and not rectified.
public struct GuidedGradCAM: Explainer {
  public static let method = Method(
    identifier: "guided-grad-cam",
    aliases: ["guided-gradcam"],
    summary: "Guided backpropagation where Grad-CAM sees evidence for the score.",
    paper: "Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM, 2017",
    requirement: .gradients,
    options: GradCAM.layerOptions + [
      GradCAM.reluOption(
        help:
          "Whether to drop evidence against the score from the map of Grad-CAM; auto: false for "
          + "the dialect tf-explain, true for the others."),
      Option(
        "dialect", .choice(GradCAM.Dialect.allCases.map(\.rawValue)),
        default: GradCAM.Dialect.paper.rawValue,
        help:
          "Whose form of the map: the paper's, Captum's with cells repeated, or tf-explain's with "
          + "masked gradients."),
    ])

  /// The map that guided backpropagation is multiplied with.
  private let map: GradCAM

  /// Creates the method.
  ///
  /// - Parameters:
  ///   - layers: Names of layers or tensors; `nil` for the last layer with height and width.
  ///   - aggregate: How the maps of several layers become one.
  ///   - relu: Whether evidence against the score is dropped from the map; `nil` for what the dialect
  ///     does.
  ///   - layout: Where the layers have their channels.
  ///   - dialect: Whose form of the map is meant.
  public init(
    layers: [String]? = nil, aggregate: GradCAM.Aggregate = .max, relu: Bool? = nil,
    layout: GradCAM.Layout = .auto, dialect: GradCAM.Dialect = .paper
  ) {
    map = GradCAM(
      layers: layers, aggregate: aggregate, relu: relu ?? (dialect != .tfExplain),
      dialect: dialect, layout: layout)
  }

  public init(options: Options) throws {
    self.init(
      layers: options.layers("layer"),
      aggregate: GradCAM.Aggregate(rawValue: options.choice("aggregate")) ?? .max,
      relu: GradCAM.relu(options),
      layout: GradCAM.Layout(rawValue: options.choice("layout")) ?? .auto,
      dialect: GradCAM.Dialect(rawValue: options.choice("dialect")) ?? .paper)
  }

  /// Returns guided backpropagation times the class activation map.
  ///
  /// - Returns: For each real input with height and width one attribution of the input's shape, signed.
  ///   Diagnostics name the layer and say where the guided rule was applied.
  /// - Throws: As ``GradCAM/explain(_:at:target:context:)``.
  /// - Complexity: That of ``GradCAM``, and one forward and one backward pass.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let realInputs = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let evidence = try LayerEvidence(map, model, at: inputs, target: target, context: context)
    try context.checkCancellation()
    let guided = try model.gradients(
      of: target.objective, withRespectTo: realInputs.sites, at: inputs, atRectifiers: .guided,
      context: context)
    let report = model.ruleReport(.guided, guided.applications)

    var attributions: [Attribution] = []
    var warnings = realInputs.warnings + evidence.warnings + report.warnings
    for (port, attribution) in zip(
      realInputs.ports, try realInputs.attributions(of: guided.tensors, range: .signed))
    {
      guard let product = try product(of: attribution, evidence.maps) else {
        warnings.append("Input '\(port.name)' has no height and width: it is left out.")
        continue
      }
      attributions.append(product)
    }
    guard !attributions.isEmpty else {
      throw CoreError.notApplicable(
        "no input of the model has height and width to lay the map over; use grad-cam")
    }
    return Explanation(
      method: Self.method.identifier, attributions: attributions,
      explained: Explained(target, values: evidence.values),
      diagnostics: evidence.diagnostics + map.formDiagnostics + report.diagnostics,
      warnings: warnings)
  }

  /// Returns the product with the map at the attribution's size, the same for every channel; `nil` if
  /// the attribution has no height and width.
  private func product(of attribution: Attribution, _ maps: [Tensor]) throws -> Attribution? {
    let (axes, tensor) = (attribution.axes, attribution.tensor)
    guard let height = axes.firstIndex(of: .height), let width = axes.firstIndex(of: .width)
    else { return nil }
    var cover = try map.combined(
      maps, height: tensor.shape[height], width: tensor.shape[width],
      interpolates: map.dialect != .captum)
    if height > width { cover = try cover.transposed(axes: [0, 1, 3, 2]) }
    let extents = axes.indices.map { axis in
      [.batch, .height, .width].contains(axes[axis]) ? tensor.shape[axis] : 1
    }
    let product = try tensor.converted(to: .float64).multiplied(by: cover.reshaped(to: extents))
      .converted(to: tensor.dataType)
    try product.requireFinite("the attribution '\(attribution.name)'")
    return Attribution(name: attribution.name, tensor: product, axes: axes, range: .signed)
  }
}
