import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Operators that move elements")
struct MovementTests {
  @Test("agree with onnxruntime", arguments: cases)
  func reference(_ example: OnnxruntimeCase) throws {
    try example.check(Movement.operators)
  }

  @Test("of one tensor have the derivatives that central differences show")
  func derivatives() throws {
    var numbers = RandomNumbers(seed: 9)
    let x = try numbers.uniform([2, 3, 4])
    try PullbackCheck.run(try Transpose(NodeReader("Transpose")), inputs: [x])
    try PullbackCheck.run(
      try Transpose(NodeReader("Transpose", ["perm": .integers([1, 2, 0])])), inputs: [x])
    let slice = try Slice(NodeReader("Slice", inputs: 5))
    let slices: [([Int64], [Int64], [Int64], [Int64])] = [
      ([1], [3], [1], [1]), ([-1, 0], [.min, .max], [2, 1], [-2, 2]), ([1], [1], [0], [1]),
    ]
    for (starts, ends, axes, steps) in slices {
      try PullbackCheck.run(
        slice, inputs: [x, Tensor(starts), Tensor(ends), Tensor(axes), Tensor(steps)])
    }
    try PullbackCheck.run(
      try Tile(NodeReader("Tile", inputs: 2)), inputs: [x, Tensor([2, 1, 3] as [Int64])])
    for (shape, target) in [([3, 1], [2, 3, 4]), ([], [2, 2]), ([2, 1, 1], [1, 4])] {
      try PullbackCheck.run(
        try Expand(NodeReader("Expand", inputs: 2)),
        inputs: [try numbers.uniform(shape), Tensor(target.map { Int64($0) })])
    }
  }

  @Test("that join and split have the derivatives that central differences show")
  func joiningDerivatives() throws {
    var numbers = RandomNumbers(seed: 10)
    for axis in [0, 1, -1] as [Int64] {
      let shapes = (1...3).map { size in
        var shape = [2, 3, 2]
        shape[axis < 0 ? 2 : Int(axis)] = size
        return shape
      }
      let node = try Concat(NodeReader("Concat", inputs: 3, ["axis": .integer(axis)]))
      try PullbackCheck.run(node, inputs: try shapes.map { try numbers.uniform($0) })
    }
    let x = try numbers.uniform([2, 5, 2])
    let uneven = NodeReader(
      "Split", outputs: 3, ["axis": .integer(1), "num_outputs": .integer(3)])
    try PullbackCheck.run(try Split(uneven), inputs: [x])
    let listed = NodeReader("Split", inputs: 2, outputs: 3, ["axis": .integer(-2)])
    try PullbackCheck.run(try Split(listed), inputs: [x, Tensor([3, 0, 2] as [Int64])])
  }

