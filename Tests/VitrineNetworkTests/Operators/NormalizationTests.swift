import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Normalization")
struct NormalizationTests {
  @Test("outputs are those of onnxruntime", arguments: normalizations)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: Normalizations.operators)
  }

  @Test("the pullback of batch normalisation is the derivative, also for statistics")
  func batchPullback() throws {
    var numbers = RandomNumbers(seed: 4)
    for shape in [[2, 3, 2, 3], [4, 2], [1, 3, 5], [6]] {
      let channels = shape.count == 1 ? 1 : shape[1]
      let inputs: [Tensor?] = [
        try numbers.uniform(shape), try numbers.uniform([channels]),
        try numbers.uniform([channels]), try numbers.uniform([channels]),
        try numbers.uniform([channels], in: 0.5...2),
      ]
      let node = try BatchNormalization(
        NodeReader("BatchNormalization", inputs: 5, ["epsilon": .real(0.01)]))
      #expect(node.epsilon == 0.01)
      try PullbackCheck.run(node, inputs: inputs)
      try PullbackCheck.comparePrecisions(node, inputs: inputs)
    }
  }

  @Test("the pullback of local response normalisation is the derivative")
  func responsePullback() throws {
    var numbers = RandomNumbers(seed: 5)
    for (shape, size) in [([2, 6, 2, 2], 5), ([1, 5, 3], 2), ([1, 3, 2, 1], 9), ([1, 4, 1], 1)] {
      let node = try LocalResponseNormalization(
        NodeReader(
          "LRN",
          [
            "size": .integer(Int64(size)), "alpha": .real(0.7), "beta": .real(0.6),
            "bias": .real(1.5),
          ]))
      let x = try numbers.uniform(shape, in: -2...2)
      try PullbackCheck.run(node, inputs: [x])
      try PullbackCheck.comparePrecisions(node, inputs: [x])
    }
  }

  @Test("normalising by the statistics of the batch is refused")
  func training() throws {
    for node in [
      NodeReader("BatchNormalization", inputs: 5, ["training_mode": .integer(1)]),
      NodeReader("BatchNormalization", inputs: 5, outputs: 5, opset: 9),
    ] {
      #expect(
        throws: OperatorError(
          "normalising by the statistics of the batch is not supported: export the model for "
            + "inference")
      ) { try BatchNormalization(node) }
    }
    #expect(throws: OperatorError("spatial = 0, statistics per position, is not supported")) {
      try BatchNormalization(
        NodeReader("BatchNormalization", inputs: 5, opset: 7, ["spatial": .integer(0)]))
    }
  }

  @Test("parameters that are not one number per channel are refused")
  func refusals() throws {
    let node = try BatchNormalization(NodeReader("BatchNormalization", inputs: 5))
    let right = ValueType(try Shape([3]), .float32)
    let wrong = ValueType(try Shape([2]), .float32)
    let input = ValueType(try Shape([1, 3, 4, 4]), .float32)
    #expect(throws: OperatorError("input 'mean': expected shape [3], found [2]")) {
      try node.infer([input, right, right, wrong, right])
    }
    #expect(throws: OperatorError("input 'var' is missing")) {
      try node.infer([input, right, right, right])
    }
    #expect(throws: OperatorError("input 'scale': expected real numbers, found int64")) {
      try node.infer([input, ValueType(try Shape([3]), .int64), right, right, right])
    }
    #expect(throws: OperatorError("size: expected at least 1, found 0")) {
      try LocalResponseNormalization(NodeReader("LRN", ["size": .integer(0)]))
    }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    for shape in [[1, 2, 3], [2]] {
      let channels = shape.count == 1 ? [1] : [2]
      try AttributeSweep.run(
        BatchNormalization.self, "BatchNormalization",
        attributes: [
          "epsilon": .real(1e-5), "momentum": .real(0.9), "spatial": .integer(1),
          "training_mode": .integer(0),
        ], inputs: [shape] + Array(repeating: channels, count: 4))
    }
    try AttributeSweep.run(
      LocalResponseNormalization.self, "LRN",
      attributes: [
        "alpha": .real(1e-4), "beta": .real(0.75), "bias": .real(1), "size": .integer(3),
      ], inputs: [[1, 4, 2, 2]])
  }
}

private let normalizations = [
  FormulaCase(
    "batch of planes", "BatchNormalization", opset: 15, ["epsilon": .real(0.25)],
    inputs: [[2, 3, 2, 2], [3], [3], [3], [3]], raised: 4, shape: [2, 3, 2, 2],
    output: """
      -0.3494828 -0.6934339 -1.037385 -1.381336 0.0474801 -0.04364517 -0.1347704 0.09181131
      0.2988751 0.4067247 0.5145743 0.2464077 -0.8793535 -1.223305 -0.3680747 -0.7120259
      -0.09290206 -0.1840273 0.04255441 -0.04857086 0.4650218 0.1968552 0.3047048 0.4125544
      """),
  FormulaCase(
    "default epsilon, opset 9", "BatchNormalization", opset: 9,
    inputs: [[2, 4], [4], [4], [4], [4]], raised: 4, shape: [2, 4],
    output: """
      -0.3275447 0.00751546 0.3996709 0.2088215 -0.5167993 -0.04179268 0.4574361 -1.104672
      """),
  FormulaCase(
    "opset 7", "BatchNormalization", opset: 7, ["epsilon": .real(0.001)],
    inputs: [[1, 2, 3], [2], [2], [2], [2]], raised: 4, shape: [1, 2, 3],
    output: """
      -0.3276411 -0.6960813 -1.064522 -0.1845036 0.05419954 -0.04180062
      """),
  FormulaCase(
    "odd size", "LRN", opset: 13,
    ["size": .integer(3), "alpha": .real(0.5), "beta": .real(0.75), "bias": .real(1.5)],
    inputs: [[1, 6, 1, 2]], scale: 3, shape: [1, 6, 1, 2],
    output: """
      -1.304152 -0.6224505 0.1729728 1.076189 -1.034331 -0.1381673 0.6285011 -1.288673 -0.548524
      0.1930126 1.101649 -1.121451
      """),
  FormulaCase(
    "size above the number of channels", "LRN", opset: 13,
    ["size": .integer(9), "alpha": .real(2.0)], inputs: [[2, 3, 2, 1]], scale: 3,
    shape: [2, 3, 2, 1],
    output: """
      -1.053244 -0.6431822 0.1645694 1.119613 -0.7405621 -0.1905725 0.6171826 -1.055511 -0.5533361
      0.1842956 1.021544 -0.7371823
      """),
  FormulaCase(
    "size 1 and defaults", "LRN", opset: 13, ["size": .integer(1)], inputs: [[1, 2, 2, 2]],
    scale: 50, shape: [1, 2, 2, 2],
    output: """
      -42.29485 -20.41616 7.776927 33.39571 -32.21402 -6.231752 21.82145 -41.82868
      """),
]
