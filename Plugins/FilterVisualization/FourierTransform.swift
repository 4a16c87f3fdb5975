import VitrineTensor

/// The discrete Fourier transform X_k = Σ_n x_n exp(−2πi kn/N) of any length.
///
/// Source: Cooley, Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series" (1965):
/// decimation in time, one prime factor of the length at a time. O(N Σ p) over the prime factors p.
struct FourierTransform: Sendable {
  let count: Int
  private let factors: [Int]
  /// Which element comes first, second, …: the digits of an index in the mixed base of the factors,
  /// reversed.
  private let order: [Int]
  private let cosines: [Double]
  private let sines: [Double]

  init(count: Int) {
    self.count = count
    var factors: [Int] = []
    var rest = count
    var divisor = 2
    while divisor * divisor <= rest {
      while rest % divisor == 0 {
        factors.append(divisor)
        rest /= divisor
      }
      divisor += 1
    }
    if rest > 1 { factors.append(rest) }
    self.factors = factors
    // Splitting by a factor takes every factor-th element; the last split is the innermost.
    var order = [0]
    var stride = 1
    for factor in factors {
      order = order.flatMap { [stride] first in (0..<factor).map { first + $0 * stride } }
      stride *= factor
    }
    self.order = order
    let step = 2 * Double.pi / Double(max(count, 1))
    cosines = (0..<count).map { Double.cos(step * Double($0)) }
    sines = (0..<count).map { Double.sin(step * Double($0)) }
  }

  /// Transforms `count` elements in place, `stride` apart.
  func transform(_ real: inout [Double], _ imaginary: inout [Double], start: Int, stride: Int) {
    guard count > 1 else { return }
    var r = order.map { real[start + $0 * stride] }
    var i = order.map { imaginary[start + $0 * stride] }
    // Stage by stage, from parts of length 1 to the whole.
    var length = 1
    var (nextReal, nextImaginary) = (r, i)
    for factor in factors.reversed() {
      let whole = length * factor
      let step = count / whole
      for block in Swift.stride(from: 0, to: count, by: whole) {
        for part in 0..<factor {
          for first in 0..<length {
            let k = part * length + first
            var (sumReal, sumImaginary) = (0.0, 0.0)
            // The angle of q k / whole, as an index into the tables of count angles.
            var angle = 0
            var source = block + first
            for _ in 0..<factor {
              let (c, s) = (cosines[angle], sines[angle])
              sumReal += r[source] * c + i[source] * s
              sumImaginary += i[source] * c - r[source] * s
              source += length
              angle += k * step
              if angle >= count { angle -= count }
            }
            nextReal[block + k] = sumReal
            nextImaginary[block + k] = sumImaginary
          }
        }
      }
      swap(&r, &nextReal)
      swap(&i, &nextImaginary)
      length = whole
    }
    for n in 0..<count {
      real[start + n * stride] = r[n]
      imaginary[start + n * stride] = i[n]
    }
  }
}
