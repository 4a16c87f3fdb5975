import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Matrix product")
struct MatrixProductTests {
  @Test("outputs are those of onnxruntime", arguments: products)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: MatrixProducts.operators)
  }

  @Test("the pullback of Gemm is the derivative, for every transposition and shape of C")
  func gemmPullback() throws {
    var numbers = RandomNumbers(seed: 6)
    for (rows, inner, columns) in [(3, 4, 2), (1, 9, 3), (2, 3, 1)] {
      for transposition in 0..<4 {
        let transposesA = transposition & 1 == 1
        let transposesB = transposition & 2 == 2
        let a = try numbers.uniform(transposesA ? [inner, rows] : [rows, inner])
        let b = try numbers.uniform(transposesB ? [columns, inner] : [inner, columns])
        let node = try Gemm(
          NodeReader(
            "Gemm", inputs: 3,
            [
              "transA": .integer(transposesA ? 1 : 0), "transB": .integer(transposesB ? 1 : 0),
              "alpha": .real(0.75), "beta": .real(-1.5),
            ]))
        try PullbackCheck.run(node, inputs: [a, b])
        for shape in [[], [1], [columns], [rows, 1], [1, columns], [rows, columns]] {
          let inputs: [Tensor?] = [a, b, try numbers.uniform(shape)]
          try PullbackCheck.run(node, inputs: inputs)
          try PullbackCheck.comparePrecisions(node, inputs: inputs)
        }
      }
    }
  }

  @Test("the pullback of MatMul is the derivative, with stacks and vectors")
  func matMulPullback() throws {
    var numbers = RandomNumbers(seed: 7)
    let shapes = [
      ([2, 3], [3, 4]), ([2, 2, 3], [3, 2]), ([2, 3], [2, 3, 2]), ([2, 1, 2, 3], [3, 3, 2]),
      ([1, 3, 2, 2], [2, 1, 2, 1]), ([5], [5]), ([3], [2, 3, 2]), ([2, 2, 3], [3]), ([3], [3, 2]),
    ]
    for (left, right) in shapes {
      let inputs: [Tensor?] = [try numbers.uniform(left), try numbers.uniform(right)]
      let node = MatMul(NodeReader("MatMul", inputs: 2))
      try PullbackCheck.run(node, inputs: inputs)
      try PullbackCheck.comparePrecisions(node, inputs: inputs)
    }
  }

  @Test("products larger than a block are those of the definition, in all layouts")
  func blocks() throws {
    var numbers = RandomNumbers(seed: 8)
    let (rows, inner, columns) = (3, 70, 530)
    let a = try numbers.uniform([rows, inner])
    let b = try numbers.uniform([inner, columns])
    let (xs, ys) = (try a.elements(of: Double.self), try b.elements(of: Double.self))
    var expected = [Double](repeating: 0, count: rows * columns)
    for i in 0..<rows {
      for k in 0..<inner {
        for j in 0..<columns {
          expected[i * columns + j] += xs[i * inner + k] * ys[k * columns + j]
        }
      }
    }
    let transposedA = try Tensor(transposed(xs, rows, inner), shape: [inner, rows])
    let transposedB = try Tensor(transposed(ys, inner, columns), shape: [columns, inner])
    for (left, right) in [(a, b), (transposedA, b), (a, transposedB), (transposedA, transposedB)] {
      let node = try Gemm(
        NodeReader(
          "Gemm", inputs: 2,
          [
            "transA": .integer(left.shape == a.shape ? 0 : 1),
            "transB": .integer(right.shape == b.shape ? 0 : 1),
          ]))
      let output = try #require(try node.evaluate([left, right], Double.self).first)
      let elements = try output.elements(of: Double.self)
      #expect(PullbackCheck.relativeDistance(elements, to: expected) < 1e-14)
    }
  }

  @Test("without an inner axis the product is zero and C remains")
  func emptyInner() throws {
    let empty = Tensor(zeros: try Shape([2, 0]), .float64)
    let other = Tensor(zeros: try Shape([0, 3]), .float64)
    let product = try MatMul(NodeReader("MatMul", inputs: 2)).evaluate([empty, other], Double.self)
    #expect(product == [Tensor(zeros: try Shape([2, 3]), .float64)])
    let sum = try Gemm(NodeReader("Gemm", inputs: 3)).evaluate(
      [empty, other, Tensor([1.0, 2, 3])], Double.self)
    #expect(try sum.first?.elements(of: Double.self) == [1, 2, 3, 1, 2, 3])
  }

  @Test("beta = 0 leaves C out, even if it is not a number")
  func zeroBeta() throws {
    let node = try Gemm(NodeReader("Gemm", inputs: 3, ["beta": .real(0)]))
    #expect(!node.transposesA && !node.transposesB && node.alpha == 1 && node.beta == 0)
    let one = try Tensor([2.0], shape: [1, 1])
    let result = try node.evaluate([one, one, Tensor([Double.nan])], Double.self)
    #expect(try result.first?.elements(of: Double.self) == [4])
  }

  @Test("shapes that do not fit are refused with both shapes")
  func refusals() throws {
    func types(_ shapes: [[Int]]) throws -> [ValueType?] {
      try shapes.map { ValueType(try Shape($0), .float32) }
    }
    let gemm = try Gemm(NodeReader("Gemm", inputs: 3, ["transB": .integer(1)]))
    #expect(throws: OperatorError("matrices [2, 3] and [3, 4]ᵀ cannot be multiplied")) {
      try gemm.infer(try types([[2, 3], [3, 4]]))
    }
    #expect(throws: OperatorError("expected a shape that broadcasts to [2, 4], found [2]")) {
      try gemm.infer(try types([[2, 3], [4, 3], [2]]))
    }
    let matMul = MatMul(NodeReader("MatMul", inputs: 2))
    #expect(throws: OperatorError("matrices [2, 3] and [2, 3] cannot be multiplied")) {
      try matMul.infer(try types([[2, 3], [2, 3]]))
    }
    #expect(throws: OperatorError.self) { try matMul.infer(try types([[2, 1, 3], [3, 3, 1]])) }
    #expect(throws: OperatorError.self) { try matMul.infer(try types([[], [3]])) }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    try AttributeSweep.run(
      Gemm.self, "Gemm",
      attributes: [
        "alpha": .real(1), "beta": .real(1), "transA": .integer(0), "transB": .integer(1),
      ], inputs: [[2, 3], [4, 3], [4]])
    try AttributeSweep.run(MatMul.self, "MatMul", inputs: [[2, 2, 3], [3, 4]])
    try AttributeSweep.run(MatMul.self, "MatMul", inputs: [[3], [2, 3, 4]])
  }

  private func transposed(_ elements: [Double], _ rows: Int, _ columns: Int) -> [Double] {
    (0..<rows * columns).map { elements[$0 % rows * columns + $0 / rows] }
  }
}

