import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Normalization by moments")
struct MomentNormalizationTests {
  @Test("outputs are those of onnxruntime", arguments: momentNormalizations)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: MomentNormalizations.operators)
  }

  @Test("the pullback of layer normalisation is the derivative, also of mean and deviation")
  func layerPullback() throws {
    var numbers = RandomNumbers(seed: 21)
    for (shape, axis) in [([3, 5], -1), ([2, 3, 4], 1), ([4], 0), ([2, 1, 6], 2)] {
      let normalized = Array(shape[(axis < 0 ? axis + shape.count : axis)...])
      let node = try LayerNormalization(
        NodeReader(
          "LayerNormalization", inputs: 3, outputs: 3,
          ["axis": .integer(Int64(axis)), "epsilon": .real(0.01)]))
      let inputs: [Tensor?] = [
        try numbers.uniform(shape), try numbers.uniform(normalized),
        try numbers.uniform(normalized),
      ]
      try PullbackCheck.run(node, inputs: inputs)
      try PullbackCheck.run(node, inputs: Array(inputs.prefix(2)))
      try PullbackCheck.comparePrecisions(node, inputs: inputs)
    }
  }

  @Test("the pullback of instance and group normalisation is the derivative")
  func groupPullback() throws {
    var numbers = RandomNumbers(seed: 22)
    let cases: [(String, Int, [String: Graph.Attribute], Int)] = [
      ("InstanceNormalization", 20, [:], 4),
      ("GroupNormalization", 18, ["num_groups": .integer(2)], 2),
      ("GroupNormalization", 21, ["num_groups": .integer(2)], 4),
      ("GroupNormalization", 21, ["num_groups": .integer(4)], 4),
    ]
    for (kind, opset, attributes, parameters) in cases {
      let type = try #require(MomentNormalizations.operators[kind])
      // Three elements may be close to each other: without an epsilon the curvature is large then.
      let all = attributes.merging(["epsilon": .real(0.05)]) { first, _ in first }
      let node = try type.init(NodeReader(kind, inputs: 3, opset: opset, all))
      let inputs: [Tensor?] = [
        try numbers.uniform([2, 4, 3]), try numbers.uniform([parameters]),
        try numbers.uniform([parameters]),
      ]
      try PullbackCheck.run(node, inputs: inputs)
      try PullbackCheck.comparePrecisions(node, inputs: inputs)
    }
  }

  @Test("parameters and groups that do not fit are refused")
  func refusals() throws {
    func infer(_ kind: String, _ attributes: [String: Graph.Attribute], _ shapes: [[Int]]) throws {
      let type = try #require(MomentNormalizations.operators[kind])
      let node = try type.init(NodeReader(kind, inputs: 3, opset: 21, attributes))
      _ = try node.infer(try shapes.map { ValueType(try Shape($0), .float32) })
    }
    #expect(throws: OperatorError("input 'Scale': expected shape [4], found [3]")) {
      try infer("LayerNormalization", [:], [[2, 3, 4], [3], [3]])
    }
    #expect(throws: OperatorError("input 'B': expected shape [3], found [1]")) {
      try infer("InstanceNormalization", [:], [[2, 3, 4], [3], [1]])
    }
    #expect(throws: OperatorError("num_groups: expected a divisor of 4, found 3")) {
      try infer("GroupNormalization", ["num_groups": .integer(3)], [[2, 4, 3], [4], [4]])
    }
    #expect(throws: OperatorError("num_groups: expected at least 1, found 0")) {
      try infer("GroupNormalization", ["num_groups": .integer(0)], [[2, 4, 3], [4], [4]])
    }
    #expect(throws: OperatorError("attribute 'num_groups' is missing")) {
      try infer("GroupNormalization", [:], [[2, 4, 3], [4], [4]])
    }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    try AttributeSweep.run(
      LayerNormalization.self, "LayerNormalization",
      attributes: [
        "axis": .integer(-1), "epsilon": .real(1e-5), "stash_type": .integer(1),
      ], inputs: [[2, 3], [3], [3]])
    try AttributeSweep.run(
      InstanceNormalization.self, "InstanceNormalization", attributes: ["epsilon": .real(1e-5)],
      inputs: [[1, 2, 3], [2], [2]])
    for opset in [18, 21] {
      try AttributeSweep.run(
        GroupNormalization.self, "GroupNormalization",
        attributes: ["epsilon": .real(1e-5), "num_groups": .integer(2)],
        inputs: [[1, 2, 3], [2], [2]], opset: opset)
    }
  }
}

