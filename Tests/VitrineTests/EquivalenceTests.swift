import Testing
import Vitrine
import VitrineTestSupport

/// A way to write the network of these tests; all compute the same function.
///
/// Two convolutions of 3×3 with batch normalisation and ReLU, max pooling after the first, the mean over
/// positions and a dense layer. Parameters are binary fractions with few digits, and factors are powers
/// of two, so that folding, scaling and halving them is exact and what remains is the rounding of a call.
private struct Writing: Sendable, CustomTestStringConvertible {
  enum Rectifier: Sendable { case relu, maximum, clip }

  /// What differs from the plain writing; for messages.
  var testDescription: String
  /// Batch normalisation as a node of its own, or within the convolution's weights.
  var normalizes = false
  /// Biases as Add nodes after Conv, or as its third input.
  var addsBias = false
  var rectifier = Rectifier.relu
  /// Every channel twice, 2 and 4 times as large, the copies apart and in another order.
  var doublesUnits = false
  /// Dense layer as MatMul and Add, or as Gemm.
  var multiplies = false
  /// What acts on single elements between a pair of Transposes, or as it is.
  var isChannelsLast = false
  /// The mean over positions as ReduceMean and Reshape, or as GlobalAveragePool and Flatten.
  var reducesMean = false

  init(_ description: String, _ change: (inout Writing) -> Void = { _ in }) {
    testDescription = description
    change(&self)
  }

  static let plain = Writing("plain")

  static let others = [
    Writing("batch normalisation as a node") { $0.normalizes = true },
    Writing("bias as an Add node") { $0.addsBias = true },
    Writing("ReLU as Max") { $0.rectifier = .maximum },
    Writing("ReLU as Clip") { $0.rectifier = .clip },
    Writing("units doubled, scaled and permuted") { $0.doublesUnits = true },
    Writing("dense layer as MatMul and Add") { $0.multiplies = true },
    Writing("channels last between transposes") { $0.isChannelsLast = true },
    Writing("mean over positions as ReduceMean") { $0.reducesMean = true },
    Writing("everything at once") {
      $0.normalizes = true
      $0.addsBias = true
      $0.rectifier = .clip
      $0.doublesUnits = true
      $0.multiplies = true
      $0.isChannelsLast = true
      $0.reducesMean = true
    },
  ]
}

/// The nodes of a graph as they are added; every method returns the name of what it adds.
private struct Draft {
  private(set) var nodes: [Graph.Node] = []
  private(set) var constants: [String: Tensor] = [:]

  mutating func node(
    _ kind: String, _ inputs: [String], named name: String? = nil,
    _ attributes: [String: Graph.Attribute] = [:]
  ) -> String {
    let name = name ?? "\(kind.lowercased())\(nodes.count)"
    nodes.append(
      Graph.Node(name: name, kind: kind, inputs: inputs, outputs: [name], attributes: attributes))
    return name
  }

  mutating func constant(_ values: [Float], _ shape: [Int]) throws -> String {
    constant(try Tensor(values, shape: shape))
  }

  mutating func constant(_ tensor: Tensor) -> String {
    let name = "constant\(constants.count)"
    constants[name] = tensor
    return name
  }
}

/// Binary fractions in -1...1, never zero: odd multiples of 1/32.
private func fractions(_ count: Int, seed: UInt64) -> [Float] {
  var generator = RandomGenerator(seed: seed)
  return (0..<count).map { _ in Float(2 * Int(generator.uniformDouble() * 32) - 31) / 32 }
}

/// A convolution with stored statistics, before it is written one way or another.
private struct Layer {
  let inputs: Int
  let outputs: Int
  var weights: [Float]
  var bias: [Float]
  var scale: [Float]
  var offset: [Float]
  var mean: [Float]
  /// Square roots of the variances, powers of two.
  var deviations: [Float]

  init(from inputs: Int, to outputs: Int, seed: UInt64) {
    self.inputs = inputs
    self.outputs = outputs
    weights = fractions(outputs * inputs * 9, seed: seed)
    bias = fractions(outputs, seed: seed + 1)
    scale = fractions(outputs, seed: seed + 2).map { 1 + $0 / 2 }
    offset = fractions(outputs, seed: seed + 3)
    mean = fractions(outputs, seed: seed + 4)
    deviations = (0..<outputs).map { [0.5, 1, 2][$0 % 3] }
  }

  /// The same function with normalisation within weights and bias.
  var folded: Layer {
    var result = self
    for k in 0..<outputs {
      let factor = scale[k] / deviations[k]
      for i in k * inputs * 9..<(k + 1) * inputs * 9 { result.weights[i] *= factor }
      result.bias[k] = (bias[k] - mean[k]) * factor + offset[k]
    }
    return result
  }

