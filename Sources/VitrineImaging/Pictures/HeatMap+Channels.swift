extension HeatMap {
  /// Returns the channels of an activation or attribution as a grid of small pictures.
  ///
  /// - Parameters:
  ///   - values: The channels one after the other, `[channel, height, width]`.
  ///   - channels: Number of channels, at least 1.
  ///   - width: Columns of each.
  ///   - height: Rows of each.
  ///   - scale: What the colours stand for in every tile, so that tiles can be compared; nil for one
  ///     fitted to all values together.
  ///   - colorMap: The colours; nil for the scale's default.
  ///   - columns: Tiles per row; nil for about as many rows as columns.
  ///   - magnification: Pixels per cell.
  /// - Throws: ``ImagingError`` if the values do not fill the channels, none is finite, or the
  ///   result is too large.
  public static func channelGrid(
    _ values: [Float], channels: Int, width: Int, height: Int, scale: ColorScale? = nil,
    colorMap: ColorMap? = nil, columns: Int? = nil, magnification: Int = 1
  ) throws(ImagingError) -> Image {
    let (plane, overflow) = width.multipliedReportingOverflow(by: height)
    let (count, countOverflow) = plane.multipliedReportingOverflow(by: channels)
    guard channels >= 1, width >= 1, height >= 1, !overflow, !countOverflow,
      values.count == count
    else {
      throw .invalidArgument(
        "expected channels × height × width values, found \(values.count) for "
          + "\(channels)x\(height)x\(width)")
    }
    let scale = if let scale { scale } else { try ColorScale.fitted(to: values) }
    let colorMap = colorMap ?? scale.defaultColorMap
    var tiles: [Image] = []
    for channel in 0..<channels {
      let map = try HeatMap(
        width: width, height: height,
        values: Array(values[(channel * plane)..<((channel + 1) * plane)]))
      // A channel that is all NaN is shown as missing; only a grid without any number is an error.
      let tile =
        map.values.contains(where: \.isFinite)
        ? try map.rendered(scale: scale, colorMap: colorMap)
        : try Image(width: width, height: height, color: .gray)
      tiles.append(try tile.magnified(by: magnification))
    }
    return try Image.grid(tiles, columns: columns)
  }
}
