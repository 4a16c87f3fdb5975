extension PNG {
  /// Encodes pictures as an animated PNG (APNG); equal pictures give equal bytes.
  ///
  /// Source: PNG, third edition (W3C, 2025), sections 11.3.6 (`acTL`, `fcTL`, `fdAT`). Readers that know
  /// no animation show the first picture. Every frame replaces the one before as a whole.
  ///
  /// - Parameters:
  ///   - frames: At least one; all of the same size and channels.
  ///   - milliseconds: How long each is shown, 0...65,535.
  ///   - lastMilliseconds: How long the last one is shown; `nil` for as long as the others.
  ///   - plays: How often the animation runs; 0 for without end.
  ///   - text: Entries stored before the pixels.
  /// - Returns: The whole file.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if the frames differ in size or an argument is out
  ///   of range, ``ImagingError/limitExceeded(limit:found:maximum:)`` if all frames together exceed the
  ///   default ``ImageLimits``.
  /// - Complexity: O(samples of all frames).
  public static func encodeAnimation(
    _ frames: [Image], milliseconds: Int, lastMilliseconds: Int? = nil, plays: Int = 0,
    text: [TextEntry] = []
  ) throws(ImagingError) -> [UInt8] {
    let last = lastMilliseconds ?? milliseconds
    guard let first = frames.first, (0...65_535).contains(milliseconds),
      (0...65_535).contains(last), (0...0x7FFF_FFFF).contains(plays)
    else {
      throw .invalidArgument(
        "expected at least one frame, 0...65535 ms for each and 0 or more plays, "
          + "found \(frames.count) frames, \(milliseconds) and \(last) ms, \(plays) plays")
    }
    for frame in frames
    where frame.width != first.width || frame.height != first.height
      || frame.channels != first.channels
    {
      throw .invalidArgument(
        "expected frames of \(first.width)x\(first.height) with \(first.channels) channels, "
          + "found one of \(frame.width)x\(frame.height) with \(frame.channels)")
    }
    let (bytes, overflow) = first.pixels.count.multipliedReportingOverflow(by: frames.count)
    let limits = ImageLimits()
    try limits.check(
      "maximumDecodedBytes", overflow ? .max : bytes, limits.maximumDecodedBytes)
    var file = try header(of: first, text: text)
    append("acTL", fourBytes(frames.count) + fourBytes(plays), to: &file)
    var sequence = 0
    for (index, frame) in frames.enumerated() {
      let delay = index == frames.count - 1 ? last : milliseconds
      append(
        "fcTL",
        fourBytes(sequence) + fourBytes(frame.width) + fourBytes(frame.height)
          // Offsets, the delay as a fraction of a second, dispose nothing, replace all.
          + fourBytes(0) + fourBytes(0) + twoBytes(delay) + twoBytes(1000) + [0, 0], to: &file)
      sequence += 1
      for piece in compressedPieces(of: frame) {
        if index == 0 {
          append("IDAT", piece, to: &file)
        } else {
          append("fdAT", fourBytes(sequence) + piece, to: &file)
          sequence += 1
        }
      }
    }
    append("IEND", [], to: &file)
    return file
  }

  private static func twoBytes(_ value: Int) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
  }
}