  /// The layer with output `copies[k].unit`, `copies[k].factor` times as large, at each k.
  func withOutputs(_ copies: [(unit: Int, factor: Float)]) -> Layer {
    var result = Layer(from: inputs, to: copies.count, seed: 0)
    func picked(_ values: [Float]) -> [Float] { copies.map { values[$0.unit] } }
    result.weights = []
    for (unit, _) in copies {
      result.weights += weights[unit * inputs * 9..<(unit + 1) * inputs * 9]
    }
    result.bias = picked(bias)
    result.mean = picked(mean)
    result.deviations = picked(deviations)
    result.scale = zip(picked(scale), copies).map { $0 * $1.factor }
    result.offset = zip(picked(offset), copies).map { $0 * $1.factor }
    return result
  }

  /// The layer that takes such outputs and computes what this one does.
  func withInputs(_ copies: [(unit: Int, factor: Float)]) -> Layer {
    var result = Layer(from: copies.count, to: outputs, seed: 0)
    result.weights = []
    for k in 0..<outputs {
      for (unit, factor) in copies {
        let start = (k * inputs + unit) * 9
        result.weights += weights[start..<start + 9].map { $0 / (2 * factor) }
      }
    }
    (result.bias, result.mean, result.deviations) = (bias, mean, deviations)
    (result.scale, result.offset) = (scale, offset)
    return result
  }
}

extension Writing {
  func graph() throws -> Graph {
    var draft = Draft()
    var first = Layer(from: 2, to: 4, seed: 10)
    var second = Layer(from: 4, to: 5, seed: 20)
    var dense = fractions(3 * 5, seed: 30)
    if doublesUnits {
      let copies = copies(of: 4)
      first = first.withOutputs(copies)
      second = second.withInputs(copies)
      let others = self.copies(of: 5)
      second = second.withOutputs(others)
      let rows = stride(from: 0, to: 15, by: 5).map { dense[$0..<$0 + 5] }
      dense = rows.flatMap { row in
        others.map { unit, factor in row[row.startIndex + unit] / (2 * factor) }
      }
    }
    var x = try add(first, to: "x", &draft)
    x = draft.node(
      "MaxPool", [x], ["kernel_shape": .integers([2, 2]), "strides": .integers([2, 2])])
    x = try add(second, to: x, &draft)
    let features = second.outputs
    if reducesMean {
      x = draft.node("ReduceMean", [x], ["axes": .integers([2, 3]), "keepdims": .integer(0)])
    } else {
      x = draft.node("Flatten", [draft.node("GlobalAveragePool", [x])])
    }
    let bias = try draft.constant(fractions(3, seed: 31), [3])
    if multiplies {
      let transposed = (0..<features).flatMap { i in (0..<3).map { dense[$0 * features + i] } }
      let product = draft.node("MatMul", [x, try draft.constant(transposed, [features, 3])])
      _ = draft.node("Add", [product, bias], named: "logits")
    } else {
      _ = draft.node(
        "Gemm", [x, try draft.constant(dense, [3, features]), bias], named: "logits",
        ["transB": .integer(1)])
    }
    return Graph(
      opset: 17,
      inputs: [
        Graph.Port(
          name: "x", dataType: .float32,
          dimensions: [.dynamic("batch"), .fixed(2), .fixed(8), .fixed(8)])
      ],
      outputs: [Graph.Port(name: "logits", dataType: .float32, dimensions: nil)],
      nodes: draft.nodes, constants: draft.constants)
  }

  private func copies(of count: Int) -> [(unit: Int, factor: Float)] {
    (0..<count).reversed().map { ($0, 2) } + (0..<count).map { ($0, 4) }
  }

