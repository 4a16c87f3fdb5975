import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Einsum")
struct EinsumTests {
  @Test("outputs are those of onnxruntime", arguments: sums)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: MatrixProducts.operators)
  }

  @Test("the pullback is the derivative with respect to every operand")
  func pullback() throws {
    var numbers = RandomNumbers(seed: 31)
    let cases: [(String, [[Int]])] = [
      ("bij,bjk->bik", [[2, 2, 3], [2, 3, 2]]), ("ii->i", [[3, 3]]), ("ii", [[3, 3]]),
      ("ij,jk", [[2, 3], [3, 2]]), ("...i,...i->...", [[2, 3], [1, 3]]),
      ("i,j,k->kj", [[2], [3], [2]]), ("bhqd,bhkd->bhqk", [[1, 2, 2, 3], [1, 2, 3, 3]]),
      ("ij,ij->", [[2, 3], [2, 1]]),
    ]
    for (equation, shapes) in cases {
      let node = try Einsum(
        NodeReader("Einsum", inputs: shapes.count, ["equation": .string(equation)]))
      let inputs = try shapes.map { try numbers.uniform($0) as Tensor? }
      try PullbackCheck.run(node, inputs: inputs)
      try PullbackCheck.comparePrecisions(node, inputs: inputs)
    }
  }

  @Test(
    "equations that say nothing are refused",
    arguments: [
      "", "i->", "ij,jk->il", "ij->ii", "i->i->i", "i1->i", "......->", "a,b,c,d->a", "ij,->i",
      "ij->...", "→",
    ])
  func malformed(_ equation: String) throws {
    #expect(throws: OperatorError.self) {
      let node = try Einsum(NodeReader("Einsum", inputs: 2, ["equation": .string(equation)]))
      let type = ValueType(try Shape([2, 3]), .float32)
      _ = try node.infer([type, type])
    }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    try AttributeSweep.run(
      Einsum.self, "Einsum", attributes: ["equation": .string("ij,jk->ik")],
      inputs: [[2, 3], [3, 2]])
    try AttributeSweep.run(
      Einsum.self, "Einsum", attributes: ["equation": .string("...i,...i->...")],
      inputs: [[2, 3], [2, 3]])
  }
}

private let sums = [
  FormulaCase(
    "bij,bjk->bik", "Einsum", opset: 12, ["equation": .string("bij,bjk->bik")],
    inputs: [[2, 2, 3], [2, 3, 2]], shape: [2, 2, 2],
    output: """
      0.6066895 -0.125 -0.7724609 -0.8266602 0.1394043 -0.4970703 -0.7021484 0.4726562
      """),
  FormulaCase(
    "ij,kj", "Einsum", opset: 12, ["equation": .string("ij,kj")],
    inputs: [[2, 3], [4, 3]], shape: [2, 4],
    output: """
      0.9848633 -0.6748047 -0.3188477 -0.8132324 -0.4733887 1.033203 1.05957 -0.3312988
      """),
  FormulaCase(
    "ii->i", "Einsum", opset: 12, ["equation": .string("ii->i")],
    inputs: [[3, 3]], shape: [3],
    output: """
      -1 -0.703125 -0.40625
      """),
  FormulaCase(
    "...ij->...ji", "Einsum", opset: 12, ["equation": .string("...ij->...ji")],
    inputs: [[2, 2, 3]], shape: [2, 3, 2],
    output: """
      -1 0.734375 -0.421875 -0.703125 0.15625 -0.125 0.453125 0.171875 -0.984375 0.75 -0.40625
      -0.6875
      """),
  FormulaCase(
    "bhqd,bhkd->bhqk", "Einsum", opset: 12, ["equation": .string("bhqd,bhkd->bhqk")],
    inputs: [[1, 2, 2, 3], [1, 2, 3, 3]], shape: [1, 2, 2, 3],
    output: """
      0.9848633 -0.6748047 -0.3188477 -0.4733887 1.033203 1.05957 -0.5422363 -0.2785645 -0.8337402
      1.10498 1.039062 -0.4125977
      """),
  FormulaCase(
    "a...,a...->...", "Einsum", opset: 12, ["equation": .string("a...,a...->...")],
    inputs: [[2, 3], [2, 1]], shape: [3],
    output: """
      0.6445312 0.5251465 -0.09814453
      """),
  FormulaCase(
    "i,j,k->kji", "Einsum", opset: 12, ["equation": .string("i,j,k->kji")],
    inputs: [[2], [2], [3]], shape: [3, 2, 2],
    output: """
      -0.543457 -0.2292709 -0.1640625 -0.06921387 -0.06469727 -0.02729416 -0.01953125 -0.008239746
      0.4140625 0.1746826 0.125 0.05273438
      """),
  FormulaCase(
    "ij->", "Einsum", opset: 12, ["equation": .string("ij->")],
    inputs: [[2, 3]], shape: [],
    output: """
      -1.359375
      """),
]
