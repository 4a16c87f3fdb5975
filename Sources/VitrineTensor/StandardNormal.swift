/// The standard normal distribution's quantile function in arithmetic that is the same everywhere.
///
/// Only +, -, ×, ÷ and the square root of IEEE 754 double precision are used, each of which has one
/// correct result, and none of the platform's elementary functions, which differ in the last place.
enum StandardNormal {
  /// Returns the x below which a standard normal variable falls with probability `p`.
  ///
  /// Source: Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution",
  /// Applied Statistics 37 (1988), routine PPND16: relative error about 1e-16 before rounding.
  ///
  /// - Parameter p: A probability between 0 and 1, neither of them included.
  static func quantile(_ p: Double) -> Double {
    let q = p - 0.5
    if q.magnitude <= 0.425 {
      let r = 0.180625 - q * q
      return q * centralNumerator(r) / centralDenominator(r)
    }
    let tail = q < 0 ? p : 1 - p
    let r = (-logarithm(tail)).squareRoot()
    let x =
      r <= 5
      ? middleNumerator(r - 1.6) / middleDenominator(r - 1.6)
      : farNumerator(r - 5) / farDenominator(r - 5)
    return q < 0 ? -x : x
  }

  /// Returns the natural logarithm of a positive normal number, with an error below 2 ulp for
  /// `x < 0.075`, the only range used here.
  ///
  /// `x` is m · 2ᵉ with m between √½ and √2, and log m = 2 artanh((m - 1) / (m + 1)): with
  /// |s| < 0.1716 the first term left out of artanh's series is smaller than 2⁻⁶⁰ of the sum.
  private static func logarithm(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var m = x.significand
    if m > 1.4142135623730951 {
      m /= 2
      exponent += 1
    }
    let s = (m - 1) / (m + 1)
    let square = s * s
    let series = polynomial(
      (1 / 23.0, 1 / 21.0, 1 / 19.0, 1 / 17.0), (1 / 15.0, 1 / 13.0, 1 / 11.0, 1 / 9.0), square)
    let sum = ((series * square + 1 / 7.0) * square + 1 / 5.0) * square + 1 / 3.0
    return exponent * 0.6931471805599453 + 2 * s * (sum * square + 1)
  }

  private typealias Four = (Double, Double, Double, Double)

  /// Returns the polynomial of degree 7 with these coefficients, the highest power's first, at `x`.
  ///
  /// Written out: a loop over an array takes three times as long.
  @inline(__always)
  private static func polynomial(_ a: Four, _ b: Four, _ x: Double) -> Double {
    let upper = ((a.0 * x + a.1) * x + a.2) * x + a.3
    return (((upper * x + b.0) * x + b.1) * x + b.2) * x + b.3
  }

  // MARK: - The polynomials of AS 241

  private static func centralNumerator(_ r: Double) -> Double {
    polynomial(
      (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457),
      (13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080),
      r)
  }

  private static func centralDenominator(_ r: Double) -> Double {
    polynomial(
      (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867),
      (5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1), r)
  }

  private static func middleNumerator(_ r: Double) -> Double {
    polynomial(
      (
        7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
        1.27045825245236838258
      ),
      (
        3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590,
        1.42343711074968357734
      ), r)
  }

  private static func middleDenominator(_ r: Double) -> Double {
    polynomial(
      (
        1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
        1.48103976427480074590e-1
      ),
      (6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1), r)
  }

  private static func farNumerator(_ r: Double) -> Double {
    polynomial(
      (
        2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
        2.65321895265761230930e-2
      ),
      (
        2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990,
        6.65790464350110377720
      ), r)
  }

  private static func farDenominator(_ r: Double) -> Double {
    polynomial(
      (
        2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
        7.86869131145613259100e-4
      ),
      (1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1), r)
  }
}