  @Test("leave the cotangent of a piece that is not used at zero")
  func unusedPiece() throws {
    let x = Tensor([1.0, 2.0, 3.0])
    let node = try Split(NodeReader("Split", outputs: 3))
    let point = Point(inputs: [x], outputs: try node.evaluate([x], Double.self), wanted: [true])
    #expect(
      try node.pullback([nil, Tensor([5.0]), nil], at: point, Double.self)
        == [Tensor([0.0, 5.0, 0.0])])
    #expect(try node.pullback([nil, nil, nil], at: point, Double.self) == [nil])
  }

  @Test("refuse lists that do not fit")
  func invalidLists() throws {
    let data = ValueType(try Shape([4, 3]), .float32)
    func known(_ list: [Int64]) -> ValueType { ValueType(constant: Tensor(list)) }
    let split = try Split(NodeReader("Split", inputs: 2, outputs: 2))
    for sizes in [[1, 2], [5, -1], [4], [2, 2, 0], [.max, .max], [.min, 4]] as [[Int64]] {
      #expect(throws: OperatorError.self) { try split.infer([data, known(sizes)]) }
    }
    let slice = try Slice(NodeReader("Slice", inputs: 5))
    #expect(throws: OperatorError("a slice has step 0")) {
      try slice.infer([data, known([0]), known([1]), known([0]), known([0])])
    }
    #expect(throws: OperatorError.self) {
      try slice.infer([data, known([0, 0]), known([1]), known([0]), known([1])])
    }
    let transpose = try Transpose(NodeReader("Transpose", ["perm": .integers([0, 0])]))
    #expect(throws: OperatorError.self) { try transpose.infer([data]) }
    let tile = try Tile(NodeReader("Tile", inputs: 2))
    for repeats in [[1], [-1, 1], [.max, .max], [1 << 40, 1 << 40]] as [[Int64]] {
      #expect(throws: OperatorError.self) { try tile.infer([data, known(repeats)]) }
    }
    let expand = try Expand(NodeReader("Expand", inputs: 2))
    for shape in [[2, 3], [-1, 4, 3], [1 << 40, 1 << 40, 4, 3]] as [[Int64]] {
      #expect(throws: OperatorError.self) { try expand.infer([data, known(shape)]) }
    }
  }

  @Test("of which Transpose tells a plan what it does")
  func planView() throws {
    let transpose = try Transpose(NodeReader("Transpose"))
    #expect(try transpose.permutation(rank: 3) == [2, 1, 0])
    #expect(try Concat(NodeReader("Concat", ["axis": .integer(-3)])).axis == -3)
  }

  // One value a line would hide the shapes.
  // swift-format-ignore
  static let cases: [OnnxruntimeCase] = [
    OnnxruntimeCase("Transpose", opset: 13,
      inputs: [.counting([2, 3, 4])],
      outputs: [.reals([4, 3, 2], [0, 12, 4, 16, 8, 20, 1, 13, 5, 17, 9, 21, 2, 14, 6, 18, 10, 22,
        3, 15, 7, 19, 11, 23])]),
    OnnxruntimeCase("Transpose", opset: 13, ["perm": .integers([1, 0, 2])],
      inputs: [.counting([2, 3, 4])],
      outputs: [.reals([3, 2, 4], [0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 16, 17, 18, 19, 8, 9, 10,
        11, 20, 21, 22, 23])]),
    OnnxruntimeCase("Transpose", opset: 13, ["perm": .integers([1, 0])],
      inputs: [.integers([2, 3], [0, 1, 2, 3, 4, 5])],
      outputs: [.integers([3, 2], [0, 3, 1, 4, 2, 5])]),
    OnnxruntimeCase("Concat", opset: 13, ["axis": .integer(1)],
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .reals([2, 1], [0.2, 0.83])],
      outputs: [.reals([2, 4], [-0.33, 0.88, -2, 0.2, -0.79, -1.41, -1.63, 0.83])]),
    OnnxruntimeCase("Concat", opset: 13, ["axis": .integer(0)],
      inputs: [.integers([2], [1, 2]), .integers([1], [3]), .integers([0], [])],
      outputs: [.integers([3], [1, 2, 3])]),
    OnnxruntimeCase("Concat", opset: 13, ["axis": .integer(-2)],
      inputs: [.booleans([2, 1], [true, false]), .booleans([2, 1], [true, false])],
      outputs: [.booleans([4, 1], [true, false, true, false])]),
    OnnxruntimeCase("Split", opset: 11, ["axis": .integer(1), "split": .integers([2, 1])],
      inputs: [.reals([2, 3, 2], [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21])],
      outputs: [.reals([2, 2, 2], [0, 1, 4, 5, 12, 13, 16, 17]), .reals([2, 1, 2], [8, 9, 20,
        21])]),
    OnnxruntimeCase("Split", opset: 13,
      inputs: [.counting([3, 4]), .integers([3], [1, 0, 2])],
      outputs: [.counting([1, 4]), .reals([0, 4], []), .reals([2, 4], [4, 5, 6, 7, 8, 9, 10, 11])]),
    OnnxruntimeCase("Split", opset: 13, ["axis": .integer(-1)],
      inputs: [.counting([3, 4])],
      outputs: [.reals([3, 2], [0, 1, 4, 5, 8, 9]), .reals([3, 2], [2, 3, 6, 7, 10, 11])]),
    OnnxruntimeCase("Split", opset: 18, ["num_outputs": .integer(3)],
      inputs: [.counting([7])],
      outputs: [.reals([3], [0, 1, 2]), .reals([3], [3, 4, 5]), .reals([1], [6])]),
    OnnxruntimeCase("Split", opset: 18,
      inputs: [.counting([7]), .integers([2], [3, 4])],
      outputs: [.reals([3], [0, 1, 2]), .reals([4], [3, 4, 5, 6])]),
    OnnxruntimeCase("Slice", opset: 9, ["starts": .integers([0, 1]), "ends": .integers([-1, 1000]),
      "axes": .integers([0, 2])],
      inputs: [.counting([2, 3, 4])],
      outputs: [.reals([1, 3, 3], [1, 2, 3, 5, 6, 7, 9, 10, 11])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.counting([3, 4]), .integers([2], [1, 0]), .integers([2], [3, 4]), .integers([2], [0,
        1]), .integers([2], [1, 2])],
      outputs: [.reals([2, 2], [4, 6, 8, 10])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.counting([3, 4]), .integers([1], [-1]), .integers([1], [Int64.min]), .integers([1],
        [0]), .integers([1], [-1])],
      outputs: [.reals([3, 4], [8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.counting([3, 4]), .integers([1], [Int64.max]), .integers([1], [Int64.min]),
        .integers([1], [1]), .integers([1], [-2])],
      outputs: [.reals([3, 2], [3, 1, 7, 5, 11, 9])]),
    OnnxruntimeCase("Slice", opset: 10,
      inputs: [.counting([3, 4]), .integers([1], [0]), .integers([1], [Int64.max]), .integers([1],
        [-1]), .integers([1], [3])],
      outputs: [.reals([3, 2], [0, 3, 4, 7, 8, 11])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.counting([3, 4]), .integers([1], [2]), .integers([1], [1]), .integers([1], [1])],
      outputs: [.reals([3, 0], [])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.counting([3, 4]), .integers([1], [-100]), .integers([1], [-200]), .integers([1],
        [1]), .integers([1], [-1])],
      outputs: [.reals([3, 1], [0, 4, 8])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.integers([4], [1, 2, 3, 4]), .integers([1], [1]), .integers([1], [3])],
      outputs: [.integers([2], [2, 3])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.integers([4], [1, 2, 3, 4]), .integers([1], [0]), .integers([1], [4]),
        .integers([1], [0]), .integers([1], [4611686018427387904])],
      outputs: [.integers([1], [1])]),
    OnnxruntimeCase("Slice", opset: 13,
      inputs: [.integers([4], [1, 2, 3, 4]), .integers([1], [3]), .integers([1], [Int64.min]),
        .integers([1], [0]), .integers([1], [Int64.min])],
      outputs: [.integers([1], [4])]),
    OnnxruntimeCase("Expand", opset: 13,
      inputs: [.reals([2, 1], [0.2, 0.83]), .integers([2], [1, 3])],
      outputs: [.reals([2, 3], [0.2, 0.2, 0.2, 0.83, 0.83, 0.83])]),
    OnnxruntimeCase("Expand", opset: 13,
      inputs: [.reals([3], [-0.26, -1.9, 0.2]), .integers([3], [2, 1, 3])],
      outputs: [.reals([2, 1, 3], [-0.26, -1.9, 0.2, -0.26, -1.9, 0.2])]),
    OnnxruntimeCase("Expand", opset: 8,
      inputs: [.reals([], [2]), .integers([2], [2, 2])],
      outputs: [.reals([2, 2], [2, 2, 2, 2])]),
    OnnxruntimeCase("Expand", opset: 13,
      inputs: [.booleans([3], [true, false, true]), .integers([2], [2, 1])],
      outputs: [.booleans([2, 3], [true, false, true, true, false, true])]),
    OnnxruntimeCase("Tile", opset: 13,
      inputs: [.reals([2, 2], [-0.33, 0.88, -0.79, -1.41]), .integers([2], [2, 2])],
      outputs: [.reals([4, 4], [-0.33, 0.88, -0.33, 0.88, -0.79, -1.41, -0.79, -1.41, -0.33, 0.88,
        -0.33, 0.88, -0.79, -1.41, -0.79, -1.41])]),
    OnnxruntimeCase("Tile", opset: 6,
      inputs: [.integers([2], [1, 2]), .integers([1], [3])],
      outputs: [.integers([6], [1, 2, 1, 2, 1, 2])]),
    OnnxruntimeCase("Tile", opset: 13,
      inputs: [.reals([2, 3], [-0.33, 0.88, -2, -0.79, -1.41, -1.63]), .integers([2], [0, 1])],
      outputs: [.reals([0, 3], [])]),
  ]
}
