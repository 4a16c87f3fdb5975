extension Image {
  /// Returns the picture in one gray channel, alpha composited on `background`.
  ///
  /// Luma of ITU-R BT.601 in 16-bit fixed point, `(19595 R + 38470 G + 7471 B + 32768) >> 16`,
  /// the numbers of Pillow's mode `L`.
  public func convertedToGray(background: Color = .white) -> Image {
    if channels == 1 { return self }
    let opaque = hasAlpha ? composited(on: background) : self
    if opaque.channels == 1 { return opaque }
    var gray = [UInt8](repeating: 0, count: width * height)
    for index in gray.indices {
      gray[index] = luma(
        opaque.pixels[index * 3], opaque.pixels[index * 3 + 1], opaque.pixels[index * 3 + 2])
    }
    return Image(checkedWidth: width, height: height, channels: 1, pixels: gray)
  }

  /// Returns the picture in three channels, gray replicated, alpha composited on `background`.
  public func convertedToRGB(background: Color = .white) -> Image {
    if channels == 3 { return self }
    let opaque = hasAlpha ? composited(on: background) : self
    if opaque.channels == 3 { return opaque }
    var rgb = [UInt8](repeating: 0, count: width * height * 3)
    for index in 0..<(width * height) {
      let level = opaque.pixels[index]
      rgb[index * 3] = level
      rgb[index * 3 + 1] = level
      rgb[index * 3 + 2] = level
    }
    return Image(checkedWidth: width, height: height, channels: 3, pixels: rgb)
  }

  /// Returns the picture without its alpha channel, laid over one colour.
  ///
  /// Blends sRGB samples, `round((foreground α + background (255 - α)) / 255)`, as Pillow's `paste`
  /// does. Gray with alpha stays gray over a gray background and becomes RGB over any other.
  ///
  /// - Parameter background: The colour seen through transparent pixels.
  /// - Returns: A picture of 1 or 3 channels; the picture itself if it has no alpha.
  public func composited(on background: Color) -> Image {
    guard hasAlpha else { return self }
    let staysGray =
      channels == 2 && background.red == background.green && background.green == background.blue
    let colors = staysGray ? 1 : 3
    let behind = background.samples
    var opaque = [UInt8](repeating: 0, count: width * height * colors)
    for index in 0..<(width * height) {
      let source = index * channels
      let alpha = Int(pixels[source + channels - 1])
      for color in 0..<colors {
        let front = Int(pixels[source + (channels == 2 ? 0 : color)])
        let blended = (front * alpha + Int(behind[color]) * (255 - alpha) + 127) / 255
        opaque[index * colors + color] = UInt8(truncatingIfNeeded: blended)
      }
    }
    return Image(checkedWidth: width, height: height, channels: colors, pixels: opaque)
  }

  private func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
    let sum = 19595 * UInt32(red) + 38470 * UInt32(green) + 7471 * UInt32(blue) + 32768
    return UInt8(truncatingIfNeeded: sum >> 16)
  }
}
