import Testing
import VitrineCore
import VitrineLayers
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

@Suite("Overfitting")
struct OverfittingTests {
  /// Four samples with two classes: whatever the layer passes on, dense layers behind it can learn, and
  /// the layer's own parameters move.
  @Test("a tiny set is learnt by heart through every kind of layer", arguments: LayerExample.all)
  func everyLayer(_ example: LayerExample) throws {
    let network = try Network(input: example.shape, of: example.dataType, seed: 1) {
      example.layers()
      Flatten()
      Dense(12, activation: .tanh)
      Dense(2)
    }
    let samples = try Samples(
      inputs: example.input(samples: 4), targets: Tensor([Int64(0), 1, 1, 0]))
    var trainer = try Trainer(
      network, loss: .crossEntropy(), optimizer: .adam(learningRate: 0.05), metrics: [.accuracy])
    #expect(
      trainer.parameterNames.count == network.parameters.keys.count { !$0.contains("running") })
    let before = trainer.values
    _ = try trainer.fit(samples, epochs: 150, batchSize: 4)
    // Dropout leaves noise in what is learnt.
    let limit = example.testDescription == "dropout" ? 0.1 : 0.01
    #expect(try trainer.evaluate(samples).loss < limit)
    // A convolution's or dense layer's bias before a normalisation moves nothing.
    let still = trainer.parameterNames.filter { before[$0] == trainer.values[$0] }
    #expect(still.isEmpty, "\(still)")
  }
}
