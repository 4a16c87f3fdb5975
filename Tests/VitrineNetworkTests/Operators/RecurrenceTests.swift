import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Recurrence")
struct RecurrenceTests {
  @Test("outputs are those of onnxruntime", arguments: recurrences)
  fileprivate func reference(_ example: RecurrentCase) throws {
    try example.check()
  }

  @Test("the pullback is the derivative with respect to sequence, parameters and initial states")
  func pullback() throws {
    var numbers = RandomNumbers(seed: 41)
    let (steps, batch, inputs, hidden) = (3, 2, 3, 2)
    for (kind, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
      for (direction, directions) in [("forward", 1), ("reverse", 1), ("bidirectional", 2)] {
        for variant in 0..<4 {
          let isBatchFirst = variant & 1 == 1
          var attributes: [String: Graph.Attribute] = [
            "hidden_size": .integer(Int64(hidden)), "direction": .string(direction),
            "layout": .integer(isBatchFirst ? 1 : 0),
          ]
          if kind == "GRU" {
            attributes["linear_before_reset"] = .integer(variant & 2 == 2 ? 1 : 0)
          }
          let type = try #require(Recurrences.operators[kind])
          let node = try type.init(
            NodeReader(kind, inputs: 6, outputs: kind == "LSTM" ? 3 : 2, attributes))
          let states =
            isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
          let rows = gates * hidden
          let tensors: [Tensor?] = [
            try numbers.uniform(isBatchFirst ? [batch, steps, inputs] : [steps, batch, inputs]),
            try numbers.uniform([directions, rows, inputs]),
            try numbers.uniform([directions, rows, hidden]),
            variant == 1 ? nil : try numbers.uniform([directions, 2 * rows]), nil,
            variant == 2 ? nil : try numbers.uniform(states),
            kind == "LSTM" ? try numbers.uniform(states) : nil,
          ]
          let given = Array(tensors.prefix(kind == "LSTM" ? 7 : 6))
          try PullbackCheck.run(node, inputs: given)
          try PullbackCheck.comparePrecisions(node, inputs: given)
        }
      }
    }
  }

  @Test("the layout with the batch first gives the same states")
  func layout() throws {
    var numbers = RandomNumbers(seed: 42)
    let x = try numbers.uniform([4, 2, 3])
    let parameters = [try numbers.uniform([2, 8, 3]), try numbers.uniform([2, 8, 2])]
    func states(_ x: Tensor, _ layout: Int64) throws -> [Tensor] {
      let node = try LSTMOperator(
        NodeReader(
          "LSTM", inputs: 3, outputs: 3,
          [
            "hidden_size": .integer(2), "direction": .string("bidirectional"),
            "layout": .integer(layout),
          ]))
      return try node.evaluate([x] + parameters, Double.self)
    }
    let usual = try states(x, 0)
    let batchFirst = try states(x.transposed(axes: [1, 0, 2]), 1)
    #expect(try batchFirst[0] == usual[0].transposed(axes: [2, 0, 1, 3]))
    #expect(try batchFirst[1] == usual[1].transposed(axes: [1, 0, 2]))
    #expect(try batchFirst[2] == usual[2].transposed(axes: [1, 0, 2]))
  }

