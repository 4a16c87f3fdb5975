import VitrineCore
import VitrineImaging
import VitrineReport
import VitrineTensor

extension FigurePainter {
  /// Returns the inputs that a method changed, one after the other with the score of each, as what goes with
  /// the picture of its map; `nil` if it kept none, or they are no pictures.
  func animation(of explanation: Explanation, sample: Int) throws -> Figure.Companion? {
    guard
      let snapshots = explanation.attributions.first(where: {
        $0.range == .input && $0.axes.contains(.step) && $0.name == "snapshots"
      }), let axis = snapshots.axes.firstIndex(of: .step),
      let scores = explanation.snapshotScores(sample: sample)
    else { return nil }
    let axes = snapshots.axes.enumerated().filter { $0.offset != axis }.map(\.element)
    let moments = try (0..<snapshots.tensor.shape[axis]).compactMap { step in
      try FeatureMaps(
        Attribution(
          name: snapshots.name, tensor: try snapshots.tensor.select(axis: axis, index: step),
          axes: axes, range: .input), sample: sample)
    }
    guard let whole = moments.first, whole.channels == 1 || whole.channels == 3,
      whole.height * whole.width > 1, scores.count == moments.count
    else { return nil }
    let colors = PictureColors(of: whole, shownAs: picture, isBlueFirst: isBlueFirst)
    let kind = explanation.explained.score?.rawValue ?? "score"
    let frames = try zip(moments, scores).enumerated().map { step, moment in
      let (maps, score) = moment
      let change = step == 0 ? "" : " (\(Number.significant(score - scores[0], 3)))"
      return try Self.magnified(try colors.picture(of: maps))
        .titled("\(kind) \(Number.significant(score, 4))\(change)", size: 2)
    }
    return Figure.Companion(suffix: "animation", frames: frames, milliseconds: 120)
  }
}

/// How the numbers of an input become colours again: for each channel the line through its numbers and the
/// samples of the picture they were made from.
private struct PictureColors {
  /// Level 0...255 of a number: `slope · x + offset`, one for each channel of the input.
  private var lines: [(slope: Double, offset: Double)] = []
  private let isBlueFirst: Bool

  /// - Parameters:
  ///   - whole: The input.
  ///   - picture: The picture it was made from; without one, or with another size, the input's mean becomes
  ///     gray and 3.3 standard deviations black and white.
  init(of whole: FeatureMaps, shownAs picture: Image?, isBlueFirst: Bool) {
    self.isBlueFirst = isBlueFirst && whole.channels == 3
    let plane = whole.height * whole.width
    let fits =
      picture.map {
        $0.width == whole.width && $0.height == whole.height && $0.channels == whole.channels
      } ?? false
    for channel in 0..<whole.channels {
      let numbers = whole.values[channel * plane..<(channel + 1) * plane].map(Double.init)
      let mean = numbers.reduce(0, +) / Double(plane)
      let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(plane)
      var slope = variance > 0 ? 0.15 * 255 / variance.squareRoot() : 0
      var center = 127.5
      if fits, let picture, variance > 0 {
        let shown = self.isBlueFirst ? whole.channels - 1 - channel : channel
        let levels = (0..<plane).map { Double(picture.pixels[$0 * whole.channels + shown]) }
        center = levels.reduce(0, +) / Double(plane)
        let covariance =
          zip(numbers, levels).reduce(0) { $0 + ($1.0 - mean) * ($1.1 - center) } / Double(plane)
        slope = covariance / variance
      }
      lines.append((slope, center - slope * mean))
    }
  }

  func picture(of maps: FeatureMaps) throws -> Image {
    let plane = maps.height * maps.width
    var pixels = [UInt8](repeating: 0, count: plane * maps.channels)
    for channel in 0..<maps.channels {
      let shown = isBlueFirst ? maps.channels - 1 - channel : channel
      let line = lines[channel]
      for i in 0..<plane {
        let level = line.slope * Double(maps.values[channel * plane + i]) + line.offset
        pixels[i * maps.channels + shown] = UInt8(min(max(level, 0), 255).rounded())
      }
    }
    return try Image(
      width: maps.width, height: maps.height, channels: maps.channels, pixels: pixels)
  }
}

extension Explanation {
  /// The scores that go with the snapshots of one sample.
  fileprivate func snapshotScores(sample: Int) -> [Double]? {
    for diagnostic in diagnostics where diagnostic.name == "snapshot-scores" {
      guard case .numbers(let scores) = diagnostic.value else { return nil }
      let count = scores.count / max(1, attribution.tensor.shape.dimensions.first ?? 1)
      return Array(scores[sample * count..<(sample + 1) * count])
    }
    return nil
  }
}