  private func add(_ layer: Layer, to input: String, _ draft: inout Draft) throws -> String {
    let written = normalizes ? layer : layer.folded
    let bias = written.bias
    var inputs = [
      input, try draft.constant(written.weights, [layer.outputs, layer.inputs, 3, 3]),
    ]
    if !addsBias { inputs.append(try draft.constant(bias, [layer.outputs])) }
    var x = draft.node("Conv", inputs, ["pads": .integers([1, 1, 1, 1])])
    if addsBias && !isChannelsLast {
      x = draft.node("Add", [x, try draft.constant(bias, [1, layer.outputs, 1, 1])])
    }
    if isChannelsLast {
      x = draft.node("Transpose", [x], ["perm": .integers([0, 2, 3, 1])])
      if addsBias { x = draft.node("Add", [x, try draft.constant(bias, [layer.outputs])]) }
      if normalizes { x = draft.node("Transpose", [x], ["perm": .integers([0, 3, 1, 2])]) }
    }
    if normalizes {
      // The epsilon is a binary fraction too, so that the root of the sum is exact.
      let epsilon: Float = 1 / 1024
      x = draft.node(
        "BatchNormalization",
        [
          x, try draft.constant(layer.scale, [layer.outputs]),
          try draft.constant(layer.offset, [layer.outputs]),
          try draft.constant(layer.mean, [layer.outputs]),
          try draft.constant(layer.deviations.map { $0 * $0 - epsilon }, [layer.outputs]),
        ], ["epsilon": .real(Double(epsilon))])
      if isChannelsLast {
        x = draft.node("Transpose", [x], ["perm": .integers([0, 2, 3, 1])])
      }
    }
    x =
      switch rectifier {
      case .relu: draft.node("Relu", [x])
      case .maximum: draft.node("Max", [x, try draft.constant([0], [])])
      case .clip: draft.node("Clip", [x, try draft.constant([0], [])])
      }
    return isChannelsLast
      ? draft.node("Transpose", [x], ["perm": .integers([0, 3, 1, 2])]) : x
  }
}

/// A law of the field (Sundararajan, Taly, Yan, 2017, §2.2), and what an exporter's choices must not change.
@Suite("One function written in different ways")
struct EquivalenceTests {
  /// Methods that need to be told something, or whose iteration would amplify rounding.
  private static let options = [
    "activations": ["layers": "logits"],
    "filter-visualization": ["steps": "3"],
  ]

  /// Those that treat ReLUs by a rule of their own, which they find by its name.
  private static let rectifierMethods: Set = [
    "guided-backpropagation", "deconvnet", "guided-grad-cam",
  ]

  /// Relative L2 distances. Gradients of these networks are sums of binary fractions and come out equal;
  /// what depends on values differs by the order of sums of up to 72 terms: measured are 2.6e-7, and 4.9e-16
  /// in double precision.
  private static let limits: [(Network.Precision, Double)] = [(.single, 2e-6), (.double, 1e-14)]

  @Test("has the same attributions by every method", arguments: Writing.others)
  fileprivate func sameAttributions(_ writing: Writing) throws {
    for (precision, limit) in Self.limits {
      let configuration = Network.Configuration(precision: precision)
      let plain = try Network(Writing.plain.graph(), configuration: configuration)
      let other = try Network(writing.graph(), configuration: configuration)
      let x = try Tensor.random(
        [2, 2, 8, 8], seed: 5, precision == .double ? .float64 : .float32)
      for method in MethodCatalog.standard.methods {
        let id = method.identifier
        if writing.rectifier == .maximum && Self.rectifierMethods.contains(id) { continue }
        let explainer = try MethodCatalog.standard.explainerType(named: id)
          .init(Self.options[id] ?? [:])
        func explain(_ network: Network) throws -> Explanation {
          try explainer.explain(
            network, at: Inputs(x, for: network), target: .top, context: Context(seed: 1))
        }
        let expected = try explain(plain)
        let found = try explain(other)
        #expect(found.attributions.count == expected.attributions.count)
        for (a, b) in zip(found.attributions, expected.attributions) {
          #expect(a.tensor.shape == b.tensor.shape)
          #expect(try b.tensor.norm() > 1e-3, "\(id) says nothing here")
          let distance = try relativeDistance(a.tensor, b.tensor)
          #expect(distance <= limit, "\(id), \(precision)")
        }
        #expect(found.explained.elements == expected.explained.elements)
        for (a, b) in zip(found.explained.values, expected.explained.values) {
          #expect((a - b).magnitude <= limit * max(b.magnitude, 1), "\(id), \(precision)")
        }
      }
    }
  }

  @Test("is not what the test would accept of another function")
  func otherFunction() throws {
    let plain = try Network(Writing.plain.graph(), configuration: .init(precision: .double))
    var graph = try Writing.plain.graph()
    // One weight of the dense layer, by 1 part in 1024.
    let name = try #require(graph.nodes.last?.inputs[1])
    var weights = try #require(graph.constants[name]).elements(of: Float.self)
    weights[0] *= 1 + 1 / 1024
    graph.constants[name] = try Tensor(weights, shape: [3, 5])
    let other = try Network(graph, configuration: .init(precision: .double))
    let x = try Tensor.random([2, 2, 8, 8], seed: 5, .float64)
    func jacobian(_ network: Network) throws -> Tensor {
      try InputJacobian(timing: false).explain(
        network, at: Inputs(x, for: network), target: .top, context: Context()
      ).attribution.tensor
    }
    #expect(try relativeDistance(jacobian(other), jacobian(plain)) > 1e-5)
  }
}
