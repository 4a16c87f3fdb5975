import Testing
import VitrineLayers
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

/// A small network for every kind of layer; no parameter is zero, so that each has its effect.
struct LayerExample: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let shape: [Int]
  let dataType: DataType
  let layers: @Sendable () -> [any Block]

  init(
    _ name: String, _ shape: [Int], of dataType: DataType = .float32,
    @BlockBuilder layers: @escaping @Sendable () -> [any Block]
  ) {
    testDescription = name
    self.shape = shape
    self.dataType = dataType
    self.layers = layers
  }

  /// Returns the network with seeded random parameters, statistics positive.
  func network(precision: Network.Precision = .single) throws -> Network {
    let built = try Network(input: shape, of: dataType, layers: layers)
    var graph = built.graph
    for (index, name) in graph.constants.keys.sorted().enumerated() {
      guard let tensor = graph.constants[name], tensor.dataType == .float32, tensor.rank > 0 else {
        continue
      }
      let range = name.hasSuffix("running_var") ? 0.5...2.0 : -0.6...0.6
      graph.constants[name] = try Tensor.random(
        tensor.shape.dimensions, in: range, seed: UInt64(index + 1))
    }
    return try Network(graph, configuration: .init(precision: precision))
  }

  /// Returns a batch for the network's input.
  func input(samples: Int) throws -> Tensor {
    let real = try Tensor.random([samples] + shape, in: -2...2, seed: 99)
    guard dataType == .int64 else { return real }
    return Tensor(try real.elements(of: Float.self).map { Int64(($0 + 2) * 2) })
      .reshapedOrSame([samples] + shape)
  }

  static let all = activations + others

  private static let activations = [
    ActivationFunction.relu, .leakyReLU(slope: 0.1), .elu, .selu, .gelu, .silu, .mish, .hardSwish,
    .sigmoid, .tanh, .softplus, .softmax, .logSoftmax,
  ].map { function in
    LayerExample("\(function)", [6]) { Dense(7, activation: function) }
  }

  private static let others: [LayerExample] = [
    LayerExample("dense", [5]) { Dense(3) },
    LayerExample("dense without bias", [5]) { Dense(3, hasBias: false) },
    LayerExample("dense over steps", [4, 5]) { Dense(3, activation: .tanh) },
    LayerExample("conv1d", [3, 9]) {
      Conv1D(4, kernel: 3, stride: 2, padding: .same, activation: .relu)
    },
    LayerExample("conv2d", [3, 7, 8]) {
      Conv2D(4, kernel: 3, stride: 2, padding: .same)
      Conv2D(6, kernel: (1, 2), padding: .number(1), dilation: (1, 2), groups: 2)
    },
    LayerExample("depthwise conv2d", [4, 6, 6]) { Conv2D(4, kernel: 3, groups: 4) },
    LayerExample("batchnorm", [3, 4, 4]) { BatchNorm() },
    LayerExample("batchnorm of features", [6]) { BatchNorm(epsilon: 0.01) },
    LayerExample("layernorm", [3, 6]) { LayerNorm() },
    LayerExample("dropout", [6]) {
      Dense(4)
      Dropout(0.5)
    },
    LayerExample("maxpool2d", [2, 7, 7]) { MaxPool2D(3, stride: 2, padding: .same) },
    LayerExample("averagepool2d", [2, 6, 6]) { AveragePool2D(2, padding: .number(1)) },
    LayerExample("pool1d", [2, 8]) {
      MaxPool1D(2)
      AveragePool1D(2)
    },
    LayerExample("globalaveragepool", [3, 4, 5]) { GlobalAveragePool() },
    LayerExample("meanoversteps", [4, 3]) { MeanOverSteps() },
    LayerExample("flatten, reshape, permute", [2, 3, 4]) {
      Permute([1, 2, 0])
      Reshape([4, -1])
      Flatten()
    },
    LayerExample("embedding", [5], of: .int64) {
      Embedding(9, features: 4)
      PositionEmbedding()
    },
    LayerExample("rnn", [5, 3]) { RNN(4) },
    LayerExample("rnn of two layers", [5, 3]) { RNN(4, layers: 2, returnsSequences: true) },
    LayerExample("bidirectional gru", [5, 3]) {
      GRU(4, isBidirectional: true, returnsSequences: true)
      GRU(2)
    },
    LayerExample("lstm", [5, 3]) { LSTM(4) },
    LayerExample("bidirectional lstm of two layers", [5, 3]) {
      LSTM(3, layers: 2, isBidirectional: true)
    },
    LayerExample("attention", [4, 6]) { MultiHeadAttention(heads: 2) },
    LayerExample("transformer, norm first", [4, 6]) {
      TransformerEncoderBlock(heads: 3, feedForward: 8, dropout: 0.1)
    },
    LayerExample("transformer, norm last", [4, 6]) {
      TransformerEncoderBlock(
        heads: 2, feedForward: 8, activation: .relu, normalizesFirst: false, name: "encoder")
      MeanOverSteps()
    },
    LayerExample("residual with shortcut", [3, 6, 6]) {
      Residual {
        Conv2D(4, kernel: 3, stride: 2, padding: .same)
        BatchNorm()
      } shortcut: {
        Conv2D(4, kernel: 1, stride: 2)
      }
    },
    LayerExample("concatenation", [3, 5, 5]) {
      Concatenate {
        Conv2D(2, kernel: 1)
        Sequential {
          Conv2D(2, kernel: 1)
          Conv2D(3, kernel: 3, padding: .same)
        }
      }
    },
  ]
}

extension Tensor {
  fileprivate func reshapedOrSame(_ dimensions: [Int]) -> Tensor {
    (try? reshaped(to: dimensions)) ?? self
  }
}
