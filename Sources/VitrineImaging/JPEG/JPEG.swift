/// JPEG (ITU-T T.81) reader: baseline, extended and progressive Huffman coding, 8 bits per sample.
///
/// Sample values follow libjpeg-turbo's defaults, so that Pillow's pixels are reproduced: accurate
/// integer inverse DCT, "fancy" triangle upsampling of 4:2:2, 4:2:0 and 4:4:0, replication for
/// other ratios. CMYK and YCCK become RGB by `R = (255 - C)(255 - K) / 255` with Adobe's inverted
/// samples. EXIF orientation is applied. There is no writer.
public enum JPEG {
  /// Decodes a JPEG.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - limits: Largest picture accepted.
  ///   - strict: Whether damage after the first scan has begun is an error. If not, the part that
  ///     cannot be read stays gray and ``DecodedImage/warnings`` tells what was wrong.
  /// - Returns: A gray or RGB picture.
  /// - Throws: ``ImagingError`` with the byte offset of the damage, or naming what is unsupported
  ///   (arithmetic coding, lossless, hierarchical, 12 bits).
  /// - Complexity: O(`bytes.count` + samples × scans).
  public static func decode(
    _ bytes: [UInt8], limits: ImageLimits = ImageLimits(), strict: Bool = false
  ) throws(ImagingError) -> DecodedImage {
    try limits.checkFile(bytes.count)
    var file = JPEGFile(bytes, limits: limits, strict: strict)
    try file.readSegments()
    let (image, orientation) = try file.picture()
    return DecodedImage(
      image: image.oriented(orientation), format: .jpeg, warnings: file.warnings)
  }

  static func damage(_ offset: Int, _ reason: String) -> ImagingError {
    .malformed(format: "JPEG", offset: offset, reason: reason)
  }
}
