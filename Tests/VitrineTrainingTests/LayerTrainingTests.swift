import Testing
import VitrineCore
import VitrineLayers
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

/// Every kind of layer that networks can be built of is trained.
@Suite("Training of layers")
struct LayerTrainingTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let input: [Int]
    /// Number of symbols, for inputs that are symbols.
    var symbols: Int?
    let network: @Sendable (Network.Configuration) throws -> Network

    var testDescription: String { name }

    init(
      _ name: String, _ input: [Int], symbols: Int? = nil,
      @BlockBuilder _ blocks: @escaping @Sendable () -> [any Block]
    ) {
      self.name = name
      self.input = input
      self.symbols = symbols
      network = { configuration in
        try Network(
          input: input, of: symbols == nil ? .float32 : .int64, seed: 3,
          configuration: configuration, layers: blocks)
      }
    }

    func inputs(_ count: Int, seed: UInt64) throws -> Tensor {
      guard let symbols else { return try .random([count] + input, seed: seed) }
      return try Tensor.random(
        [count] + input, in: 0...Double(symbols) - 0.01, seed: seed, .float64
      ).converted(to: .int64)
    }
  }

  static let cases: [Case] = [
    Case("Dense with every smooth activation", [5]) {
      Dense(6, activation: .tanh)
      Dense(6, activation: .sigmoid)
      Dense(6, activation: .gelu)
      Dense(6, activation: .softplus)
      Dense(6, activation: .silu)
      Dense(6, activation: .mish)
      Dense(6, activation: .elu)
      Dense(6, activation: .selu)
      Dense(3)
    },
    Case("Conv2D with rectifiers and MaxPool2D", [2, 8, 8]) {
      Conv2D(4, kernel: 3, padding: .same, activation: .relu)
      MaxPool2D(2)
      Flatten()
      Dense(3)
    },
    Case("Conv2D in groups, strided, and AveragePool2D", [4, 9, 9]) {
      Conv2D(8, kernel: 3, stride: 2, groups: 2, activation: .tanh)
      AveragePool2D(2)
      Flatten()
      Dense(3)
    },
    Case("Conv1D and MaxPool1D", [3, 12]) {
      Conv1D(5, kernel: 3, activation: .tanh)
      MaxPool1D(2)
      Flatten()
      Dense(3)
    },
    Case("Conv1D and AveragePool1D", [3, 12]) {
      Conv1D(5, kernel: 3, activation: .tanh)
      AveragePool1D(2)
      Flatten()
      Dense(3)
    },
    Case("BatchNorm and GlobalAveragePool", [2, 6, 6]) {
      Conv2D(6, kernel: 3)
      BatchNorm()
      Activation(.tanh)
      GlobalAveragePool()
      Dense(3)
    },
    Case("LayerNorm", [6]) {
      Dense(8)
      LayerNorm()
      Dense(3)
    },
    Case("Dropout", [6]) {
      Dense(16, activation: .tanh)
      Dropout(0.1)
      Dense(3)
    },
    Case("Residual", [6]) {
      Dense(8)
      Residual {
        Dense(8, activation: .tanh)
        Dense(8)
      }
      Dense(3)
    },
    Case("Concatenate", [6]) {
      Concatenate {
        Dense(4, activation: .tanh)
        Dense(5, activation: .sigmoid)
      }
      Dense(3)
    },
    Case("Embedding, position and MeanOverSteps", [6], symbols: 9) {
      Embedding(9, features: 5, weights: .normal(standardDeviation: 1))
      PositionEmbedding()
      Activation(.tanh)
      MeanOverSteps()
      Dense(3)
    },
    Case("RNN in two layers", [5, 4]) {
      RNN(6, layers: 2)
      Dense(3)
    },
    Case("GRU in both directions", [5, 4]) {
      GRU(5, isBidirectional: true)
      Dense(3)
    },
    Case("LSTM in two layers, both directions", [4, 4]) {
      LSTM(4, layers: 2, isBidirectional: true)
      Dense(3)
    },
    Case("MultiHeadAttention", [5, 8]) {
      MultiHeadAttention(heads: 2)
      MeanOverSteps()
      Dense(3)
    },
    Case("TransformerEncoderBlock", [4, 8]) {
      TransformerEncoderBlock(heads: 2, feedForward: 12)
      MeanOverSteps()
      Dense(3)
    },
    Case("Permute and Reshape", [4, 6]) {
      Permute([1, 0])
      Reshape([8, 3])
      Flatten()
      Dense(8, activation: .tanh)
      Dense(3)
    },
  ]

  @Test("has gradients that agree with central differences in float64", arguments: cases)
  func centralDifferences(_ test: Case) throws {
    let network = try test.network(.init(precision: .double))
    let training = try TrainingGraph(
      network.graph, trainable: Set(network.graph.trainableParameters))
    let output = network.signature.outputs[0].name
    let engine = try TrainingEngine(training, output: output, configuration: network.configuration)
    let inputs = [try test.inputs(3, seed: 8)]
    let parameters = try training.parameters.map {
      try #require(network.graph.constants[$0]).converted(to: .float64)
    }
    let cotangent = try Tensor.random([3, 3], seed: 77, .float64)

    func objective(_ parameters: [Tensor]) throws -> (value: Double, gradients: [Tensor]) {
      var value = 0.0
      let step = try engine.step(inputs: inputs, parameters: parameters, seed: 5) { outputs in
        value = try outputs.multiplied(by: cotangent).sum()
        return cotangent
      }
      return (value, step.gradients)
    }

    let gradients = try objective(parameters).gradients
    let scale = try gradients.map { try $0.norm() }.max() ?? 0
    #expect(scale > 0)
    for (index, parameter) in parameters.enumerated() {
      let numbers = try parameter.elements(of: Double.self)
      // A few elements of large parameters: the first, the last, and some between.
      let step = max(1, numbers.count / 12)
      let found = try gradients[index].elements(of: Double.self)
      for i in stride(from: 0, to: numbers.count, by: step) + [numbers.count - 1] {
        func moved(_ by: Double) throws -> Double {
          var numbers = numbers
          numbers[i] += by
          var parameters = parameters
          parameters[index] = try Tensor(numbers, shape: parameter.shape.dimensions)
          return try objective(parameters).value
        }
        let expected = try (moved(1e-5) - moved(-1e-5)) / 2e-5
        #expect(
          abs(found[i] - expected) <= 1e-6 * max(abs(expected), 1e-2 * scale),
          "\(training.parameters[index])[\(i)]")
      }
    }
  }

  @Test("has the same gradients from kernels as from the reference", arguments: cases)
  func kernels(_ test: Case) throws {
    let network = try test.network(.init())
    let training = try TrainingGraph(
      network.graph, trainable: Set(network.graph.trainableParameters))
    let output = network.signature.outputs[0].name
    func gradients(_ precision: Network.Precision) throws -> [Tensor] {
      let engine = try TrainingEngine(
        training, output: output, configuration: .init(precision: precision))
      let parameters = training.parameters.compactMap {
        network.graph.constants[$0]?.converted(to: engine.realType)
      }
      return try engine.step(
        inputs: [test.inputs(9, seed: 8)], parameters: parameters, seed: 5
      ) { outputs in
        try Tensor.random(outputs.shape.dimensions, seed: 77, .float64)
          .converted(to: outputs.dataType)
      }.gradients
    }
    let double = try gradients(.double)
    let scale = try double.map { try $0.norm() }.max() ?? 0
    for (single, expected) in zip(try gradients(.single), double) {
      let distance = try single.converted(to: .float64).subtracting(expected).norm()
      #expect(try distance < 3e-6 * max(expected.norm(), 0.1 * scale))
    }
  }

  @Test("learns a few samples by heart", arguments: cases)
  func overfits(_ test: Case) throws {
    let data = try Samples(
      inputs: test.inputs(8, seed: 3), targets: Tensor((0..<8).map { Int64($0 * 5 % 3) }))
    var trainer = try Trainer(
      test.network(.init()), loss: .crossEntropy(), optimizer: .adam(learningRate: 1e-2),
      metrics: [.accuracy])
    try trainer.fit(data, epochs: 300, batchSize: 8)
    let end = try trainer.evaluate(data)
    #expect(end.metrics[.accuracy] == 1)
    #expect(end.loss < 0.05)
  }
}