private let momentNormalizations = [
  FormulaCase(
    "last axis", "LayerNormalization", opset: 17, [:],
    inputs: [[2, 3, 4], [4], [4]], scale: 3, shape: [2, 3, 4],
    output: """
      1.364384 0.1010348 1.940225 0.8350811 -0.3361064 -0.5258594 2.912043 -5.982392 -0.3361064
      -0.5258594 2.912043 -5.982392 -2.643369 -1.275297 0.1337899 -3.550763 -2.643369 -1.275297
      0.1337899 -3.550763 -4.865376 0.8414671 1.117427 -1.025833
      """),
  FormulaCase(
    "two axes, no bias", "LayerNormalization", opset: 17,
    ["axis": .integer(1), "epsilon": .real(0.125)],
    inputs: [[2, 3, 2], [3, 2]], shape: [2, 3, 2],
    output: """
      0.9559167 0.07287339 0.1874668 1.299697 0.3778486 0.007105156 -0.6600825 0.3029999 -0.1325624
      0.3661248 -0.6438748 -0.03736316
      """),
  FormulaCase(
    "all axes", "LayerNormalization", opset: 17, ["axis": .integer(0)],
    inputs: [[2, 3], [2, 3], [2, 3]], shape: [2, 3],
    output: """
      0.469061 0.007662006 0.720687 0.5925112 0.08543062 0.2271142
      """),
  FormulaCase(
    "planes", "InstanceNormalization", opset: 6, ["epsilon": .real(0.25)],
    inputs: [[2, 3, 2, 2], [3], [3]], shape: [2, 3, 2, 2],
    output: """
      0.2225506 -0.3633165 -0.9491836 -1.535051 0.04371969 -0.1501837 -0.3440871 0.1380511
      0.3400788 0.5945771 0.8490753 0.2162689 -0.8180262 -1.483106 0.1706059 -0.4944738 -0.1269631
      -0.3277419 0.1714919 -0.02928691 0.7837311 0.1509247 0.405423 0.6599212
      """),
  FormulaCase(
    "sequences, default epsilon", "InstanceNormalization", opset: 6, [:],
    inputs: [[2, 2, 5], [2], [2]], shape: [2, 2, 5],
    output: """
      0.3472378 -0.4230744 -1.193387 -1.963699 -0.04832792 -0.104947 -0.3968336 0.3289385
      0.03705187 -0.2548347 -1.742659 0.07460725 -0.65625 -1.387107 0.4301593 0.0985847 -0.1933019
      -0.4851884 0.2405836 -0.05130299
      """),
  FormulaCase(
    "parameters per group", "GroupNormalization", opset: 18,
    ["num_groups": .integer(2), "epsilon": .real(0.01)],
    inputs: [[2, 4, 3], [2], [2]], shape: [2, 4, 3],
    output: """
      0.4521017 -0.3763632 -1.204828 -2.033293 0.02667379 -0.8017911 -0.3044274 0.2659786 0.0365762
      -0.1928262 -0.4222286 0.1481774 -0.5107089 -1.339174 0.7207931 -0.1076719 -0.9361368
      -1.764602 0.1394987 -0.1480755 -0.4356497 0.2793997 -0.008174516 -0.2957487
      """),
  FormulaCase(
    "parameters per channel", "GroupNormalization", opset: 21, ["num_groups": .integer(2)],
    inputs: [[2, 4, 3], [4], [4]], shape: [2, 4, 3],
    output: """
      0.469061 -0.3720805 -1.213222 -0.5001971 0.1311953 -0.1227342 0.8008316 0.04257125 0.3475237
      -0.5163751 0.3258747 -1.768368 -0.5084819 -1.349623 0.7418637 0.09001753 -0.163912 -0.4178415
      0.2085473 0.5936812 0.9788151 -2.259942 -1.196239 -0.1325355
      """),
  FormulaCase(
    "one group", "GroupNormalization", opset: 21, ["num_groups": .integer(1)],
    inputs: [[1, 3, 2, 2], [3], [3]], shape: [1, 3, 2, 2],
    output: """
      0.489205 -0.3104523 -1.11011 -1.909767 0.1437075 -0.09769846 -0.3391044 0.2611483 0.3715492
      0.6883945 1.00524 0.2174082
      """),
]
