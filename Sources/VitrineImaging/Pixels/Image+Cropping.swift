extension Image {
  /// Returns the central part of the picture, at offset `((width - w) / 2, (height - h) / 2)`.
  ///
  /// An odd margin leaves the extra pixel at the right and bottom.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if the part is empty or larger than the picture.
  public func centerCropped(
    width cropWidth: Int, height cropHeight: Int
  ) throws(ImagingError) -> Image {
    guard (1...width).contains(cropWidth), (1...height).contains(cropHeight) else {
      throw .invalidArgument(
        "cannot crop \(cropWidth)x\(cropHeight) from a picture of \(width)x\(height) pixels; "
          + "use a smaller crop or a larger resize")
    }
    return cropped(
      left: (width - cropWidth) / 2, top: (height - cropHeight) / 2, width: cropWidth,
      height: cropHeight)
  }

  /// Returns the largest central square.
  public func croppedToSquare() -> Image {
    let side = min(width, height)
    return cropped(left: (width - side) / 2, top: (height - side) / 2, width: side, height: side)
  }

  private func cropped(left: Int, top: Int, width cropWidth: Int, height cropHeight: Int) -> Image {
    if cropWidth == width, cropHeight == height { return self }
    var part: [UInt8] = []
    part.reserveCapacity(cropWidth * cropHeight * channels)
    for row in top..<(top + cropHeight) {
      let start = (row * width + left) * channels
      part.append(contentsOf: pixels[start..<(start + cropWidth * channels)])
    }
    return Image(checkedWidth: cropWidth, height: cropHeight, channels: channels, pixels: part)
  }
}
