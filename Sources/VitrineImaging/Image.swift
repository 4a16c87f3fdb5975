/// A picture of 8-bit samples in memory.
///
/// Samples are interleaved, rows run top to bottom without padding, alpha is not premultiplied.
public struct Image: Sendable, Equatable {
  /// Width in pixels, at least 1.
  public let width: Int
  /// Height in pixels, at least 1.
  public let height: Int
  /// Samples per pixel: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA.
  public let channels: Int
  /// `width × height × channels` samples, `[height, width, channels]`, 0...255.
  public internal(set) var pixels: [UInt8]

  /// Creates a picture from its samples.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a size is below 1, `channels` is not 1...4,
  ///   or `pixels` does not hold exactly `width × height × channels` samples.
  public init(width: Int, height: Int, channels: Int, pixels: [UInt8]) throws(ImagingError) {
    let count = try Image.sampleCount(width: width, height: height, channels: channels)
    guard pixels.count == count else {
      throw .invalidArgument(
        "expected \(count) samples for \(width)x\(height) pixels of \(channels) channels, "
          + "found \(pixels.count)")
    }
    self.init(checkedWidth: width, height: height, channels: channels, pixels: pixels)
  }

  /// Creates an RGB picture of one colour.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a side is below 1 or the picture is too large.
  public init(width: Int, height: Int, color: Color) throws(ImagingError) {
    _ = try Image.sampleCount(width: width, height: height, channels: 3)
    self.init(checkedWidth: width, height: height, filledWith: color.samples)
  }

  /// Creates a picture whose sizes the caller has already proven consistent.
  init(checkedWidth width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    precondition(pixels.count == width * height * channels, "samples do not fill the picture")
    self.width = width
    self.height = height
    self.channels = channels
    self.pixels = pixels
  }

  /// Creates a picture with every pixel equal to `pixel`.
  init(checkedWidth width: Int, height: Int, filledWith pixel: [UInt8]) {
    var pixels = [UInt8](repeating: pixel[0], count: width * height * pixel.count)
    if pixel.contains(where: { $0 != pixel[0] }) {
      for start in stride(from: 0, to: pixels.count, by: pixel.count) {
        for channel in pixel.indices { pixels[start + channel] = pixel[channel] }
      }
    }
    self.init(checkedWidth: width, height: height, channels: pixel.count, pixels: pixels)
  }

  private static func sampleCount(
    width: Int, height: Int, channels: Int
  ) throws(ImagingError) -> Int {
    guard width >= 1, height >= 1, (1...4).contains(channels) else {
      throw .invalidArgument(
        "expected a width and height of at least 1 and 1 to 4 channels, "
          + "found \(width)x\(height) with \(channels)")
    }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    let (samples, samplesOverflow) = pixels.multipliedReportingOverflow(by: channels)
    guard !overflow, !samplesOverflow, samples <= 1 << 40 else {
      throw .invalidArgument("a picture of \(width)x\(height) pixels does not fit in memory")
    }
    return samples
  }
}

extension Image {
  /// Whether the last sample of each pixel is its opacity.
  var hasAlpha: Bool { channels == 2 || channels == 4 }
}
