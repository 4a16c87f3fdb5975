import Vitrine
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTraining

/// An epoch of training on generated samples: as many as MNIST has, or fewer where these are large, uniform
/// numbers and random classes.
struct TrainingBenchmark {
  private static let mostSamples = 60_000
  private static let mostBytes = 512 << 20
  private let network: Network
  private let batch: Int
  private let seed: UInt64
  private let samples: Samples
  private let context: Context

  /// Generates the samples.
  ///
  /// - Throws: ``CommandError`` unless the network takes one input of real numbers and gives a logit for
  ///   each class, and a batch is of a reasonable size.
  init(_ network: Network, batch: Int, seed: UInt64, cancellation: Cancellation) throws {
    self.network = network
    self.batch = batch
    self.seed = seed
    context = Context(seed: seed, cancellation: cancellation)
    guard network.signature.inputs.count == 1, let input = network.signature.inputs.first,
      input.dataType.isFloatingPoint, input.batchAxis == 0,
      let output = network.signature.outputs.first, output.dimensions.count == 2,
      let classes = output.dimensions[1], classes > 1
    else {
      throw CommandError.usage(
        "train needs a model with one input of real numbers and an output [N, class]")
    }
    var generator = RandomGenerator(seed: seed)
    let sample = try Shape(input.dimensions.dropFirst().map { $0 ?? 1 })
    let fitting = Self.mostBytes / max(1, sample.count * 4)
    guard batch <= fitting else {
      throw CommandError.usage(
        "train: expected --batch of at most \(fitting) for samples of shape \(sample), found \(batch)"
      )
    }
    let count = min(Self.mostSamples, fitting)
    samples = try Samples(
      inputs: generator.uniformTensor(Shape([count] + sample.dimensions)),
      targets: Tensor((0..<count).map { _ in Int64(generator.index(below: classes)) }))
  }

  /// Trains a copy of the network for one epoch with plain gradient descent.
  func epoch() throws {
    var trainer = try Trainer(
      network, loss: .crossEntropy(), optimizer: .sgd(learningRate: 0.01), seed: seed)
    try trainer.fit(samples, epochs: 1, batchSize: batch, context: context)
  }
}
