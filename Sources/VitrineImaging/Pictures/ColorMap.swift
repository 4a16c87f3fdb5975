#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A table of colours that stand for numbers.
///
/// Sequential maps grow monotonically in lightness and show amounts; the diverging map has a neutral
/// middle for zero and the same lightness at equal distance from it, and shows signed values.
public struct ColorMap: Sendable, Equatable {
  /// The name to ask for, such as `viridis`.
  public let name: String
  /// The colours from the lowest to the highest value.
  public let colors: [Color]
  /// Whether the middle colour is the neutral one.
  public let isDiverging: Bool

  /// Returns the colour of a position in the map.
  ///
  /// - Parameter position: 0 lowest, 1 highest; clamped, NaN counts as 0.
  public func color(at position: Float) -> Color {
    let last = Float(colors.count - 1)
    let index = (position * last).rounded()
    return colors[index > 0 ? Int(min(index, last)) : 0]
  }

  /// Dark violet through green to yellow; the default for amounts.
  public static let viridis = ColorMap("viridis", hexadecimal: ColorMapData.viridis)
  /// Black through purple to pale yellow.
  public static let magma = ColorMap("magma", hexadecimal: ColorMapData.magma)
  /// Black through red to yellow.
  public static let inferno = ColorMap("inferno", hexadecimal: ColorMapData.inferno)
  /// Blue through gray to yellow, alike for people with and without colour-vision deficiency.
  public static let cividis = ColorMap("cividis", hexadecimal: ColorMapData.cividis)
  /// Black to white.
  public static let gray = ColorMap(
    name: "gray", colors: (0...255).map { Color(red: $0, green: $0, blue: $0) },
    isDiverging: false)
  /// Blue for negative, white for zero, red for positive; the default for signed values.
  public static let diverging = ColorMap(
    name: "diverging", colors: DivergingColors.table, isDiverging: true)

  /// Every map, in the order they are listed to people.
  public static let all = [viridis, magma, inferno, cividis, gray, diverging]

  /// Returns the map of a name.
  ///
  /// - Throws: ``ImagingError/unknownName(kind:name:known:)`` with the closest name.
  public static func named(_ name: String) throws(ImagingError) -> ColorMap {
    guard let map = all.first(where: { $0.name == name }) else {
      throw .unknownName(kind: "colour map", name: name, known: all.map(\.name))
    }
    return map
  }

  private init(name: String, colors: [Color], isDiverging: Bool) {
    self.name = name
    self.colors = colors
    self.isDiverging = isDiverging
  }

  private init(_ name: String, hexadecimal: String) {
    let digits = hexadecimal.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
    let colors = stride(from: 0, to: digits.count, by: 6).map { start in
      Color(
        red: digits[start] << 4 | digits[start + 1],
        green: digits[start + 2] << 4 | digits[start + 3],
        blue: digits[start + 4] << 4 | digits[start + 5])
    }
    self.init(name: name, colors: colors, isDiverging: false)
  }
}

/// The diverging map, computed in CIE L*a*b* so that both arms darken alike.
private enum DivergingColors {
  /// An odd number of colours, so that zero has one of its own.
  private static let count = 255
  /// Lightness at zero and at the ends.
  private static let lightest = 97.0
  private static let darkest = 30.0
  /// Distances from zero at which the chroma of an arm is given, inside the sRGB gamut.
  private static let distances = [0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1]
  private static let redChroma = [0.0, 12, 28, 46, 62, 70, 66, 55]
  private static let blueChroma = [0.0, 12, 27, 42, 48, 44, 38, 31]
  /// Hue angles in radians (35° and 270°).
  private static let redHue = 35 * Double.pi / 180
  private static let blueHue = 270 * Double.pi / 180

  static var table: [Color] {
    let middle = count / 2
    return (0..<count).map { index in
      let distance = Double(abs(index - middle)) / Double(middle)
      let isRed = index > middle
      let chroma = interpolated(isRed ? redChroma : blueChroma, at: distance)
      let hue = isRed ? redHue : blueHue
      return color(
        lightness: lightest + (darkest - lightest) * distance, a: chroma * cos(hue),
        b: chroma * sin(hue))
    }
  }

  private static func interpolated(_ values: [Double], at distance: Double) -> Double {
    let upper = distances.firstIndex { $0 >= distance } ?? distances.count - 1
    if upper == 0 { return values[0] }
    let fraction =
      (distance - distances[upper - 1]) / (distances[upper] - distances[upper - 1])
    return values[upper - 1] + (values[upper] - values[upper - 1]) * fraction
  }

  /// CIE L*a*b* (D65) to sRGB, IEC 61966-2-1.
  private static func color(lightness: Double, a: Double, b: Double) -> Color {
    func inverse(_ t: Double) -> Double {
      let delta = 6.0 / 29
      return t > delta ? t * t * t : 3 * delta * delta * (t - 4.0 / 29)
    }
    let y = (lightness + 16) / 116
    let x = 0.95047 * inverse(y + a / 500)
    let z = 1.08883 * inverse(y - b / 200)
    let luminance = inverse(y)
    func encoded(_ linear: Double) -> UInt8 {
      let value =
        linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055
      return UInt8(max(0, min(255, (value * 255).rounded())))
    }
    return Color(
      red: encoded(3.2404542 * x - 1.5371385 * luminance - 0.4985314 * z),
      green: encoded(-0.9692660 * x + 1.8760108 * luminance + 0.0415560 * z),
      blue: encoded(0.0556434 * x - 0.2040259 * luminance + 1.0572252 * z))
  }
}
