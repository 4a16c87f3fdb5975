/// How new pixels are made from old ones when a picture changes size.
public enum Interpolation: String, Sendable, Equatable, CaseIterable {
  /// Triangle filter, widened when shrinking so that no pixel is skipped (antialiased).
  case bilinear
  /// The old pixel whose area holds the centre of the new one.
  case nearest
}

extension Image {
  /// Returns the picture scaled to a new size.
  ///
  /// Reproduces Pillow's `Image.resize` bit for bit: bilinear runs a horizontal and a vertical
  /// pass with 22-bit fixed-point weights and an 8-bit picture between them; colours are
  /// premultiplied by alpha around it.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a side is below 1 or above 65,535, and
  ///   ``ImagingError/limitExceeded(limit:found:maximum:)`` above the default ``ImageLimits``.
  /// - Complexity: O(new samples × max(1, shrink factor)) per pass.
  public func resized(
    width newWidth: Int, height newHeight: Int, interpolation: Interpolation = .bilinear
  ) throws(ImagingError) -> Image {
    guard (1...65_535).contains(newWidth), (1...65_535).contains(newHeight) else {
      throw .invalidArgument(
        "expected a new size of 1x1 to 65535x65535 pixels, found \(newWidth)x\(newHeight)")
    }
    if newWidth == width, newHeight == height { return self }
    try ImageLimits().check(width: newWidth, height: newHeight, channels: channels)
    switch interpolation {
    case .nearest:
      return resizedToNearest(newWidth, newHeight)
    case .bilinear where hasAlpha:
      return premultiplied().resizedBilinearly(newWidth, newHeight).unpremultiplied()
    case .bilinear:
      return resizedBilinearly(newWidth, newHeight)
    }
  }

  /// Returns the picture scaled so that its shorter side has `side` pixels.
  ///
  /// The new size is `round(width × side / shorter)`, `round(height × side / shorter)`; halves round
  /// to the even number.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a new side is below 1 or above 65,535.
  public func resizedShorterSide(
    to side: Int, interpolation: Interpolation = .bilinear
  ) throws(ImagingError) -> Image {
    guard (1...65_535).contains(side) else {
      throw .invalidArgument("expected a shorter side of 1 to 65535 pixels, found \(side)")
    }
    let shorter = Double(min(width, height))
    func scaled(_ length: Int) -> Int {
      Int((Double(length) * Double(side) / shorter).rounded(.toNearestOrEven))
    }
    return try resized(
      width: scaled(width), height: scaled(height), interpolation: interpolation)
  }
}

// MARK: - Nearest neighbour

extension Image {
  private func resizedToNearest(_ newWidth: Int, _ newHeight: Int) -> Image {
    let columns = Image.nearestSources(from: width, to: newWidth)
    let rows = Image.nearestSources(from: height, to: newHeight)
    var scaled: [UInt8] = []
    scaled.reserveCapacity(newWidth * newHeight * channels)
    for (index, row) in rows.enumerated() {
      if index > 0, row == rows[index - 1] {
        scaled.append(contentsOf: Array(scaled.suffix(newWidth * channels)))
        continue
      }
      for column in columns {
        let start = (row * width + column) * channels
        for channel in 0..<channels { scaled.append(pixels[start + channel]) }
      }
    }
    return Image(checkedWidth: newWidth, height: newHeight, channels: channels, pixels: scaled)
  }

  /// Old position for every new one; the centre is accumulated in steps, as Pillow does, because
  /// that decides which way ties fall.
  private static func nearestSources(from old: Int, to new: Int) -> [Int] {
    let step = Double(old) / Double(new)
    var center = step * 0.5
    return (0..<new).map { _ in
      defer { center += step }
      return min(Int(center), old - 1)
    }
  }
}

// MARK: - Bilinear

extension Image {
  private func resizedBilinearly(_ newWidth: Int, _ newHeight: Int) -> Image {
    // Each pass rounds to 8 bits, so their order shows. Pillow 13 (by observation) starts with the
    // rows only where their number shrinks by more than twice what the width does.
    let startsWithRows = newHeight < height && height - newHeight > 2 * (width - newWidth)
    return startsWithRows
      ? scaledVertically(to: newHeight).scaledHorizontally(to: newWidth)
      : scaledHorizontally(to: newWidth).scaledVertically(to: newHeight)
  }

