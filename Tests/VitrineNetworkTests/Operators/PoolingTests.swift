import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Pooling")
struct PoolingTests {
  @Test("outputs are those of onnxruntime", arguments: poolings)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: Poolings.operators)
  }

  @Test("the pullback is the derivative, over all attributes")
  func pullback() throws {
    var numbers = RandomNumbers(seed: 3)
    let cases: [(input: [Int], attributes: [String: Graph.Attribute])] = [
      ([2, 2, 9], ["kernel_shape": .integers([3]), "strides": .integers([2])]),
      (
        [1, 2, 5, 6],
        [
          "kernel_shape": .integers([3, 3]), "strides": .integers([2, 2]),
          "pads": .integers([1, 1, 1, 1]),
        ]
      ),
      (
        [1, 1, 6, 7],
        [
          "kernel_shape": .integers([3, 2]), "strides": .integers([2, 3]), "ceil_mode": .integer(1),
          "pads": .integers([1, 0, 0, 1]),
        ]
      ),
      (
        [1, 1, 7, 8],
        [
          "kernel_shape": .integers([3, 2]), "dilations": .integers([2, 3]),
          "pads": .integers([1, 1, 0, 1]),
        ]
      ),
      (
        [1, 2, 5, 6],
        [
          "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]),
          "auto_pad": .string("SAME_UPPER"),
        ]
      ),
      (
        [1, 1, 3, 4, 4], ["kernel_shape": .integers([2, 2, 2]), "strides": .integers([1, 2, 1])]
      ),
    ]
    for (input, attributes) in cases {
      let x = try numbers.distinct(input)
      try PullbackCheck.run(try MaxPool(NodeReader("MaxPool", attributes)), inputs: [x])
      for countsPadding in [0, 1] {
        var attributes = attributes
        attributes["count_include_pad"] = .integer(Int64(countsPadding))
        let node = try AveragePool(NodeReader("AveragePool", attributes))
        #expect(node.countsPadding == (countsPadding == 1))
        try PullbackCheck.run(node, inputs: [x])
        try PullbackCheck.comparePrecisions(node, inputs: [x])
      }
    }
    for shape in [[2, 3, 4, 5], [1, 2, 7], [1, 1, 2, 3, 2]] {
      let x = try numbers.distinct(shape)
      try PullbackCheck.run(GlobalMaxPool(NodeReader("GlobalMaxPool")), inputs: [x])
      try PullbackCheck.run(NodeReader("GlobalAveragePool").operation(), inputs: [x])
    }
  }

  @Test("a tie's cotangent goes to the first maximum of the window in row-major order")
  func ties() throws {
    let x = try Tensor([1.0, 2, 2, 2, 2, 2, 0, 2, 2], shape: [1, 1, 3, 3])
    let g = try Tensor([1.0, 10, 100, 1000], shape: [1, 1, 2, 2])
    let node = try MaxPool(NodeReader("MaxPool", ["kernel_shape": .integers([2, 2])]))
    #expect(
      try gradient(node, x, g) == [0, 1 + 10, 0, 100 + 0, 1000, 0, 0, 0, 0])
    let one = try Tensor([5.0], shape: [1, 1, 1, 1])
    #expect(
      try gradient(GlobalMaxPool(NodeReader("GlobalMaxPool")), x, one)
        == [0, 5, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test("NaN is the maximum of its window and the first one takes the cotangent")
  func notANumber() throws {
    let x = try Tensor([3.0, .nan, .nan, 1, 2, 4], shape: [1, 1, 6])
    let node = try MaxPool(
      NodeReader("MaxPool", ["kernel_shape": .integers([3]), "strides": .integers([3])]))
    let y = try #require(try node.evaluate([x], Double.self).first).elements(of: Double.self)
    #expect(y[0].isNaN)
    #expect(y[1] == 4)
    #expect(try gradient(node, x, try Tensor([1.0, 1], shape: [1, 1, 2])) == [0, 1, 0, 0, 0, 1])
    let global = GlobalMaxPool(NodeReader("GlobalMaxPool"))
    #expect(try gradient(global, x, try Tensor([1.0], shape: [1, 1, 1])) == [0, 1, 0, 0, 0, 0])
  }

  @Test("padding never wins, not even against -∞")
  func padding() throws {
    let x = try Tensor([-Double.infinity, -1, -2], shape: [1, 1, 3])
    let node = try MaxPool(
      NodeReader("MaxPool", ["kernel_shape": .integers([2]), "pads": .integers([1, 1])]))
    let y = try #require(try node.evaluate([x], Double.self).first).elements(of: Double.self)
    #expect(y == [-.infinity, -1, -1, -2])
    #expect(
      try gradient(node, x, try Tensor([1.0, 10, 100, 1000], shape: [1, 1, 4])) == [1, 110, 1000])
  }

  @Test("a dilated window between all elements has the maximum -∞, the mean 0 and no derivative")
  func windowInPadding() throws {
    // The only element is at 0; the two windows read -2 and 1, then -1 and 2.
    let x = try Tensor([7.0], shape: [1, 1, 1])
    let attributes: [String: Graph.Attribute] = [
      "kernel_shape": .integers([2]), "dilations": .integers([3]), "pads": .integers([2, 2]),
    ]
    let one = try Tensor([1.0, 1], shape: [1, 1, 2])
    let maximum = try MaxPool(NodeReader("MaxPool", attributes))
    let mean = try AveragePool(NodeReader("AveragePool", attributes))
    for (node, value) in [(maximum, -Double.infinity), (mean, 0)] as [(any Operator, Double)] {
      let y = try #require(try node.evaluate([x], Double.self).first)
      #expect(try y.elements(of: Double.self) == [value, value])
      #expect(try gradient(node, x, one) == [0])
    }
  }

  @Test("pads as large as the kernel, missing kernels and the output Indices are refused")
  func refusals() throws {
    let shape = try Shape([1, 1, 5])
    for (attributes, reason) in [
      (
        ["kernel_shape": .integers([2]), "pads": .integers([2, 0])],
        "spatial axis 0: expected pads smaller than the kernel's extent 2, found 2 and 0"
      ), ([:], "attribute 'kernel_shape' is missing"),
    ] as [([String: Graph.Attribute], String)] {
      let node = try MaxPool(NodeReader("MaxPool", attributes))
      #expect(throws: OperatorError(reason)) { try node.windows(input: shape) }
    }
    #expect(throws: OperatorError("the output 'Indices' is not supported: only the maxima are")) {
      try MaxPool(NodeReader("MaxPool", outputs: 2, ["kernel_shape": .integers([2])]))
    }
    #expect(throws: OperatorError.self) {
      try GlobalMaxPool(NodeReader("GlobalMaxPool")).infer([
        ValueType(try Shape([1, 1, 0]), .float32)
      ])
    }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    for kind in ["MaxPool", "AveragePool"] {
      let type = try #require(Poolings.operators[kind])
      try AttributeSweep.run(
        type, kind,
        attributes: [
          "auto_pad": .string("NOTSET"), "ceil_mode": .integer(1),
          "count_include_pad": .integer(1), "dilations": .integers([1, 1]),
          "kernel_shape": .integers([3, 3]), "pads": .integers([1, 1, 1, 1]),
          "storage_order": .integer(0), "strides": .integers([2, 2]),
        ], inputs: [[1, 2, 5, 5]])
      try AttributeSweep.run(
        type, kind,
        attributes: [
          "auto_pad": .string("SAME_UPPER"), "dilations": .integers([2]),
          "kernel_shape": .integers([3]), "strides": .integers([2]),
        ], inputs: [[1, 2, 5]])
      // A window of 2³¹ positions over padding of as many: few outputs, few taps that read anything.
      let huge = Int64(Int32.max)
      try AttributeSweep.run(
        type, kind,
        attributes: [
          "kernel_shape": .integers([huge]), "pads": .integers([huge - 1, huge - 1]),
          "strides": .integers([huge]), "count_include_pad": .integer(1),
        ], inputs: [[1, 1, 5]])
      for automatic in ["NOTSET", "SAME_UPPER"] {
        try AttributeSweep.run(
          type, kind,
          attributes: [
            "auto_pad": .string(automatic), "count_include_pad": .integer(1),
            "kernel_shape": .integers([huge, huge, huge]),
            "pads": .integers(Array(repeating: huge - 1, count: 6)),
            "strides": .integers([huge, huge, huge]),
            "dilations": .integers(automatic == "NOTSET" ? [1, 1, 1] : [huge, huge, huge]),
          ], inputs: [[1, 1, 3, 2, 5]])
      }
    }
    try AttributeSweep.run(GlobalMaxPool.self, "GlobalMaxPool", inputs: [[1, 2, 3, 3]])
    try AttributeSweep.run(
      #require(Poolings.operators["GlobalAveragePool"]), "GlobalAveragePool",
      inputs: [[1, 2, 3, 3]])
  }

  private func gradient(_ node: any Operator, _ x: Tensor, _ g: Tensor) throws -> [Double] {
    let outputs = try node.evaluate([x], Double.self)
    let point = Point(inputs: [x], outputs: outputs, wanted: [true])
    let result = try #require(try node.pullback([g], at: point, Double.self).first ?? nil)
    return try result.elements(of: Double.self)
  }
}

