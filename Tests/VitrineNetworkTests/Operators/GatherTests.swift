import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Gathering")
struct GatherTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Movement.operators)
  }

  @Test("has the derivatives that central differences show, also where an index repeats")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 12)
    let x = try numbers.uniform([3, 4, 2])
    let indices = try Tensor([0, 2, -1, 2] as [Int64], shape: [2, 2])
    for axis in [0, 1, -3] as [Int64] {
      let node = try Gather(NodeReader("Gather", inputs: 2, ["axis": .integer(axis)]))
      try PullbackCheck.run(node, inputs: [x, indices])
      try PullbackCheck.run(node, inputs: [x, Tensor(scalar: Int64(1))])
    }
    for axis in [0, 1] as [Int64] {
      let node = try GatherElements(
        NodeReader("GatherElements", inputs: 2, ["axis": .integer(axis)]))
      let places = try Tensor(
        [0, 1, 2, -1, 2, 2, 0, 0, 1, -2, 1, 0] as [Int64], shape: [2, 3, 2])
      try PullbackCheck.run(node, inputs: [x, places])
    }
  }

  @Test("refuses an index out of range, known before the run or only in it")
  func outOfRange() throws {
    let x = Tensor([1.0, 2.0, 3.0])
    for kind in ["Gather", "GatherElements"] {
      let type = try #require(Movement.operators[kind])
      let node = try type.init(NodeReader(kind, inputs: 2))
      for index in [3, -4, .min, .max] as [Int64] {
        let inputs = [x, Tensor([index])]
        #expect(throws: OperatorError.self) { try node.infer(PullbackCheck.valueTypes(of: inputs)) }
        #expect(throws: Never.self) {
          try node.infer(PullbackCheck.valueTypes(of: inputs, unknown: [1]))
        }
        #expect(
          throws: OperatorError(
            "index \(index) is out of range on axis 0 of shape [3]: expected -3..<3")
        ) { try node.evaluate(inputs, Double.self) }
      }
    }
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Gather", opset: 13, ["axis": .integer(1)],
      inputs: [.counting([2, 3, 4]), .integers([2], [2, 0])],
      outputs: [.reals([2, 2, 4], [8, 9, 10, 11, 0, 1, 2, 3, 20, 21, 22, 23, 12, 13, 14, 15])]),
    OnnxruntimeCase("Gather", opset: 13,
      inputs: [.counting([3, 4]), .integers([2, 2], [0, -1, 1, 0])],
      outputs: [.reals([2, 2, 4], [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3])]),
    OnnxruntimeCase("Gather", opset: 11,
      inputs: [.integers([3], [5, 6, 7]), .integers([], [-1])],
      outputs: [.integers([], [7])]),
    OnnxruntimeCase("Gather", opset: 13, ["axis": .integer(-1)],
      inputs: [.counting([3, 4]), .integers([], [1])],
      outputs: [.reals([3], [1, 5, 9])]),
    OnnxruntimeCase("Gather", opset: 13,
      inputs: [.booleans([3], [true, false, true]), .integers([2], [2, 1])],
      outputs: [.booleans([2], [true, false])]),
    OnnxruntimeCase("GatherElements", opset: 13,
      inputs: [.counting([3, 4]), .integers([1, 4], [0, 1, 2, 0])],
      outputs: [.reals([1, 4], [0, 5, 10, 3])]),
    OnnxruntimeCase("GatherElements", opset: 13, ["axis": .integer(1)],
      inputs: [.counting([3, 4]), .integers([2, 2], [3, -4, 0, 0])],
      outputs: [.reals([2, 2], [3, 0, 4, 4])]),
    OnnxruntimeCase("GatherElements", opset: 11,
      inputs: [.integers([3], [5, 6, 7]), .integers([2], [-1, 0])],
      outputs: [.integers([2], [7, 5])]),
  ]
}
