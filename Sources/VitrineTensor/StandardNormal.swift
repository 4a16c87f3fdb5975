internal import Dispatch

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
    if q.magnitude <= 0.425 { return centralQuantile(SIMD4(repeating: p))[0] }
    let tail = q < 0 ? p : 1 - p
    let r = (-logarithm(SIMD4(repeating: tail))[0]).squareRoot()
    if r <= 5 { return tailQuantile(SIMD4(repeating: p))[0] }
    let far = SIMD4(repeating: r - 5)
    let x = (polynomial(farNumerator, far) / polynomial(farDenominator, far))[0]
    return q < 0 ? -x : x
  }

  /// Numbers that one core takes at a time.
  private static let pieceSize = 1 << 12

  /// Replaces probabilities by their quantiles on several cores, the same bits as one by one.
  static func replaceByQuantiles(_ numbers: UnsafeMutableBufferPointer<Double>) {
    // Each piece is changed by one thread alone.
    nonisolated(unsafe) let numbers = numbers
    DispatchQueue.concurrentPerform(iterations: (numbers.count + pieceSize - 1) / pieceSize) {
      let start = $0 * pieceSize
      replacePiece(.init(rebasing: numbers[start..<min(start + pieceSize, numbers.count)]))
    }
  }

  /// Four at once and without branches: first as if all lay in the middle, then those that do not.
  private static func replacePiece(_ numbers: UnsafeMutableBufferPointer<Double>) {
    withUnsafeTemporaryAllocation(of: (place: Int, p: Double).self, capacity: numbers.count + 4) {
      tails in
      var count = 0
      for start in stride(from: 0, to: numbers.count, by: 4) {
        let end = min(start + 4, numbers.count)
        var p = SIMD4(repeating: 0.5)
        for i in start..<end {
          p[i - start] = numbers[i]
          tails.initializeElement(at: count, to: (i, numbers[i]))
          count += (numbers[i] - 0.5).magnitude > 0.425 ? 1 : 0
        }
        let x = centralQuantile(p)
        for i in start..<end { numbers[i] = x[i - start] }
      }
      for start in stride(from: 0, to: count, by: 4) {
        let end = min(start + 4, count)
        var p = SIMD4(repeating: 0.05)
        for i in start..<end { p[i - start] = tails[i].p }
        let x = tailQuantile(p)
        for i in start..<end {
          let lane = i - start
          numbers[tails[i].place] =
            min(p[lane], 1 - p[lane]) > 1e-10 ? x[lane] : quantile(p[lane])
        }
      }
    }
  }

  /// Returns quantiles of probabilities from 0.075 to 0.925.
  @inline(__always)
  private static func centralQuantile(_ p: SIMD4<Double>) -> SIMD4<Double> {
    let q = p - 0.5
    let r = 0.180625 - q * q
    let (numerator, denominator) = (centralNumerator, centralDenominator)
    return q * polynomial(numerator, r) / polynomial(denominator, r)
  }

  /// Returns quantiles of probabilities below 0.075 or above 0.925, not nearer than 1e-10 to 0 or 1.
  @inline(__always)
  private static func tailQuantile(_ p: SIMD4<Double>) -> SIMD4<Double> {
    let isLow = p .< 0.5
    let tail = (1 - p).replacing(with: p, where: isLow)
    let squared = -logarithm(tail)
    // One by one: of four at once the standard library asks libm.
    var r = SIMD4<Double>()
    for lane in 0..<4 { r[lane] = squared[lane].squareRoot() - 1.6 }
    let x = polynomial(middleNumerator, r) / polynomial(middleDenominator, r)
    return x.replacing(with: -x, where: isLow)
  }

  /// Returns natural logarithms of positive normal numbers, with an error below 2 ulp for
  /// `x < 0.075`, the only range used here.
  ///
  /// `x` is m · 2ᵉ with m between √½ and √2, and log m = 2 artanh((m - 1) / (m + 1)): with
  /// |s| < 0.1716 the first term left out of artanh's series is smaller than 2⁻⁶⁰ of the sum.
  @inline(__always)
  private static func logarithm(_ x: SIMD4<Double>) -> SIMD4<Double> {
    let bits = unsafeBitCast(x, to: SIMD4<UInt64>.self)
    // An integer in the low bits of 2⁵² is added to it.
    let shifted = unsafeBitCast(
      bits &>> 52 | 0x4330_0000_0000_0000, to: SIMD4<Double>.self)
    var exponent = shifted - (0x1p52 + 1023)
    var m = unsafeBitCast(
      bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000, to: SIMD4<Double>.self)
    let isLarge = m .> 1.4142135623730951
    m.replace(with: m * 0.5, where: isLarge)
    exponent.replace(with: exponent + 1, where: isLarge)
    let s = (m - 1) / (m + 1)
    let square = s * s
    var sum = polynomial(artanhTerms, square)
    sum = sum * square + 1 / 7
    sum = sum * square + 1 / 5
    sum = sum * square + 1 / 3
    let twice: SIMD4<Double> = 2 * s
    return exponent * 0.6931471805599453 + twice * (sum * square + 1)
  }

  private typealias Four = (Double, Double, Double, Double)

  /// Returns the polynomial of degree 7 with these coefficients, the highest power's first, at `x`.
  ///
  /// Written out: a loop over an array takes three times as long.
  @inline(__always)
  private static func polynomial(_ terms: (Four, Four), _ x: SIMD4<Double>) -> SIMD4<Double> {
    let (a, b) = terms
    let upper = ((a.0 * x + a.1) * x + a.2) * x + a.3
    return (((upper * x + b.0) * x + b.1) * x + b.2) * x + b.3
  }

  /// The higher terms of artanh s / s in powers of s².
  private static let artanhTerms: (Four, Four) = (
    (1 / 23.0, 1 / 21.0, 1 / 19.0, 1 / 17.0), (1 / 15.0, 1 / 13.0, 1 / 11.0, 1 / 9.0)
  )

  // MARK: - The polynomials of AS 241

  private static let centralNumerator: (Four, Four) = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457),
    (13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080)
  )

  private static let centralDenominator: (Four, Four) = (
    (5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867),
    (5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1)
  )

  private static let middleNumerator: (Four, Four) = (
    (
      7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
      1.27045825245236838258
    ),
    (
      3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590,
      1.42343711074968357734
    )
  )

  private static let middleDenominator: (Four, Four) = (
    (
      1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
      1.48103976427480074590e-1
    ),
    (6.89767334985100004550e-1, 1.67638483018380384940, 2.05319162663775882187, 1)
  )

  private static let farNumerator: (Four, Four) = (
    (
      2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
      2.65321895265761230930e-2
    ),
    (
      2.96560571828504891230e-1, 1.78482653991729133580, 5.46378491116411436990,
      6.65790464350110377720
    )
  )

  private static let farDenominator: (Four, Four) = (
    (
      2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
      7.86869131145613259100e-4
    ),
    (1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1)
  )
}
