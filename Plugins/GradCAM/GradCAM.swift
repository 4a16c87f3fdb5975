public import VitrineCore
import VitrineTensor

/// Where the evidence of a convolutional layer lies: its feature maps, weighted by how much the score
/// depends on each of them.
///
/// Source: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
/// Localization" (ICCV 2017), eq. 1 and 2: with A_k the feature maps of a layer, F the score and Z the
/// number of positions, α_k = (1/Z) Σ_ij ∂F/∂A_k,ij and L = ReLU(Σ_k α_k A_k). Nothing is normalised.
///
/// The layer is the last one with height and width on which the score depends, unless others are named;
/// the diagnostics say which it was.
public struct GradCAM: Explainer {
  /// How the maps of several layers become one, after each was brought to the input's size.
  public enum Aggregate: String, Sendable, Hashable, CaseIterable {
    /// The largest at each position.
    case max
    /// Their average.
    case mean
  }

  /// Whose form of the method is meant.
  public enum Dialect: String, Sendable, Hashable, CaseIterable {
    /// Rectified at the end.
    case paper
    /// Captum's `LayerGradCam`: not rectified unless asked for.
    case captum
    /// tf-explain's: the gradient counts only where it and the feature map are positive, and the map is
    /// not rectified unless asked for.
    case tfExplain = "tf-explain"
  }

  /// Where a layer's value of four axes has its channels.
  public enum Layout: String, Sendable, Hashable, CaseIterable {
    /// As convolutions, pooling and what leads to the layer say.
    case auto
    /// `[batch, channel, height, width]`
    case channelsFirst = "channels-first"
    /// `[batch, height, width, channel]`
    case channelsLast = "channels-last"
  }

  public static let method = Method(
    identifier: "grad-cam",
    aliases: ["gradcam"],
    summary: "Where a convolutional layer sees evidence for the score.",
    paper: "Selvaraju, Cogswell, Das, Vedantam, Parikh, Batra: Grad-CAM, 2017",
    requirement: .gradients,
    options: layerOptions + [
      reluOption(
        help: "Whether to drop evidence against the score; auto: true for the dialect paper, false "
          + "for the others."),
      Option(
        "upsample", .flag, default: "false",
        help: "Bring the map to the input's height and width; several layers always are."),
      Option(
        "dialect", .choice(Dialect.allCases.map(\.rawValue)), default: Dialect.paper.rawValue,
        help: "Whose form of the method: the paper's, Captum's without ReLU, or tf-explain's with "
          + "masked gradients."),
    ])

  /// The options that say which maps are looked at.
  static let layerOptions = [
    Option(
      "layer", .layers, default: nil,
      help: "One or several layers with height and width; the last one if not given."),
    Option(
      "aggregate", .choice(Aggregate.allCases.map(\.rawValue)), default: Aggregate.max.rawValue,
      help: "How the maps of several layers become one."),
    Option(
      "layout", .choice(Layout.allCases.map(\.rawValue)), default: Layout.auto.rawValue,
      help: "Where the layer has its channels; auto finds out from the layers before it."),
  ]

  private enum Rectification: String, CaseIterable {
    case auto
    case yes = "true"
    case no = "false"
  }

  static func reluOption(help: String) -> Option {
    Option(
      "relu", .choice(Rectification.allCases.map(\.rawValue)),
      default: Rectification.auto.rawValue, help: help)
  }

  /// Returns what ``reluOption(help:)`` was set to; `nil` for what the dialect does.
  static func relu(_ options: Options) -> Bool? {
    switch Rectification(rawValue: options.choice("relu")) {
    case .yes: true
    case .no: false
    case .auto, nil: nil
    }
  }

  /// Names of layers or tensors; `nil` for the last layer with height and width.
  public let layers: [String]?
  /// How the maps of several layers become one.
  public let aggregate: Aggregate
  /// Whether evidence against the score is dropped.
  public let relu: Bool
  /// Whether the map is brought to the input's height and width.
  public let upsample: Bool
  /// Whose form of the method is meant.
  public let dialect: Dialect
  /// Where the layers have their channels.
  public let layout: Layout

