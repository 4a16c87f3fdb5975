import Foundation
import Testing
import Vitrine

/// What `Docs/Training.md` shows, in its order, on few pictures.
@Suite("Guide to training")
struct TrainingGuideTests {
  /// Squares of differences of logarithms.
  private struct SquaredLogarithm: Loss {
    let identifier = "squaredLogarithm"

    func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue {
      let y = try outputs.elements(of: Float.self)
      let t = try targets.elements(of: Float.self)
      let errors = zip(y, t).map { log1p(abs($0)) - log1p(abs($1)) }
      let slopes = zip(errors, y).map {
        2 * $0 / (1 + abs($1)) * ($1 < 0 ? -1 : 1) / Float(y.count)
      }
      return try LossValue(
        value: Double(errors.reduce(0) { $0 + $1 * $1 }) / Double(y.count),
        gradient: Tensor(slopes, shape: outputs.shape.dimensions))
    }
  }

  @Test("a network is built, trained, validated, saved, loaded, explained and tuned")
  func guide() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("vitrine-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let count = 40
    let epochs = 2

    var generator = RandomGenerator(seed: 1)
    let scenes = try ShapeScene.scenes(count, using: &generator)
    let (training, validation) = try ShapeScene.dataSet(of: scenes).split(validation: 0.2, seed: 1)
    #expect(training.count == 32 && validation.count == 8)

    let untrained = try Network(
      input: [3, ShapeScene.side, ShapeScene.side], name: "picture", seed: 1
    ) {
      for filters in [16, 32, 48] {
        Conv2D(filters, kernel: 3, padding: .same, hasBias: false)
        BatchNorm()
        Activation(.relu)
        MaxPool2D(2)
      }
      Conv2D(64, kernel: 3, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu, name: "figures")
      GlobalAveragePool()
      Dense(5, name: "logits")
    }
    let names = untrained.layers.map(\.name)
    for name in ["conv1", "batchnorm1", "relu1", "figures", "logits"] {
      #expect(names.contains(name))
    }

    var trainer = try Trainer(
      untrained, loss: .crossEntropy(), optimizer: .adam(learningRate: 4e-3),
      metrics: [.accuracy], seed: 1)
    trainer.schedule = .cosine(epochs: Double(epochs))
    trainer.checkpoint = Checkpointing(
      path: folder + "/run.checkpoint", everyBatches: 2, resumes: true)
    trainer.clipping = .norm(1)
    trainer.earlyStopping = EarlyStopping(patience: 5, metric: .accuracy)
    try trainer.fit(
      training, validation: validation, epochs: epochs, batchSize: 32, callbacks: [.progressBar()])
    #expect(FileManager.default.fileExists(atPath: folder + "/run.checkpoint"))

    let result = try trainer.evaluate(validation)
    print("loss \(result.loss), accuracy \(result.metrics[.accuracy] ?? 0)")
    for epoch in trainer.history.epochs {
      print(epoch.number, epoch.training.loss, epoch.validation?.loss ?? .nan, epoch.seconds)
    }
    #expect(trainer.history.epochs.count == epochs)

    let network = trainer.network
    try ONNX.write(network, to: folder + "/shapes.onnx")
    let loaded = try Network(ONNX.graph(contentsOf: folder + "/shapes.onnx"))

    try network.writeParameters(to: folder + "/shapes.safetensors")
    let refilled = try untrained.loadingParameters(contentsOf: folder + "/shapes.safetensors")
    #expect(loaded.parameters == network.parameters)
    #expect(refilled.parameters == network.parameters)

    let inputs = try Inputs(ShapeScene.tensor(of: [scenes[4]]), for: loaded)
    let explanation = try MethodCatalog.standard.explainer(
      named: "grad-cam", options: ["layer": "figures", "upsample": "true"]
    ).explain(loaded, at: inputs, target: .top, context: Context(labels: training.classes))
    let map = try explanation.attribution.tensor.elements(of: Float.self)
    try HeatMap(width: ShapeScene.side, height: ShapeScene.side, values: map)
      .overlaid(on: scenes[4].image).write(to: folder + "/star.png")
    #expect(try Image(contentsOf: folder + "/star.png").width == ShapeScene.side)

    var tuner = try Trainer(
      loaded, loss: .crossEntropy(smoothing: 0.1), optimizer: .adamW(learningRate: 1e-4),
      trainable: { $0.hasPrefix("logits") })
    try tuner.fit(training, epochs: 1)
    for (name, value) in tuner.network.parameters {
      #expect((value == network.parameters[name]) == !name.hasPrefix("logits"), "\(name)")
    }
  }

  @Test("a layer that does not fit is named")
  func misfit() throws {
    let error = #expect(throws: LayerError.self) {
      try Network(input: [3, 48, 48]) {
        Flatten()
        Conv2D(16, kernel: 3)
      }
      // layer 'conv1': expected input [channel, height, width], found [6912]
    }
    #expect(
      error.map { "\($0)" }
        == "layer 'conv1': expected input [channel, height, width], found [6912]")
  }

  @Test("a loss of one's own is made small")
  func ownLoss() throws {
    var generator = RandomGenerator(seed: 1)
    let data = try SignedFeatures.dataSet(count: 64, using: &generator)
    var trainer = try Trainer(
      Network(input: [96]) { Dense(1, weights: .zeros, bias: .ones) }, loss: SquaredLogarithm(),
      optimizer: .adam(learningRate: 1e-2))
    let before = try trainer.evaluate(data).loss
    try trainer.fit(data, epochs: 20)
    #expect(try trainer.evaluate(data).loss < before / 2)
  }
}
