public import VitrineCore
public import VitrineImaging
import VitrineTensor

/// Explains the same samples with the same methods again and again while a network trains, and shows how
/// its reasons change.
///
/// All maps of one method share one colour scale, so that epochs can be compared.
public struct ExplanationRecorder: Sendable {
  /// What one method said of the samples at one step.
  private struct Frame: Sendable {
    let method: String
    let step: Int
    let isSigned: Bool
    /// One for each sample.
    let maps: [HeatMap]
    /// One for each sample: what was explained, in words.
    let captions: [String]
  }

  private let explainers: [(name: String, explainer: any Explaining)]
  private let inputs: Inputs
  private let target: Target
  private let pictures: [Image]
  private let context: Context
  private var frames: [Frame] = []

  /// Chooses methods and samples.
  ///
  /// - Parameters:
  ///   - methods: Names or aliases of methods of the catalog, with their options.
  ///   - catalog: Where methods are found by name.
  ///   - inputs: The samples, as a batch.
  ///   - target: What is explained; the top class at each step if nothing else is asked.
  ///   - pictures: The samples as people see them, one for each.
  ///   - context: Seed, labels and limits of every run.
  /// - Throws: `CoreError` for an unknown method or option.
  public init(
    methods: [(name: String, options: [String: String])], from catalog: MethodCatalog,
    inputs: Inputs, target: Target = .top, pictures: [Image], context: Context = Context()
  ) throws {
    explainers = try methods.map { name, options in
      (
        try catalog.entry(named: name).method.identifier,
        try catalog.explainer(named: name, options: options)
      )
    }
    self.inputs = inputs
    self.target = target
    self.pictures = pictures
    self.context = context
  }

  /// Explains the samples with the network as it is now.
  ///
  /// - Parameters:
  ///   - model: As it is at this step.
  ///   - step: Where training is, such as the epoch; ascending.
  /// - Throws: What the explainers throw; `CoreError.notApplicable(_:)` for a method without a map over
  ///   the picture.
  public mutating func record(_ model: any Model, step: Int) throws {
    for (name, explainer) in explainers {
      let explanation = try explainer.explain(
        model, at: inputs, target: target, context: context)
      let maps = try pictures.indices.map { sample in
        guard
          let maps = try FeatureMaps(explanation.attribution, sample: sample),
          !explanation.attribution.axes.contains(.output)
        else {
          throw CoreError.notApplicable(
            "\(name) draws no map over a picture: record another method")
        }
        return try maps.heatMap(row: 0)
      }
      frames.append(
        Frame(
          method: name, step: step, isSigned: explanation.attribution.range == .signed, maps: maps,
          captions: pictures.indices.map { caption(explanation.explained, sample: $0) }))
    }
  }

  /// Returns a log with one record for each method: one picture for each step.
  ///
  /// - Throws: `ImagingError` if maps hold no finite number.
  public func visualLog(title: String) throws -> VisualLog {
    var log = VisualLog(title: title)
    for (name, _) in explainers {
      let frames = frames.filter { $0.method == name }
      guard !frames.isEmpty else { continue }
      let scale = try scale(of: frames)
      let (low, high) = scale.bounds
      log.record(
        name,
        try frames.map { frame in
          (
            try image(of: frame, scale: scale),
            "Step \(frame.step): " + frame.captions.joined(separator: "; ")
          )
        },
        footnote: "All steps on one colour scale, from \(NumberText.short(low)) to "
          + "\(NumberText.short(high)).")
    }
    return log
  }

  /// Adds the pictures of the newest step to an event file, under `explanations/<method>`.
  ///
  /// Their colour scale is that of all steps so far.
  ///
  /// - Throws: `FileError`, `ImagingError`.
  public func addLatest(to events: EventFile) throws {
    guard let step = frames.last?.step else { return }
    for frame in frames where frame.step == step {
      let scale = try scale(of: frames.filter { $0.method == frame.method })
      try events.add(
        image(of: frame, scale: scale), tag: "explanations/\(frame.method)", step: step)
    }
  }

  // MARK: - Drawing

  private func scale(of frames: [Frame]) throws -> ColorScale {
    try ColorScale.fitted(
      to: frames.flatMap { $0.maps.flatMap(\.values) }, signed: frames.contains(where: \.isSigned))
  }

  /// Draws a strip of the samples, each beside its map, over the legend of the colours.
  private func image(of frame: Frame, scale: ColorScale) throws -> Image {
    let panels = try zip(pictures, frame.maps).flatMap { picture, map in
      let factor = max(1, Self.side / max(picture.width, picture.height))
      let large = try picture.magnified(by: factor)
      return [large, try map.overlaid(on: large, scale: scale)]
    }
    let strip = try Image.strip(panels, gap: 4)
    let bar = try ColorBar(scale: scale).image(width: max(160, strip.width - 8), size: 1)
    return try Image.stack([strip, bar], gap: 4)
  }

  /// Sides of maps are near this, in pixels.
  private static let side = 144

  private func caption(_ explained: Explained, sample: Int) -> String {
    guard explained.elements.indices.contains(sample), explained.values.indices.contains(sample)
    else { return "" }
    let element = explained.elements[sample]
    let name =
      context.labels.flatMap { $0.indices.contains(element) ? $0[element] : nil } ?? "\(element)"
    let thousandths = (explained.values[sample] * 1000).rounded() / 1000
    return "\(name) \(thousandths)"
  }
}
