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
  private let context: Context

  /// Generates the samples.
  ///
  /// - Parameter memoryLimit: Bytes that the samples may have, 4 GiB if `nil`.
  /// - Throws: ``CommandError`` unless the network takes one input of real numbers and gives a logit for
  ///   each class, and the samples fit into memory.
  init(
    _ network: Network, batch: Int, seed: UInt64, memoryLimit: Int?, cancellation: Cancellation
  ) throws {
    self.network = network
    context = Context(seed: seed, cancellation: cancellation)
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
    let shape = try Shape([Self.count] + input.dimensions.dropFirst().map { $0 ?? 1 })
    let limit = memoryLimit ?? 4 << 30
    guard shape.count <= limit / MemoryLayout<Float>.stride else {
      throw CommandError.usage(
        "train generates \(Number.grouped(Self.count)) samples of \(Number.grouped(shape.count / Self.count)) "
          + "numbers; expected at most \(Number.grouped(limit >> 20)) MiB of them: raise --memory-limit, or "
          + "take a model with a smaller input")
    }
    var generator = RandomGenerator(seed: seed)
    samples = try Samples(
      inputs: generator.uniformTensor(shape),
      targets: Tensor((0..<Self.count).map { _ in Int64(generator.index(below: classes)) }))
  }

  /// Trains a copy of the network for one epoch with plain gradient descent.
  func epoch() throws {
    var trainer = try Trainer(
      network, loss: .crossEntropy(), optimizer: .sgd(learningRate: 0.01), seed: seed)
    try trainer.fit(samples, epochs: 1, batchSize: batch, context: context)
  }
}