private let poolings = [
  FormulaCase(
    "MaxPool 1-D", "MaxPool", opset: 12,
    ["kernel_shape": .integers([3]), "strides": .integers([2])], inputs: [[1, 2, 8]],
    shape: [1, 2, 3],
    output: """
      0.15625 0.734375 0.453125 0.75 0.75 0.46875
      """),
  FormulaCase(
    "MaxPool 2-D padded", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([3, 3]), "strides": .integers([2, 2]),
      "pads": .integers([1, 1, 1, 1]),
    ], inputs: [[1, 2, 5, 5]], shape: [1, 2, 3, 3],
    output: """
      0.453125 0.734375 0.734375 0.75 0.765625 0.46875 0.484375 0.765625 0.78125 0.796875 0.796875
      0.515625 0.796875 0.8125 0.8125 0.828125 0.546875 0.546875
      """),
  FormulaCase(
    "MaxPool rounds up", "MaxPool", opset: 12,
    ["kernel_shape": .integers([3, 2]), "strides": .integers([2, 3]), "ceil_mode": .integer(1)],
    inputs: [[1, 1, 6, 7]], shape: [1, 1, 3, 3],
    output: """
      -0.390625 0.765625 0.484375 -0.359375 0.796875 0.515625 -0.34375 0.8125 0.53125
      """),
  FormulaCase(
    "MaxPool leaves out a window that starts in the padding", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([2, 2]), "strides": .integers([3, 2]),
      "pads": .integers([0, 0, 1, 1]), "ceil_mode": .integer(1),
    ], inputs: [[1, 1, 5, 5]], shape: [1, 1, 2, 3],
    output: """
      0.453125 0.734375 0.171875 0.484375 0.765625 0.78125
      """),
  FormulaCase(
    "MaxPool with dilations", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([3, 2]), "dilations": .integers([2, 3]),
      "pads": .integers([1, 1, 0, 1]),
    ], inputs: [[1, 1, 7, 8]], shape: [1, 1, 4, 7],
    output: """
      0.75 0.78125 0.171875 0.75 0.5 0.796875 0.46875 0.515625 0.734375 0.765625 0.515625 0.8125
      0.484375 0.234375 0.75 0.78125 0.53125 0.828125 0.5 0.796875 0.828125 0.515625 0.546875
      0.84375 0.515625 0.8125 0.84375 0.234375
      """),
  FormulaCase(
    "MaxPool SAME_UPPER", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]),
      "auto_pad": .string("SAME_UPPER"),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 3, 3],
    output: """
      0.453125 0.75 0.75 0.484375 0.484375 0.765625 0.78125 0.5 -0.359375
      """),
  FormulaCase(
    "MaxPool SAME_LOWER", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]),
      "auto_pad": .string("SAME_LOWER"),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 3, 3],
    output: """
      -0.421875 0.734375 0.734375 0.46875 0.46875 0.765625 0.78125 0.5 0.5
      """),
  FormulaCase(
    "MaxPool VALID", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]), "auto_pad": .string("VALID"),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 2, 2],
    output: """
      0.453125 0.75 0.484375 0.484375
      """),
  FormulaCase(
    "MaxPool 3-D", "MaxPool", opset: 12,
    [
      "kernel_shape": .integers([2, 2, 2]), "strides": .integers([1, 2, 2]),
      "pads": .integers([1, 0, 0, 0, 0, 1]),
    ], inputs: [[1, 1, 3, 4, 4]], shape: [1, 1, 3, 2, 2],
    output: """
      -0.125 0.734375 0.46875 0.75 0.765625 0.734375 0.78125 0.796875 0.765625 0.8125 0.828125
      0.796875
      """),
  FormulaCase(
    "MaxPool with windows in uneven padding", "MaxPool", opset: 8,
    [
      "kernel_shape": .integers([3, 3]), "pads": .integers([2, 0, 1, 2]),
      "strides": .integers([2, 2]),
    ], inputs: [[2, 1, 3, 3]], shape: [2, 1, 2, 2],
    output: """
      0.15625 0.15625 0.734375 0.15625 0.75 -0.6875 0.765625 0.765625
      """),
  FormulaCase(
    "AveragePool 1-D", "AveragePool", opset: 19,
    ["kernel_shape": .integers([3]), "strides": .integers([2])], inputs: [[1, 2, 8]],
    shape: [1, 2, 3],
    output: """
      -0.421875 0.0625 -0.125 0.171875 -0.015625 -0.203125
      """),
  FormulaCase(
    "AveragePool 2-D padded", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([3, 3]), "strides": .integers([2, 2]),
      "pads": .integers([1, 1, 1, 1]),
    ], inputs: [[1, 2, 5, 5]], shape: [1, 2, 3, 3],
    output: """
      -0.2734375 -0.078125 -0.05078125 0.03125 -0.109375 -0.25 -0.1679688 -0.140625 0.0546875
      0.0703125 -0.0703125 -0.2109375 0.0390625 0.01041667 0.09375 0.1757812 -0.1328125 -0.1054688
      """),
  FormulaCase(
    "AveragePool rounds up", "AveragePool", opset: 19,
    ["kernel_shape": .integers([3, 2]), "strides": .integers([2, 3]), "ceil_mode": .integer(1)],
    inputs: [[1, 1, 6, 7]], shape: [1, 1, 3, 3],
    output: """
      -0.6953125 0.03125 0.46875 -0.6640625 0.0625 0.5 -0.640625 0.0859375 0.5234375
      """),
  FormulaCase(
    "AveragePool leaves out a window that starts in the padding", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([2, 2]), "strides": .integers([3, 2]),
      "pads": .integers([0, 0, 1, 1]), "ceil_mode": .integer(1),
    ], inputs: [[1, 1, 5, 5]], shape: [1, 1, 2, 3],
    output: """
      -0.2734375 -0.125 -0.265625 -0.1679688 -0.01953125 0.34375
      """),
  FormulaCase(
    "AveragePool with dilations", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([3, 2]), "dilations": .integers([2, 3]),
      "pads": .integers([1, 1, 0, 1]),
    ], inputs: [[1, 1, 7, 8]], shape: [1, 1, 4, 7],
    output: """
      0.3359375 0.046875 -0.3828125 0.1953125 -0.234375 -0.1601562 0.0546875 0 -0.2890625
      -0.046875 -0.140625 0.1015625 -0.328125 -0.28125 -0.078125 -0.03125 -0.125 0.1171875 -0.3125
      -0.0703125 0.3125 -0.15625 -0.109375 0.1328125 -0.296875 -0.0546875 0.1875 -0.4375
      """),
  FormulaCase(
    "AveragePool SAME_UPPER", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]),
      "auto_pad": .string("SAME_UPPER"),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 3, 3],
    output: """
      -0.3671875 0.1171875 -0.1914062 -0.1484375 -0.3359375 0.1953125 0.015625 -0.171875
      -0.6484375
      """),
  FormulaCase(
    "AveragePool SAME_LOWER", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]),
      "auto_pad": .string("SAME_LOWER"),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 3, 3],
    output: """
      -0.7109375 0.15625 -0.03125 -0.04296875 -0.3515625 0.1328125 -0.1601562 -0.1328125
      -0.3203125
      """),
  FormulaCase(
    "AveragePool VALID", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]), "auto_pad": .string("VALID"),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 2, 2],
    output: """
      -0.3671875 0.1171875 -0.1484375 -0.3359375
      """),
  FormulaCase(
    "AveragePool 3-D", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([2, 2, 2]), "strides": .integers([1, 2, 2]),
      "pads": .integers([1, 0, 0, 0, 0, 1]),
    ], inputs: [[1, 1, 3, 4, 4]], shape: [1, 1, 3, 2, 2],
    output: """
      -0.5625 0.08984375 0.03125 -0.3242188 -0.2207031 -0.07226562 -0.1308594 0.01757812
      -0.04101562 -0.1445312 0.04882812 -0.0546875
      """),
  FormulaCase(
    "AveragePool with windows in uneven padding", "AveragePool", opset: 7,
    [
      "kernel_shape": .integers([3, 3]), "pads": .integers([2, 0, 1, 2]),
      "strides": .integers([2, 2]),
    ], inputs: [[2, 1, 3, 3]], shape: [2, 1, 2, 2],
    output: """
      -0.421875 0.15625 -0.2552083 -0.125 0.078125 -0.6875 0.02083333 -0.296875
      """),
  FormulaCase(
    "AveragePool counts padding", "AveragePool", opset: 7,
    [
      "kernel_shape": .integers([3, 3]), "strides": .integers([2, 2]),
      "pads": .integers([1, 1, 1, 1]), "count_include_pad": .integer(1),
    ], inputs: [[1, 1, 4, 4]], shape: [1, 1, 2, 2],
    output: """
      -0.25 -0.02083333 -0.078125 -0.1458333
      """),
  FormulaCase(
    "AveragePool counts padding, not what is beyond", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([3, 3]), "strides": .integers([2, 2]),
      "pads": .integers([1, 1, 1, 1]), "count_include_pad": .integer(1), "ceil_mode": .integer(1),
    ], inputs: [[1, 1, 6, 6]], shape: [1, 1, 4, 4],
    output: """
      -0.2170139 -0.08333334 0.015625 -0.1354167 -0.1041667 -0.296875 -0.03645833 0.046875
      0.04166667 -0.078125 -0.265625 -0.1796875 0.1692708 0.015625 -0.078125 -0.2304688
      """),
  FormulaCase(
    "AveragePool counts padding with SAME_UPPER", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([2, 3]), "strides": .integers([2, 2]),
      "auto_pad": .string("SAME_UPPER"), "count_include_pad": .integer(1),
    ], inputs: [[1, 1, 5, 6]], shape: [1, 1, 3, 3],
    output: """
      -0.3671875 0.1171875 -0.1276042 -0.1484375 -0.3359375 0.1302083 0.0078125 -0.0859375
      -0.2161458
      """),
  FormulaCase(
    "AveragePool counts padding with dilations", "AveragePool", opset: 19,
    [
      "kernel_shape": .integers([3, 2]), "dilations": .integers([2, 3]),
      "pads": .integers([1, 1, 0, 1]), "count_include_pad": .integer(1),
    ], inputs: [[1, 1, 7, 8]], shape: [1, 1, 4, 7],
    output: """
      0.1119792 0.03125 -0.2552083 0.1302083 -0.15625 -0.1067708 0.01822917 0 -0.2890625 -0.046875
      -0.140625 0.1015625 -0.328125 -0.140625 -0.0390625 -0.03125 -0.125 0.1171875 -0.3125
      -0.0703125 0.15625 -0.078125 -0.109375 0.1328125 -0.296875 -0.0546875 0.1875 -0.21875
      """),
  FormulaCase(
    "GlobalAveragePool 1-D", "GlobalAveragePool", opset: 13, inputs: [[2, 2, 5]], shape: [2, 2, 1],
    output: """
      -0.246875 -0.178125 -0.109375 -0.040625
      """),
  FormulaCase(
    "GlobalAveragePool 2-D", "GlobalAveragePool", opset: 22, inputs: [[2, 3, 4, 5]],
    shape: [2, 3, 1, 1],
    output: """
      -0.14375 -0.0703125 0.003125 -0.02421875 0.04921875 0.1226562
      """),
  FormulaCase(
    "GlobalAveragePool 3-D", "GlobalAveragePool", opset: 13, inputs: [[1, 2, 2, 3, 4]],
    shape: [1, 2, 1, 1, 1],
    output: """
      -0.1464844 -0.04492188
      """),
  FormulaCase(
    "GlobalMaxPool 1-D", "GlobalMaxPool", opset: 13, inputs: [[2, 2, 5]], shape: [2, 2, 1],
    output: """
      0.734375 0.453125 0.75 0.765625
      """),
  FormulaCase(
    "GlobalMaxPool 2-D", "GlobalMaxPool", opset: 22, inputs: [[2, 3, 4, 5]], shape: [2, 3, 1, 1],
    output: """
      0.765625 0.8125 0.859375 0.890625 0.9375 0.984375
      """),
  FormulaCase(
    "GlobalMaxPool 3-D", "GlobalMaxPool", opset: 13, inputs: [[1, 2, 2, 3, 4]],
    shape: [1, 2, 1, 1, 1],
    output: """
      0.765625 0.828125
      """),
]
