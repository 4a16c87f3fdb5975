import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Comparisons")
struct ComparisonTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Comparisons.operators)
  }

  @Test("route cotangents through Where as central differences show")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 5)
    let node = try Where(NodeReader("Where", inputs: 3))
    let shapes: [([Int], [Int], [Int])] = [
      ([4], [4], [4]), ([2, 1], [3], [2, 3]), ([2, 3], [], [3]), ([], [2, 2], [1]),
    ]
    for (condition, x, y) in shapes {
      let count = condition.reduce(1, *)
      let isChosen = try Tensor(
        (0..<count).map { _ in Bool.random(using: &numbers) }, shape: condition)
      try PullbackCheck.run(
        node, inputs: [isChosen, try numbers.uniform(x), try numbers.uniform(y)])
    }
  }

  @Test("pass no cotangent through a comparison")
  func comparisonIsFlat() throws {
    let (a, b) = (Tensor([1.0, 2.0]), Tensor([2.0, 1.0]))
    let node = try Comparison(NodeReader("Less", inputs: 2))
    let point = Point(
      inputs: [a, b], outputs: try node.evaluate([a, b], Double.self), wanted: [true, true])
    #expect(try node.pullback([nil], at: point, Double.self) == [nil, nil])
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Equal", opset: 11,
      inputs: [.reals([2, 3], [1, 2, 3, 3, 2, 1]), .reals([3], [2, 2, 2])],
      outputs: [.booleans([2, 3], [false, true, false, false, true, false])]),
    OnnxruntimeCase("Greater", opset: 9,
      inputs: [.reals([2, 3], [1, 2, 3, 3, 2, 1]), .reals([3], [2, 2, 2])],
      outputs: [.booleans([2, 3], [false, false, true, true, false, false])]),
    OnnxruntimeCase("GreaterOrEqual", opset: 12,
      inputs: [.reals([2, 3], [1, 2, 3, 3, 2, 1]), .reals([3], [2, 2, 2])],
      outputs: [.booleans([2, 3], [false, true, true, true, true, false])]),
    OnnxruntimeCase("Less", opset: 13,
      inputs: [.reals([2, 3], [1, 2, 3, 3, 2, 1]), .reals([3], [2, 2, 2])],
      outputs: [.booleans([2, 3], [true, false, false, false, false, true])]),
    OnnxruntimeCase("LessOrEqual", opset: 16,
      inputs: [.reals([2, 3], [1, 2, 3, 3, 2, 1]), .reals([3], [2, 2, 2])],
      outputs: [.booleans([2, 3], [true, true, false, false, true, true])]),
    OnnxruntimeCase("Equal", opset: 7,
      inputs: [.integers([3], [1, 2, 3]), .integers([3], [2, 2, 2])],
      outputs: [.booleans([3], [false, true, false])]),
    OnnxruntimeCase("Greater", opset: 9,
      inputs: [.integers([3], [1, 2, 3]), .integers([3], [2, 2, 2])],
      outputs: [.booleans([3], [false, false, true])]),
    OnnxruntimeCase("GreaterOrEqual", opset: 16,
      inputs: [.integers([3], [1, 2, 3]), .integers([3], [2, 2, 2])],
      outputs: [.booleans([3], [false, true, true])]),
    OnnxruntimeCase("Less", opset: 9,
      inputs: [.integers([3], [1, 2, 3]), .integers([3], [2, 2, 2])],
      outputs: [.booleans([3], [true, false, false])]),
    OnnxruntimeCase("LessOrEqual", opset: 12,
      inputs: [.integers([3], [1, 2, 3]), .integers([3], [2, 2, 2])],
      outputs: [.booleans([3], [true, true, false])]),
    OnnxruntimeCase("Equal", opset: 13,
      inputs: [.booleans([3], [true, false, true]), .booleans([2, 1], [true, false])],
      outputs: [.booleans([2, 3], [true, false, true, false, true, false])]),
    OnnxruntimeCase("Equal", opset: 13,
      inputs: [.reals([3], [1, .nan, -1]), .reals([3], [1, .nan, -1])],
      outputs: [.booleans([3], [true, false, true])]),
    OnnxruntimeCase("Greater", opset: 13,
      inputs: [.reals([3], [1, .nan, -1]), .reals([3], [0, 0, 0])],
      outputs: [.booleans([3], [true, false, false])]),
    OnnxruntimeCase("And", opset: 7,
      inputs: [.booleans([3], [true, false, true]), .booleans([2, 1], [true, false])],
      outputs: [.booleans([2, 3], [true, false, true, false, false, false])]),
    OnnxruntimeCase("Or", opset: 7,
      inputs: [.booleans([3], [true, false, true]), .booleans([2, 1], [true, false])],
      outputs: [.booleans([2, 3], [true, true, true, true, false, true])]),
    OnnxruntimeCase("Not", opset: 1,
      inputs: [.booleans([3], [true, false, true])],
      outputs: [.booleans([3], [false, true, false])]),
    OnnxruntimeCase("IsNaN", opset: 13,
      inputs: [.reals([3], [1, .nan, -1])],
      outputs: [.booleans([3], [false, true, false])]),
    OnnxruntimeCase("Where", opset: 16,
      inputs: [.booleans([2, 1], [true, false]), .reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41,
        -1.63]), .reals([3], [-0.26, -1.9, 0.2])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.26, -1.9, 0.2])]),
    OnnxruntimeCase("Where", opset: 9,
      inputs: [.booleans([3], [true, false, true]), .integers([3], [1, 2, 3]), .integers([], [9])],
      outputs: [.integers([3], [1, 9, 3])]),
    OnnxruntimeCase("Where", opset: 16,
      inputs: [.booleans([3], [true, false, true]), .reals([], [1.5]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 3], [1.5, 0.2, 1.5, 1.5, 0.83, 1.5])]),
  ]
}
