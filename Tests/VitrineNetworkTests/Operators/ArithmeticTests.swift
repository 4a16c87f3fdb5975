import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Arithmetic")
struct ArithmeticTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Elementwise.operators)
  }

  static let shapes: [([Int], [Int])] = [
    ([], []), ([4], [4]), ([2, 3], [3]), ([3, 1], [1, 4]), ([1], [2, 2, 3]), ([2, 1, 3], [5, 1]),
  ]

  @Test("of two tensors has the derivatives that central differences show", arguments: shapes)
  func derivatives(_ left: [Int], _ right: [Int]) throws {
    var numbers = RandomNumbers(seed: 2)
    for kind in ["Add", "Sub", "Mul", "Div"] {
      let node = try Arithmetic(NodeReader(kind, inputs: 2))
      try PullbackCheck.run(
        node, inputs: [try numbers.uniform(left), try numbers.awayFromZero(right)])
    }
    let power = try Arithmetic(NodeReader("Pow", inputs: 2))
    try PullbackCheck.run(
      power, inputs: [try numbers.uniform(left, in: 0.5...2), try numbers.uniform(right)])
    // Quotients 2.1 to 2.9: no step is near.
    for (fmod, opset) in [(1, 13), (0, 28)] {
      let node = try Arithmetic(
        NodeReader("Mod", inputs: 2, opset: opset, ["fmod": .integer(Int64(fmod))]))
      let dividend = try numbers.uniform(left, in: -2.9 ... -2.7)
      try PullbackCheck.run(node, inputs: [dividend, try numbers.uniform(right, in: 1...1.2)])
    }
  }

  @Test("of many tensors has the derivatives that central differences show")
  func variadicDerivatives() throws {
    var numbers = RandomNumbers(seed: 3)
    for shapes in [[[4]], [[2, 3], [2, 3]], [[2, 1, 3], [4, 1], [], [3]]] {
      for kind in ["Max", "Min", "Sum", "Mean"] {
        let node = try VariadicArithmetic(NodeReader(kind, inputs: shapes.count))
        let inputs = try shapes.enumerated().map { index, shape in
          // Multiples of 0.01, shifted: no two of different tensors are equal.
          let offset = Double(index) * 0.001
          return try Tensor(
            try numbers.distinct(shape).elements(of: Double.self).map { $0 + offset }, shape: shape)
        }
        try PullbackCheck.run(node, inputs: inputs)
      }
    }
  }

  @Test("gives the cotangent of a tie between operands to the first")
  func ties() throws {
    let (a, b) = (Tensor([1.0, 2.0]), Tensor([1.0, 3.0]))
    for (kind, first, second) in [
      ("Max", [5.0, 0.0], [0.0, 7.0]), ("Min", [5.0, 7.0], [0.0, 0.0]),
    ] {
      let node = try VariadicArithmetic(NodeReader(kind, inputs: 2))
      let point = Point(
        inputs: [a, b], outputs: try node.evaluate([a, b], Double.self), wanted: [true, true])
      let found = try node.pullback([Tensor([5.0, 7.0])], at: point, Double.self)
      #expect(found == [Tensor(first), Tensor(second)])
    }
  }

  @Test("gives a power of 0 derivatives that are numbers")
  func powerOfZero() throws {
    let (x, e) = (Tensor([0.0, 0.0, 0.0, -2.0]), Tensor([2.0, 1.0, 0.0, 3.0]))
    let node = try Arithmetic(NodeReader("Pow", inputs: 2))
    let point = Point(
      inputs: [x, e], outputs: try node.evaluate([x, e], Double.self), wanted: [true, true])
    let found = try node.pullback([Tensor([1.0, 1, 1, 1])], at: point, Double.self)
    #expect(found[0] == Tensor([0.0, 1.0, 0.0, 12.0]))
    let exponents = try #require(found[1]).elements(of: Double.self)
    #expect(exponents[..<3] == [0, 0, 0])
    // The logarithm of a negative number.
    #expect(exponents[3].isNaN)
  }

  @Test("takes the floor remainder of reals as opset 28 defines it")
  func floorRemainder() throws {
    let node = try Arithmetic(NodeReader("Mod", inputs: 2, opset: 28))
    let x = Tensor([7.5, -7.5, 7.5, -7.5, 8, 1, -1, .infinity])
    let y = Tensor([2, 2, -2, -2, -2, .infinity, .infinity, 2])
    let found = try node.evaluate([x, y], Double.self)[0].elements(of: Double.self)
    #expect(found[..<7] == [1.5, 0.5, -0.5, -1.5, 0, 1, .infinity])
    #expect(found[4].sign == .minus && found[7].isNaN)
    let old = try Arithmetic(NodeReader("Mod", inputs: 2, opset: 13))
    #expect(throws: OperatorError.self) {
      try old.infer(PullbackCheck.valueTypes(of: [x, y]))
    }
  }

  @Test("of integers never traps: it wraps around, and dividing by zero is an error")
  func integerExtremes() throws {
    let (least, minusOne) = (Tensor([Int64.min]), Tensor([Int64(-1)]))
    for (kind, expected) in [
      ("Add", Int64.max), ("Sub", .min &+ 1), ("Mul", .min), ("Div", .min), ("Mod", 0),
    ] {
      let node = try Arithmetic(NodeReader(kind, inputs: 2))
      #expect(try node.evaluate([least, minusOne], Float.self) == [Tensor([expected])])
    }
    let zero = Tensor([Int64(0)])
    for kind in ["Div", "Mod"] {
      let node = try Arithmetic(NodeReader(kind, inputs: 2))
      #expect(throws: OperatorError("an integer is divided by zero")) {
        try node.evaluate([least, zero], Float.self)
      }
    }
    let power = try Arithmetic(NodeReader("Pow", inputs: 2))
    #expect(throws: OperatorError.self) { try power.evaluate([zero, minusOne], Float.self) }
    let (bases, exponents) = (
      Tensor([3, -1, 1, 5, 2] as [Int64]), Tensor([4, -3, -2, -1, 64] as [Int64])
    )
    #expect(
      try power.evaluate([bases, exponents], Float.self) == [Tensor([81, -1, 1, 0, 0] as [Int64])])
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Add", opset: 14,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2])],
      outputs: [.reals([2, 3], [-0.59000003, -1.02, -1.8, -1.05, -3.31, -1.43])]),
    OnnxruntimeCase("Sub", opset: 14,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2])],
      outputs: [.reals([2, 3], [-0.07000002, 2.78, -2.2, -0.53000003, 0.49, -1.83])]),
    OnnxruntimeCase("Mul", opset: 14,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2])],
      outputs: [.reals([2, 3], [0.0858, -1.6719999, -0.4, 0.2054, 2.679, -0.326])]),
    OnnxruntimeCase("Div", opset: 14,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2])],
      outputs: [.reals([2, 3], [1.2692308, -0.4631579, -10, 3.0384617, 0.74210525, -8.15])]),
    OnnxruntimeCase("Add", opset: 7,
      inputs: [.reals([2, 1], [0.2, 0.83]), .reals([3], [-0.26, -1.9, 0.2])],
      outputs: [.reals([2, 3], [-0.059999987, -1.6999999, 0.4, 0.57, -1.0699999, 1.03])]),
    OnnxruntimeCase("Sub", opset: 14,
      inputs: [.reals([3], [-0.26, -1.9, 0.2]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 3], [-0.45999998, -2.1, 0, -1.0899999, -2.73, -0.63])]),
    OnnxruntimeCase("Mul", opset: 14,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([], [3])],
      outputs: [.reals([2, 3], [-0.99, 2.6399999, -6, -2.3700001, -4.23, -4.89])]),
    OnnxruntimeCase("Div", opset: 14,
      inputs: [.reals([], [3]), .reals([2, 3], [1.97, 0.29, 1.99, 0.96000004, 0.89000005, 1.24])],
      outputs: [.reals([2, 3], [1.5228426, 10.344828, 1.5075377, 3.1249998, 3.3707864, 2.419355])]),
    OnnxruntimeCase("Add", opset: 14,
      inputs: [.reals([2, 1, 3], [-1.11, 1.48, -1.17, 1.67, -0.05, 0.45]), .reals([4, 1], [1.57,
        -0.67, 1.28, -1.83])],
      outputs: [.reals([2, 4, 3], [0.46000004, 3.0500002, 0.4000001, -1.78, 0.81, -1.8399999,
        0.16999996, 2.76, 0.110000014, -2.94, -0.35000002, -3, 3.24, 1.5200001, 2.02, 0.99999994,
        -0.72, -0.22000003, 2.9499998, 1.23, 1.73, -0.16000009, -1.88, -1.3800001])]),
    OnnxruntimeCase("Pow", opset: 15,
      inputs: [.reals([2, 3], [1.97, 0.29, 1.99, 0.96000004, 0.89000005, 1.24]), .reals([3], [-0.26,
        -1.9, 0.2])],
      outputs: [.reals([2, 3], [0.83837587, 10.506155, 1.1475474, 1.0106702, 1.2478402,
        1.0439612])]),
    OnnxruntimeCase("Pow", opset: 12,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .integers([3], [2, 3, 0])],
      outputs: [.reals([2, 3], [0.10890001, 0.681472, 1, 0.6241, -2.8032207, 1])]),
    OnnxruntimeCase("Pow", opset: 15,
      inputs: [.integers([3], [2, 3, -2]), .integers([3], [3, 0, 5])],
      outputs: [.integers([3], [8, 1, -32])]),
    OnnxruntimeCase("Pow", opset: 15,
      inputs: [.integers([3], [2, 3, 4]), .reals([3], [0.5, 2, 1.5])],
      outputs: [.integers([3], [1, 9, 8])]),
    OnnxruntimeCase("Add", opset: 14,
      inputs: [.integers([3], [Int64.max, Int64.min, 3]), .integers([3], [1, -1, 4])],
      outputs: [.integers([3], [Int64.min, Int64.max, 7])]),
    OnnxruntimeCase("Mul", opset: 14,
      inputs: [.integers([3], [4611686018427387904, 3, -5]), .integers([3], [4, 3, 7])],
      outputs: [.integers([3], [0, 9, -35])]),
    OnnxruntimeCase("Div", opset: 14,
      inputs: [.integers([4], [7, -7, 9, -9]), .integers([4], [2, 2, -4, -4])],
      outputs: [.integers([4], [3, -3, -2, 2])]),
    OnnxruntimeCase("Mod", opset: 13,
      inputs: [.integers([5], [7, -7, 9, -9, 8]), .integers([5], [4, 4, -4, -4, -4])],
      outputs: [.integers([5], [3, 1, -3, -1, 0])]),
    OnnxruntimeCase("Mod", opset: 13, ["fmod": .integer(1)],
      inputs: [.integers([4], [7, -7, 9, -9]), .integers([4], [4, 4, -4, -4])],
      outputs: [.integers([4], [3, -3, 1, -1])]),
    OnnxruntimeCase("Mod", opset: 13, ["fmod": .integer(1)],
      inputs: [.reals([4], [7.5, -7.5, 9.25, -9.25]), .reals([4], [2, 2, -4, -4])],
      outputs: [.reals([4], [1.5, -1.5, 1.25, -1.25])]),
    OnnxruntimeCase("Max", opset: 8,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 3], [0.2, 0.88, 0.2, 0.83, 0.83, 0.83])]),
    OnnxruntimeCase("Min", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 3], [-0.33, -1.9, -2, -0.79, -1.9, -1.63])]),
    OnnxruntimeCase("Sum", opset: 8,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 3], [-0.39000005, -0.82, -1.5999999, -0.21999997, -2.48, -0.59999996])]),
    OnnxruntimeCase("Mean", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([3], [-0.26, -1.9,
        0.2]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 3], [-0.13000003, -0.27333334, -0.5333333, -0.07333332, -0.8266667,
        -0.19999999])]),
    OnnxruntimeCase("Max", opset: 13,
      inputs: [.integers([3], [1, 5, 3]), .integers([3], [4, 2, 9])],
      outputs: [.integers([3], [4, 5, 9])]),
    OnnxruntimeCase("Min", opset: 13,
      inputs: [.integers([3], [1, 5, 3]), .integers([3], [4, 2, 9])],
      outputs: [.integers([3], [1, 2, 3])]),
    OnnxruntimeCase("Sum", opset: 6,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])]),
    OnnxruntimeCase("Max", opset: 13,
      inputs: [.reals([3], [1, .nan, -1]), .reals([3], [0, 0, 0])],
      outputs: [.reals([3], [1, .nan, 0])]),
    OnnxruntimeCase("Min", opset: 13,
      inputs: [.reals([3], [1, .nan, -1]), .reals([3], [0, 0, 0])],
      outputs: [.reals([3], [0, .nan, -1])]),
  ]
}
