extension HeatMap {
  /// Returns where the brightness of a picture changes: the length of the Sobel gradient.
  ///
  /// It looks at no network: an explanation that is no better than it has learned nothing of one. Source
  /// of the control: Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018).
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` never for a valid picture.
  public static func edges(of picture: Image) throws(ImagingError) -> HeatMap {
    let gray = picture.convertedToGray()
    let (width, height) = (gray.width, gray.height)
    func level(_ row: Int, _ column: Int) -> Float {
      Float(
        gray.pixels[max(0, min(height - 1, row)) * width + max(0, min(width - 1, column))])
    }
    var values: [Float] = []
    values.reserveCapacity(width * height)
    for row in 0..<height {
      for column in 0..<width {
        var (across, down): (Float, Float) = (0, 0)
        for (offset, weight) in [(-1, Float(1)), (0, 2), (1, 1)] {
          across +=
            weight * (level(row + offset, column + 1) - level(row + offset, column - 1))
          down += weight * (level(row + 1, column + offset) - level(row - 1, column + offset))
        }
        values.append((across * across + down * down).squareRoot())
      }
    }
    return try HeatMap(width: width, height: height, values: values)
  }
}
