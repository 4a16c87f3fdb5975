/// An opaque colour, 8-bit sRGB.
public struct Color: Sendable, Equatable, Hashable {
  /// Red, 0...255.
  public let red: UInt8
  /// Green, 0...255.
  public let green: UInt8
  /// Blue, 0...255.
  public let blue: UInt8

  /// Creates a colour from its sRGB samples.
  public init(red: UInt8, green: UInt8, blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// `#000000`.
  public static let black = Color(red: 0, green: 0, blue: 0)
  /// `#808080`.
  public static let gray = Color(red: 128, green: 128, blue: 128)
  /// `#FFFFFF`.
  public static let white = Color(red: 255, green: 255, blue: 255)

  var samples: [UInt8] { [red, green, blue] }
}
