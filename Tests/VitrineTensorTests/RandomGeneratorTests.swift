import Testing
import VitrineTensor

/// Reference values come from an independent program in Python, which itself reproduces the
/// published outputs of SplitMix64 (seed 1234567) and xoshiro256** (state 1, 2, 3, 4).
@Suite("Random generator")
struct RandomGeneratorTests {
  @Test("the stream is that of xoshiro256** seeded by SplitMix64")
  func stream() {
    let expected: [UInt64: [UInt64]] = [
      0: [
        11_091_344_671_253_066_420, 13_793_997_310_169_335_082, 1_900_383_378_846_508_768,
        7_684_712_102_626_143_532, 13_521_403_990_117_723_737, 18_442_103_541_295_991_498,
      ],
      42: [
        1_546_998_764_402_558_742, 6_990_951_692_964_543_102, 12_544_586_762_248_559_009,
        17_057_574_109_182_124_193, 18_295_552_978_065_317_476, 14_199_186_830_065_750_584,
      ],
      UInt64.max: [
        10_328_197_420_357_168_392, 14_156_678_507_024_973_869, 9_357_971_779_955_476_126,
        13_791_585_006_304_312_367, 10_463_432_026_814_718_762, 13_498_236_496_097_551_653,
      ],
    ]
    for (seed, words) in expected {
      var generator = RandomGenerator(seed: seed)
      #expect(words.map { _ in generator.next() } == words, "seed \(seed)")
    }
    var generator = RandomGenerator(seed: 0)
    for _ in 0..<999 { _ = generator.next() }
    #expect(generator.next() == 8_839_594_410_463_124_783)
  }

  @Test("uniform numbers are the upper bits of the stream")
  func uniform() {
    var generator = RandomGenerator(seed: 42)
    let doubles = (0..<4).map { _ in generator.uniformDouble() }
    #expect(
      doubles == [
        0.08386297105988216, 0.3789802506626686, 0.6800434110281394, 0.9246929453253876,
      ])
    generator = RandomGenerator(seed: 42)
    let floats = (0..<4).map { _ in generator.uniformFloat().bitPattern }
    #expect(floats == [0x3dab_c058, 0x3ec2_09b2, 0x3f2e_1753, 0x3f6c_b8ad])
  }

  @Test("normal numbers are the quantiles of Python's statistics.NormalDist")
  func normal() {
    // Both follow AS 241; Python's logarithm is its libm's. Worst difference of 20,000: 8e-16.
    let tolerance = 2e-15
    let expected = [
      -1.379547725306031, -0.3081601135037895, 0.46782019433652505, 1.4373657007633585,
      2.4000647622158664, 0.7379890896231844, 0.5806403906599994, 1.0364696054562361,
    ]
    var generator = RandomGenerator(seed: 42)
    for value in expected {
      #expect(abs(generator.normalDouble() / value - 1) < tolerance)
    }
  }

  @Test("normal numbers have the same bits everywhere")
  func normalBits() {
    // FNV-1a of the little-endian bytes of 20,000 numbers, from a port to Python's floats.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var generator = RandomGenerator(seed: 7)
    for _ in 0..<20_000 {
      let bits = generator.normalDouble().bitPattern
      for shift in stride(from: 0, to: 64, by: 8) {
        hash = (hash ^ (bits >> UInt64(shift) & 0xff)) &* 0x100_0000_01b3
      }
    }
    #expect(hash == 0x39d6_cd6a_6a81_ebb4)
  }

  @Test("the moments of normal and uniform numbers are those of their distributions")
  func moments() {
    // Five standard errors of each moment for n numbers.
    let n = 20_000
    let root = Double(n).squareRoot()
    var generator = RandomGenerator(seed: 1)
    let normal = (0..<n).map { _ in generator.normalDouble() }
    func moment(_ k: Int, _ values: [Double]) -> Double {
      values.reduce(0) { sum, x in sum + (0..<k).reduce(1) { power, _ in power * x } } / Double(n)
    }
    #expect(abs(moment(1, normal)) < 5 / root)
    #expect(abs(moment(2, normal) - 1) < 5 * 2.0.squareRoot() / root)
    #expect(abs(moment(3, normal)) < 5 * 15.0.squareRoot() / root)
    #expect(abs(moment(4, normal) - 3) < 5 * 96.0.squareRoot() / root)
    let uniform = (0..<n).map { _ in generator.uniformDouble() }
    #expect(abs(moment(1, uniform) - 0.5) < 5 * (1.0 / 12).squareRoot() / root)
    #expect(uniform.allSatisfy { (0..<1).contains($0) })
  }

  @Test("indices are within bounds, all of them occur and about equally often")
  func indices() {
    var generator = RandomGenerator(seed: 5)
    #expect((0..<100).allSatisfy { _ in generator.index(below: 1) == 0 })
    #expect((0..<100).allSatisfy { _ in (0..<Int.max).contains(generator.index(below: .max)) })
    var counts = [Int](repeating: 0, count: 6)
    for _ in 0..<6000 { counts[generator.index(below: 6)] += 1 }
    // Five standard deviations of a binomial variable of 6000 trials at 1/6: 5 · 28.9.
    #expect(counts.allSatisfy { abs($0 - 1000) < 145 }, "\(counts)")
  }

  @Test("shuffled indices are the permutation of the reference program")
  func shuffle() {
    var generator = RandomGenerator(seed: 3)
    #expect(generator.shuffledIndices(10) == [9, 4, 8, 0, 7, 2, 3, 1, 5, 6])
    #expect(generator.shuffledIndices(0) == [])
    #expect(generator.shuffledIndices(1) == [0])
    #expect(generator.shuffledIndices(1000).sorted() == Array(0..<1000))
  }

  @Test("tensors take one step of the stream for each element, in row-major order")
  func tensors() throws {
    let shape = try Shape([2, 3])
    var single = RandomGenerator(seed: 9)
    var tensorwise = single
    let expected = (0..<6).map { _ in single.normalDouble() }
    let tensor = try tensorwise.normalTensor(shape, .float64)
    #expect(tensor.shape == shape)
    #expect(try tensor.elements(of: Double.self) == expected)
    #expect(single == tensorwise)

    let floats = try tensorwise.uniformTensor(shape)
    #expect(try floats.elements(of: Float.self) == (0..<6).map { _ in single.uniformFloat() })
    let shifted = try tensorwise.normalTensor(shape, mean: 10, standardDeviation: 0.5)
    #expect(
      try shifted.elements(of: Float.self)
        == (0..<6).map { _ in Float(single.normalDouble() * 0.5 + 10) })
    let doubles = try tensorwise.uniformTensor(shape, .float64)
    #expect(try doubles.elements(of: Double.self) == (0..<6).map { _ in single.uniformDouble() })
    #expect(throws: TensorError.unsupportedType(.int64, operation: "uniform random numbers")) {
      try tensorwise.uniformTensor(shape, .int64)
    }
    #expect(throws: TensorError.unsupportedType(.bool, operation: "normal random numbers")) {
      try tensorwise.normalTensor(shape, .bool)
    }
  }
}
