#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Numbers as people read them: a point for decimals whatever the locale.
package enum Number {
  /// Returns a number with exactly `digits` decimals, halves rounded away from zero.
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return value.description }
    let scale = pow(10, Double(digits))
    let scaled = (abs(value) * scale).rounded()
    guard scaled < 9e15 else { return value.description }
    let units = String(Int64(scaled))
    let padded = String(repeating: "0", count: max(0, digits + 1 - units.count)) + units
    let point = padded.index(padded.endIndex, offsetBy: -digits)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    return sign + padded[..<point] + (digits > 0 ? "." + padded[point...] : "")
  }

  /// Returns a number with about `digits` significant digits, in scientific notation where that is
  /// shorter to read.
  package static func significant(_ value: Double, _ digits: Int = 6) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : value.description }
    var exponent = Int(log10(abs(value)).rounded(.down))
    if exponent >= -4, exponent < digits + 2 {
      return trimmed(fixed(value, max(0, min(15, digits - 1 - exponent))))
    }
    // In two steps, as 10^-324 is zero.
    func mantissa() -> String {
      let half = exponent / 2
      return fixed(
        value / pow(10, Double(half)) / pow(10, Double(exponent - half)), digits - 1)
    }
    if mantissa().drop(while: { $0 == "-" }).hasPrefix("10") { exponent += 1 }
    return trimmed(mantissa()) + "e" + String(exponent)
  }

  /// Returns a count with thin groups of three digits: `1,235,496`.
  package static func grouped(_ value: Int) -> String {
    var digits = String(value.magnitude)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    groups.insert(digits, at: 0)
    return (value < 0 ? "-" : "") + groups.joined(separator: ",")
  }

  /// Returns a duration in the unit that reads best.
  package static func duration(seconds: Double) -> String {
    switch seconds {
    case ..<1e-3: significant(seconds * 1e6, 3) + " µs"
    case ..<1: significant(seconds * 1e3, 3) + " ms"
    case ..<600: significant(seconds, 3) + " s"
    case ..<7200: significant(seconds / 60, 3) + " min"
    default: significant(seconds / 3600, 3) + " h"
    }
  }

  private static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }
}
