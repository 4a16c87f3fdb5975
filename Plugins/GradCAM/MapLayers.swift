import VitrineCore
import VitrineTensor

/// Which layers of a model are stacks of feature maps, and along which axes.
///
/// Inside a model the channels come first, `[batch, channel, height, width]`, as ONNX defines it for
/// convolutions, pooling and batch normalisation. Exporters of channels-last frameworks put transposes
/// between these and what they leave channels-last. So layers are read in execution order: a convolution
/// or pooling has its channels first; a transpose that moves the channels of an earlier stack moves
/// them; any other layer has the axes of the nearest earlier stack with the same height and width. A
/// value of four axes that fits no stack, such as the scores of an attention, is none.
struct MapLayers: Sendable {
  private struct Entry: Sendable {
    let layer: Layer
    /// `nil` if it is not a stack of maps.
    let axes: MapAxes?

    /// Whether it is a stack of maps with more than one position.
    var isSpatial: Bool {
      guard let axes, let height = layer.dimensions[axes.height],
        let width = layer.dimensions[axes.width]
      else { return false }
      return height > 1 || width > 1
    }

    func isNamed(_ name: String) -> Bool { layer.name == name || layer.aliases.contains(name) }
  }

  private let entries: [Entry]
  private let ports: [Port]
  private let layout: GradCAM.Layout

  /// Reads a model's layers.
  ///
  /// - Complexity: O(layers²); one forward pass for one sample, with every value kept, if the model
  ///   does not know the sizes of its layers before it is called.
  init(_ model: any Model, at inputs: Inputs, layout: GradCAM.Layout) throws {
    let layers = try Self.measured(model, at: inputs)
    ports = model.signature.inputs + model.signature.outputs
    self.layout = layout
    switch layout {
    case .auto:
      entries = zip(layers, Self.axes(of: layers, inputs: model.signature.inputs)).map {
        Entry(layer: $0, axes: $1)
      }
    case .channelsFirst, .channelsLast:
      let axes: MapAxes = layout == .channelsFirst ? .channelsFirst : .channelsLast
      entries = layers.map { Entry(layer: $0, axes: $0.dimensions.count == 4 ? axes : nil) }
    }
  }

  /// Returns the layers with more than one position, in execution order, without the one at `site`.
  func candidates(before site: Site) -> [MapLayer] {
    entries.filter { $0.isSpatial && !$0.isNamed(site.name) }.map {
      MapLayer(name: $0.layer.name, site: .layer($0.layer.name), axes: $0.axes ?? .channelsFirst)
    }
  }

  /// Returns the layer that a caller names.
  ///
  /// - Throws: `CoreError.unknownName(what:name:suggestion:known:)`; `CoreError.notApplicable(_:)` for
  ///   a layer without height and width, with the names of some that have them.
  func layer(named name: String) throws(CoreError) -> MapLayer {
    let found =
      entries.first { $0.layer.name == name } ?? entries.first { $0.layer.aliases.contains(name) }
    guard let found else {
      if ports.contains(where: { $0.name == name }) {
        throw unfit(name, "is no layer inside the model")
      }
      let known = entries.flatMap { [$0.layer.name] + $0.layer.aliases }
      throw .unknownName(
        what: "layer", name: name, suggestion: closestName(to: name, among: known),
        known: examples)
    }
    guard let axes = found.axes, found.isSpatial else {
      let extents = found.layer.dimensions.map { $0.map(String.init) ?? "?" }
      throw unfit(name, "has the shape [" + extents.joined(separator: ", ") + "]")
    }
    return MapLayer(name: name, site: .layer(name), axes: axes)
  }

  /// The last layers with maps, last first.
  private var examples: [String] {
    entries.filter(\.isSpatial).suffix(4).reversed().map(\.layer.name)
  }