  @Test("what is not supported is refused with its name")
  func refusals() throws {
    func make(_ attributes: [String: Graph.Attribute], inputs: Int = 3) throws -> any Operator {
      let all = attributes.merging(["hidden_size": .integer(2)]) { first, _ in first }
      return try LSTMOperator(NodeReader("LSTM", inputs: inputs, all))
    }
    #expect(throws: OperatorError("clip: clipped gates are not supported")) {
      try make(["clip": .real(1)])
    }
    #expect(throws: OperatorError("input_forget: coupled gates are not supported")) {
      try make(["input_forget": .integer(1)])
    }
    #expect(
      throws: OperatorError("activations: expected Sigmoid, Tanh or Relu, found 'ScaledTanh'")
    ) { try make(["activations": .strings(["Sigmoid", "ScaledTanh", "Tanh"])]) }
    #expect(throws: OperatorError("activations: expected 3 names, found 1")) {
      try make(["activations": .strings(["Sigmoid"])])
    }
    #expect(
      throws: OperatorError("direction: expected forward, reverse or bidirectional, found 'up'")
    ) { try make(["direction": .string("up")]) }
    #expect(throws: OperatorError("hidden_size: expected at least 1, found 0")) {
      try make(["hidden_size": .integer(0)])
    }

    func infer(_ extra: [ValueType?]) throws {
      let shapes = [[3, 2, 4], [1, 8, 4], [1, 8, 2]]
      _ = try make([:], inputs: 3 + extra.count).infer(
        try shapes.map { ValueType(try Shape($0), .float32) } + extra)
    }
    let peepholes = ValueType(try Shape([1, 6]), .float32)
    #expect(throws: OperatorError("input 'P': peephole connections are not supported")) {
      try infer([nil, nil, nil, nil, peepholes])
    }
    #expect(throws: Never.self) {
      try infer([nil, ValueType(constant: Tensor([Int64(3), 3]))])
    }
    #expect(
      throws: OperatorError("sequences of different lengths in one batch are not supported")
    ) { try infer([nil, ValueType(constant: Tensor([Int64(3), 2]))]) }
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    for (kind, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
      let type = try #require(Recurrences.operators[kind])
      try AttributeSweep.run(
        type, kind,
        attributes: [
          "hidden_size": .integer(2), "direction": .string("forward"), "layout": .integer(0),
          "activations": .strings(kind == "LSTM" ? ["Sigmoid", "Tanh", "Tanh"] : []),
          "activation_alpha": .reals([]), "activation_beta": .reals([]),
          "input_forget": .integer(0), "linear_before_reset": .integer(0),
        ], inputs: [[2, 2, 3], [1, gates * 2, 3], [1, gates * 2, 2], [1, gates * 4]])
    }
  }
}

/// A recurrent node, inputs that a formula gives, and all outputs that onnxruntime computes.
///
/// As ``FormulaCase``; an input that is `nil` is left out.
private struct RecurrentCase: CustomTestStringConvertible, Sendable {
  let testDescription: String
  private let kind: String
  private let attributes: [String: Graph.Attribute]
  private let inputs: [[Int]?]
  private let outputs: [(shape: [Int], elements: String)]

  init(
    _ name: String, _ kind: String, _ attributes: [String: Graph.Attribute], inputs: [[Int]?],
    outputs: [([Int], String)]
  ) {
    testDescription = "\(kind) \(name)"
    self.kind = kind
    self.attributes = attributes
    self.inputs = inputs
    self.outputs = outputs.map { (shape: $0.0, elements: $0.1) }
  }

  func check() throws {
    let type = try #require(Recurrences.operators[kind])
    let node = try type.init(
      NodeReader(kind, inputs: inputs.count, outputs: outputs.count, opset: 14, attributes))
    let tensors = try inputs.enumerated().map { index, shape -> Tensor? in
      guard let shape else { return nil }
      let elements = (0..<shape.reduce(1, *)).map { i in
        Double((37 * i + 11 * index) % 129 - 64) / 64
      }
      return try Tensor(elements, shape: shape)
    }
    let results = try node.evaluate(tensors, Double.self)
    #expect(
      try node.infer(PullbackCheck.valueTypes(of: tensors)).map(\.shape)
        == results.map(\.shape))
    for (result, expected) in zip(results, outputs) {
      #expect(result.shape.dimensions == expected.shape)
      let numbers = expected.elements.split(whereSeparator: \.isWhitespace).compactMap {
        Double($0)
      }
      let distance = PullbackCheck.relativeDistance(
        try result.elements(of: Double.self), to: numbers)
      #expect(distance < FormulaCase.tolerance)
    }
    try PullbackCheck.comparePrecisions(node, inputs: tensors, tolerance: FormulaCase.tolerance)
  }
}

