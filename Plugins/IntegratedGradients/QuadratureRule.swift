public import VitrineCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension IntegratedGradients {
  /// How the integral over the path becomes a sum over points of it.
  public enum Rule: String, Sendable, Hashable, CaseIterable {
    /// Gauss–Legendre: exact for integrands that are polynomials of degree up to 2m − 1.
    case gaussLegendre = "gauss-legendre"
    /// Riemann sum at k/m, k = 0…m − 1.
    case left
    /// Riemann sum at k/m, k = 1…m: the form in the paper.
    case right
    /// Riemann sum at (k + ½)/m, k = 0…m − 1.
    case middle
    /// Trapezoids between the m + 1 points k/m, k = 0…m.
    case trapezoid

    /// Returns the points of the rule on 0...1, from the baseline to the input; their weights sum to 1.
    ///
    /// - Parameter steps: m, at least 1.
    /// - Complexity: O(`steps`); O(`steps`²) for Gauss–Legendre.
    public func points(steps: Int) -> [PathPoint] {
      let count = Double(steps)
      func even(_ positions: Range<Int>, offset: Double = 0) -> [PathPoint] {
        positions.map { PathPoint(fraction: (Double($0) + offset) / count, weight: 1 / count) }
      }
      switch self {
      case .gaussLegendre: return gaussLegendrePoints(steps)
      case .left: return even(0..<steps)
      case .right: return even(1..<steps + 1)
      case .middle: return even(0..<steps, offset: 0.5)
      case .trapezoid:
        return (0...steps).map { k in
          PathPoint(
            fraction: Double(k) / count, weight: (k == 0 || k == steps ? 0.5 : 1) / count)
        }
      }
    }
  }
}

/// Returns the nodes and weights of Gauss–Legendre quadrature, moved from -1...1 to 0...1.
///
/// Newton's method on the Legendre polynomial P_n from the asymptotic places of its roots, which are
/// symmetric about 0. Source: Abramowitz, Stegun, "Handbook of Mathematical Functions", 25.4.29 for the
/// weights, 22.16.6 for the places.
private func gaussLegendrePoints(_ count: Int) -> [PathPoint] {
  let n = Double(count)
  var points = [PathPoint](repeating: PathPoint(fraction: 0.5, weight: 1), count: count)
  for i in 0..<(count + 1) / 2 {
    var x = cos(Double.pi * (Double(i) + 0.75) / (n + 0.5))
    // Quadratic convergence from an error below 1/n²: three steps reach rounding, the rest is spare.
    for _ in 0..<8 {
      let (value, slope) = legendre(count, at: x)
      let step = value / slope
      x -= step
      if step.magnitude <= 1e-16 { break }
    }
    let isCenter = 2 * i + 1 == count
    if isCenter { x = 0 }
    let slope = legendre(count, at: x).slope
    // Half of 2 / ((1 - x²) P'²), as the interval is half as long.
    let weight = 1 / ((1 - x) * (1 + x) * slope * slope)
    points[i] = PathPoint(fraction: 0.5 - 0.5 * x, weight: weight)
    points[count - 1 - i] = PathPoint(fraction: 0.5 + 0.5 * x, weight: weight)
  }
  return points
}

/// Returns P_n and its derivative, by the three-term recurrence; |x| < 1.
private func legendre(_ degree: Int, at x: Double) -> (value: Double, slope: Double) {
  var before = 1.0
  var value = x
  for k in 1..<max(degree, 1) {
    let order = Double(k)
    (before, value) = (value, ((2 * order + 1) * x * value - order * before) / (order + 1))
  }
  return (value, Double(degree) * (before - x * value) / ((1 - x) * (1 + x)))
}
