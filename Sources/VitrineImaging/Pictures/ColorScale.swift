/// Which numbers the colours of a map stand for.
public enum ColorScale: Sendable, Equatable {
  /// Amounts from `low` (first colour) to `high` (last colour).
  case sequential(low: Float, high: Float)
  /// Signed values from `-limit` to `limit`, zero in the middle.
  case diverging(limit: Float)

  /// Returns the scale that shows given values well.
  ///
  /// The bound is the 99th percentile of the finite magnitudes, so that a few outliers do not darken
  /// the rest; where that is zero, the largest magnitude; where all is zero, 1. Values without a
  /// negative one get `0...bound`, others `-bound...bound`: zero never changes its colour.
  ///
  /// - Parameters:
  ///   - values: Any number of values; NaN and infinities are ignored.
  ///   - signed: Whether the scale is diverging; nil to decide by the values.
  ///   - percentile: Percentage of magnitudes within the bound, 0...100.
  /// - Throws: ``ImagingError/noFiniteValues(count:)`` if no value is finite.
  /// - Complexity: O(n) for n values.
  public static func fitted(
    to values: [Float], signed: Bool? = nil, percentile: Double = 99
  ) throws(ImagingError) -> ColorScale {
    let finite = values.filter(\.isFinite)
    guard !finite.isEmpty else { throw .noFiniteValues(count: values.count) }
    var magnitudes = finite.map(\.magnitude)
    // Bit patterns of positive numbers are in their order.
    magnitudes = RadixSort.ascendingOrder(of: magnitudes.map(\.bitPattern)).map { magnitudes[$0] }
    let bound = Self.percentile(percentile, ofSorted: magnitudes)
    let largest = magnitudes.last ?? 0
    let limit = bound > 0 ? bound : largest > 0 ? largest : 1
    let isSigned = signed ?? finite.contains { $0 < 0 }
    return isSigned ? .diverging(limit: limit) : .sequential(low: 0, high: limit)
  }

  /// The smallest and the largest value that has its own colour.
  public var bounds: (low: Float, high: Float) {
    switch self {
    case .sequential(let low, let high): (low, high)
    case .diverging(let limit): (-limit, limit)
    }
  }

  /// The colour map used where none is asked for: viridis or blue–white–red.
  var defaultColorMap: ColorMap {
    switch self {
    case .sequential: .viridis
    case .diverging: .diverging
    }
  }

  /// Returns where a value lies between the bounds, 0...1; NaN for NaN.
  public func position(of value: Float) -> Float {
    let (low, high) = bounds
    if value.isNaN { return .nan }
    // Halved, the difference of two finite numbers cannot overflow.
    let span = high / 2 - low / 2
    guard span > 0 else { return value < low ? 0 : value > high ? 1 : 0.5 }
    return max(0, min(1, (value / 2 - low / 2) / span))
  }

  /// Returns how strong the evidence of a value is, 0...1: its distance from zero in a diverging
  /// scale, from `low` in a sequential one; NaN for NaN.
  public func strength(of value: Float) -> Float {
    switch self {
    case .sequential: position(of: value)
    case .diverging: abs(2 * position(of: value) - 1)
    }
  }

  /// Linear interpolation between the two nearest ranks, as NumPy's default.
  private static func percentile(_ percentage: Double, ofSorted values: [Float]) -> Float {
    let rank = max(0, min(100, percentage)) / 100 * Double(values.count - 1)
    let lower = Int(rank)
    let upper = min(lower + 1, values.count - 1)
    let fraction = rank - Double(lower)
    return Float(Double(values[lower]) * (1 - fraction) + Double(values[upper]) * fraction)
  }
}