  private func unfit(_ name: String, _ finding: String) -> CoreError {
    .notApplicable(
      "layer '\(name)': expected feature maps with height and width, found that it \(finding)"
        + (examples.isEmpty ? "" : "; try " + examples.map { "'\($0)'" }.joined(separator: ", "))
        + (layout == .auto ? "" : ", or leave layout=auto"))
  }
}

// MARK: - Sizes and axes

extension MapLayers {
  /// Returns the model's layers with their extents, found by a call if the model does not know them.
  private static func measured(_ model: any Model, at inputs: Inputs) throws -> [Layer] {
    let layers = model.layers
    let isKnown = layers.contains {
      !$0.dimensions.isEmpty && $0.dimensions.allSatisfy { $0 != nil }
    }
    if isKnown || layers.isEmpty { return layers }
    var sample = inputs
    for port in model.signature.inputs {
      guard let axis = port.batchAxis, let tensor = inputs[port.name], axis < tensor.rank,
        tensor.shape[axis] > 1
      else { continue }
      sample = sample.replacing(port.name, with: try tensor.sliced(axis: axis, 0..<1))
    }
    let values = try model.evaluate(sample, observing: layers.map { .layer($0.name) })
    return zip(layers, values).map { layer, value in
      Layer(
        name: layer.name, kind: layer.kind, aliases: layer.aliases,
        dimensions: value.shape.dimensions)
    }
  }

  /// Returns the axes of each layer, `nil` for one that is not a stack of maps.
  private static func axes(of layers: [Layer], inputs: [Port]) -> [MapAxes?] {
    // What came before: stacks with their axes, and values of four axes that are none.
    var seen: [(dimensions: [Int?], axes: MapAxes?)] = inputs.compactMap(stack)
    return layers.map { layer in
      guard layer.dimensions.count == 4 else { return nil }
      let axes = axes(of: layer, after: seen)
      seen.append((layer.dimensions, axes))
      return axes
    }
  }

  private static func stack(_ port: Port) -> (dimensions: [Int?], axes: MapAxes?)? {
    switch port.axes {
    case [.batch, .channel, .height, .width]: (port.dimensions, .channelsFirst)
    case [.batch, .height, .width, .channel]: (port.dimensions, .channelsLast)
    default: nil
    }
  }

  private static func axes(
    of layer: Layer, after seen: [(dimensions: [Int?], axes: MapAxes?)]
  ) -> MapAxes? {
    if channelsFirstKinds.contains(layer.kind) { return .channelsFirst }
    let extents = Array(layer.dimensions.dropFirst())
    if layer.kind == "Transpose" {
      for (dimensions, axes) in seen.reversed() where axes != nil {
        let (a, b, c) = (dimensions[1], dimensions[2], dimensions[3])
        if axes == .channelsFirst, extents == [b, c, a] { return .channelsLast }
        if axes == .channelsLast, extents == [c, a, b] { return .channelsFirst }
      }
      return nil
    }
    for (dimensions, axes) in seen.reversed() {
      guard let axes else {
        if dimensions[1...] == extents[...] { return nil }
        continue
      }
      let isAlike =
        layer.dimensions[axes.height] == dimensions[axes.height]
        && layer.dimensions[axes.width] == dimensions[axes.width]
      if isAlike { return axes }
    }
    if rearrangingKinds.contains(layer.kind) { return nil }
    return seen.last { $0.axes != nil }?.axes ?? .channelsFirst
  }
}

/// Kinds that ONNX defines with channels first.
private let channelsFirstKinds: Set<String> = [
  "AveragePool", "BatchNormalization", "Conv", "ConvInteger", "ConvTranspose", "DepthToSpace",
  "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "GroupNormalization",
  "InstanceNormalization", "LRN", "LpPool", "MaxPool", "MaxRoiPool", "MaxUnpool", "QLinearConv",
  "RoiAlign", "SpaceToDepth",
]

/// Kinds whose value need not have the axes of what they take.
private let rearrangingKinds: Set<String> = [
  "Einsum", "Expand", "Gather", "Gemm", "MatMul", "Reshape", "Split", "Squeeze", "Unsqueeze",
]
