/// A seeded generator of random numbers with the same stream on every platform and in every release.
///
/// Algorithm: xoshiro256** 1.0 (Blackman, Vigna, "Scrambled linear pseudorandom number generators",
/// ACM TOMS 47, 2021), period 2²⁵⁶ - 1. With a state of four 64-bit words s₀…s₃, each step returns
/// `rotl(s₁ · 5, 7) · 9` and then sets, with t = s₁ << 17,
///
///     s₂ ^= s₀; s₃ ^= s₁; s₁ ^= s₂; s₀ ^= s₃; s₂ ^= t; s₃ = rotl(s₃, 45)
///
/// The state is the first four outputs of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), which starts
/// at the seed: z = (seed += 0x9e3779b97f4a7c15), z = (z ^ z >> 30) · 0xbf58476d1ce4e5b9,
/// z = (z ^ z >> 27) · 0x94d049bb133111eb, output z ^ z >> 31. All of it is modulo 2⁶⁴.
///
/// Use the methods here rather than `Double.random(in:using:)` or `shuffle(using:)` where a result
/// must repeat: the standard library may change what those do with the stream. Not for secrets.
public struct RandomGenerator: RandomNumberGenerator, Sendable, Hashable {
  private var s0: UInt64
  private var s1: UInt64
  private var s2: UInt64
  private var s3: UInt64

  /// Creates a generator; any seed is as good as any other, 0 included.
  public init(seed: UInt64) {
    var mixer = SplitMix64(state: seed)
    s0 = mixer.next()
    s1 = mixer.next()
    s2 = mixer.next()
    s3 = mixer.next()
  }

  /// Returns the next 64 random bits.
  public mutating func next() -> UInt64 {
    let result = (s1 &* 5).rotatedLeft(by: 7) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = s3.rotatedLeft(by: 45)
    return result
  }

  // MARK: - Numbers, one step of the stream each

  /// Returns a multiple of 2⁻⁵³ in 0..<1, all equally likely: the upper 53 bits of a step.
  public mutating func uniformDouble() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Returns a multiple of 2⁻²⁴ in 0..<1, all equally likely: the upper 24 bits of a step.
  ///
  /// It is what ``uniformDouble()`` would have returned, rounded down.
  public mutating func uniformFloat() -> Float { Float(next() >> 40) * 0x1p-24 }

  /// Returns a standard normal number: mean 0, standard deviation 1, between -8.3 and 8.3.
  ///
  /// It is the normal quantile (Wichura's AS 241, relative error about 1e-15) of (n + ½) · 2⁻⁵², n
  /// being the upper 52 bits of a step. Of IEEE 754 only operations with one correct result take
  /// part, and no function of the platform's libm: the same bits on every platform.
  public mutating func normalDouble() -> Double {
    StandardNormal.quantile(nextProbability())
  }

  private mutating func nextProbability() -> Double { (Double(next() >> 12) + 0.5) * 0x1p-52 }

  // MARK: - Choices

  /// Returns an integer in `0..<bound`, all equally likely.
  ///
  /// Algorithm: Lemire, "Fast random integer generation in an interval" (ACM TOMACS 29, 2019):
  /// the upper word of the 128-bit product of a step and `bound`, taking another step while the
  /// lower word is less than 2⁶⁴ mod `bound`.
  ///
  /// - Parameter bound: At least 1.
  public mutating func index(below bound: Int) -> Int {
    precondition(bound > 0, "there is no index below \(bound)")
    let bound = UInt64(bound)
    let surplus = (0 &- bound) % bound
    while true {
      let product = bound.multipliedFullWidth(by: next())
      if product.low >= surplus { return Int(product.high) }
    }
  }

  /// Returns 0, 1, … `count` - 1 in random order, all orders equally likely.
  ///
  /// Algorithm: Fisher and Yates, from the last place down: place i is swapped with place
  /// ``index(below:)`` i + 1.
  ///
  /// - Parameter count: At least 0.
  /// - Complexity: O(`count`).
  public mutating func shuffledIndices(_ count: Int) -> [Int] {
    var indices = [Int](0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      indices.swapAt(i, index(below: i + 1))
    }
    return indices
  }

  // MARK: - Tensors, filled in row-major order

  /// Returns a tensor of uniformly distributed numbers in 0..<1.
  ///
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` unless the type is real.
  /// - Complexity: O(`shape.count`), one step of the stream for each element.
  public mutating func uniformTensor(
    _ shape: Shape, _ dataType: DataType = .float32
  ) throws(TensorError) -> Tensor {
    switch dataType {
    case .float32: return filled(shape) { $0.uniformFloat() }
    case .float64: return filled(shape) { $0.uniformDouble() }
    case .int64, .bool: throw .unsupportedType(dataType, operation: "uniform random numbers")
    }
  }

  /// Returns a tensor of normally distributed numbers.
  ///
  /// Each is ``normalDouble()`` times the standard deviation plus the mean, computed in double
  /// precision and rounded to the type of the elements.
  ///
  /// - Throws: ``TensorError/unsupportedType(_:operation:)`` unless the type is real.
  /// - Complexity: O(`shape.count`), one step of the stream for each element.
  public mutating func normalTensor(
    _ shape: Shape, mean: Double = 0, standardDeviation: Double = 1,
    _ dataType: DataType = .float32
  ) throws(TensorError) -> Tensor {
    switch dataType {
    case .float32:
      return Tensor(uninitialized: shape, of: Float.self) { elements in
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 1 << 13) { numbers in
          for start in stride(from: 0, to: elements.count, by: numbers.count) {
            let part = numbers[..<min(numbers.count, elements.count - start)]
            fillWithNormals(.init(rebasing: part))
            for i in part.indices {
              elements[start + i] = Float(numbers[i] * standardDeviation + mean)
            }
          }
        }
      }
    case .float64:
      return Tensor(uninitialized: shape, of: Double.self) { elements in
        fillWithNormals(elements)
        for i in elements.indices { elements[i] = elements[i] * standardDeviation + mean }
      }
    case .int64, .bool: throw .unsupportedType(dataType, operation: "normal random numbers")
    }
  }

  /// Sets numbers to the next standard normal ones.
  private mutating func fillWithNormals(_ numbers: UnsafeMutableBufferPointer<Double>) {
    for i in numbers.indices { numbers[i] = nextProbability() }
    StandardNormal.replaceByQuantiles(numbers)
  }

  @inline(__always)
  private mutating func filled<T: Scalar>(
    _ shape: Shape, _ element: (inout RandomGenerator) -> T
  ) -> Tensor {
    Tensor(uninitialized: shape, of: T.self) { elements in
      for i in 0..<elements.count { elements[i] = element(&self) }
    }
  }
}

/// The generator that turns a seed of any quality into a state, see ``RandomGenerator``.
private struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

extension UInt64 {
  fileprivate func rotatedLeft(by count: UInt64) -> UInt64 {
    (self << count) | (self >> (64 - count))
  }
}
