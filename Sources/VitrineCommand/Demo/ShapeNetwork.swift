import VitrineCore
import VitrineData
import VitrineLayers
import VitrineNetwork
import VitrineTraining

/// A small convolutional network that learns the shapes of ``ShapeScene`` in seconds.
enum ShapeNetwork {
  /// The layers that the demonstration looks into.
  static let shownLayers = ["edges", "parts"]

  /// Returns a network that has learned nothing.
  static func untrained(
    seed: UInt64, configuration: Network.Configuration
  ) throws -> Network {
    let side = ShapeScene.side
    return try Network(
      input: [3, side, side], name: "picture", output: "probabilities", seed: seed,
      configuration: configuration
    ) {
      Conv2D(16, kernel: 5, stride: 2, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu, name: "edges")
      Conv2D(32, kernel: 3, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu, name: "parts")
      MaxPool2D(2)
      Conv2D(48, kernel: 3, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu, name: "shapes")
      MaxPool2D(2)
      Conv2D(64, kernel: 3, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu, name: "figures")
      GlobalAveragePool(name: "average")
      Flatten()
      Dense(ShapeScene.Shape.allCases.count, name: "logits")
      Activation(.softmax)
    }
  }

  /// Trains a network, and returns it with its history.
  ///
  /// - Parameter context: Told the batches done; asked between batches whether to stop.
  static func trained(
    on data: LabeledData, validation: LabeledData, epochs: Int, seed: UInt64,
    configuration: Network.Configuration, context: Context
  ) throws -> (network: Network, history: History) {
    var trainer = try Trainer(
      untrained(seed: seed, configuration: configuration), loss: .crossEntropy(),
      optimizer: .adam(learningRate: 4e-3), metrics: [.accuracy], seed: seed)
    trainer.schedule = .cosine(epochs: Double(epochs))
    try trainer.fit(
      data, validation: validation, epochs: epochs, batchSize: 32, context: context)
    return (trainer.network, trainer.history)
  }
}