  /// Creates the method; a `relu` of `nil` is what the dialect does.
  public init(
    layers: [String]? = nil, aggregate: Aggregate = .max, relu: Bool? = nil,
    upsample: Bool = false, dialect: Dialect = .paper, layout: Layout = .auto
  ) {
    self.layers = layers
    self.aggregate = aggregate
    self.relu = relu ?? (dialect == .paper)
    self.upsample = upsample
    self.dialect = dialect
    self.layout = layout
  }

  public init(options: Options) throws {
    self.init(
      layers: options.layers("layer"),
      aggregate: Aggregate(rawValue: options.choice("aggregate")) ?? .max,
      relu: Self.relu(options),
      upsample: options.flag("upsample"),
      dialect: Dialect(rawValue: options.choice("dialect")) ?? .paper,
      layout: Layout(rawValue: options.choice("layout")) ?? .auto)
  }

  /// Returns the class activation map of the target's score.
  ///
  /// - Returns: One attribution `[batch, 1, height, width]` at the layer's resolution or, with
  ///   ``upsample`` or several layers, at that of the first input with height and width (bilinear,
  ///   half-pixel centres, edges clamped); in units of the score.
  /// - Throws: `CoreError.missingCapability(method:needs:)` for a model without gradients,
  ///   `CoreError.notApplicable(_:)` if no layer, or not the one named, has height and width,
  ///   `CoreError.notFinite(_:)` for a result that overflows; what the model throws.
  /// - Complexity: One forward pass and one backward pass that stops at the layers; one more forward
  ///   pass if the top class is to be found first.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let evidence = try LayerEvidence(self, model, at: inputs, target: target, context: context)
    var maps = evidence.maps
    var diagnostics = evidence.diagnostics + formDiagnostics
    if upsample || maps.count > 1 {
      guard let size = model.pictureSize(of: inputs) else {
        throw CoreError.notApplicable(
          "no input of the model has height and width to bring the map to; name one layer and leave "
            + "upsample=false")
      }
      maps = [try combined(maps, height: size.height, width: size.width)]
      diagnostics.append(("upsampled-to", .text("\(size.height)x\(size.width)")))
    }
    let tensor = maps[0].converted(to: evidence.dataType)
    try tensor.requireFinite("the class activation map")
    return Explanation(
      method: Self.method.identifier,
      attributions: [
        Attribution(
          name: "attribution", tensor: tensor, axes: [.batch, .channel, .height, .width],
          range: relu ? .nonnegative : .signed)
      ],
      explained: Explained(target, values: evidence.values), diagnostics: diagnostics,
      warnings: evidence.warnings)
  }

  /// What an explanation tells of the form of the map.
  var formDiagnostics: [(name: String, value: Explanation.Diagnostic)] {
    [("dialect", .text(dialect.rawValue)), ("relu", .text(relu ? "yes" : "no"))]
  }

  /// Returns maps of any sizes as one, `[batch, 1, height, width]`.
  func combined(
    _ maps: [Tensor], height: Int, width: Int, interpolates: Bool = true
  ) throws -> Tensor {
    func enlarged(_ map: Tensor) throws -> Tensor {
      interpolates
        ? try map.upsampled(height: height, width: width)
        : try map.repeated(height: height, width: width)
    }
    var result = try enlarged(maps[0])
    for map in maps.dropFirst() {
      let next = try enlarged(map)
      result = aggregate == .max ? try result.maximum(with: next) : try result.adding(next)
    }
    return aggregate == .mean && maps.count > 1
      ? try result.divided(by: Double(maps.count)) : result
  }
}

extension Model {
  /// Returns height and width of the first real input that has both.
  func pictureSize(of inputs: Inputs) -> (height: Int, width: Int)? {
    for port in signature.inputs where port.dataType.isFloatingPoint {
      guard let tensor = inputs[port.name], tensor.rank == port.axes.count,
        let height = port.axes.firstIndex(of: .height),
        let width = port.axes.firstIndex(of: .width)
      else { continue }
      return (tensor.shape[height], tensor.shape[width])
    }
    return nil
  }
}