private let recurrences = [
  RecurrentCase(
    "forward", "RNN", ["hidden_size": .integer(2)],
    inputs: [[3, 2, 3], [1, 2, 3], [1, 2, 2], [1, 4]],
    outputs: [
      (
        [3, 1, 2, 2],
        """
        0.8250284 -0.8732673 -0.2783464 0.3463833 -0.4991339 0.9003146 -0.2091826 -0.8876395
        0.09990263 -0.9736996 0.7268209 -0.3469999
        """
      ),
      (
        [1, 2, 2],
        """
        0.09990263 -0.9736996 0.7268209 -0.3469999
        """
      ),
    ]),
  RecurrentCase(
    "bidirectional relu with initial state", "RNN",
    [
      "hidden_size": .integer(2), "direction": .string("bidirectional"),
      "activations": .strings(["Relu", "Tanh"]),
    ],
    inputs: [[3, 2, 3], [2, 2, 3], [2, 2, 2], [2, 4], nil, [2, 2, 2]],
    outputs: [
      (
        [3, 2, 2, 2],
        """
        1.230469 0 0.4033203 0.2568359 0.03029919 0.1301519 0.9639953 -0.7205967 0 0.8579102 0 0
        0.9514267 -0.4122282 0.1355054 0.9482023 0 0 0.715332 0 0.5807371 0.4381756 0.405876
        -0.7233093
        """
      ),
      (
        [2, 2, 2],
        """
        0 0 0.715332 0 0.03029919 0.1301519 0.9639953 -0.7205967
        """
      ),
    ]),
  RecurrentCase(
    "forward", "GRU", ["hidden_size": .integer(2)],
    inputs: [[3, 2, 3], [1, 6, 3], [1, 6, 2], [1, 12]],
    outputs: [
      (
        [3, 1, 2, 2],
        """
        -0.1654002 0.3017043 -0.4207498 -0.1030404 -0.4437681 -0.05006444 -0.1960619 0.02031446
        -0.2184218 -0.1646128 -0.3652644 0.5979645
        """
      ),
      (
        [1, 2, 2],
        """
        -0.2184218 -0.1646128 -0.3652644 0.5979645
        """
      ),
    ]),
  RecurrentCase(
    "reverse, linear before reset", "GRU",
    [
      "hidden_size": .integer(2), "direction": .string("reverse"),
      "linear_before_reset": .integer(1),
    ],
    inputs: [[3, 2, 3], [1, 6, 3], [1, 6, 2], [1, 12], nil, [1, 2, 2]],
    outputs: [
      (
        [3, 1, 2, 2],
        """
        -0.3936703 0.3293678 -0.5735 0.1068529 -0.3132269 -0.3058578 -0.4285972 0.2832263 0.1424509
        -0.2249854 -0.9769949 0.521942
        """
      ),
      (
        [1, 2, 2],
        """
        -0.3936703 0.3293678 -0.5735 0.1068529
        """
      ),
    ]),
  RecurrentCase(
    "bidirectional, linear before reset", "GRU",
    [
      "hidden_size": .integer(2), "direction": .string("bidirectional"),
      "linear_before_reset": .integer(1),
    ],
    inputs: [[3, 2, 3], [2, 6, 3], [2, 6, 2], [2, 12]],
    outputs: [
      (
        [3, 2, 2, 2],
        """
        -0.1500722 0.3731149 -0.4049226 -0.07010855 0.4038283 -0.1503749 0.6508223 -0.1321483
        -0.4031038 -0.01583694 -0.06510732 0.06766243 0.5079466 -0.06615531 0.5986462 0.08735091
        -0.09401524 -0.1450262 -0.2558358 0.6128517 0.5317804 0.133958 0.1163981 -0.09445849
        """
      ),
      (
        [2, 2, 2],
        """
        -0.09401524 -0.1450262 -0.2558358 0.6128517 0.4038283 -0.1503749 0.6508223 -0.1321483
        """
      ),
    ]),
  RecurrentCase(
    "bidirectional without bias", "GRU",
    ["hidden_size": .integer(2), "direction": .string("bidirectional")],
    inputs: [[3, 2, 3], [2, 6, 3], [2, 6, 2]],
    outputs: [
      (
        [3, 2, 2, 2],
        """
        -0.1163473 0.1394275 -0.1822795 -0.1274987 -0.2857262 -0.07734822 0.1242732 0.01885578
        -0.1866564 -0.1162809 0.3874548 -0.2239719 -0.05198224 0.07077257 0.4916139 0.4089718
        0.3443646 -0.3700556 -0.002654374 0.222428 0.4424014 0.4599266 -0.104766 -0.1651704
        """
      ),
      (
        [2, 2, 2],
        """
        0.3443646 -0.3700556 -0.002654374 0.222428 -0.2857262 -0.07734822 0.1242732 0.01885578
        """
      ),
    ]),
  RecurrentCase(
    "forward", "LSTM", ["hidden_size": .integer(2)],
    inputs: [[3, 2, 3], [1, 8, 3], [1, 8, 2], [1, 16]],
    outputs: [
      (
        [3, 1, 2, 2],
        """
        0.1905513 0.03981718 0.00250194 -0.1148984 0.1866261 -0.07625035 -0.00514206 -0.3972829
        0.07438421 -0.3170504 0.1193765 -0.1500123
        """
      ),
      (
        [1, 2, 2],
        """
        0.07438421 -0.3170504 0.1193765 -0.1500123
        """
      ),
      (
        [1, 2, 2],
        """
        0.1857012 -0.675857 0.3876812 -0.6561983
        """
      ),
    ]),
  RecurrentCase(
    "reverse with initial states", "LSTM",
    ["hidden_size": .integer(2), "direction": .string("reverse")],
    inputs: [[3, 2, 3], [1, 8, 3], [1, 8, 2], [1, 16], nil, [1, 2, 2], [1, 2, 2]],
    outputs: [
      (
        [3, 1, 2, 2],
        """
        0.1896121 -0.01168517 -0.001655033 -0.1676446 0.04477 -0.07517485 0.0306166 -0.1789569
        0.05641531 0.04937106 0.03134074 0.02080308
        """
      ),
      (
        [1, 2, 2],
        """
        0.1896121 -0.01168517 -0.001655033 -0.1676446
        """
      ),
      (
        [1, 2, 2],
        """
        0.5242205 -0.07369959 -0.002307191 -0.8412845
        """
      ),
    ]),
  RecurrentCase(
    "bidirectional", "LSTM", ["hidden_size": .integer(2), "direction": .string("bidirectional")],
    inputs: [[3, 2, 3], [2, 8, 3], [2, 8, 2], [2, 16], nil, [2, 2, 2], [2, 2, 2]],
    outputs: [
      (
        [3, 2, 2, 2],
        """
        0.235642 0.0658584 -0.4173751 -0.04990548 0.1766534 0.03002658 0.1445107 0.1099421 0.222536
        -0.02950939 -0.199567 -0.2559564 0.1515228 0.1256458 0.05478611 -0.05390916 0.09616943
        -0.258489 0.07878685 -0.07495902 0.1472564 0.1417805 -0.05495632 -0.02519313
        """
      ),
      (
        [2, 2, 2],
        """
        0.09616943 -0.258489 0.07878685 -0.07495902 0.1766534 0.03002658 0.1445107 0.1099421
        """
      ),
      (
        [2, 2, 2],
        """
        0.2423826 -0.5234454 0.2320306 -0.3619511 0.5236582 0.1146964 0.2937971 0.4064391
        """
      ),
    ]),
]