  private func scaledHorizontally(to newWidth: Int) -> Image {
    if newWidth == width { return self }
    let filter = ResamplingFilter(from: width, to: newWidth)
    var scaled = [UInt8](repeating: 0, count: newWidth * height * channels)
    for row in 0..<height {
      filter.apply(
        to: pixels, from: row * width * channels, step: channels, lanes: channels,
        into: &scaled, at: row * newWidth * channels, step: channels)
    }
    return Image(checkedWidth: newWidth, height: height, channels: channels, pixels: scaled)
  }

  private func scaledVertically(to newHeight: Int) -> Image {
    if newHeight == height { return self }
    let filter = ResamplingFilter(from: height, to: newHeight)
    let rowLength = width * channels
    var scaled = [UInt8](repeating: 0, count: rowLength * newHeight)
    filter.apply(
      to: pixels, from: 0, step: rowLength, lanes: rowLength, into: &scaled, at: 0,
      step: rowLength)
    return Image(checkedWidth: width, height: newHeight, channels: channels, pixels: scaled)
  }

  private func premultiplied() -> Image {
    var result = self
    let alphaOffset = channels - 1
    for start in stride(from: 0, to: pixels.count, by: channels) {
      let alpha = Int(pixels[start + alphaOffset])
      for color in start..<(start + alphaOffset) {
        result.pixels[color] = UInt8(truncatingIfNeeded: (Int(pixels[color]) * alpha + 127) / 255)
      }
    }
    return result
  }

  private func unpremultiplied() -> Image {
    var result = self
    let alphaOffset = channels - 1
    for start in stride(from: 0, to: pixels.count, by: channels) {
      let alpha = Int(pixels[start + alphaOffset])
      if alpha == 0 || alpha == 255 { continue }
      for color in start..<(start + alphaOffset) {
        result.pixels[color] = UInt8(min(255, Int(pixels[color]) * 255 / alpha))
      }
    }
    return result
  }
}

/// The weights of a triangle filter along one axis.
private struct ResamplingFilter {
  /// Fixed-point weights of all new positions, one run after the other.
  private var weights: [Int32] = []
  /// Per new position: first old position, first weight, number of weights.
  private var runs: [(source: Int, weight: Int, count: Int)] = []
  /// 32 bits less 8 for the sample and 2 for sums that overshoot.
  private static let fractionBits: Int32 = 22

  init(from old: Int, to new: Int) {
    let scale = Double(old) / Double(new)
    let support = max(scale, 1)
    let inverse = 1 / support
    for position in 0..<new {
      let center = (Double(position) + 0.5) * scale
      let first = max(0, Int(center - support + 0.5))
      let end = min(old, Int(center + support + 0.5))
      var run: [Double] = []
      for source in first..<end {
        let distance = abs((Double(source) - center + 0.5) * inverse)
        run.append(distance < 1 ? 1 - distance : 0)
      }
      let total = run.reduce(0, +)
      runs.append((first, weights.count, run.count))
      for weight in run {
        let normalized = total == 0 ? weight : weight / total
        weights.append(Int32(0.5 + normalized * Double(1 << Self.fractionBits)))
      }
    }
  }

  /// Filters `lanes` neighbouring lines at once; consecutive positions are `step` samples apart.
  func apply(
    to source: [UInt8], from sourceStart: Int, step sourceStep: Int, lanes: Int,
    into target: inout [UInt8], at targetStart: Int, step targetStep: Int
  ) {
    for (position, run) in runs.enumerated() {
      let base = sourceStart + run.source * sourceStep
      let targetBase = targetStart + position * targetStep
      for lane in 0..<lanes {
        var sum: Int32 = 1 << (Self.fractionBits - 1)
        var index = base + lane
        for weight in run.weight..<(run.weight + run.count) {
          sum &+= Int32(source[index]) &* weights[weight]
          index += sourceStep
        }
        target[targetBase + lane] = UInt8(clamping: sum >> Self.fractionBits)
      }
    }
  }
}
