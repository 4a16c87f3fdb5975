import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Casting")
struct CastTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Elementwise.operators)
  }

  @Test("passes cotangents between real types only")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 4)
    let x = try numbers.uniform([2, 3])
    for code in [1, 10, 11, 16] as [Int64] {
      try PullbackCheck.run(try Cast(NodeReader("Cast", ["to": .integer(code)])), inputs: [x])
    }
    try PullbackCheck.run(
      try CastLike(NodeReader("CastLike", inputs: 2)), inputs: [x, Tensor([1.0])])
    let toInteger = try Cast(NodeReader("Cast", ["to": .integer(7)]))
    let point = Point(
      inputs: [x], outputs: try toInteger.evaluate([x], Double.self), wanted: [true])
    #expect(try toInteger.pullback([nil], at: point, Double.self) == [nil])
  }

  @Test("saturates at the ends of the integers")
  func extremes() throws {
    let node = try Cast(NodeReader("Cast", ["to": .integer(7)]))
    let x = Tensor([1e30, -1e30, .infinity, .nan])
    #expect(
      try node.evaluate([x], Double.self) == [Tensor([.max, .min, .max, 0] as [Int64])])
  }

  @Test("refuses strings, complex and 8-bit numbers")
  func unsupported() {
    for code in [8, 14, 17, 23, 0, 99, -1] as [Int64] {
      #expect(throws: OperatorError.self) {
        try Cast(NodeReader("Cast", ["to": .integer(code)]))
      }
    }
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Cast", opset: 13, ["to": .integer(7)],
      inputs: [.reals([4], [1.9, -1.9, 0, -0])],
      outputs: [.integers([4], [1, -1, 0, 0])]),
    OnnxruntimeCase("Cast", opset: 13, ["to": .integer(9)],
      inputs: [.reals([4], [1.9, -1.9, 0, -0])],
      outputs: [.booleans([4], [true, true, false, false])]),
    OnnxruntimeCase("Cast", opset: 13, ["to": .integer(1)],
      inputs: [.booleans([2], [true, false])],
      outputs: [.reals([2], [1, 0])]),
    OnnxruntimeCase("Cast", opset: 9, ["to": .integer(9)],
      inputs: [.integers([3], [0, 5, -3])],
      outputs: [.booleans([3], [false, true, true])]),
    OnnxruntimeCase("Cast", opset: 13, ["to": .integer(1)],
      inputs: [.integers([2], [5, -3])],
      outputs: [.reals([2], [5, -3])]),
    OnnxruntimeCase("CastLike", opset: 15,
      inputs: [.reals([2], [1.9, -1.9]), .integers([1], [0])],
      outputs: [.integers([2], [1, -1])]),
  ]
}