private let products = [
  FormulaCase(
    "plain", "Gemm", opset: 13, inputs: [[3, 4], [4, 2]], shape: [3, 2],
    output: """
      1.065674 -0.7216797 -0.3146973 0.8835449 -0.4353027 0.8510742
      """),
  FormulaCase(
    "alpha, beta and a row", "Gemm", opset: 13, ["alpha": .real(0.5), "beta": .real(2.0)],
    inputs: [[3, 4], [4, 2], [2]], shape: [3, 2],
    output: """
      -0.7796631 -0.5170898 -1.469849 0.2855225 -1.530151 0.2692871
      """),
  FormulaCase(
    "both transposed, a column", "Gemm", opset: 11, ["transA": .integer(1), "transB": .integer(1)],
    inputs: [[4, 3], [2, 4], [3, 1]], shape: [3, 2],
    output: """
      0.2927246 0.05297852 0.8037109 -1.111572 -0.3544922 0.7158203
      """),
  FormulaCase(
    "transB, a scalar", "Gemm", opset: 9, ["transB": .integer(1), "beta": .real(-1.5)],
    inputs: [[1, 9], [3, 9], [1]], shape: [1, 3],
    output: """
      4.180664 -0.9675293 1.946777
      """),
  FormulaCase(
    "transA, a whole matrix", "Gemm", opset: 7, ["transA": .integer(1), "alpha": .real(-2.0)],
    inputs: [[5, 2], [5, 3], [2, 3]], shape: [2, 3],
    output: """
      -1.977539 -1.869629 0.6318359 -2.155762 1.601562 -0.3730469
      """),
  FormulaCase(
    "matrices", "MatMul", opset: 13, inputs: [[2, 3], [3, 4]], shape: [2, 4],
    output: """
      1.015625 0.2839355 -0.4477539 -0.644043 -0.2053223 -0.2595215 -0.3137207 1.30127
      """),
  FormulaCase(
    "stack and matrix", "MatMul", opset: 13, inputs: [[2, 2, 3], [3, 2]], shape: [2, 2, 2],
    output: """
      0.6066895 -0.125 -0.7724609 -0.8266602 -0.4824219 -1.024414 0.4689941 0.6044922
      """),
  FormulaCase(
    "matrix and stack", "MatMul", opset: 9, inputs: [[2, 3], [2, 3, 2]], shape: [2, 2, 2],
    output: """
      0.6066895 -0.125 -0.7724609 -0.8266602 -0.3820801 0.5869141 0.5085449 -0.7739258
      """),
  FormulaCase(
    "stacks that broadcast both ways", "MatMul", opset: 13, inputs: [[2, 1, 2, 3], [3, 3, 1]],
    shape: [2, 3, 2, 1],
    output: """
      0.9848633 -0.4733887 -0.6748047 1.033203 -0.3188477 1.05957 -0.2624512 -0.5554199 0.9145508
      -0.2749023 1.178223 -0.3408203
      """),
  FormulaCase(
    "vector and vector", "MatMul", opset: 13, inputs: [[5], [5]], shape: [],
    output: """
      2.023926
      """),
  FormulaCase(
    "vector and stack", "MatMul", opset: 13, inputs: [[3], [2, 3, 2]], shape: [2, 2],
    output: """
      0.6066895 -0.125 -0.3820801 0.5869141
      """),
  FormulaCase(
    "stack and vector", "MatMul", opset: 13, inputs: [[2, 2, 3], [3]], shape: [2, 2],
    output: """
      0.9848633 -0.4733887 -0.2624512 -0.5554199
      """),
  FormulaCase(
    "long rows", "MatMul", opset: 13, inputs: [[2, 9], [9, 1]], shape: [2, 1],
    output: """
      3.196289 -1.524902
      """),
]
