import VitrineCore
import VitrineImaging
import VitrineTensor

/// A picture of an explanation, with everything that must be said about it.
struct Figure: Sendable {
  /// The file's name without extension, for methods that make several pictures; `nil` for the only
  /// one.
  let name: String?
  let title: String
  let image: Image
  /// Where the evidence is, in one or two sentences.
  let finding: String
  /// What the colours at the ends of the scale stand for.
  let scale: ClosedRange<Float>

  /// What someone who cannot see the picture should know.
  var description: String { title + ". " + finding }

  /// Returns the bytes of a PNG with the figure's title, scale and provenance in its text entries.
  func png(_ provenance: [(name: String, value: String)]) throws -> [UInt8] {
    let entries =
      [
        ("Title", title), ("Description", description),
        ("Software", "vitrine \(Command.version)"),
        ("Vitrine-Scale-Minimum", scale.lowerBound.description),
        ("Vitrine-Scale-Maximum", scale.upperBound.description),
      ] + provenance.map { ("Vitrine-" + $0.name, $0.value) }
    return try PNG.encode(image, text: entries.map { TextEntry(keyword: $0.0, text: $0.1) })
  }
}

/// Paints the figures of explanations.
struct FigurePainter: Sendable {
  let method: Method
  let labels: ClassLabels?
  let modelName: String
  /// The picture that was explained, as the model saw it; `nil` if there is none.
  let picture: Image?

  /// Sides of maps in figures, in pixels, are near this.
  private static let side = 448
  /// More maps than this would not be looked at.
  private static let mostChannels = 256

  /// Returns the figures of one sample: for a Jacobian one for each output, for layers a grid of their
  /// channels, for everything else the map over the picture.
  ///
  /// - Parameter mainOnly: Whether to leave out all attributions but the first.
  /// - Returns: None if no attribution has a height and width of more than one position.
  /// - Throws: ``ImagingError`` if a map holds no finite number.
  func figures(
    of explanation: Explanation, sample: Int, mainOnly: Bool = false
  ) throws -> [Figure] {
    var figures: [Figure] = []
    for attribution in explanation.attributions.prefix(mainOnly ? 1 : .max) {
      guard let maps = try FeatureMaps(attribution, sample: sample), maps.height * maps.width > 1
      else { continue }
      if attribution.axes.contains(.output) {
        let outputs = explanation.outputIndices(rows: maps.rows)
        for (row, output) in outputs.enumerated() {
          let value = explanation.values(sample: sample, of: attribution).dropFirst(row).first
          figures.append(
            try rowFigure(maps, row: row, output: output, value: value))
        }
      } else if method.usesTarget {
        figures.append(
          try overlay(
            maps, attribution, explanation, sample: sample,
            name: mainOnly || explanation.attributions.count == 1 ? nil : attribution.name))
      } else {
        figures.append(try channelGrid(maps, attribution))
      }
    }
    return figures
  }

  private func rowFigure(
    _ maps: FeatureMaps, row: Int, output: Int, value: Double?
  ) throws -> Figure {
    let map = try maps.heatMap(row: row)
    let scale = try ColorScale.fitted(to: map.values, signed: true)
    let title = "d prediction[\(output)] / d input"
    var notes: [String] = []
    if let value { notes.append("prediction[\(output)] = \(Number.significant(value))") }
    if let label = labels.label(of: output) { notes.append(label) }
    notes.append(modelName)
    if !maps.reduction.isEmpty { notes.append(maps.reduction) }
    let image = try Self.framed(
      [Self.magnified(try map.rendered(scale: scale))], scale: scale,
      title: title + "\n" + notes.joined(separator: ", "))
    return Figure(
      name: "d_pred_\(output)d_image", title: title, image: image,
      finding: Self.finding(in: map), scale: scale.range)
  }

