/// The legend of a heat map: its colours from low to high with numbers below.
public struct ColorBar: Sendable, Equatable {
  /// What the colours stand for.
  public let scale: ColorScale
  /// The colours.
  public let colorMap: ColorMap

  /// Creates a legend; without a map, the scale's default one.
  public init(scale: ColorScale, colorMap: ColorMap? = nil) {
    self.scale = scale
    self.colorMap = colorMap ?? scale.defaultColorMap
  }

  /// Returns the legend as a horizontal bar with the numbers of its ends and middle.
  ///
  /// - Parameters:
  ///   - width: Width in pixels, 16...65,535; the middle number is left out where it does not fit.
  ///   - size: Pixels per dot of the font, 1...16.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a parameter is out of range.
  public func image(width: Int, size: Int = 1) throws(ImagingError) -> Image {
    guard (16...65_535).contains(width), (1...16).contains(size) else {
      throw .invalidArgument(
        "expected a colour bar 16 to 65535 pixels wide with text of size 1 to 16, found \(width) "
          + "and \(size)")
    }
    let barHeight = 10 * size
    let tickHeight = 3 * size
    let textTop = barHeight + tickHeight + size
    var canvas = Canvas(
      width: width, height: textTop + BitmapFont.lineHeight * size, background: .white)
    for column in 0..<width {
      let position = Float(column) / Float(width - 1)
      canvas.fill(
        x: column, y: 0, width: 1, height: barHeight, colorMap.color(at: position))
    }
    let (low, high) = scale.bounds
    let labels = [low, low / 2 + high / 2, high].map { NumberText.short($0) }
    let widths = labels.map { ($0.count * BitmapFont.advance - 1) * size }
    let lefts = [0, (width - widths[1]) / 2, width - widths[2]]
    let gap = BitmapFont.advance * size
    let middleFits = widths[0] + gap <= lefts[1] && lefts[1] + widths[1] + gap <= lefts[2]
    let ticks = [0, (width - size) / 2, width - size]
    for index in [0, 1, 2] where index != 1 || middleFits {
      canvas.fill(x: ticks[index], y: barHeight, width: size, height: tickHeight, .black)
      canvas.write(labels[index], x: lefts[index], y: textTop, size: size)
    }
    return canvas.image
  }
}

/// Numbers as short text, independent of locale.
package enum NumberText {
  /// Returns three significant digits, in scientific notation below 0.001 and from 100,000 on.
  package static func short(_ value: Float) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    if value == 0 { return "0" }
    let sign = value < 0 ? "-" : ""
    var mantissa = Double(value.magnitude)
    var exponent = 0
    while mantissa >= 10 {
      mantissa /= 10
      exponent += 1
    }
    while mantissa < 1 {
      mantissa *= 10
      exponent -= 1
    }
    var digits = Int((mantissa * 100).rounded())
    if digits == 1000 {
      digits = 100
      exponent += 1
    }
    guard (-3...4).contains(exponent) else {
      return "\(sign)\(decimal(digits, fractionDigits: 2))e\(exponent)"
    }
    if exponent <= 2 { return sign + decimal(digits, fractionDigits: 2 - exponent) }
    return sign + String(exponent == 3 ? digits * 10 : digits * 100)
  }

  /// Returns `digits / 10^fractionDigits` without trailing zeros.
  private static func decimal(_ digits: Int, fractionDigits: Int) -> String {
    var text = String(digits)
    if fractionDigits == 0 { return text }
    while text.count <= fractionDigits { text = "0" + text }
    var fraction = text.suffix(fractionDigits)
    while fraction.last == "0" { fraction.removeLast() }
    let whole = text.dropLast(fractionDigits)
    return fraction.isEmpty ? String(whole) : "\(whole).\(fraction)"
  }
}
