/// The largest picture that is decoded; anything above is refused before memory is reserved.
public struct ImageLimits: Sendable, Equatable {
  /// Largest `width × height`, in pixels.
  public var maximumPixels: Int
  /// Largest width and largest height, in pixels.
  public var maximumSide: Int
  /// Largest decoded picture, in bytes.
  public var maximumDecodedBytes: Int
  /// Largest compressed file, in bytes.
  public var maximumFileBytes: Int
  /// Most scans in one JPEG.
  public var maximumScans: Int
  /// Most chunks in one PNG.
  public var maximumChunks: Int

  /// Creates limits; the defaults are those of Pillow (pixels), libjpeg-turbo's fuzzer (scans) and
  /// the `image` crate (bytes).
  public init(
    maximumPixels: Int = 89_500_000, maximumSide: Int = 65_535,
    maximumDecodedBytes: Int = 512 << 20, maximumFileBytes: Int = 256 << 20,
    maximumScans: Int = 100, maximumChunks: Int = 100_000
  ) {
    self.maximumPixels = maximumPixels
    self.maximumSide = maximumSide
    self.maximumDecodedBytes = maximumDecodedBytes
    self.maximumFileBytes = maximumFileBytes
    self.maximumScans = maximumScans
    self.maximumChunks = maximumChunks
  }

  /// No limit goes above this, so that sums over samples cannot overflow.
  private static let addressable = 1 << 40

  /// Checks a declared size; after it, `width × height × channels` cannot overflow.
  func check(width: Int, height: Int, channels: Int) throws(ImagingError) {
    try check("maximumSide", max(width, height), maximumSide)
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    try check("maximumPixels", overflow ? .max : pixels, min(maximumPixels, Self.addressable))
    let (bytes, bytesOverflow) = pixels.multipliedReportingOverflow(by: channels)
    try check(
      "maximumDecodedBytes", bytesOverflow ? .max : bytes,
      min(maximumDecodedBytes, Self.addressable))
  }

  func checkFile(_ count: Int) throws(ImagingError) {
    try check("maximumFileBytes", count, maximumFileBytes)
  }

  func check(_ limit: String, _ found: Int, _ maximum: Int) throws(ImagingError) {
    guard found <= maximum else {
      throw .limitExceeded(limit: limit, found: found, maximum: maximum)
    }
  }
}
