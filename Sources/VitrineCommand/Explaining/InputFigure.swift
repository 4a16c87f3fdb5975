import VitrineCore
import VitrineImaging
import VitrineReport
import VitrineTensor

extension FigurePainter {
  /// Returns the figure of inputs that a method made, such as those an ascent has reached: one picture,
  /// or a grid of several; the way there as an animation beside it.
  ///
  /// - Returns: `nil` if the method made none that is a picture.
  func inputFigure(of explanation: Explanation, sample: Int) throws -> Figure? {
    guard
      explanation.attributions.contains(where: {
        $0.range == .input && !$0.axes.contains(.step)
      })
    else { return nil }
    var tiles: [(title: String, image: Image)] = []
    var values: [Float] = []
    var size = ""
    var companions: [Figure.Companion] = []
    for attribution in explanation.attributions where attribution.range == .input {
      if let axis = attribution.axes.firstIndex(of: .step) {
        let frames = try frames(of: attribution, along: axis, sample: sample)
        guard !frames.isEmpty else { continue }
        let which = attribution.name.hasPrefix("snapshots") ? attribution.name.dropFirst(9) : ""
        companions.append(
          Figure.Companion(
            suffix: FileName.safe("animation" + which), frames: frames, milliseconds: 100))
      } else if let maps = try FeatureMaps(attribution, sample: sample),
        let image = try picture(of: maps)
      {
        tiles.append((attribution.name, image))
        values += maps.values
        size = "\(maps.width)x\(maps.height)"
      }
    }
    guard !tiles.isEmpty else { return nil }
    let ends = explanation.values(sample: sample, of: explanation.attribution)
    let site = explanation.explained.site
    var title = "\(method.identifier) of \(site)"
    if explanation.explained.score != nil,
      let name = subject.name(of: explanation.explained, sample: sample)
    {
      title += ": \(name)"
    }
    let image: Image
    if tiles.count == 1 {
      let end = ends.first.map { "objective \(Number.significant($0)), " } ?? ""
      image = try Self.magnified(tiles[0].image)
        .titled("\(title)\n\(end)\(modelName), contrast stretched", size: 1)
    } else {
      let side = max(tiles[0].image.width, tiles[0].image.height)
      let factor = max(1, 112 / max(side, 1))
      let grid = try Image.grid(
        tiles.enumerated().map { index, tile in
          let end = ends.indices.contains(index) ? "\n" + Number.significant(ends[index]) : ""
          return try tile.image.magnified(by: factor).titled(tile.title + end, size: 1)
        }, gap: 6)
      image = try grid.titled(
        "\(title)\n\(tiles.count) of \(size), below each its objective, \(modelName), "
          + "contrast stretched", size: 1)
    }
    let range = (values.min() ?? 0)...max(values.min() ?? 0, values.max() ?? 0)
    return Figure(
      name: nil, title: title, image: try Image.strip([image], gap: 10),
      finding: "\(tiles.count) of \(size); objective "
        + ends.map { Number.significant($0) }.joined(separator: ", ") + ".",
      scale: range, companions: companions)
  }

  private func frames(
    of attribution: Attribution, along axis: Int, sample: Int
  ) throws -> [Image] {
    let axes = attribution.axes.enumerated().filter { $0.offset != axis }.map(\.element)
    return try (0..<attribution.tensor.shape[axis]).compactMap { step in
      let moment = Attribution(
        name: attribution.name, tensor: try attribution.tensor.select(axis: axis, index: step),
        axes: axes, range: .input)
      return try FeatureMaps(moment, sample: sample).flatMap { try picture(of: $0) }
        .map(Self.magnified)
    }
  }

  /// Returns an input as a picture: its mean is gray, 3.3 standard deviations are black and white.
  ///
  /// - Returns: `nil` unless it has one or three channels and more than one position.
  private func picture(of maps: FeatureMaps) throws -> Image? {
    guard maps.channels == 1 || maps.channels == 3, maps.height * maps.width > 1 else { return nil }
    let values = maps.values
    let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = (square / Double(values.count)).squareRoot()
    let plane = maps.height * maps.width
    var pixels: [UInt8] = []
    pixels.reserveCapacity(values.count)
    for i in 0..<plane {
      for channel in 0..<maps.channels {
        let source = isBlueFirst ? maps.channels - 1 - channel : channel
        let z = deviation > 0 ? (Double(values[source * plane + i]) - mean) / deviation : 0
        pixels.append(UInt8(min(max((0.5 + 0.15 * z) * 255, 0), 255).rounded()))
      }
    }
    return try Image(
      width: maps.width, height: maps.height, channels: maps.channels, pixels: pixels)
  }
}
