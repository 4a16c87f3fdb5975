import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Elementary functions")
struct ElementwiseTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Elementwise.operators)
  }

  @Test("of reals have the derivatives that central differences show")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 1)
    for shape in [[], [5], [2, 3, 4]] {
      for kind in ["Exp", "Neg", "Sin", "Cos"] {
        let node = try ElementaryFunction(NodeReader(kind))
        try PullbackCheck.run(node, inputs: [try numbers.uniform(shape)])
      }
      for kind in ["Abs", "Reciprocal", "Sign"] {
        let node = try ElementaryFunction(NodeReader(kind))
        try PullbackCheck.run(node, inputs: [try numbers.awayFromZero(shape)])
      }
      for kind in ["Sqrt", "Log"] {
        let node = try ElementaryFunction(NodeReader(kind))
        try PullbackCheck.run(node, inputs: [try numbers.uniform(shape, in: 0.5...2)])
      }
      for kind in ["Floor", "Ceil", "Round"] {
        let node = try ElementaryFunction(NodeReader(kind))
        try PullbackCheck.run(node, inputs: [try numbers.uniform(shape, in: 0.1...0.4)])
      }
    }
  }

  @Test("of which Abs has derivative 0 at 0")
  func absoluteAtZero() throws {
    let x = Tensor([0.0, -0.0, 2.0])
    let node = try ElementaryFunction(NodeReader("Abs"))
    let point = Point(
      inputs: [x], outputs: try node.evaluate([x], Double.self), wanted: [true])
    #expect(try node.pullback([x], at: point, Double.self)[0] == Tensor([0.0, 0.0, 2.0]))
  }

  @Test("refuse cotangents that do not have the shapes of the outputs")
  func wrongCotangents() throws {
    let x = Tensor([1.0, 2.0])
    for kind in ["Exp", "Identity", "ReduceSum", "Transpose", "Concat", "Max"] {
      let node = try #require(HostileNodeTests.operators[kind])
        .init(NodeReader(kind, opset: 11, kind == "Concat" ? ["axis": .integer(0)] : [:]))
      let point = Point(inputs: [x], outputs: try node.evaluate([x], Double.self), wanted: [true])
      for cotangents in [[], [Tensor([1.0, 2.0, 3.0])], [Tensor(scalar: 1.0), nil]] {
        #expect(throws: OperatorError.self) {
          try node.pullback(cotangents, at: point, Double.self)
        }
      }
    }
  }

  @Test("wrap around at the least integer instead of trapping")
  func leastInteger() throws {
    let x = Tensor([Int64.min])
    for kind in ["Abs", "Neg"] {
      #expect(try ElementaryFunction(NodeReader(kind)).evaluate([x], Float.self) == [x])
    }
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Sqrt", opset: 13,
      inputs: [.reals([2, 3], [1.97, 0.29, 1.99, 0.96000004, 0.89000005, 1.24])],
      outputs: [.reals([2, 3], [1.4035668, 0.53851646, 1.4106736, 0.97979593, 0.9433981,
        1.1135529])]),
    OnnxruntimeCase("Exp", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [0.71892375, 2.4108996, 0.13533528, 0.4538448, 0.24414329,
        0.19592957])]),
    OnnxruntimeCase("Log", opset: 13,
      inputs: [.reals([2, 3], [1.97, 0.29, 1.99, 0.96000004, 0.89000005, 1.24])],
      outputs: [.reals([2, 3], [0.67803353, -1.2378744, 0.6881347, -0.04082196, -0.11653376,
        0.21511139])]),
    OnnxruntimeCase("Neg", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [0.33, -0.88, 2, 0.79, 1.41, 1.63])]),
    OnnxruntimeCase("Abs", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [0.33, 0.88, 2, 0.79, 1.41, 1.63])]),
    OnnxruntimeCase("Reciprocal", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-3.030303, 1.1363636, -0.5, -1.2658228, -0.7092199, -0.61349696])]),
    OnnxruntimeCase("Sign", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-1, 1, -1, -1, -1, -1])]),
    OnnxruntimeCase("Floor", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-1, 0, -2, -1, -2, -2])]),
    OnnxruntimeCase("Ceil", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-0, 1, -2, -0, -1, -1])]),
    OnnxruntimeCase("Round", opset: 11,
      inputs: [.reals([8], [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4, -2.6])],
      outputs: [.reals([8], [-2, -2, -0, 0, 2, 2, 2, -3])]),
    OnnxruntimeCase("Sin", opset: 7,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-0.32404304, 0.7707389, -0.9092974, -0.71035326, -0.9871001,
        -0.998248])]),
    OnnxruntimeCase("Cos", opset: 7,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [0.94604236, 0.6371511, -0.4161468, 0.70384526, 0.16010435,
        -0.059169088])]),
    OnnxruntimeCase("Neg", opset: 13,
      inputs: [.integers([3], [3, -4, 0])],
      outputs: [.integers([3], [-3, 4, 0])]),
    OnnxruntimeCase("Abs", opset: 13,
      inputs: [.integers([3], [3, -4, 0])],
      outputs: [.integers([3], [3, 4, 0])]),
    OnnxruntimeCase("Sign", opset: 13,
      inputs: [.integers([3], [3, -4, 0])],
      outputs: [.integers([3], [1, -1, 0])]),
  ]
}
