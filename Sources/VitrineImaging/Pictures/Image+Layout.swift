extension Image {
  /// Returns pictures side by side and one below the other on a common ground.
  ///
  /// Every cell has the size of the largest picture; smaller ones are at its top, centred.
  ///
  /// - Parameters:
  ///   - tiles: The pictures, row after row; at least one.
  ///   - columns: Pictures per row; nil for about as many rows as columns.
  ///   - gap: Pixels between and around the pictures, 0...1,000.
  ///   - background: The colour between them.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` without a tile, or if the result would exceed
  ///   the default ``ImageLimits``.
  public static func grid(
    _ tiles: [Image], columns: Int? = nil, gap: Int = 2, background: Color = .white
  ) throws(ImagingError) -> Image {
    guard let cellWidth = tiles.map(\.width).max(), let cellHeight = tiles.map(\.height).max()
    else { throw .invalidArgument("expected at least one picture for a grid, found none") }
    let wanted = columns ?? Int(Double(tiles.count).squareRoot().rounded(.up))
    guard wanted >= 1, (0...1000).contains(gap) else {
      throw .invalidArgument(
        "expected at least 1 column and a gap of 0 to 1000 pixels, found \(wanted) and \(gap)")
    }
    let columns = min(wanted, tiles.count)
    let rows = (tiles.count + columns - 1) / columns
    let (width, widthOverflow) = columns.multipliedReportingOverflow(by: cellWidth + gap)
    let (height, heightOverflow) = rows.multipliedReportingOverflow(by: cellHeight + gap)
    guard !widthOverflow, !heightOverflow, width < 1 << 40, height < 1 << 40 else {
      throw .invalidArgument("a grid of \(columns)x\(rows) pictures does not fit in memory")
    }
    try ImageLimits().check(width: width + gap, height: height + gap, channels: 3)
    var canvas = Canvas(width: width + gap, height: height + gap, background: background)
    for (index, tile) in tiles.enumerated() {
      let left = gap + index % columns * (cellWidth + gap)
      let top = gap + index / columns * (cellHeight + gap)
      canvas.draw(tile, x: left + (cellWidth - tile.width) / 2, y: top)
    }
    return canvas.image
  }

  /// Returns pictures one beside the other, at the same height line.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` as ``grid(_:columns:gap:background:)``.
  public static func strip(
    _ tiles: [Image], gap: Int = 2, background: Color = .white
  ) throws(ImagingError) -> Image {
    try grid(tiles, columns: max(1, tiles.count), gap: gap, background: background)
  }

  /// Returns pictures one below the other, left-aligned, each with its own height.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` without a picture, or if the result would
  ///   exceed the default ``ImageLimits``.
  public static func stack(
    _ pictures: [Image], gap: Int = 2, background: Color = .white
  ) throws(ImagingError) -> Image {
    guard let width = pictures.map(\.width).max(), (0...1000).contains(gap) else {
      throw .invalidArgument(
        "expected at least one picture and a gap of 0 to 1000 pixels, found \(pictures.count) "
          + "and \(gap)")
    }
    let height = pictures.reduce(0) { $0 + $1.height } + gap * (pictures.count - 1)
    try ImageLimits().check(width: width, height: height, channels: 3)
    var canvas = Canvas(width: width, height: height, background: background)
    var top = 0
    for picture in pictures {
      canvas.draw(picture, x: 0, y: top)
      top += picture.height + gap
    }
    return canvas.image
  }

  /// Returns the picture below a title, broken into lines that fit its width.
  ///
  /// - Parameters:
  ///   - title: Text; characters beyond ASCII appear as boxes.
  ///   - size: Pixels per dot of the 5×7 font, 1...16.
  ///   - color: Colour of the text.
  ///   - background: Colour behind the text.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if `size` is out of range or the result too
  ///   large.
  public func titled(
    _ title: String, size: Int = 1, color: Color = .black, background: Color = .white
  ) throws(ImagingError) -> Image {
    guard (1...16).contains(size) else {
      throw .invalidArgument("expected a text size of 1 to 16, found \(size)")
    }
    let margin = 2
    let perLine = max(1, (width - 2 * margin) / (BitmapFont.advance * size))
    let lines = Self.wrapped(title, perLine: perLine)
    let lineHeight = BitmapFont.lineHeight * size
    let band = lines.count * lineHeight + 2 * margin
    try ImageLimits().check(width: width, height: height + band, channels: 3)
    var canvas = Canvas(width: width, height: height + band, background: background)
    for (index, line) in lines.enumerated() {
      canvas.write(line, x: margin, y: margin + index * lineHeight, size: size, color: color)
    }
    canvas.draw(self, x: 0, y: band)
    return canvas.image
  }

  /// Returns every pixel as a square of `factor` by `factor`.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a new side is below 1 or above 65,535.
  public func magnified(by factor: Int) throws(ImagingError) -> Image {
    let (newWidth, overflow) = width.multipliedReportingOverflow(by: factor)
    let (newHeight, heightOverflow) = height.multipliedReportingOverflow(by: factor)
    return try resized(
      width: overflow ? 0 : newWidth, height: heightOverflow ? 0 : newHeight,
      interpolation: .nearest)
  }

  /// Breaks text at spaces, and inside words longer than a line.
  private static func wrapped(_ text: String, perLine: Int) -> [String] {
    var lines: [String] = []
    for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
      var line = ""
      for word in paragraph.split(separator: " ") {
        var rest = word
        if !line.isEmpty, line.count + 1 + rest.count > perLine {
          lines.append(line)
          line = ""
        }
        while rest.count > perLine {
          lines.append(String(rest.prefix(perLine)))
          rest = rest.dropFirst(perLine)
        }
        line += (line.isEmpty ? "" : " ") + rest
      }
      lines.append(line)
    }
    return lines
  }
}
