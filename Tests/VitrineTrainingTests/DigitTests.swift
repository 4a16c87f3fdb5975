import Testing
import VitrineData
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

@Suite("Handwritten digits")
struct DigitTests {
  @Test(
    "LeNet-5, trained on 1,600 digits, knows 95 % of 400 others",
    .enabled(if: Fixtures.areAvailable))
  func leNet() throws {
    let digits = try IDX.dataSet(
      pictures: Fixtures.path("data/mnist-t10k-0-1999-images-idx3-ubyte.gz"),
      labels: Fixtures.path("data/mnist-t10k-0-1999-labels-idx1-ubyte.gz"))
    let training = try digits.samples(at: Array(0..<1600))
    let others = try digits.samples(at: Array(1600..<2000))
    var trainer = try Trainer(
      Network(NetworkDraft.leNet()), loss: .crossEntropy(),
      optimizer: .adamW(learningRate: 2e-3, weightDecay: 0.05), metrics: [.accuracy], seed: 1)
    #expect(trainer.parameterCount == 44_426)
    trainer.schedule = .cosine(epochs: 20)
    try trainer.fit(training, epochs: 20, batchSize: 16)
    let accuracy = try #require(trainer.evaluate(others).metrics[.accuracy])
    #expect(accuracy >= 0.95)
  }
}
