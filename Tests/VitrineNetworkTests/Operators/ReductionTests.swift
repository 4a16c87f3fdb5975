import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Reductions")
struct ReductionTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Reductions.operators)
  }

  @Test("have the derivatives that central differences show")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 6)
    let choices: [([Int], [Int64]?)] = [
      ([], nil), ([5], nil), ([2, 3], [0]), ([2, 3, 2], [1]), ([3, 2, 2], [-1, 0]),
      ([2, 2, 3], [2, 1]), ([2, 1, 3], []),
    ]
    for (shape, axes) in choices {
      for kind in Reduction.Kind.allCases {
        for keepsDimensions in [true, false] {
          var attributes: [String: Graph.Attribute] = [
            "keepdims": .integer(keepsDimensions ? 1 : 0)
          ]
          if let axes { attributes["axes"] = .integers(axes) }
          let node = try Reduction(NodeReader(kind.rawValue, opset: 11, attributes))
          let input =
            switch kind {
            case .maximum, .minimum: try numbers.distinct(shape)
            case .logSum: try numbers.uniform(shape, in: 0.5...2)
            default: try numbers.awayFromZero(shape)
            }
          try PullbackCheck.run(node, inputs: [input])
        }
      }
    }
  }

  @Test("of no axis still apply their function, and have its derivative")
  func noAxes() throws {
    var numbers = RandomNumbers(seed: 7)
    for kind in Reduction.Kind.allCases {
      let node = try Reduction(
        NodeReader(kind.rawValue, opset: 18, ["noop_with_empty_axes": .integer(1)]))
      try PullbackCheck.run(node, inputs: [try numbers.uniform([2, 3], in: 0.5...2)])
    }
  }

  @Test("to an extremum give its cotangent to the first occurrence in row-major order")
  func ties() throws {
    let x = try Tensor([3.0, 1, 3, 1, 3, 1, 1, 3], shape: [2, 2, 2])
    for (kind, expected) in [
      ("ReduceMax", [5.0, 0, 0, 0, 0, 0, 0, 7]), ("ReduceMin", [0.0, 7, 0, 0, 0, 0, 5, 0]),
    ] {
      let node = try Reduction(NodeReader(kind, opset: 13, ["axes": .integers([1, 0])]))
      let point = Point(inputs: [x], outputs: try node.evaluate([x], Double.self), wanted: [true])
      let g = try Tensor([5.0, 7.0], shape: [1, 1, 2])
      let found = try node.pullback([g], at: point, Double.self)[0]
      #expect(try found?.elements(of: Double.self) == expected)
    }
  }

  @Test("to a product have derivatives where factors are zero")
  func zeroFactors() throws {
    let x = try Tensor([2.0, 0, 3, 0, 0, 5], shape: [2, 3])
    let node = try Reduction(NodeReader("ReduceProd", opset: 13, ["axes": .integers([1])]))
    try PullbackCheck.run(node, inputs: [x])
    let point = Point(inputs: [x], outputs: try node.evaluate([x], Double.self), wanted: [true])
    let g = try Tensor([1.0, 1.0], shape: [2, 1])
    let found = try node.pullback([g], at: point, Double.self)[0]
    #expect(try found?.elements(of: Double.self) == [0, 6, 0, 0, 0, 0])
  }

  @Test("to L2 and L1 have derivative 0 at the origin")
  func origin() throws {
    let x = Tensor([0.0, 0.0])
    for kind in ["ReduceL1", "ReduceL2"] {
      let node = try Reduction(NodeReader(kind))
      let point = Point(inputs: [x], outputs: try node.evaluate([x], Double.self), wanted: [true])
      #expect(try node.pullback([Tensor([1.0])], at: point, Double.self) == [x])
    }
  }

  @Test("take NaN for the extremum, and find it")
  func notANumber() throws {
    let x = Tensor([1.0, .nan, 3.0, .nan])
    for kind in ["ReduceMax", "ReduceMin"] {
      let found = try Reduction(NodeReader(kind)).evaluate([x], Double.self)[0]
      #expect(try found.elements(of: Double.self)[0].isNaN)
    }
    for kind in ["ArgMax", "ArgMin"] {
      let found = try ExtremumIndex(NodeReader(kind)).evaluate([x], Double.self)
      #expect(found == [Tensor([Int64(1)])])
    }
  }

  @Test("of many single-precision numbers lose nothing to the order of summation")
  func accuracy() throws {
    let count = 100_000
    let x = Tensor(repeating: Float(0.1), shape: try Shape([count]))
    let sum = try Reduction(NodeReader("ReduceSum")).evaluate([x], Float.self)[0]
    #expect(try sum.elements(of: Float.self) == [Float(Double(Float(0.1)) * Double(count))])
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("ReduceMean", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [-0.0100000305, 0.72, -0.06999999, -0.16666667])]),
    OnnxruntimeCase("ReduceSum", opset: 11, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [-0.03000009, 2.16, -0.20999998, -0.5])]),
    OnnxruntimeCase("ReduceMax", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [1.91, 1.12, 0.72, 1.21])]),
    OnnxruntimeCase("ReduceMin", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [-1.69, 0.15, -0.93, -1.71])]),
    OnnxruntimeCase("ReduceProd", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [0.806975, 0.14952001, -0, 0])]),
    OnnxruntimeCase("ReduceL1", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [3.85, 2.16, 1.6500001, 2.92])]),
    OnnxruntimeCase("ReduceL2", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [2.5625572, 1.4384019, 1.1761378, 2.094803])]),
    OnnxruntimeCase("ReduceSumSquare", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [6.5667, 2.069, 1.3833001, 4.3882003])]),
    OnnxruntimeCase("ReduceLogSumExp", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([2, 1, 2], [2.043349, 1.8963925, 1.2380805, 1.5116818])]),
    OnnxruntimeCase("ReduceLogSum", opset: 13, ["axes": .integers([1])],
      inputs: [.reals([2, 3, 2], [1.7900001, 1.22, 0.35, 0.99, 2.01, 0.25, 0.1, 1.8100001, 1.03,
        0.1, 0.82000005, 1.3100001])],
      outputs: [.reals([2, 1, 2], [1.4231083, 0.9001614, 0.6678294, 1.1693815])]),
    OnnxruntimeCase("ReduceSum", opset: 13, ["keepdims": .integer(0)],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21]), .integers([2], [0, -1])],
      outputs: [.reals([3], [-2.2800002, -0.29000002, 3.99])]),
    OnnxruntimeCase("ReduceMean", opset: 18, ["keepdims": .integer(0)],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21]), .integers([2], [-1, 0])],
      outputs: [.reals([3], [-0.57000005, -0.072500005, 0.9975])]),
    OnnxruntimeCase("ReduceMax", opset: 18,
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21]), .integers([1], [2])],
      outputs: [.reals([2, 3, 1], [1.12, 0.89, 1.91, 0, -0, 1.21])]),
    OnnxruntimeCase("ReduceMean", opset: 18,
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([1, 1, 1], [0.11833332])]),
    OnnxruntimeCase("ReduceMean", opset: 18, ["keepdims": .integer(0)],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.reals([], [0.11833332])]),
    OnnxruntimeCase("ReduceSum", opset: 13,
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21]), .integers([0], [])],
      outputs: [.reals([1, 1, 1], [1.4199998])]),
    OnnxruntimeCase("ReduceSum", opset: 13, ["noop_with_empty_axes": .integer(1)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .integers([0], [])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])]),
    OnnxruntimeCase("ReduceSum", opset: 13, ["noop_with_empty_axes": .integer(1)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])]),
    OnnxruntimeCase("ReduceL1", opset: 18, ["noop_with_empty_axes": .integer(1)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.reals([2, 3], [0.33, 0.88, 2, 0.79, 1.41, 1.63])]),
    OnnxruntimeCase("ReduceSumSquare", opset: 18, ["noop_with_empty_axes": .integer(1)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .integers([0], [])],
      outputs: [.reals([2, 3], [0.10890001, 0.7744, 4, 0.6241, 1.9880999, 2.6569])]),
    OnnxruntimeCase("ReduceMax", opset: 18,
      inputs: [.integers([3], [3, 9, -2])],
      outputs: [.integers([1], [9])]),
    OnnxruntimeCase("ReduceSum", opset: 13,
      inputs: [.integers([2, 2], [1, 2, 3, 4]), .integers([1], [0])],
      outputs: [.integers([1, 2], [4, 6])]),
    OnnxruntimeCase("ReduceMean", opset: 18,
      inputs: [.integers([4], [7, 2, -2, -9])],
      outputs: [.integers([1], [0])]),
    OnnxruntimeCase("ReduceProd", opset: 18,
      inputs: [.integers([3], [7, 2, -2])],
      outputs: [.integers([1], [-28])]),
    OnnxruntimeCase("ReduceMin", opset: 20,
      inputs: [.booleans([2, 2], [true, false, true, true]), .integers([1], [1])],
      outputs: [.booleans([2, 1], [false, true])]),
    OnnxruntimeCase("ReduceMax", opset: 20, ["keepdims": .integer(0)],
      inputs: [.booleans([2, 2], [true, false, false, false]), .integers([1], [1])],
      outputs: [.booleans([2], [true, false])]),
    OnnxruntimeCase("ReduceSum", opset: 13,
      inputs: [.reals([2, 0, 3], []), .integers([1], [1])],
      outputs: [.reals([2, 1, 3], [0, 0, 0, 0, 0, 0])]),
    OnnxruntimeCase("ReduceProd", opset: 18,
      inputs: [.reals([2, 0], []), .integers([1], [1])],
      outputs: [.reals([2, 1], [1, 1])]),
    OnnxruntimeCase("ReduceMax", opset: 20,
      inputs: [.reals([2, 0], []), .integers([1], [1])],
      outputs: [.reals([2, 1], [-.infinity, -.infinity])]),
    OnnxruntimeCase("ReduceMin", opset: 20,
      inputs: [.reals([2, 0], []), .integers([1], [1])],
      outputs: [.reals([2, 1], [.infinity, .infinity])]),
    OnnxruntimeCase("ReduceLogSumExp", opset: 18,
      inputs: [.reals([2, 0], []), .integers([1], [1])],
      outputs: [.reals([2, 1], [-.infinity, -.infinity])]),
    OnnxruntimeCase("ReduceLogSumExp", opset: 18,
      inputs: [.reals([2, 2], [1000, 1000, -1000, -1001]), .integers([1], [1])],
      outputs: [.reals([2, 1], [1000.6932, -999.68677])]),
    OnnxruntimeCase("ReduceSum", opset: 13,
      inputs: [.reals([], [2.5])],
      outputs: [.reals([], [2.5])]),
    OnnxruntimeCase("ArgMax", opset: 13, ["axis": .integer(1)],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.integers([2, 1, 2], [2, 0, 2, 2])]),
    OnnxruntimeCase("ArgMin", opset: 13, ["axis": .integer(-1), "keepdims": .integer(0)],
      inputs: [.reals([2, 3, 2], [-1.69, 1.12, -0.25, 0.89, 1.91, 0.15, 0, -1.71, -0.93, -0, 0.72,
        1.21])],
      outputs: [.integers([2, 3], [0, 0, 1, 1, 0, 0])]),
    OnnxruntimeCase("ArgMax", opset: 12, ["axis": .integer(1)],
      inputs: [.reals([2, 3], [2, 5, 5, 7, 7, 1])],
      outputs: [.integers([2, 1], [1, 0])]),
    OnnxruntimeCase("ArgMax", opset: 12, ["axis": .integer(1), "select_last_index": .integer(1)],
      inputs: [.reals([2, 3], [2, 5, 5, 7, 7, 1])],
      outputs: [.integers([2, 1], [2, 1])]),
    OnnxruntimeCase("ArgMin", opset: 13, ["axis": .integer(0), "select_last_index": .integer(1)],
      inputs: [.integers([4], [3, 1, 1, 2])],
      outputs: [.integers([1], [2])]),
    OnnxruntimeCase("ArgMax", opset: 11,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63])],
      outputs: [.integers([1, 3], [0, 0, 1])]),
  ]
}
