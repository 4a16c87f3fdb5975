import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor

@Suite("Activation")
struct ActivationTests {
  @Test("outputs are those of onnxruntime", arguments: activations)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: Activations.operators)
  }

  @Test("the pullback is the derivative")
  func pullback() throws {
    var numbers = RandomNumbers(seed: 9)
    // 0.1...1 in magnitude, times 5: near none of the kinks at 0, ±3 (HardSwish), -1.5 and 2.5.
    let x = try numbers.awayFromZero([4, 5])
    let wide = try Tensor(
      x.elements(of: Double.self).map { abs(abs($0 * 5) - 3) < 0.05 ? $0 * 5.2 : $0 * 5 },
      shape: [4, 5])
    let cases: [(String, [String: Graph.Attribute])] = [
      ("Relu", [:]), ("LeakyRelu", [:]), ("LeakyRelu", ["alpha": .real(-0.3)]),
      ("Elu", ["alpha": .real(1.5)]), ("Selu", [:]), ("Celu", ["alpha": .real(2)]),
      ("Sigmoid", [:]), ("Tanh", [:]), ("Softplus", [:]), ("Softsign", [:]), ("HardSwish", [:]),
      ("HardSigmoid", [:]), ("HardSigmoid", ["alpha": .real(0.5), "beta": .real(0.3)]),
      ("Gelu", [:]), ("Gelu", ["approximate": .string("tanh")]), ("Erf", [:]), ("Mish", [:]),
      ("Swish", [:]), ("Swish", ["alpha": .real(-1.5)]),
      ("ThresholdedRelu", ["alpha": .real(0.05)]),
    ]
    for (kind, attributes) in cases {
      let type = try #require(Activations.operators[kind])
      for input in [x, wide] {
        let node = try type.init(NodeReader(kind, attributes))
        try PullbackCheck.run(node, inputs: [input])
        try PullbackCheck.comparePrecisions(node, inputs: [input])
      }
    }
  }

  @Test("the pullback of PRelu is the derivative, also for slopes that broadcast")
  func parametricPullback() throws {
    var numbers = RandomNumbers(seed: 10)
    for (shape, slope) in [
      ([2, 3, 2, 2], [3, 1, 1]), ([2, 3], [1]), ([2, 3], [2, 3]), ([4], []), ([2, 3, 2], [1, 2]),
    ] {
      let inputs: [Tensor?] = [try numbers.awayFromZero(shape), try numbers.uniform(slope)]
      let node = PRelu(NodeReader("PRelu", inputs: 2))
      try PullbackCheck.run(node, inputs: inputs)
      try PullbackCheck.comparePrecisions(node, inputs: inputs)
    }
  }

  @Test("the pullback of Clip is the derivative, also for the bounds")
  func clipPullback() throws {
    var numbers = RandomNumbers(seed: 11)
    let x = try numbers.awayFromZero([3, 4])
    let bounds: [(Double?, Double?)] = [
      (-0.05, 0.05), (nil, 0), (0, nil), (nil, nil), (0.05, -0.05),
    ]
    for (minimum, maximum) in bounds {
      let inputs = [x, minimum.map { Tensor(scalar: $0) }, maximum.map { Tensor(scalar: $0) }]
      try PullbackCheck.run(try Clip(NodeReader("Clip", inputs: 3)), inputs: inputs)
      var attributes: [String: Graph.Attribute] = [:]
      attributes["min"] = minimum.map { .real($0) }
      attributes["max"] = maximum.map { .real($0) }
      try PullbackCheck.run(try Clip(NodeReader("Clip", opset: 6, attributes)), inputs: [x])
    }
  }

  @Test("the derivative of a rectifier is 0 at its kinks, of others that from below")
  func kinks() throws {
    func derivative(_ kind: String, at x: Double, _ attributes: [String: Graph.Attribute] = [:])
      throws -> Double?
    {
      let node = try #require(Activations.operators[kind]).init(
        NodeReader(kind, opset: 6, attributes))
      return try gradient(node, [Tensor([x])], Tensor([1.0])).first
    }
    #expect(try derivative("Relu", at: 0) == 0)
    #expect(try derivative("Relu", at: .leastNonzeroMagnitude) == 1)
    #expect(try derivative("LeakyRelu", at: 0, ["alpha": .real(0.25)]) == 0.25)
    #expect(try derivative("Clip", at: 0, ["min": .real(0), "max": .real(6)]) == 0)
    #expect(try derivative("Clip", at: 6, ["min": .real(0), "max": .real(6)]) == 0)
    #expect(try derivative("HardSwish", at: -3) == 0)
    #expect(try derivative("HardSwish", at: 3) == 1.5)
    #expect(try derivative("HardSigmoid", at: 1, ["alpha": .real(0.5)]) == 0)
  }

  @Test("guided and deconvnet rules of ReLU and of Clip at 0 mask by input and by cotangent")
  func rules() throws {
    let x = Tensor([-1.0, -1, 1, 1, 7, 7, 0])
    let g = Tensor([-2.0, 2, -3, 3, -4, 4, 5])
    let relu = Relu(NodeReader("Relu"))
    let zero = Tensor(scalar: 0.0)
    let six = Tensor(scalar: 6.0)
    let clip = try Clip(NodeReader("Clip", inputs: 3))
    let old = try Clip(NodeReader("Clip", opset: 6, ["min": .real(0), "max": .real(6)]))
    for node in [relu, clip, old] as [any Operator] {
      #expect(node.backwardRules == [.guided, .deconvnet])
    }
    #expect(try gradient(relu, [x], g) == [0, 0, -3, 3, -4, 4, 0])
    #expect(try gradient(relu, [x], g, .guided) == [0, 0, 0, 3, 0, 4, 0])
    #expect(try gradient(relu, [x], g, .deconvnet) == [0, 2, 0, 3, 0, 4, 5])
    for (node, inputs) in [(clip, [x, zero, six]), (old, [x])] {
      #expect(try gradient(node, inputs, g) == [0, 0, -3, 3, 0, 0, 0])
      #expect(try gradient(node, inputs, g, .guided) == [0, 0, 0, 3, 0, 0, 0])
      #expect(try gradient(node, inputs, g, .deconvnet) == [0, 2, 0, 3, 0, 4, 5])
    }
    #expect(throws: OperatorError("backward rule 'guided' is not defined here")) {
      try gradient(clip, [x, Tensor(scalar: -1.0), six], g, .guided)
    }
    #expect(throws: OperatorError("backward rule 'deconvnet' is not defined here")) {
      try gradient(Sigmoid(NodeReader("Sigmoid")), [x], g, .deconvnet)
    }
    #expect(throws: OperatorError("backward rule 'other' is not defined here")) {
      try gradient(relu, [x], g, BackwardRule("other"))
    }
    let other = try Clip(NodeReader("Clip", opset: 6, ["max": .real(6)]))
    #expect(other.backwardRules.isEmpty)
  }

  @Test("bounds of Clip are known where they are attributes or constants")
  func bounds() throws {
    let x = ValueType(try Shape([2]), .float32)
    let six = ValueType(constant: Tensor(scalar: Float(6)))
    let unknown = ValueType(try Shape([]), .float32)
    let clip = try Clip(NodeReader("Clip", inputs: 3))
    #expect(try clip.bounds(inputs: [x, nil, six]) == Clip.Bounds(minimum: nil, maximum: 6))
    #expect(try clip.bounds(inputs: [x]) == Clip.Bounds(minimum: nil, maximum: nil))
    #expect(try clip.bounds(inputs: [x, unknown, six]) == nil)
    let old = try Clip(NodeReader("Clip", opset: 10, ["min": .real(0)]))
    #expect(try old.bounds(inputs: [x]) == Clip.Bounds(minimum: 0, maximum: nil))
    #expect(throws: OperatorError("min: expected a scalar, found shape [2]")) {
      try clip.infer([x, x])
    }
  }

  @Test("far from zero functions keep their digits and do not overflow")
  func extremes() throws {
    func value(_ kind: String, _ x: Double) throws -> Double {
      let node = try #require(Activations.operators[kind]).init(NodeReader(kind))
      let y = try #require(try node.evaluate([Tensor([x])], Double.self).first)
      return try y.elements(of: Double.self)[0]
    }
    func slope(_ kind: String, _ x: Double) throws -> Double {
      let node = try #require(Activations.operators[kind]).init(NodeReader(kind))
      return try gradient(node, [Tensor([x])], Tensor([1.0]))[0]
    }
    #expect(try value("Sigmoid", -1000) == 0)
    #expect(try value("Sigmoid", 1000) == 1)
    #expect(try value("Softplus", 1000) == 1000)
    // exp(-40), whose square root of an ulp is far below 1 + exp(-40).
    #expect(abs(try value("Softplus", -40) / 4.248354255291589e-18 - 1) < 1e-15)
    #expect(abs(try value("Elu", -1e-12) / -9.999999999995e-13 - 1) < 1e-15)
    #expect(try value("Elu", -1000) == -1)
    #expect(abs(try slope("Sigmoid", 40) / 4.248354255291589e-18 - 1) < 1e-15)
    // sech²(20) = 4 exp(-40) / (1 + exp(-40))².
    #expect(abs(try slope("Tanh", 20) / (4 * 4.248354255291589e-18) - 1) < 1e-15)
  }

  @Test("NaN stays NaN")
  func notANumber() throws {
    for (kind, type) in Activations.operators.sorted(by: { $0.key < $1.key }) where kind != "PRelu"
    {
      let node = try type.init(
        NodeReader(kind, opset: 6, kind == "Clip" ? ["min": .real(0), "max": .real(6)] : [:]))
      let y = try #require(try node.evaluate([Tensor([Float.nan])], Float.self).first)
      #expect(try y.elements(of: Float.self)[0].isNaN, "\(kind)")
    }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    let attributes: [String: [String: Graph.Attribute]] = [
      "LeakyRelu": ["alpha": .real(0.1)], "Elu": ["alpha": .real(1)], "Celu": ["alpha": .real(1)],
      "Selu": ["alpha": .real(1.6), "gamma": .real(1)],
      "HardSigmoid": ["alpha": .real(0.2), "beta": .real(0.5)],
      "Gelu": ["approximate": .string("tanh")],
    ]
    let inputs = ["PRelu": [[2, 3], [3]], "Clip": [[2, 3], [], []]]
    for (kind, type) in Activations.operators.sorted(by: { $0.key < $1.key }) {
      try AttributeSweep.run(
        type, kind, attributes: attributes[kind] ?? [:], inputs: inputs[kind] ?? [[2, 3]])
    }
    try AttributeSweep.run(
      Clip.self, "Clip", attributes: ["min": .real(0), "max": .real(1)], inputs: [[2, 3]], opset: 6)
  }

  private func gradient(
    _ node: any Operator, _ inputs: [Tensor?], _ g: Tensor, _ rule: BackwardRule = .gradient
  ) throws -> [Double] {
    let outputs = try node.evaluate(inputs, Double.self)
    let point = Point(
      inputs: inputs, outputs: outputs, wanted: inputs.indices.map { $0 == 0 }, rule: rule)
    let result = try #require(try node.pullback([g], at: point, Double.self).first ?? nil)
    return try result.elements(of: Double.self)
  }
}