  private func overlay(
    _ maps: FeatureMaps, _ attribution: Attribution, _ explanation: Explanation, sample: Int,
    name: String?
  ) throws -> Figure {
    let map = try maps.heatMap(row: 0)
    let scale = try ColorScale.fitted(to: map.values, signed: attribution.range == .signed)
    let explained = explanation.explained
    var title = method.identifier + (name.map { ", " + $0 } ?? "")
    if explained.elements.indices.contains(sample) {
      title += ": class \(labels.name(of: explained.elements[sample]))"
    }
    var notes: [String] = []
    if let score = explained.score, explained.values.indices.contains(sample) {
      notes.append("\(score.rawValue) \(Number.significant(explained.values[sample]))")
    }
    notes.append(modelName)
    if !maps.reduction.isEmpty { notes.append(maps.reduction) }
    var panels: [Image] = []
    if let picture {
      if map.width == picture.width, map.height == picture.height {
        panels = [
          try Self.magnified(picture), try Self.magnified(map.overlaid(on: picture, scale: scale)),
        ]
      } else {
        let large = try Self.magnified(picture)
        panels = [large, try map.overlaid(on: large, scale: scale)]
        notes.append("map of \(map.width)x\(map.height)")
      }
    } else {
      panels = [try Self.magnified(map.rendered(scale: scale))]
    }
    let image = try Self.framed(
      panels, scale: scale, title: title + "\n" + notes.joined(separator: ", "))
    return Figure(
      name: name.map { FileName.safe($0) }, title: title, image: image,
      finding: Self.finding(in: map), scale: scale.range)
  }

  private func channelGrid(_ maps: FeatureMaps, _ attribution: Attribution) throws -> Figure {
    let shown = min(maps.channels, Self.mostChannels)
    let values = Array(maps.planes(row: 0).prefix(shown * maps.height * maps.width))
    let scale = try ColorScale.fitted(to: values, signed: attribution.range == .signed)
    let grid = try HeatMap.channelGrid(
      values, channels: shown, width: maps.width, height: maps.height, scale: scale,
      magnification: max(1, 56 / max(maps.width, maps.height)))
    let title = "\(method.identifier) of \(attribution.name)"
    let count =
      shown < maps.channels ? "the first \(shown) of \(maps.channels)" : "\(maps.channels)"
    return Figure(
      name: FileName.safe(attribution.name), title: title,
      image: try Self.framed(
        [grid], scale: scale,
        title: "\(title)\n\(count) channels of \(maps.width)x\(maps.height), \(modelName)"),
      finding: "\(count) channels, each as a map of \(maps.width) by \(maps.height).",
      scale: scale.range)
  }

  // MARK: - Layout

  /// Returns panels side by side under a title and over the legend of their colours.
  private static func framed(
    _ panels: [Image], scale: ColorScale, title: String
  ) throws -> Image {
    let body = try Image.strip(panels, gap: 8)
    let size = body.width >= 400 ? 2 : 1
    let bar = try ColorBar(scale: scale).image(width: max(160, body.width - 16), size: size)
    return try Image.strip([Image.stack([body, bar], gap: 6).titled(title, size: size)], gap: 10)
  }

  private static func magnified(_ image: Image) throws -> Image {
    let factor = (Double(side) / Double(max(image.width, image.height))).rounded()
    return try image.magnified(by: max(1, Int(factor)))
  }

  /// Says where the evidence is.
  private static func finding(in map: HeatMap) -> String {
    let statistics = MapStatistics(map)
    guard let peak = statistics.strongest.first, peak.value != 0 else {
      return "Zero everywhere."
    }
    return "Strongest at row \(peak.row), column \(peak.column) of \(map.height) by \(map.width): "
      + "\(Number.significant(Double(peak.value), 4)); "
      + "\(Number.fixed(statistics.halfMassShare * 100, 1))% of the pixels hold half of it."
  }
}

extension ColorScale {
  var range: ClosedRange<Float> { bounds.low...max(bounds.low, bounds.high) }
}

extension Explanation {
  /// Returns which output each row of a Jacobian belongs to.
  func outputIndices(rows: Int) -> [Int] {
    if rows == 1, let element = explained.elements.first { return [element] }
    for diagnostic in diagnostics where diagnostic.name == "outputs" {
      if case .numbers(let numbers) = diagnostic.value, numbers.count == rows {
        return numbers.compactMap { Int(exactly: $0) }
      }
    }
    return Array(0..<rows)
  }

  /// Returns the explained values of one sample: one, or one for each row of a Jacobian.
  func values(sample: Int, of attribution: Attribution) -> [Double] {
    let samples = max(1, attribution.tensor.shape.dimensions.first ?? 1)
    let count = explained.values.count / samples
    guard count > 0 else { return [] }
    return Array(explained.values[sample * count..<(sample + 1) * count])
  }
}
