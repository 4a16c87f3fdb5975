import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Operators that make constants")
struct ConstantsTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Constants.operators)
  }

  @Test("refuse ranges without an end and shapes beyond memory")
  func absurdSizes() throws {
    func reals(_ start: Float, _ limit: Float, _ delta: Float) throws -> Int {
      let terms = [start, limit, delta].map { ValueType(constant: Tensor(scalar: $0)) }
      return try Progression(NodeReader("Range", inputs: 3)).infer(terms)[0].shape.count
    }
    func integers(_ start: Int64, _ limit: Int64, _ delta: Int64) throws -> Int {
      let terms = [start, limit, delta].map { ValueType(constant: Tensor(scalar: $0)) }
      return try Progression(NodeReader("Range", inputs: 3)).infer(terms)[0].shape.count
    }
    for (start, limit, delta) in [
      (0, 1, 0), (0, .infinity, 1), (.nan, 1, 1), (0, 1, .nan), (0, 1e38, 1e-38),
    ] as [(Float, Float, Float)] {
      #expect(throws: OperatorError.self) { try reals(start, limit, delta) }
    }
    #expect(try reals(0, 1e38, -1e-38) == 0)
    for (start, limit, delta) in [
      (0, 1, 0), (.min, .max, 1), (0, .max, 1), (.max, .min, -1),
    ] as [(Int64, Int64, Int64)] {
      #expect(throws: OperatorError.self) { try integers(start, limit, delta) }
    }
    #expect(try integers(.min, .max, .max) == 3)
    #expect(try integers(.max, .min, .min) == 2)
    let filled = try ConstantOfShape(NodeReader("ConstantOfShape"))
    for shape in [[1 << 40, 1 << 40], [-1], [.max], [.min]] as [[Int64]] {
      #expect(throws: OperatorError.self) { try filled.infer([ValueType(constant: Tensor(shape))]) }
    }
    #expect(
      try filled.infer([ValueType(constant: Tensor([200_000, 200_000] as [Int64]))])[0].shape.count
        == 40_000_000_000)
  }

  @Test("keep the precision of the file until the run has its own")
  func precision() throws {
    let node = try Constant(NodeReader("Constant", inputs: 0, ["value_float": .real(0.1)]))
    #expect(try node.infer([])[0].dataType == .float32)
    #expect(try node.evaluate([], Double.self) == [Tensor(scalar: 0.1)])
    #expect(try node.evaluate([], Float.self) == [Tensor(scalar: Float(0.1))])
  }

  @Test("refuse constants that are not numbers, missing or twice")
  func unsupportedConstants() {
    for attributes in [
      [:], ["value_string": .string("a")], ["sparse_value": .integer(1)],
      ["value_int": .integer(1), "value_float": .real(1)], ["value": .integer(1)],
    ] as [[String: Graph.Attribute]] {
      #expect(throws: OperatorError.self) {
        try Constant(NodeReader("Constant", inputs: 0, attributes))
      }
    }
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Constant", opset: 12, ["value_int": .integer(5)],
      inputs: [],
      outputs: [.integers([], [5])]),
    OnnxruntimeCase("Constant", opset: 13, ["value_ints": .integers([1, -2])],
      inputs: [],
      outputs: [.integers([2], [1, -2])]),
    OnnxruntimeCase("Constant", opset: 13, ["value_float": .real(0.5)],
      inputs: [],
      outputs: [.reals([], [0.5])]),
    OnnxruntimeCase("Constant", opset: 13, ["value_floats": .reals([0.5, -1.5])],
      inputs: [],
      outputs: [.reals([2], [0.5, -1.5])]),
    OnnxruntimeCase("Constant", opset: 9, ["value": .tensor(Tensor([1, 2] as [Double]))],
      inputs: [],
      outputs: [.reals([2], [1, 2])]),
    OnnxruntimeCase("ConstantOfShape", opset: 9,
      inputs: [.integers([2], [2, 2])],
      outputs: [.reals([2, 2], [0, 0, 0, 0])]),
    OnnxruntimeCase("ConstantOfShape", opset: 9, ["value": .tensor(Tensor([7] as [Int64]))],
      inputs: [.integers([1], [3])],
      outputs: [.integers([3], [7, 7, 7])]),
    OnnxruntimeCase("ConstantOfShape", opset: 9, ["value": .tensor(Tensor([true]))],
      inputs: [.integers([0], [])],
      outputs: [.booleans([], [true])]),
    OnnxruntimeCase("ConstantOfShape", opset: 20, ["value": .tensor(Tensor([1.5] as [Double]))],
      inputs: [.integers([2], [2, 0])],
      outputs: [.reals([2, 0], [])]),
    OnnxruntimeCase("Range", opset: 11,
      inputs: [.integers([], [3]), .integers([], [9]), .integers([], [3])],
      outputs: [.integers([2], [3, 6])]),
    OnnxruntimeCase("Range", opset: 11,
      inputs: [.integers([], [10]), .integers([], [4]), .integers([], [-2])],
      outputs: [.integers([3], [10, 8, 6])]),
    OnnxruntimeCase("Range", opset: 11,
      inputs: [.integers([], [1]), .integers([], [0]), .integers([], [1])],
      outputs: [.integers([0], [])]),
    OnnxruntimeCase("Range", opset: 11,
      inputs: [.reals([], [0]), .reals([], [1]), .reals([], [0.3])],
      outputs: [.reals([4], [0, 0.3, 0.6, 0.90000004])]),
    OnnxruntimeCase("Range", opset: 11,
      inputs: [.reals([], [1]), .reals([], [-1]), .reals([], [-0.5])],
      outputs: [.reals([4], [1, 0.5, 0, -0.5])]),
    OnnxruntimeCase("Range", opset: 11,
      inputs: [.reals([], [0]), .reals([], [0.3]), .reals([], [0.1])],
      outputs: [.reals([4], [0, 0.1, 0.2, 0.3])]),
    OnnxruntimeCase("EyeLike", opset: 9, ["k": .integer(1)],
      inputs: [.reals([3, 4], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
      outputs: [.reals([3, 4], [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])]),
    OnnxruntimeCase("EyeLike", opset: 9, ["k": .integer(-1), "dtype": .integer(7)],
      inputs: [.reals([3, 2], [0, 0, 0, 0, 0, 0])],
      outputs: [.integers([3, 2], [0, 0, 1, 0, 0, 1])]),
    OnnxruntimeCase("EyeLike", opset: 9, ["k": .integer(5)],
      inputs: [.reals([2, 2], [0, 0, 0, 0])],
      outputs: [.reals([2, 2], [0, 0, 0, 0])]),
  ]
}