private let activations = [
  FormulaCase(
    "Relu", "Relu", opset: 14, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      0 0 0.78125 3.671875 0 0 2.265625 0 0 0.859375 3.75 0
      """),
  FormulaCase(
    "LeakyRelu", "LeakyRelu", opset: 6, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -0.05 -0.02109375 0.78125 3.671875 -0.03515625 -0.00625 2.265625 -0.04921875 -0.0203125
      0.859375 3.75 -0.034375
      """),
  FormulaCase(
    "LeakyRelu alpha 0.25", "LeakyRelu", opset: 16, ["alpha": .real(0.25)], inputs: [[3, 4]],
    scale: 5, shape: [3, 4],
    output: """
      -1.25 -0.5273438 0.78125 3.671875 -0.8789062 -0.15625 2.265625 -1.230469 -0.5078125 0.859375
      3.75 -0.859375
      """),
  FormulaCase(
    "Elu alpha 1.5", "Elu", opset: 6, ["alpha": .real(1.5)], inputs: [[3, 4]], scale: 5,
    shape: [3, 4],
    output: """
      -1.489893 -1.318029 0.78125 3.671875 -1.455406 -0.6971078 2.265625 -1.489072 -1.303243
      0.859375 3.75 -1.451783
      """),
  FormulaCase(
    "Selu", "Selu", opset: 6, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -1.746253 -1.544818 0.8208601 3.858043 -1.705832 -0.8170565 2.380495 -1.745291 -1.527487
      0.9029462 3.940129 -1.701585
      """),
  FormulaCase(
    "Selu alpha 2.0, gamma 0.5", "Selu", opset: 6, ["alpha": .real(2.0), "gamma": .real(0.5)],
    inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -0.9932621 -0.8786862 0.390625 1.835938 -0.9702708 -0.4647385 1.132812 -0.9927145 -0.8688285
      0.4296875 1.875 -0.967855
      """),
  FormulaCase(
    "Celu alpha 2.0", "Celu", opset: 12, ["alpha": .real(2.0)], inputs: [[3, 4]], scale: 5,
    shape: [3, 4],
    output: """
      -1.83583 -1.303397 0.78125 3.671875 -1.655157 -0.5367688 2.265625 -1.82929 -1.275648
      0.859375 3.75 -1.64142
      """),
  FormulaCase(
    "Sigmoid", "Sigmoid", opset: 13, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      0.006692916 0.108189 0.6859494 0.9752018 0.02887088 0.3486452 0.9059899 0.007232815
      0.1159607 0.70253 0.9770226 0.03114378
      """),
  FormulaCase(
    "Tanh", "Tanh", opset: 13, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -0.9999092 -0.9709929 0.6534237 0.9987077 -0.9982339 -0.5545997 0.978695 -0.9998938
      -0.9661702 0.6959355 0.9988945 -0.9979356
      """),
  FormulaCase(
    "Softplus", "Softplus", opset: 13, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      0.006715349 0.114501 1.158201 3.696986 0.02929587 0.4287007 2.364352 0.007259048 0.1232538
      1.212442 3.773246 0.03163911
      """),
  FormulaCase(
    "Softsign", "Softsign", opset: 13, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -0.8333334 -0.6783919 0.4385965 0.7859532 -0.7785468 -0.3846154 0.6937799 -0.8311346
      -0.6701031 0.4621849 0.7894737 -0.7746479
      """),
  FormulaCase(
    "HardSwish", "HardSwish", opset: 14, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -0 -0.3131104 0.4923503 3.671875 -0 -0.2473958 1.988322 -0 -0.3279622 0.5527751 3.75 -0
      """),
  FormulaCase(
    "HardSigmoid", "HardSigmoid", opset: 6, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      0 0.078125 0.65625 1 0 0.375 0.953125 0 0.09375 0.671875 1 0
      """),
  FormulaCase(
    "HardSigmoid alpha 0.5, beta 0.25", "HardSigmoid", opset: 6,
    ["alpha": .real(0.5), "beta": .real(0.25)], inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      0 0 0.640625 1 0 0 1 0 0 0.6796875 1 0
      """),
  FormulaCase(
    "Gelu", "Gelu", opset: 20, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -1.490116e-06 -0.03682149 0.6114627 3.671433 -0.0007711351 -0.166241 2.239033 -2.053566e-06
      -0.04288949 0.6917394 3.749668 -0.001009088
      """),
  FormulaCase(
    "Gelu approximate tanh", "Gelu", opset: 20, ["approximate": .string("tanh")], inputs: [[3, 4]],
    scale: 5, shape: [3, 4],
    output: """
      -2.980232e-07 -0.03662919 0.6113845 3.671569 -0.0005793991 -0.1662789 2.239348 -0
      -0.04276448 0.691636 3.749781 -0.0007854495
      """),
  FormulaCase(
    "Erf", "Erf", opset: 13, inputs: [[3, 4]], scale: 5, shape: [3, 4],
    output: """
      -1 -0.9971466 0.7307773 0.9999998 -0.9999993 -0.6232409 0.9986451 -1 -0.9959292 0.7757635
      0.9999999 -0.9999988
      """),
  FormulaCase(
    "PRelu, one slope per channel", "PRelu", opset: 16, inputs: [[1, 3, 2, 2], [3, 1, 1]], scale: 4,
    shape: [1, 3, 2, 2],
    output: """
      13.25 5.589844 0.625 2.9375 2.8125 0.5 1.8125 3.9375 -2.132812 0.6875 3 -3.609375
      """),
  FormulaCase(
    "PRelu, one slope", "PRelu", opset: 9, inputs: [[2, 3], [1]], scale: 4, shape: [2, 3],
    output: """
      13.25 5.589844 0.625 2.9375 9.316406 1.65625
      """),
  FormulaCase(
    "PRelu, a slope per element", "PRelu", opset: 7, inputs: [[2, 3], [2, 3]], scale: 4,
    shape: [2, 3],
    output: """
      13.25 1.6875 0.625 2.9375 5.976562 -0.09375
      """),
  FormulaCase(
    "Clip, attributes", "Clip", opset: 6, ["min": .real(-0.5), "max": .real(0.25)],
    inputs: [[3, 3]], shape: [3, 3],
    output: """
      -0.5 -0.421875 0.15625 0.25 -0.5 -0.125 0.25 -0.5 -0.40625
      """),
  FormulaCase(
    "Clip, minimum only", "Clip", opset: 6, ["min": .real(0.125)], inputs: [[3, 3]], shape: [3, 3],
    output: """
      0.125 0.125 0.15625 0.734375 0.125 0.125 0.453125 0.125 0.125
      """),
  FormulaCase(
    "Clip, inputs", "Clip", opset: 13, inputs: [[3, 3], [], []], shape: [3, 3],
    output: """
      -0.828125 -0.65625 -0.65625 -0.65625 -0.703125 -0.65625 -0.65625 -0.828125 -0.65625
      """),
  FormulaCase(
    "Mish", "Mish", opset: 18, [:],
    inputs: [[3, 7]], scale: 4, shape: [3, 7],
    output: """
      -0.07259174 -0.2836955 0.4895256 2.922655 -0.1638406 -0.2207438 1.742487 -0.07602078
      -0.2889796 0.5490663 2.986536 -0.1701931 -0.2015339 1.809854 -0.07958866 -0.2938043 0.6100184
      3.050296 -0.1766773 -0.1800401 1.877015
      """),
  FormulaCase(
    "ThresholdedRelu", "ThresholdedRelu", opset: 10, ["alpha": .real(0.5)],
    inputs: [[3, 7]], scale: 2, shape: [3, 7],
    output: """
      0 0 0 1.46875 0 0 0.90625 0 0 0 1.5 0 0 0.9375 0 0 0 1.53125 0 0 0.96875
      """),
]
