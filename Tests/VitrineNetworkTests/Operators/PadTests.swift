import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Padding")
struct PadTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Movement.operators)
  }

  @Test("has the derivatives that central differences show")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 11)
    let pads: [[Int64]] = [
      [1, 0, 2, 3], [0, -1, 2, 1], [-1, 4, 1, 5], [0, 0, 0, 0], [-1, -1, -1, 0],
    ]
    for mode in ["constant", "reflect", "edge", "wrap"] {
      let node = try Pad(NodeReader("Pad", inputs: 3, ["mode": .string(mode)]))
      for pads in pads {
        let x = try numbers.uniform([3, 4])
        let value = try numbers.uniform([1])
        try PullbackCheck.run(
          node, inputs: [x, Tensor(pads), mode == "constant" ? value : nil])
      }
    }
  }

  @Test("reflects and wraps again and again, as numpy.pad does")
  func repeatedReflection() throws {
    let x = Tensor([0, 1, 2] as [Int64])
    // numpy.pad([0, 1, 2], (5, 4), mode)
    for (mode, expected) in [
      ("reflect", [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]),
      ("wrap", [1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]),
    ] as [(String, [Int64])] {
      let node = try Pad(NodeReader("Pad", inputs: 2, ["mode": .string(mode)]))
      #expect(try node.evaluate([x, Tensor([5, 4] as [Int64])], Float.self) == [Tensor(expected)])
    }
    let one = try Pad(NodeReader("Pad", inputs: 2, ["mode": .string("reflect")]))
    #expect(
      try one.evaluate([Tensor([Int64(7)]), Tensor([1, 1] as [Int64])], Float.self)
        == [Tensor([7, 7, 7] as [Int64])])
  }

  @Test("refuses pads that take more than there is, or add more than can be")
  func invalidPads() throws {
    let data = ValueType(try Shape([3]), .float32)
    func infer(_ mode: String, _ pads: [Int64]) throws -> Shape {
      let node = try Pad(NodeReader("Pad", inputs: 2, ["mode": .string(mode)]))
      return try node.infer([data, ValueType(constant: Tensor(pads))])[0].shape
    }
    for mode in ["constant", "reflect", "edge", "wrap"] {
      for pads in [[-2, -2], [1], [.min, .max], [.max, 0], [1 << 59, 1 << 59]] as [[Int64]] {
        #expect(throws: OperatorError.self) { try infer(mode, pads) }
      }
      // Whoever runs it finds that there is no memory for this.
      #expect(try infer(mode, [1 << 40, 0]).count == 1 << 40 + 3)
    }
    // Nothing is left to repeat, but a constant needs nothing.
    #expect(throws: OperatorError.self) { try infer("edge", [-3, 1]) }
    #expect(try infer("constant", [-5, 4]).dimensions == [2])
    #expect(throws: OperatorError.self) {
      try Pad(NodeReader("Pad", inputs: 2, ["mode": .string("mirror")]))
    }
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Pad", opset: 10, ["pads": .integers([0, 1, 1, 0]), "value": .real(1.5)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([3, 4], [1.5, -0.33, 0.88, -2, 1.5, -0.79, -1.41, -1.63, 1.5, 1.5, 1.5,
        1.5])]),
    OnnxruntimeCase("Pad", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .integers([4], [1, 0, 0,
        2])],
      outputs: [.reals([3, 5], [0, 0, 0, 0, 0, -0.33, 0.88, -2, 0, 0, -0.79, -1.41, -1.63, 0, 0])]),
    OnnxruntimeCase("Pad", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .integers([4], [1, 0, 0, 2]),
        .reals([], [9])],
      outputs: [.reals([3, 5], [9, 9, 9, 9, 9, -0.33, 0.88, -2, 9, 9, -0.79, -1.41, -1.63, 9, 9])]),
    OnnxruntimeCase("Pad", opset: 11,
      inputs: [.integers([2, 3], [0, 1, 2, 3, 4, 5]), .integers([4], [0, 1, 0, -1]), .integers([],
        [7])],
      outputs: [.integers([2, 3], [7, 0, 1, 7, 3, 4])]),
    OnnxruntimeCase("Pad", opset: 18,
      inputs: [.counting([3, 4]), .integers([2], [1, -1]), .reals([], [7]), .integers([1], [-1])],
      outputs: [.reals([3, 4], [7, 0, 1, 2, 7, 4, 5, 6, 7, 8, 9, 10])]),
    OnnxruntimeCase("Pad", opset: 13, ["mode": .string("reflect")],
      inputs: [.counting([3, 4]), .integers([4], [1, 2, 2, 3])],
      outputs: [.reals([6, 9], [6, 5, 4, 5, 6, 7, 6, 5, 4, 2, 1, 0, 1, 2, 3, 2, 1, 0, 6, 5, 4, 5, 6,
        7, 6, 5, 4, 10, 9, 8, 9, 10, 11, 10, 9, 8, 6, 5, 4, 5, 6, 7, 6, 5, 4, 2, 1, 0, 1, 2, 3, 2,
        1, 0])]),
    OnnxruntimeCase("Pad", opset: 13, ["mode": .string("edge")],
      inputs: [.counting([3, 4]), .integers([4], [1, 2, 3, 5])],
      outputs: [.reals([7, 11], [0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3,
        4, 4, 4, 5, 6, 7, 7, 7, 7, 7, 7, 8, 8, 8, 9, 10, 11, 11, 11, 11, 11, 11, 8, 8, 8, 9, 10, 11,
        11, 11, 11, 11, 11, 8, 8, 8, 9, 10, 11, 11, 11, 11, 11, 11, 8, 8, 8, 9, 10, 11, 11, 11, 11,
        11, 11])]),
    OnnxruntimeCase("Pad", opset: 19, ["mode": .string("wrap")],
      inputs: [.counting([3, 4]), .integers([4], [1, 2, 3, 3])],
      outputs: [.reals([7, 9], [10, 11, 8, 9, 10, 11, 8, 9, 10, 2, 3, 0, 1, 2, 3, 0, 1, 2, 6, 7, 4,
        5, 6, 7, 4, 5, 6, 10, 11, 8, 9, 10, 11, 8, 9, 10, 2, 3, 0, 1, 2, 3, 0, 1, 2, 6, 7, 4, 5, 6,
        7, 4, 5, 6, 10, 11, 8, 9, 10, 11, 8, 9, 10])]),
    OnnxruntimeCase("Pad", opset: 18, ["mode": .string("edge")],
      inputs: [.counting([3, 4]), .integers([2], [2, 1]), nil, .integers([1], [1])],
      outputs: [.reals([3, 7], [0, 0, 0, 1, 2, 3, 3, 4, 4, 4, 5, 6, 7, 7, 8, 8, 8, 9, 10, 11,
        11])]),
    OnnxruntimeCase("Pad", opset: 13, ["mode": .string("reflect")],
      inputs: [.counting([3, 4]), .integers([4], [-1, 2, 1, 0])],
      outputs: [.reals([3, 6], [6, 5, 4, 5, 6, 7, 10, 9, 8, 9, 10, 11, 6, 5, 4, 5, 6, 7])]),
    OnnxruntimeCase("Pad", opset: 13,
      inputs: [.booleans([2], [true, false]), .integers([2], [1, 1])],
      outputs: [.booleans([4], [false, true, false, false])]),
    OnnxruntimeCase("Pad", opset: 19, ["mode": .string("wrap")],
      inputs: [.reals([3, 3], [0, 1, 2, 4, 5, 6, 8, 9, 10]), .integers([4], [0, -1, 0, 2])],
      outputs: [.reals([3, 4], [1, 2, 1, 2, 5, 6, 5, 6, 9, 10, 9, 10])]),
    OnnxruntimeCase("Pad", opset: 13, ["mode": .string("edge")],
      inputs: [.counting([3, 4]), .integers([4], [-1, 1, 1, -2])],
      outputs: [.reals([3, 3], [4, 4, 5, 8, 8, 9, 8, 8, 9])]),
  ]
}
