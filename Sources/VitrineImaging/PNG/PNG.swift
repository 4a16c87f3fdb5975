/// Portable Network Graphics (W3C Recommendation, third edition): reader and writer.
///
/// The reader takes every colour type, bit depth and interlacing. Sixteen-bit samples keep their
/// high byte, as Pillow does; `gAMA`, `iCCP` and other colour management is ignored; of an animated
/// PNG the default picture is read.
public enum PNG {
  /// The eight bytes every PNG starts with.
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  static func damage(_ offset: Int, _ reason: String) -> ImagingError {
    .malformed(format: "PNG", offset: offset, reason: reason)
  }

  /// What a sample row means (the colour type of the `IHDR` chunk).
  enum ColorType: UInt8 {
    case gray = 0
    case rgb = 2
    case palette = 3
    case grayAlpha = 4
    case rgba = 6

    /// Samples per pixel as stored.
    var samples: Int {
      switch self {
      case .gray, .palette: 1
      case .grayAlpha: 2
      case .rgb: 3
      case .rgba: 4
      }
    }

    var bitDepths: [UInt8] {
      switch self {
      case .gray: [1, 2, 4, 8, 16]
      case .palette: [1, 2, 4, 8]
      case .rgb, .grayAlpha, .rgba: [8, 16]
      }
    }
  }

  /// The five ways a row is predicted from its neighbours.
  enum Filter: UInt8, CaseIterable {
    case none
    case sub
    case up
    case average
    case paeth
  }

  /// The neighbour (left, above, above left) closest to `left + above - aboveLeft`.
  static func paeth(_ left: UInt8, _ above: UInt8, _ aboveLeft: UInt8) -> UInt8 {
    let estimate = Int(left) + Int(above) - Int(aboveLeft)
    let toLeft = abs(estimate - Int(left))
    let toAbove = abs(estimate - Int(above))
    let toAboveLeft = abs(estimate - Int(aboveLeft))
    if toLeft <= toAbove, toLeft <= toAboveLeft { return left }
    return toAbove <= toAboveLeft ? above : aboveLeft
  }
}
