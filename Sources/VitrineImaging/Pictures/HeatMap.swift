/// Numbers on a grid, to be shown as colours.
public struct HeatMap: Sendable, Equatable {
  /// Columns, at least 1.
  public let width: Int
  /// Rows, at least 1.
  public let height: Int
  /// Row-major values, `[height, width]`; NaN marks a missing one.
  public let values: [Float]

  /// Creates a map.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if the values do not fill the grid.
  public init(width: Int, height: Int, values: [Float]) throws(ImagingError) {
    let (count, overflow) = width.multipliedReportingOverflow(by: height)
    guard width >= 1, height >= 1, !overflow, values.count == count else {
      throw .invalidArgument(
        "expected width × height values, found \(values.count) for \(width)x\(height)")
    }
    self.width = width
    self.height = height
    self.values = values
  }

  /// Returns the map at another resolution, by bilinear interpolation between cell centres.
  ///
  /// Half-pixel centres, edges clamped (PyTorch's `align_corners=False`): the way coarse class
  /// activation maps are laid over a picture.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a side is below 1 or above 65,535.
  public func resized(width newWidth: Int, height newHeight: Int) throws(ImagingError) -> HeatMap {
    guard (1...65_535).contains(newWidth), (1...65_535).contains(newHeight) else {
      throw .invalidArgument(
        "expected a new size of 1x1 to 65535x65535 cells, found \(newWidth)x\(newHeight)")
    }
    if newWidth == width, newHeight == height { return self }
    try ImageLimits().check(width: newWidth, height: newHeight, channels: 4)
    let columns = Self.neighbors(from: width, to: newWidth)
    let rows = Self.neighbors(from: height, to: newHeight)
    var scaled: [Float] = []
    scaled.reserveCapacity(newWidth * newHeight)
    for row in rows {
      let (top, bottom) = (row.first * width, row.second * width)
      for column in columns {
        let above = Self.mix(
          values[top + column.first], values[top + column.second], column.fraction)
        let below = Self.mix(
          values[bottom + column.first], values[bottom + column.second], column.fraction)
        scaled.append(Self.mix(above, below, row.fraction))
      }
    }
    return try HeatMap(width: newWidth, height: newHeight, values: scaled)
  }

  /// Returns the map as an RGB picture, one pixel per cell.
  ///
  /// - Parameters:
  ///   - scale: What the colours stand for; nil for ``ColorScale/fitted(to:signed:percentile:)``.
  ///   - colorMap: The colours; nil for the scale's default.
  ///   - missing: The colour of NaN.
  /// - Throws: ``ImagingError/noFiniteValues(count:)`` if no value is finite.
  public func rendered(
    scale: ColorScale? = nil, colorMap: ColorMap? = nil, missing: Color = .gray
  ) throws(ImagingError) -> Image {
    let scale = try usableScale(scale)
    let colorMap = colorMap ?? scale.defaultColorMap
    var pixels: [UInt8] = []
    pixels.reserveCapacity(values.count * 3)
    for value in values {
      let position = scale.position(of: value)
      let color = position.isNaN ? missing : colorMap.color(at: position)
      pixels.append(color.red)
      pixels.append(color.green)
      pixels.append(color.blue)
    }
    return Image(checkedWidth: width, height: height, channels: 3, pixels: pixels)
  }

  /// Returns the map laid over a photo, with the photo's size.
  ///
  /// The photo loses its colour; opacity follows the strength of the evidence, so that where there
  /// is none the photo shows through. A coarser map is interpolated first.
  ///
  /// - Parameters:
  ///   - photo: Any picture.
  ///   - scale: What the colours stand for; nil for ``ColorScale/fitted(to:signed:percentile:)``.
  ///   - colorMap: The colours; nil for the scale's default.
  ///   - opacity: Opacity of the strongest evidence, 0...1.
  /// - Throws: ``ImagingError/noFiniteValues(count:)`` if no value is finite.
  public func overlaid(
    on photo: Image, scale: ColorScale? = nil, colorMap: ColorMap? = nil, opacity: Float = 0.85
  ) throws(ImagingError) -> Image {
    let scale = try usableScale(scale)
    let colorMap = colorMap ?? scale.defaultColorMap
    let map = try resized(width: photo.width, height: photo.height)
    let gray = photo.convertedToGray()
    var pixels: [UInt8] = []
    pixels.reserveCapacity(gray.pixels.count * 3)
    for (value, level) in zip(map.values, gray.pixels) {
      let position = scale.position(of: value)
      let color = colorMap.color(at: position)
      let alpha =
        position.isNaN ? 0 : max(0, min(1, opacity.isNaN ? 0 : opacity)) * scale.strength(of: value)
      for sample in [color.red, color.green, color.blue] {
        let blended = Float(sample) * alpha + Float(level) * (1 - alpha)
        pixels.append(UInt8(blended.rounded()))
      }
    }
    return Image(checkedWidth: photo.width, height: photo.height, channels: 3, pixels: pixels)
  }

  private func usableScale(_ scale: ColorScale?) throws(ImagingError) -> ColorScale {
    guard let scale else { return try .fitted(to: values) }
    guard values.contains(where: \.isFinite) else {
      throw .noFiniteValues(count: values.count)
    }
    let (low, high) = scale.bounds
    guard low.isFinite, high.isFinite, low <= high else {
      throw .invalidArgument("expected a colour scale from low to high, found \(low) to \(high)")
    }
    return scale
  }

  private typealias Neighbors = (first: Int, second: Int, fraction: Float)

  /// The two old cells around every new centre, and how far it is towards the second.
  private static func neighbors(from old: Int, to new: Int) -> [Neighbors] {
    (0..<new).map { index in
      let center = max(0, (Double(index) + 0.5) * Double(old) / Double(new) - 0.5)
      let first = min(Int(center), old - 1)
      return (first, min(first + 1, old - 1), Float(center - Double(first)))
    }
  }

  /// Interpolates; an end with weight zero does not spread its NaN or infinity.
  private static func mix(_ first: Float, _ second: Float, _ fraction: Float) -> Float {
    fraction == 0 || first == second ? first : first * (1 - fraction) + second * fraction
  }
}
