public enum JPEG {
  public static func decode(
    _ bytes: [UInt8], limits: ImageLimits = ImageLimits(), strict: Bool = false
  ) throws(ImagingError) -> DecodedImage { throw .unsupported(format: "JPEG", feature: "x") }
}
