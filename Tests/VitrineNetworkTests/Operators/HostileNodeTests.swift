import Testing
import VitrineNetwork
import VitrineTensor

/// Every operator is given what no honest exporter writes (case 8 of the threat model): it may throw
/// an ``OperatorError`` or do what is asked, but neither trap nor throw anything else.
@Suite("Hostile nodes")
struct HostileNodeTests {
  static let operators = [
    Elementwise.operators, Comparisons.operators, Reductions.operators, Shaping.operators,
    Movement.operators, Constants.operators,
  ].reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  /// Nodes that are valid before they are mutated; some of every operator.
  static let examples =
    ElementwiseTests.cases + ArithmeticTests.cases + CastTests.cases + ComparisonTests.cases
    + ReductionTests.cases + ShapingTests.cases + MovementTests.cases + PadTests.cases
    + GatherTests.cases + ConstantsTests.cases

  static let extremes: [Int64] = [
    0, 1, -1, 2, .min, .max, .min + 1, 1 << 31, -1 << 31, 1 << 40, 1 << 60,
  ]

  @Test("of every operator are among the examples")
  func coverage() {
    #expect(Set(Self.examples.map(\.kind)) == Set(Self.operators.keys))
  }

  @Test("with hostile attributes are refused or run")
  func attributes() throws {
    let names = Dictionary(grouping: Self.examples, by: \.kind).mapValues { examples in
      Set(examples.flatMap(\.attributes.keys) + ["axis", "axes", "keepdims", "unknown"])
    }
    let lists =
      Self.extremes.map { [$0] } + [[], [0, 0], [.min, .max], Array(repeating: 1, count: 5000)]
    let values: [Graph.Attribute] =
      Self.extremes.map { .integer($0) } + lists.map { .integers($0) }
      + [
        .real(.nan), .real(-1), .string(""), .string("wrap"), .strings([]), .reals([]),
        .reals([.infinity]), .tensor(Tensor([Int64]())), .tensor(Tensor([1.0, 2.0])),
        .tensor(Tensor(scalar: true)),
      ]
    for example in Self.examples {
      for name in names[example.kind] ?? [] {
        for value in values {
          var attributes = example.attributes
          attributes[name] = value
          try run(example, attributes: attributes)
        }
      }
    }
  }

  @Test("with hostile lists of integers as inputs are refused or run")
  func integerInputs() throws {
    for example in Self.examples {
      let inputs = try example.inputs.map { try $0?.tensor() }
      for (index, input) in inputs.enumerated() {
        guard let input, input.dataType == .int64 else { continue }
        let elements = try input.elements(of: Int64.self)
        var mutated: [Tensor] = [
          Tensor([Int64]()), Tensor(scalar: Int64.min),
          Tensor(Array(repeating: Int64(1), count: 5000)),
        ]
        for value in Self.extremes {
          for place in elements.indices {
            var changed = elements
            changed[place] = value
            mutated.append(try Tensor(changed, shape: input.shape.dimensions))
          }
          mutated.append(Tensor(elements + [value]))
        }
        for tensor in mutated {
          var changed = inputs
          changed[index] = tensor
          try run(example, inputs: changed)
          try run(example, inputs: changed, unknown: [index])
        }
      }
    }
  }

  @Test("with inputs of any shape and type, or without them, are refused or run")
  func shapesAndTypes() throws {
    let shapes = [
      [], [0], [1], [5], [2, 0], [0, 3, 2], [2, 3, 4, 5], Array(repeating: 1, count: 40),
    ]
    for example in Self.examples {
      let inputs = try example.inputs.map { try $0?.tensor() }
      for index in inputs.indices {
        for dimensions in shapes {
          let shape = try Shape(dimensions)
          for type in [DataType.float64, .int64, .bool] {
            var changed = inputs
            changed[index] = Tensor(zeros: shape, type)
            try run(example, inputs: changed)
          }
        }
        var changed = inputs
        changed[index] = nil
        try run(example, inputs: changed)
      }
      try run(example, inputs: [])
      try run(example, inputs: inputs + inputs)
    }
  }

  @Test("with shapes at the limit of what can be addressed are refused or announced")
  func enormousShapes() throws {
    let shapes = try [[1 << 58], [1 << 30, 1 << 28], [0, 1 << 58], [1 << 57, 1]].map {
      try Shape($0)
    }
    for example in Self.examples {
      let node = try #require(Self.operators[example.kind]).init(example.reader)
      let types = PullbackCheck.valueTypes(of: try example.inputs.map { try $0?.tensor() })
      for index in types.indices {
        for shape in shapes {
          for type in [DataType.float32, .int64, .bool] {
            var changed = types
            changed[index] = ValueType(shape, type)
            try attempt { _ = try node.infer(changed) }
            let all = types.map { _ in ValueType(shape, type) }
            try attempt { _ = try node.infer(all) }
          }
        }
      }
    }
  }

  @Test("of every operator set are refused or run")
  func operatorSets() throws {
    for example in Self.examples {
      for opset in 7...28 { try run(example, opset: opset) }
    }
  }

  // MARK: -

  private func run(
    _ example: OnnxruntimeCase, attributes: [String: Graph.Attribute]? = nil,
    inputs: [Tensor?]? = nil, unknown: [Int] = [], opset: Int? = nil
  ) throws {
    let type = try #require(Self.operators[example.kind])
    let inputs = try inputs ?? example.inputs.map { try $0?.tensor() }
    let original = example.reader.node
    let graphNode = Graph.Node(
      name: original.name, kind: original.kind,
      inputs: inputs.indices.map { inputs[$0] == nil ? "" : "x\($0)" }, outputs: original.outputs,
      attributes: attributes ?? original.attributes)
    try attempt {
      let node = try type.init(NodeReader(graphNode, opset: opset ?? example.opset))
      let types = try node.infer(PullbackCheck.valueTypes(of: inputs, unknown: unknown))
      #expect(types.count == original.outputs.count)
      // The caller's budget.
      guard types.allSatisfy({ $0.shape.count <= 10_000 }) else { return }
      let outputs = try node.evaluate(inputs, Double.self)
      #expect(outputs.map(\.shape) == types.map(\.shape), "\(example)")
      #expect(outputs.map { inferred($0.dataType) } == types.map(\.dataType), "\(example)")
      let cotangents = outputs.map { $0.dataType == .float64 ? $0 : nil }
      let point = Point(
        inputs: inputs, outputs: outputs, wanted: inputs.map { $0 != nil })
      let gradients = try node.pullback(cotangents, at: point, Double.self)
      #expect(gradients.count == inputs.count)
      for (gradient, input) in zip(gradients, inputs) where gradient != nil {
        #expect(gradient?.shape == input?.shape, "\(example)")
        #expect(input?.dataType == .float64, "\(example)")
      }
    }
  }

  private func inferred(_ type: DataType) -> DataType { type == .float64 ? .float32 : type }

  /// Runs `body`, which may throw an ``OperatorError`` of one line of bounded length.
  private func attempt(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as OperatorError {
      #expect(!error.reason.isEmpty && error.reason.count < 1000 && !error.reason.contains("\n"))
    }
  }
}
