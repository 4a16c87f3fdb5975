import VitrineCore
import VitrineImaging
import VitrineReport
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

  /// Files that go with the picture.
  var companions: [Companion] = []

  /// A further file beside the picture's.
  struct Companion: Sendable {
    /// What its name adds to that of the picture.
    let suffix: String
    /// One picture, or the frames of an animation.
    let frames: [Image]
    let milliseconds: Int
  }

  /// What someone who cannot see the picture should know.
  var description: String { title + ". " + finding }

  /// Returns the bytes of a PNG with the figure's title, scale and provenance in its text entries.
  func png(_ provenance: [(name: String, value: String)]) throws -> [UInt8] {
    try PNG.encode(image, text: entries(provenance))
  }

  /// Returns the bytes of a companion, with the same text entries; an animation if it has several
  /// frames.
  func png(
    _ companion: Companion, _ provenance: [(name: String, value: String)]
  ) throws -> [UInt8] {
    guard companion.frames.count > 1 else {
      return try PNG.encode(companion.frames[0], text: entries(provenance))
    }
    return try PNG.encodeAnimation(
      companion.frames, milliseconds: companion.milliseconds, lastMilliseconds: 1500,
      text: entries(provenance))
  }

  private func entries(_ provenance: [(name: String, value: String)]) -> [TextEntry] {
    let entries =
      [
        ("Title", title), ("Description", description),
        ("Software", "vitrine \(Command.version)"),
        ("Vitrine-Scale-Minimum", scale.lowerBound.description),
        ("Vitrine-Scale-Maximum", scale.upperBound.description),
      ] + provenance.map { ("Vitrine-" + $0.name, $0.value) }
    return entries.map { TextEntry(keyword: $0.0, text: $0.1) }
  }
}

/// Paints the figures of explanations.
struct FigurePainter: Sendable {
  let method: Method
  /// What was asked for.
  let subject: Subject
  let modelName: String
  /// The picture that was explained, as the model saw it; `nil` if there is none.
  let picture: Image?
  /// Whether the first of three channels is blue.
  var isBlueFirst = false

  /// Sides of maps in figures, in pixels, are near this.
  static let side = 448
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
    if let made = try inputFigure(of: explanation, sample: sample) { figures.append(made) }
    let evidence = explanation.attributions.filter(\.range.isEvidence)
    for attribution in evidence.prefix(mainOnly ? 1 : .max) {
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
            name: mainOnly || evidence.count == 1 ? nil : attribution.name))
      } else {
        figures.append(try channelGrid(maps, attribution))
      }
    }
    if !figures.isEmpty, let animation = try animation(of: explanation, sample: sample) {
      figures[0].companions.append(animation)
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
    if let label = subject.labels.label(of: output) { notes.append(label) }
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
    if let name = subject.name(of: explained, sample: sample) { title += ": \(name)" }
    var notes: [String] = []
    if let score = explained.score, explained.values.indices.contains(sample) {
      notes.append("\(score.rawValue) \(Number.significant(explained.values[sample]))")
    }
    notes.append(modelName)
    if !maps.reduction.isEmpty { notes.append(maps.reduction) }
    let size = "\(map.height)x\(map.width)"
    // A map computed at a layer is no finer for having been enlarged.
    let sizes = explanation.mapSizes.filter { $0 != size }
    if !sizes.isEmpty {
      notes.append("map of " + sizes.prefix(4).joined(separator: " and "))
    } else if let picture, (map.width, map.height) != (picture.width, picture.height) {
      notes.append("map of \(size)")
    }
    var panels: [Image] = []
    if let picture {
      if map.width == picture.width, map.height == picture.height {
        panels = [
          try Self.magnified(picture), try Self.magnified(map.overlaid(on: picture, scale: scale)),
        ]
      } else {
        let large = try Self.magnified(picture)
        panels = [large, try map.overlaid(on: large, scale: scale)]
      }
    } else {
      panels = [try Self.magnified(map.rendered(scale: scale))]
    }
    let several = explanation.attributions.count { $0.range.isEvidence } > 1
    let mask = try explanation.mask(named: several ? attribution.name + " mask" : "mask", sample)
    if let mask { panels.append(try Self.magnified(mask)) }
    let image = try Self.framed(
      panels, scale: scale, title: title + "\n" + notes.joined(separator: ", "))
    return Figure(
      name: name.map { FileName.safe($0) }, title: title, image: image,
      finding: Self.finding(in: map), scale: scale.range,
      companions: mask.map {
        [Figure.Companion(suffix: "mask", frames: [$0], milliseconds: 0)]
      } ?? [])
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

  static func magnified(_ image: Image) throws -> Image {
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

  /// The sizes of the layers' maps that an attribution was made from, height first.
  fileprivate var mapSizes: [String] {
    for diagnostic in diagnostics where diagnostic.name == "map-size" {
      if case .texts(let sizes) = diagnostic.value { return sizes }
    }
    return []
  }

  /// Returns the explained values of one sample: one, or one for each row of a Jacobian.
  func values(sample: Int, of attribution: Attribution) -> [Double] {
    let samples = max(1, attribution.tensor.shape.dimensions.first ?? 1)
    let count = explained.values.count / samples
    guard count > 0 else { return [] }
    return Array(explained.values[sample * count..<(sample + 1) * count])
  }
}

extension Explanation {
  /// Returns a selection as a picture of its own size, black on white; `nil` if there is none.
  func mask(named name: String, _ sample: Int) throws -> Image? {
    guard let attribution = attributions.first(where: { $0.range == .mask && $0.name == name }),
      let maps = try FeatureMaps(attribution, sample: sample), maps.height * maps.width > 1
    else { return nil }
    let pixels = try maps.heatMap(row: 0).values.map { $0 > 0 ? UInt8(0) : 255 }
    return try Image(width: maps.width, height: maps.height, channels: 1, pixels: pixels)
  }
}
