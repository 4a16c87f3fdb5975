import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Softmax")
struct SoftmaxTests {
  @Test("outputs are those of onnxruntime", arguments: softmaxes)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: Softmaxes.operators)
  }

  @Test("the pullback is the derivative, for every axis of both meanings")
  func pullback() throws {
    var numbers = RandomNumbers(seed: 12)
    for shape in [[2, 3, 4], [5], [3, 1, 2, 2]] {
      let x = try numbers.uniform(shape, in: -3...3)
      for axis in -shape.count..<shape.count {
        for opset in [11, 13] {
          for (kind, type) in Softmaxes.operators {
            let node = try type.init(
              NodeReader(kind, opset: opset, ["axis": .integer(Int64(axis))]))
            try PullbackCheck.run(node, inputs: [x])
            try PullbackCheck.comparePrecisions(node, inputs: [x])
          }
        }
      }
    }
  }

  @Test("large inputs do not overflow and their sum is one")
  func large() throws {
    let x = Tensor([1000.0, 1001, 999, -1e300])
    let node = try NodeReader("Softmax").operation()
    let y = try #require(try node.evaluate([x], Double.self).first).elements(of: Double.self)
    // 1 / (1 + e + 1/e), e times that, that over e.
    #expect(abs(y[0] - 0.24472847105479767) < 1e-15)
    #expect(abs(y[1] - 0.6652409557748219) < 1e-15)
    #expect(abs(y.reduce(0, +) - 1) < 1e-15)
    let logarithms = try LogSoftmax(NodeReader("LogSoftmax")).evaluate([x], Double.self)
    let z = try #require(logarithms.first).elements(of: Double.self)
    #expect(abs(z[0] + 1.4076059644443804) < 1e-12)
    #expect(z[3] == -1e300)
  }

  @Test("an axis out of range is refused")
  func refusals() throws {
    let node = try NodeReader("Softmax", opset: 11).operation()
    #expect(
      throws: OperatorError("axis 1 is out of range for shape [4]: expected -1..<1")
    ) { try node.infer([ValueType(try Shape([4]), .float32)]) }
    let axis = try #require((node as any Operator) as? Softmax).axis
    #expect(axis.axis == 1 && axis.includesFollowing)
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    for (kind, type) in Softmaxes.operators {
      for opset in [11, 13] {
        try AttributeSweep.run(
          type, kind, attributes: ["axis": .integer(1)], inputs: [[2, 3, 2]], opset: opset)
      }
    }
  }
}

private let softmaxes = [
  FormulaCase(
    "Softmax over the last axis", "Softmax", opset: 13, inputs: [[2, 3, 2]], scale: 3,
    shape: [2, 3, 2],
    output: """
      0.1500288 0.8499712 0.1500288 0.8499712 0.1500288 0.8499712 0.9867772 0.01322282 0.1500288
      0.8499712 0.9867772 0.01322282
      """),
  FormulaCase(
    "Softmax over axis 1", "Softmax", opset: 13, ["axis": .integer(1)], inputs: [[2, 3, 2]],
    scale: 3, shape: [2, 3, 2],
    output: """
      0.02814266 0.02814266 0.9032835 0.9032835 0.06857387 0.06857387 0.284692 0.02814266
      0.02161274 0.9032835 0.6936953 0.06857387
      """),
  FormulaCase(
    "Softmax over axis -3", "Softmax", opset: 13, ["axis": .integer(-3)], inputs: [[2, 3, 2]],
    scale: 3, shape: [2, 3, 2],
    output: """
      0.01262495 0.8438951 0.8438951 0.8438951 0.01262495 0.8438951 0.987375 0.1561049 0.1561049
      0.1561049 0.987375 0.1561049
      """),
  FormulaCase(
    "Softmax over axis 1 and all after it", "Softmax", opset: 11, inputs: [[2, 3, 2]], scale: 3,
    shape: [2, 3, 2],
    output: """
      0.00422221 0.02392045 0.1355186 0.7677649 0.01028806 0.05828581 0.2507074 0.003359481
      0.01903275 0.1078279 0.6108866 0.008185886
      """),
  FormulaCase(
    "Softmax over axis 2 of opset 7", "Softmax", opset: 7, ["axis": .integer(2)],
    inputs: [[2, 3, 2]], scale: 3, shape: [2, 3, 2],
    output: """
      0.1500288 0.8499712 0.1500288 0.8499712 0.1500288 0.8499712 0.9867772 0.01322282 0.1500288
      0.8499712 0.9867772 0.01322282
      """),
  FormulaCase(
    "Softmax over all axes", "Softmax", opset: 12, ["axis": .integer(0)], inputs: [[2, 3]],
    scale: 3, shape: [2, 3],
    output: """
      0.00422221 0.02392045 0.1355186 0.7677649 0.01028806 0.05828581
      """),
  FormulaCase(
    "LogSoftmax over the last axis", "LogSoftmax", opset: 13, inputs: [[2, 3, 2]], scale: 3,
    shape: [2, 3, 2],
    output: """
      -1.896928 -0.1625528 -1.896928 -0.1625528 -1.896928 -0.1625528 -0.01331097 -4.325811
      -1.896928 -0.1625528 -0.01331097 -4.325811
      """),
  FormulaCase(
    "LogSoftmax over axis 1", "LogSoftmax", opset: 13, ["axis": .integer(1)], inputs: [[2, 3, 2]],
    scale: 3, shape: [2, 3, 2],
    output: """
      -3.570469 -3.570469 -0.1017188 -0.1017188 -2.679844 -2.679844 -1.256347 -3.570469 -3.834472
      -0.1017188 -0.3657225 -2.679844
      """),
  FormulaCase(
    "LogSoftmax over axis -3", "LogSoftmax", opset: 13, ["axis": .integer(-3)],
    inputs: [[2, 3, 2]], scale: 3, shape: [2, 3, 2],
    output: """
      -4.37208 -0.169727 -0.169727 -0.169727 -4.37208 -0.169727 -0.01270533 -1.857227 -1.857227
      -1.857227 -0.01270533 -1.857227
      """),
  FormulaCase(
    "LogSoftmax over axis 1 and all after it", "LogSoftmax", opset: 11, inputs: [[2, 3, 2]],
    scale: 3, shape: [2, 3, 2],
    output: """
      -5.467397 -3.733022 -1.998647 -0.2642717 -4.576772 -2.842397 -1.383469 -5.695969 -3.961594
      -2.227219 -0.4928439 -4.805344
      """),
  FormulaCase(
    "LogSoftmax over axis 2 of opset 7", "LogSoftmax", opset: 7, ["axis": .integer(2)],
    inputs: [[2, 3, 2]], scale: 3, shape: [2, 3, 2],
    output: """
      -1.896928 -0.1625528 -1.896928 -0.1625528 -1.896928 -0.1625528 -0.01331097 -4.325811
      -1.896928 -0.1625528 -0.01331097 -4.325811
      """),
  FormulaCase(
    "LogSoftmax over all axes", "LogSoftmax", opset: 12, ["axis": .integer(0)], inputs: [[2, 3]],
    scale: 3, shape: [2, 3],
    output: """
      -5.467397 -3.733022 -1.998647 -0.2642717 -4.576772 -2.842397
      """),
]
