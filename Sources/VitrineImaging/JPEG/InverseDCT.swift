/// The 8×8 inverse discrete cosine transform in 13-bit fixed point.
///
/// Source: Loeffler, Ligtenberg, Moschytz, "Practical Fast 1-D DCT Algorithms with 11
/// Multiplications" (ICASSP 1989), with the scaling and rounding of libjpeg's accurate integer
/// method, so that results agree bit for bit. Arithmetic wraps: coefficients of a hostile file give
/// arbitrary samples, never a trap.
struct InverseDCT {
  private var workspace = [Int32](repeating: 0, count: 64)

  private static let constantBits: Int32 = 13
  /// Extra bits of precision kept between the two passes.
  private static let passBits: Int32 = 2

  /// Dequantises a block, transforms it and writes 8×8 samples, 0...255.
  ///
  /// - Parameters:
  ///   - coefficients: 64 values in natural (row-major) order.
  ///   - quantization: 64 steps in the same order.
  mutating func run(
    _ coefficients: ArraySlice<Int16>, quantization: [UInt16], into samples: inout [UInt8],
    at start: Int, stride: Int
  ) {
    coefficients.withUnsafeBufferPointer { coefficients in
      quantization.withUnsafeBufferPointer { quantization in
        workspace.withUnsafeMutableBufferPointer { workspace in
          precondition(coefficients.count == 64 && quantization.count == 64)
          if coefficients.dropFirst().allSatisfy({ $0 == 0 }) {
            Self.fill(
              Int32(coefficients[0]) &* Int32(quantization[0]), &samples, start, stride)
            return
          }
          for column in 0..<8 {
            var line = Line()
            for row in 0..<8 {
              let index = row * 8 + column
              line[row] = Int32(coefficients[index]) &* Int32(quantization[index])
            }
            line.transform(shift: Self.constantBits - Self.passBits)
            for row in 0..<8 { workspace[row * 8 + column] = line[row] }
          }
          for row in 0..<8 {
            var line = Line()
            for column in 0..<8 { line[column] = workspace[row * 8 + column] }
            line.transform(shift: Self.constantBits + Self.passBits + 3)
            let target = start + row * stride
            for column in 0..<8 {
              samples[target + column] = UInt8(clamping: line[column] &+ 128)
            }
          }
        }
      }
    }
  }

  /// Writes a block that has only its mean; equal to the full transform.
  private static func fill(
    _ mean: Int32, _ samples: inout [UInt8], _ start: Int, _ stride: Int
  ) {
    let level = UInt8(
      clamping: ((mean << passBits) &+ 1 << (passBits + 2)) >> (passBits + 3) &+ 128)
    for row in 0..<8 {
      let target = start + row * stride
      for column in 0..<8 { samples[target + column] = level }
    }
  }
}

/// Eight values on their way through the one-dimensional transform.
private struct Line {
  private var values: SIMD8<Int32> = .zero

  subscript(index: Int) -> Int32 {
    get { values[index] }
    set { values[index] = newValue }
  }

  /// Transforms in place, dividing by `2^shift` with rounding.
  mutating func transform(shift: Int32) {
    // Even part: rotation of 2 and 6, butterfly of 0 and 4.
    let rotation = (values[2] &+ values[6]) &* 4433  // 0.541196100
    let even2 = rotation &- values[6] &* 15137  // 1.847759065
    let even3 = rotation &+ values[2] &* 6270  // 0.765366865
    let even0 = (values[0] &+ values[4]) << 13
    let even1 = (values[0] &- values[4]) << 13
    let sum0 = even0 &+ even3
    let sum1 = even1 &+ even2
    let sum2 = even1 &- even2
    let sum3 = even0 &- even3

    // Odd part: the four odd inputs share three rotations.
    let common = (values[7] &+ values[3] &+ values[5] &+ values[1]) &* 9633  // 1.175875602
    let outer = (values[7] &+ values[1]) &* -7373  // 0.899976223
    let inner = (values[5] &+ values[3]) &* -20995  // 2.562915447
    let low = (values[7] &+ values[3]) &* -16069 &+ common  // 1.961570560
    let high = (values[5] &+ values[1]) &* -3196 &+ common  // 0.390180644
    let odd0 = values[7] &* 2446 &+ outer &+ low  // 0.298631336
    let odd1 = values[5] &* 16819 &+ inner &+ high  // 2.053119869
    let odd2 = values[3] &* 25172 &+ inner &+ low  // 3.072711026
    let odd3 = values[1] &* 12299 &+ outer &+ high  // 1.501321110

    let half = SIMD8<Int32>(repeating: 1 << (shift - 1))
    let result = SIMD8<Int32>(
      sum0 &+ odd3, sum1 &+ odd2, sum2 &+ odd1, sum3 &+ odd0, sum3 &- odd0, sum2 &- odd1,
      sum1 &- odd2, sum0 &- odd3)
    values = (result &+ half) &>> SIMD8<Int32>(repeating: shift)
  }
}
