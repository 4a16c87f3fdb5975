import Testing
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

/// Gradients of ⟨output, cotangent⟩ with respect to parameters, against central differences in float64.
@Suite("Parameter gradients")
struct ParameterGradientTests {
  /// A network that uses an operator with parameters in one of its ways.
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let inputs: [[Int]]
    var integers: Set<Int> = []
    var batch = 3
    let build: @Sendable (inout NetworkDraft) throws -> String

    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "dense", inputs: [[5]]) { try $0.dense("d", "x", 5, 4) },
    Case(name: "Gemm without transposition, scaled", inputs: [[5]]) {
      $0.node(
        "Gemm", ["x", try $0.random("w", [5, 4]), try $0.random("b", [1, 4])],
        ["alpha": .real(0.7), "beta": .real(1.3)])
    },
    Case(name: "MatMul and Add", inputs: [[4, 5]]) {
      let product = $0.node("MatMul", ["x", try $0.random("w", [5, 3])])
      return $0.node("Add", [product, try $0.random("b", [3])])
    },
    Case(name: "convolution, padded and strided", inputs: [[3, 7, 6]]) {
      try $0.convolution("c", "x", 3, 4, kernel: 3, pad: 1, stride: 2)
    },
    Case(name: "grouped convolution", inputs: [[4, 6, 6]]) {
      try $0.convolution("c", "x", 4, 6, kernel: 3, groups: 2)
    },
    Case(name: "dilated convolution along one axis", inputs: [[2, 11]]) {
      $0.node(
        "Conv", ["x", try $0.random("w", [3, 2, 3]), try $0.random("b", [3])],
        ["dilations": .integers([2]), "pads": .integers([1, 2])])
    },
    Case(name: "convolution over three axes", inputs: [[2, 3, 4, 4]]) {
      $0.node("Conv", ["x", try $0.random("w", [2, 2, 2, 2, 2])])
    },
    Case(name: "batch normalisation of pictures", inputs: [[3, 4, 5]]) {
      try $0.normalization("n", "x", 3)
    },
    Case(name: "batch normalisation of features, behind a layer", inputs: [[4]], batch: 6) {
      let x = try $0.dense("d", "x", 4, 3)
      return $0.node("Tanh", [try $0.normalization("n", x, 3)])
    },
    Case(name: "convolution, batch normalisation, pooling, dense", inputs: [[2, 8, 8]]) {
      var x = try $0.convolution("c", "x", 2, 4, kernel: 3, pad: 1)
      x = $0.node("Sigmoid", [try $0.normalization("n", x, 4)])
      x = $0.node("Flatten", [$0.maxPool(x)])
      return try $0.dense("d", x, 64, 3)
    },
    Case(name: "PRelu", inputs: [[3, 4]]) {
      $0.node("PRelu", ["x", try $0.random("slope", [3, 1], in: 0.1...0.4)])
    },
    Case(name: "Mul, Add, Sub, Div and Pow with constants", inputs: [[4]]) {
      var x = $0.node("Mul", ["x", try $0.random("scale", [4], in: 1...2)])
      x = $0.node("Add", [x, try $0.random("shift", [4], in: 3...4)])
      x = $0.node("Sub", [x, try $0.random("offset", [1, 4])])
      x = $0.node("Div", [x, try $0.random("divisor", [4], in: 1...2)])
      return $0.node("Pow", [x, try $0.random("exponent", [4], in: 1...2)])
    },
    Case(name: "embedding", inputs: [[5]], integers: [0]) {
      let x = $0.node("Gather", [try $0.random("table", [7, 3]), "x"])
      return $0.node("Tanh", [x])
    },
    Case(name: "weights moved before use", inputs: [[5]]) {
      let w = $0.node(
        "Transpose", [try $0.random("w", [4, 5])], ["perm": .integers([1, 0])])
      let product = $0.node("MatMul", ["x", w])
      return $0.node("Sum", [product, try $0.random("b", [4])])
    },
    Case(name: "one weight used twice", inputs: [[4]]) {
      let w = try $0.random("w", [4, 4])
      let x = $0.node("Tanh", [$0.node("MatMul", ["x", w])])
      return $0.node("MatMul", [x, w])
    },
    Case(name: "softmax over scores with learned keys", inputs: [[4, 6]]) {
      let scores = $0.node("MatMul", ["x", try $0.random("keys", [6, 5])])
      let weights = $0.node("Softmax", [scores], ["axis": .integer(-1)])
      return $0.node("MatMul", [weights, try $0.random("values", [5, 2])])
    },
    Case(name: "dropout", inputs: [[6]], batch: 4) {
      let x = try $0.dense("d", "x", 6, 8)
      let ratio = $0.constant("ratio", Tensor(scalar: Float(0.3)))
      return try $0.dense("e", $0.node("Dropout", [x, ratio]), 8, 2)
    },
  ]

  @Test("agree with central differences in float64", arguments: cases)
  func centralDifferences(_ test: Case) throws {
    var draft = NetworkDraft()
    let output = try test.build(&draft)
    let graph = draft.graph(test.inputs, output: output, integers: test.integers)
    let names = graph.constants.keys.filter { name in
      name != "ratio" && !name.hasSuffix(".mean") && !name.hasSuffix(".variance")
    }
    let training = try TrainingGraph(graph, trainable: Set(names))
    let engine = try TrainingEngine(
      training, output: output, configuration: .init(precision: .double))
    let inputs = try test.inputs.enumerated().map { index, shape in
      let numbers = try Tensor.random(
        [test.batch] + shape, in: test.integers.contains(index) ? 0...6.9 : -1...1,
        seed: UInt64(90 + index), .float64)
      return test.integers.contains(index) ? numbers.converted(to: .int64) : numbers
    }
    let parameters = training.parameters.map {
      (graph.constants[$0] ?? Tensor(scalar: 0.0)).converted(to: .float64)
    }
    var cotangent: [Double] = []

    func objective(_ parameters: [Tensor]) throws -> (value: Double, gradients: [Tensor]) {
      var value = 0.0
      let step = try engine.step(inputs: inputs, parameters: parameters, seed: 5) { outputs in
        if cotangent.isEmpty {
          cotangent = try Tensor.random(
            outputs.shape.dimensions, seed: 77, .float64
          ).elements(of: Double.self)
        }
        value = zip(try outputs.elements(of: Double.self), cotangent).reduce(0) {
          $0 + $1.0 * $1.1
        }
        return try Tensor(cotangent, shape: outputs.shape.dimensions)
      }
      return (value, step.gradients)
    }

    let gradients = try objective(parameters).gradients
    #expect(gradients.count == names.count)
    for (index, parameter) in parameters.enumerated() {
      let numbers = try parameter.elements(of: Double.self)
      let differences = try numbers.indices.map { i in
        func moved(_ by: Double) throws -> Double {
          var numbers = numbers
          numbers[i] += by
          var parameters = parameters
          parameters[index] = try Tensor(numbers, shape: parameter.shape.dimensions)
          return try objective(parameters).value
        }
        return try (moved(1e-5) - moved(-1e-5)) / 2e-5
      }
      let expected = try Tensor(differences, shape: parameter.shape.dimensions)
      // h² from curvature and 1e-16 / h from rounding.
      #expect(
        try error(gradients[index], expected, whole: gradients, share: 1e-3) < 1e-6,
        "\(training.parameters[index])")
    }
  }

  @Test("in float32 agree with float64", arguments: cases)
  func singlePrecision(_ test: Case) throws {
    var draft = NetworkDraft()
    let output = try test.build(&draft)
    let graph = draft.graph(test.inputs, output: output, integers: test.integers)
    let training = try TrainingGraph(graph, trainable: Set(graph.trainableParameters))
    let inputs = try test.inputs.enumerated().map { index, shape in
      let numbers = try Tensor.random(
        [test.batch] + shape, in: test.integers.contains(index) ? 0...6.9 : -1...1,
        seed: UInt64(90 + index))
      return test.integers.contains(index) ? numbers.converted(to: .int64) : numbers
    }
    func gradients(_ precision: Network.Precision) throws -> [Tensor] {
      let engine = try TrainingEngine(
        training, output: output, configuration: .init(precision: precision))
      let parameters = training.parameters.compactMap {
        graph.constants[$0]?.converted(to: engine.realType)
      }
      return try engine.step(inputs: inputs, parameters: parameters, seed: 5) { outputs in
        try Tensor.random(outputs.shape.dimensions, seed: 77, outputs.dataType)
      }.gradients
    }
    let double = try gradients(.double)
    for (single, expected) in zip(try gradients(.single), double) {
      #expect(try error(single, expected, whole: double, share: 0.1) < 2e-6)
    }
  }

  /// Returns the relative distance; where a gradient is zero by symmetry, as that of a bias before
  /// batch normalisation, it is measured by the other gradients.
  ///
  /// - Parameter share: The part of the largest gradient's norm that a smaller one is measured by.
  private func error(
    _ found: Tensor, _ expected: Tensor, whole: [Tensor], share: Double
  ) throws -> Double {
    let distance = try found.converted(to: .float64).subtracting(expected).norm()
    let scale = try whole.map { try $0.norm() }.max() ?? 0
    return try distance / max(expected.norm(), share * scale)
  }
}
