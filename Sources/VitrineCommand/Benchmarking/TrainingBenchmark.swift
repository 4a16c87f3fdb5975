import Vitrine
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTraining

/// An epoch of training on generated samples: as many as MNIST has, uniform numbers and random classes.
struct TrainingBenchmark {
  private static let count = 60_000
  private let network: Network
  private let batch: Int
  private let seed: UInt64
  private let samples: Samples

  /// Generates the samples.
  ///
  /// - Throws: ``CommandError`` unless the network takes one input of real numbers and gives a logit for
  ///   each class.
  init(_ network: Network, batch: Int, seed: UInt64) throws {
    self.network = network
    self.batch = batch
    self.seed = seed
    guard network.signature.inputs.count == 1, let input = network.signature.inputs.first,
      input.dataType.isFloatingPoint, input.batchAxis == 0,
      let output = network.signature.outputs.first, output.dimensions.count == 2,
      let classes = output.dimensions[1], classes > 1
    else {
      throw CommandError.usage(
        "train needs a model with one input of real numbers and an output [N, class]")
    }
    var generator = RandomGenerator(seed: seed)
    let shape = try Shape([Self.count] + input.dimensions.dropFirst().map { $0 ?? 1 })
    samples = try Samples(
      inputs: generator.uniformTensor(shape),
      targets: Tensor((0..<Self.count).map { _ in Int64(generator.index(below: classes)) }))
  }

  /// Trains a copy of the network for one epoch with plain gradient descent.
  func epoch() throws {
    var trainer = try Trainer(
      network, loss: .crossEntropy(), optimizer: .sgd(learningRate: 0.01), seed: seed)
    try trainer.fit(samples, epochs: 1, batchSize: batch)
  }
}
