import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Operators that keep the elements")
struct ShapingTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Shaping.operators)
  }

  @Test("pass cotangents on in the shape of the input")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 8)
    let x = try numbers.uniform([2, 1, 6])
    try PullbackCheck.run(
      try NodeReader("Reshape", inputs: 2).operation(), inputs: [x, Tensor([3, -1] as [Int64])])
    try PullbackCheck.run(try NodeReader("Flatten").operation(), inputs: [x])
    try PullbackCheck.run(try Squeeze(NodeReader("Squeeze")), inputs: [x])
    try PullbackCheck.run(
      try Unsqueeze(NodeReader("Unsqueeze", inputs: 2)), inputs: [x, Tensor([0, -1] as [Int64])])
    try PullbackCheck.run(try Identity(NodeReader("Identity")), inputs: [x])
    try PullbackCheck.run(try NodeReader("Dropout", outputs: 2).operation(), inputs: [x])
  }

  @Test("refuse dropout in training mode")
  func training() throws {
    let node = try NodeReader("Dropout", inputs: 3).operation()
    let data = ValueType(try Shape([2]), .float32)
    let ratio = ValueType(constant: Tensor(scalar: Float(0.5)))
    let isTraining = ValueType(constant: Tensor(scalar: true))
    #expect(
      throws: OperatorError("training mode is not supported: export the model for inference")
    ) { try node.infer([data, ratio, isTraining]) }
    #expect(try node.infer([data, nil, ValueType(constant: Tensor(scalar: false))]).count == 1)
  }

  @Test("refuse reshapes that do not fit")
  func invalidReshape() throws {
    let node = try NodeReader("Reshape", inputs: 2).operation()
    let data = ValueType(try Shape([2, 3]), .float32)
    for list in [[-1, -1], [4, -1], [7], [2, 3, 0], [-2, -3], [.max, -1], [0, -1, 0]] as [[Int64]] {
      #expect(throws: OperatorError.self) {
        try node.infer([data, ValueType(constant: Tensor(list))])
      }
    }
    let literal = try NodeReader("Reshape", inputs: 2, ["allowzero": .integer(1)]).operation()
    #expect(throws: OperatorError.self) {
      try literal.infer([data, ValueType(constant: Tensor([0, -1] as [Int64]))])
    }
  }

  @Test("need their shape before the network runs, and say so")
  func unknownShape() throws {
    let node = try NodeReader("Reshape", inputs: 2).operation()
    let data = ValueType(try Shape([2, 3]), .float32)
    #expect(
      throws: OperatorError(
        "input 'shape' must be known before the network runs (it depends on the input data)")
    ) { try node.infer([data, ValueType(try Shape([2]), .int64)]) }
  }

  @Test("announce extents as constants even where the data are unknown")
  func constantShape() throws {
    let data = ValueType(try Shape([2, 3]), .float32)
    let shape = try ShapeOf(NodeReader("Shape")).infer([data])[0]
    #expect(shape.constant == Tensor([2, 3] as [Int64]))
    #expect(try SizeOf(NodeReader("Size")).infer([data])[0].constant == Tensor(scalar: Int64(6)))
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Reshape", opset: 13,
      inputs: [.counting([2, 3, 4]), .integers([2], [0, -1])],
      outputs: [.counting([2, 12])]),
    OnnxruntimeCase("Reshape", opset: 5,
      inputs: [.counting([2, 3, 4]), .integers([3], [4, 0, -1])],
      outputs: [.counting([4, 3, 2])]),
    OnnxruntimeCase("Reshape", opset: 14, ["allowzero": .integer(1)],
      inputs: [.reals([0, 3], []), .integers([2], [3, 0])],
      outputs: [.reals([3, 0], [])]),
    OnnxruntimeCase("Reshape", opset: 13,
      inputs: [.reals([], [3]), .integers([2], [1, 1])],
      outputs: [.reals([1, 1], [3])]),
    OnnxruntimeCase("Reshape", opset: 13,
      inputs: [.reals([1], [3]), .integers([0], [])],
      outputs: [.reals([], [3])]),
    OnnxruntimeCase("Reshape", opset: 13,
      inputs: [.integers([6], [0, 1, 2, 3, 4, 5]), .integers([2], [3, 2])],
      outputs: [.integers([3, 2], [0, 1, 2, 3, 4, 5])]),
    OnnxruntimeCase("Flatten", opset: 9,
      inputs: [.counting([2, 3, 4])],
      outputs: [.counting([2, 12])]),
    OnnxruntimeCase("Flatten", opset: 13, ["axis": .integer(0)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.counting([1, 24])]),
    OnnxruntimeCase("Flatten", opset: 13, ["axis": .integer(-1)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.counting([6, 4])]),
    OnnxruntimeCase("Flatten", opset: 13, ["axis": .integer(3)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.counting([24, 1])]),
    OnnxruntimeCase("Squeeze", opset: 11,
      inputs: [.reals([1, 2, 1], [-0.33, 0.88])],
      outputs: [.reals([2], [-0.33, 0.88])]),
    OnnxruntimeCase("Squeeze", opset: 11, ["axes": .integers([-1])],
      inputs: [.reals([1, 2, 1], [-0.33, 0.88])],
      outputs: [.reals([1, 2], [-0.33, 0.88])]),
    OnnxruntimeCase("Squeeze", opset: 13,
      inputs: [.reals([1, 2, 1], [-0.33, 0.88]), .integers([1], [0])],
      outputs: [.reals([2, 1], [-0.33, 0.88])]),
    OnnxruntimeCase("Squeeze", opset: 13,
      inputs: [.reals([1, 2, 1], [-0.33, 0.88])],
      outputs: [.reals([2], [-0.33, 0.88])]),
    OnnxruntimeCase("Squeeze", opset: 13,
      inputs: [.reals([1, 2, 1], [-0.33, 0.88]), .integers([0], [])],
      outputs: [.reals([2], [-0.33, 0.88])]),
    OnnxruntimeCase("Unsqueeze", opset: 11, ["axes": .integers([0, 2])],
      inputs: [.reals([3], [-0.26, -1.9, 0.2])],
      outputs: [.reals([1, 3, 1], [-0.26, -1.9, 0.2])]),
    OnnxruntimeCase("Unsqueeze", opset: 13,
      inputs: [.reals([3], [-0.26, -1.9, 0.2]), .integers([2], [-1, 0])],
      outputs: [.reals([1, 3, 1], [-0.26, -1.9, 0.2])]),
    OnnxruntimeCase("Shape", opset: 13,
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([3], [2, 3, 4])]),
    OnnxruntimeCase("Shape", opset: 15, ["start": .integer(-1)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([1], [4])]),
    OnnxruntimeCase("Shape", opset: 15, ["start": .integer(1), "end": .integer(2)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([1], [3])]),
    OnnxruntimeCase("Shape", opset: 15, ["end": .integer(-1)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([2], [2, 3])]),
    OnnxruntimeCase("Shape", opset: 15, ["start": .integer(-9), "end": .integer(9)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([3], [2, 3, 4])]),
    OnnxruntimeCase("Shape", opset: 15, ["start": .integer(2), "end": .integer(1)],
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([0], [])]),
    OnnxruntimeCase("Size", opset: 13,
      inputs: [.counting([2, 3, 4])],
      outputs: [.integers([], [24])]),
    OnnxruntimeCase("Identity", opset: 13,
      inputs: [.booleans([3], [true, false, true])],
      outputs: [.booleans([3], [true, false, true])]),
    OnnxruntimeCase("Dropout", opset: 12,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .booleans([2, 3], [true,
        true, true, true, true, true])]),
    OnnxruntimeCase("Dropout", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([], [0.5]),
        .booleans([], [false])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .booleans([2, 3], [true,
        true, true, true, true, true])]),
    OnnxruntimeCase("Dropout", opset: 7, ["ratio": .real(0.5)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])]),
  ]
}
