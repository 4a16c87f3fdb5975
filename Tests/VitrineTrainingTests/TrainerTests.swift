import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

@Suite("Training")
struct TrainerTests {
  /// A network and a few samples that it can learn by heart.
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let input: [Int]
    let outputs: Int
    let build: @Sendable (inout NetworkDraft) throws -> String

    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "dense layers", input: [6], outputs: 4) {
      let x = $0.node("Relu", [try $0.dense("a", "x", 6, 32)])
      return try $0.dense("b", x, 32, 4)
    },
    Case(name: "convolution and pooling", input: [2, 8, 8], outputs: 4) {
      var x = $0.node("Relu", [try $0.convolution("a", "x", 2, 8, kernel: 3, pad: 1)])
      x = $0.node("Flatten", [$0.maxPool(x)])
      return try $0.dense("b", x, 128, 4)
    },
    Case(name: "batch normalisation", input: [2, 6, 6], outputs: 4) {
      var x = try $0.convolution("a", "x", 2, 6, kernel: 3)
      x = $0.node("Relu", [try $0.normalization("n", x, 6)])
      x = $0.node("Flatten", [x])
      return try $0.dense("b", x, 96, 4)
    },
    Case(name: "PRelu", input: [6], outputs: 4) {
      let x = try $0.dense("a", "x", 6, 32)
      let slope = try $0.random("slope", [32], in: 0.2...0.3)
      return try $0.dense("b", $0.node("PRelu", [x, slope]), 32, 4)
    },
    Case(name: "residual connection", input: [8], outputs: 4) {
      let x = $0.node("Tanh", [try $0.dense("a", "x", 8, 16)])
      let y = $0.node("Tanh", [try $0.dense("b", x, 16, 16)])
      return try $0.dense("c", $0.node("Add", [x, y]), 16, 4)
    },
  ]

  private func samples(_ test: Case, count: Int = 12) throws -> Samples {
    try Samples(
      inputs: .random([count] + test.input, seed: 3),
      targets: Tensor((0..<count).map { Int64($0 * 7 % test.outputs) }))
  }

  @Test("learns a few samples by heart", arguments: cases)
  func overfits(_ test: Case) throws {
    var draft = NetworkDraft()
    let output = try test.build(&draft)
    let network = try Network(draft.graph([test.input], output: output))
    var trainer = try Trainer(
      network, loss: .crossEntropy(), optimizer: .adam(learningRate: 1e-2), metrics: [.accuracy])
    let data = try samples(test)
    let history = try trainer.fit(data, epochs: 150, batchSize: 12)
    #expect(try #require(history.epochs.last).training.loss < 0.01)
    let end = try trainer.evaluate(data)
    #expect(end.metrics[.accuracy] == 1)
  }

  @Test("gives the same parameters bit for bit for any number of threads", arguments: cases)
  func threads(_ test: Case) throws {
    var draft = NetworkDraft()
    let output = try test.build(&draft)
    let data = try samples(test, count: 70)
    func trained(threads: Int) throws -> [String: Tensor] {
      let network = try Network(
        draft.graph([test.input], output: output), configuration: .init(threads: threads))
      var trainer = try Trainer(network, loss: .crossEntropy(), optimizer: .adam(), seed: 4)
      try trainer.fit(data, epochs: 2, batchSize: 32)
      return trainer.values
    }
    let one = try trained(threads: 1)
    #expect(try trained(threads: 2) == one)
    #expect(try trained(threads: 7) == one)
  }

  @Test("depends on the seed, and on nothing else")
  func seeds() throws {
    let network = try Network(NetworkDraft.perceptron([3, 8, 2]))
    let data = try Samples(
      inputs: .random([40, 3], seed: 1), targets: .random([40, 2], seed: 2))
    func trained(seed: UInt64) throws -> [String: Tensor] {
      var trainer = try Trainer(
        network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1), seed: seed)
      try trainer.fit(data, epochs: 2, batchSize: 8)
      return trainer.values
    }
    #expect(try trained(seed: 1) == trained(seed: 1))
    #expect(try trained(seed: 1) != trained(seed: 2))
  }

  @Test("changes only what is trainable, and never the network it began with")
  func filter() throws {
    let network = try Network(NetworkDraft.perceptron([3, 8, 2]))
    let before = network.graph.constants
    let data = try Samples(
      inputs: .random([16, 3], seed: 1), targets: .random([16, 2], seed: 2))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .adam(),
      trainable: { $0.hasPrefix("dense2") })
    #expect(trainer.parameterNames == ["dense2.bias", "dense2.weight"])
    try trainer.fit(data, epochs: 1)
    let after = trainer.network.graph.constants
    #expect(network.graph.constants == before)
    for name in ["dense1.weight", "dense1.bias"] { #expect(after[name] == before[name]) }
    for name in ["dense2.weight", "dense2.bias"] { #expect(after[name] != before[name]) }
    #expect(throws: TrainingError.self) {
      _ = try Trainer(
        network, loss: .meanSquaredError, optimizer: .adam(), trainable: { _ in false })
    }
  }

  @Test("a network with a softmax at its end is trained on its logits")
  func logits() throws {
    var draft = NetworkDraft()
    let logits = try draft.dense("a", "x", 3, 4)
    let probabilities = draft.node("Softmax", [logits])
    let data = try Samples(
      inputs: .random([16, 3], seed: 1), targets: Tensor((0..<16).map { Int64($0 % 4) }))
    func trained(_ output: String) throws -> [String: Tensor] {
      let network = try Network(draft.graph([[3]], output: output))
      var trainer = try Trainer(
        network, loss: .crossEntropy(), optimizer: .sgd(learningRate: 0.5))
      try trainer.fit(data, epochs: 3, batchSize: 4)
      return trainer.values
    }
    #expect(try trained(probabilities) == trained(logits))
  }

  // MARK: - Training mode

  @Test("batch normalisation learns running statistics as PyTorch does")
  func runningStatistics() throws {
    var draft = NetworkDraft()
    let output = draft.node(
      "BatchNormalization",
      [
        "x", draft.constant("scale", Tensor([Float(1), 1])),
        draft.constant("bias", Tensor([Float(0), 0])),
        draft.constant("mean", Tensor([Float(0), 0])),
        draft.constant("variance", Tensor([Float(1), 1])),
      ])
    let network = try Network(
      draft.graph([[2]], output: output), configuration: .init(precision: .double))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0))
    let data = try Samples(
      inputs: Tensor([Float(1), 2, 3, -1, 0, 0.5, 2, 2.5], shape: [4, 2]),
      targets: Tensor(zeros: Shape([4, 2])))
    let history = try trainer.fit(data, epochs: 1, batchSize: 4)
    // PyTorch 2.13: BatchNorm1d(2) on the same batch.
    let mean = try #require(trainer.values["mean"]).elements(of: Double.self)
    let variance = try #require(trainer.values["variance"]).elements(of: Double.self)
    for (found, expected) in zip(mean, [0.15, 0.1]) { #expect(abs(found - expected) < 1e-7) }
    for (found, expected) in zip(variance, [1.0666666666666667, 1.15]) {
      #expect(abs(found - expected) < 1e-7)
    }
    // Normalised by the batch the mean square is 1, but for epsilon.
    #expect(abs(history.epochs[0].training.loss - 1) < 1e-4)
  }

  @Test("networks from a trainer normalise by running statistics: a sample does not see its batch")
  func inferenceMode() throws {
    var draft = NetworkDraft()
    let x = try draft.convolution("a", "x", 1, 3, kernel: 3)
    let output = try draft.normalization("n", x, 3)
    let network = try Network(draft.graph([[1, 6, 6]], output: output))
    var trainer = try Trainer(network, loss: .meanSquaredError, optimizer: .adam())
    let data = try Samples(
      inputs: .random([8, 1, 6, 6], seed: 1), targets: .random([8, 3, 4, 4], seed: 2))
    var inside: Network?
    try trainer.fit(
      data, epochs: 2, batchSize: 8,
      callbacks: [Callback(at: .batchEnded) { inside = try $0.network() }])
    for network in [trainer.network, try #require(inside)] {
      let pictures = data.inputs[0]
      let together = try network.evaluate(
        Inputs(pictures, for: network), observing: [.output(output)])[0]
      let alone = try network.evaluate(
        Inputs(pictures.sliced(axis: 0, 3..<4), for: network), observing: [.output(output)])[0]
      #expect(try together.sliced(axis: 0, 3..<4) == alone)
    }
  }

  @Test("normalisation with fixed scale and bias stays as it is in inference")
  func frozenNormalization() throws {
    var draft = NetworkDraft()
    let x = try draft.dense("a", "x", 4, 3)
    let output = try draft.dense("b", try draft.normalization("n", x, 3), 3, 2)
    let network = try Network(draft.graph([[4]], output: output))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0),
      trainable: { $0.hasPrefix("b") })
    let data = try Samples(
      inputs: .random([8, 4], seed: 1), targets: .random([8, 2], seed: 2))
    let history = try trainer.fit(data, epochs: 1, batchSize: 8)
    #expect(trainer.network.graph.constants == network.graph.constants)
    let loss = try trainer.evaluate(data).loss
    #expect(abs(history.epochs[0].training.loss - loss) < 1e-6)
  }

  @Test("dropout drops its share while training, differently in each step, and nothing else")
  func dropout() throws {
    var draft = NetworkDraft()
    let x = draft.node(
      "Mul", ["x", draft.constant("one", Tensor([Float](repeating: 1, count: 1)))])
    let output = draft.node(
      "Dropout", [x, draft.constant("ratio", Tensor(scalar: Float(0.25)))])
    let network = try Network(draft.graph([[1000]], output: output))
    let ones = Tensor(repeating: Float(1), shape: try Shape([4, 1000]))
    let seen = Seen()
    var trainer = try Trainer(
      network, loss: Recorder(seen: seen), optimizer: .sgd(learningRate: 0))
    try trainer.fit(Samples(inputs: ones, targets: ones), epochs: 2, batchSize: 4)
    #expect(seen.outputs.count == 2)
    #expect(seen.outputs[0] != seen.outputs[1])
    for output in seen.outputs {
      #expect(output.allSatisfy { $0 == 0 || abs($0 - 1 / 0.75) < 1e-6 })
      let dropped = Double(output.filter { $0 == 0 }.count) / 4000
      // Standard deviation of the share: √(0.25 · 0.75 / 4000) = 0.0068.
      #expect(abs(dropped - 0.25) < 0.03)
    }
    let now = trainer.network
    #expect(
      try now.evaluate(Inputs(ones, for: now), observing: [.output(output)])[0] == ones)
  }

  /// Notes the outputs it is shown.
  final class Seen: @unchecked Sendable {
    // Training calls its loss from one thread.
    var outputs: [[Float]] = []
  }

  struct Recorder: Loss {
    let seen: Seen
    let identifier = "recorder"

    func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue {
      seen.outputs.append(try outputs.elements(of: Float.self))
      return LossValue(value: 0, gradient: Tensor(zeros: outputs.shape))
    }
  }

  // MARK: - Metrics, early stopping, callbacks

  @Test("metrics are those of their definitions")
  func metrics() throws {
    // The network is the identity.
    var draft = NetworkDraft()
    let output = draft.node(
      "Add", ["x", draft.constant("b", Tensor([Float(0), 0]))])
    let network = try Network(draft.graph([[2]], output: output))
    let outputs = try Tensor([Float(1), 0, 0.5, 2, -1, -3, 4, 1], shape: [4, 2])
    let targets = try Tensor([Float(1), 1, 0, 2, 0, -2, 3, 0], shape: [4, 2])
    let trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .adam(),
      metrics: [.rSquared, .meanAbsoluteError, .meanSquaredError, .binaryAccuracy])
    let found = try trainer.evaluate(Samples(inputs: outputs, targets: targets), batchSize: 3)
    #expect(abs((found.metrics[.meanAbsoluteError] ?? 0) - 5.5 / 8) < 1e-12)
    #expect(abs((found.metrics[.meanSquaredError] ?? 0) - 5.25 / 8) < 1e-12)
    #expect(abs(found.loss - 5.25 / 8) < 1e-6)
    // Column means 1 and 0.25; Σ (t − mean)² 6 and 8.75; Σ e² 2.25 and 3.
    let expected = ((1 - 2.25 / 6) + (1 - 3 / 8.75)) / 2
    #expect(abs((found.metrics[.rSquared] ?? 0) - expected) < 1e-12)
    #expect(found.metrics[.binaryAccuracy] == 5.0 / 8)

    let classifier = try Trainer(
      network, loss: .crossEntropy(), optimizer: .adam(), metrics: [.accuracy])
    let classes = try Samples(inputs: outputs, targets: Tensor([Int64(0), 1, 1, 0]))
    #expect(try classifier.evaluate(classes).metrics[.accuracy] == 0.75)
  }

  @Test("early stopping ends the run and gives back the best epoch")
  func earlyStopping() throws {
    let network = try Network(NetworkDraft.perceptron([4, 32, 1]))
    // Noise: fitting the training samples makes others worse.
    let data = try Samples(
      inputs: .random([16, 4], seed: 1), targets: .random([16, 1], seed: 2))
    let others = try Samples(
      inputs: .random([64, 4], seed: 3), targets: .random([64, 1], seed: 4))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .adam(learningRate: 0.02))
    trainer.earlyStopping = EarlyStopping(patience: 5)
    let history = try trainer.fit(data, validation: others, epochs: 500, batchSize: 16)
    #expect(history.epochs.count < 500)
    let losses = history.epochs.compactMap { $0.validation?.loss }
    let best = try #require(losses.min())
    #expect(history.bestEpoch == (losses.firstIndex(of: best) ?? 0) + 1)
    #expect(history.epochs.count == (history.bestEpoch ?? 0) + 5)
    #expect(try trainer.evaluate(others).loss == best)
  }

  @Test("callbacks come in order, with the place they come from, and can end the run")
  func callbacks() throws {
    let network = try Network(NetworkDraft.perceptron([2, 1]))
    let data = try Samples(
      inputs: .random([5, 2], seed: 1), targets: .random([5, 1], seed: 2))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
    var log: [String] = []
    var callbacks = Callback.Moment.allCases.map { moment in
      Callback(at: moment) { log.append("\(moment) \($0.epoch)/\($0.epochs) \($0.batch)") }
    }
    callbacks.append(.epochEnded(every: 2) { if $0.epoch == 2 { $0.stop() } })
    let history = try trainer.fit(data, epochs: 9, batchSize: 3, callbacks: callbacks)
    #expect(history.epochs.count == 2)
    let epoch = { (n: Int) in
      [
        "epochBegan \(n)/9 0", "batchBegan \(n)/9 1", "batchEnded \(n)/9 1",
        "batchBegan \(n)/9 2", "batchEnded \(n)/9 2", "epochEnded \(n)/9 2",
      ]
    }
    #expect(log == ["trainingBegan 1/9 0"] + epoch(1) + epoch(2) + ["trainingEnded 2/9 2"])
  }

  @Test("progress counts batches, and a cancelled run can go on")
  func cancellation() throws {
    let network = try Network(NetworkDraft.perceptron([2, 4, 1]))
    let data = try Samples(
      inputs: .random([10, 2], seed: 1), targets: .random([10, 1], seed: 2))
    func trainer() throws -> Trainer {
      try Trainer(network, loss: .meanSquaredError, optimizer: .adam(), seed: 9)
    }
    var whole = try trainer()
    try whole.fit(data, epochs: 3, batchSize: 3)

    var interrupted = try trainer()
    let cancellation = Cancellation()
    let context = Context(cancellation: cancellation) { progress in
      #expect(progress.total == 12)
      if progress.done == 6 { cancellation.cancel() }
    }
    #expect(throws: CoreError.cancelled) {
      try interrupted.fit(data, epochs: 3, batchSize: 3, context: context)
    }
    #expect(interrupted.history.epochs.count == 1)
    try interrupted.fit(data, epochs: 3, batchSize: 3)
    #expect(interrupted.values == whole.values)
    #expect(interrupted.history.epochs.map(\.training) == whole.history.epochs.map(\.training))
  }

  @Test("a loss that is not finite ends the run and says where")
  func divergence() throws {
    let network = try Network(NetworkDraft.perceptron([2, 4, 1]))
    let data = try Samples(
      inputs: .random([8, 2], in: 100...200, seed: 1), targets: .random([8, 1], seed: 2))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e9))
    #expect(throws: TrainingError.self) { try trainer.fit(data, epochs: 50, batchSize: 2) }
  }

  @Test("data that do not fit the network are refused")
  func misfits() throws {
    let network = try Network(NetworkDraft.perceptron([2, 1]))
    var trainer = try Trainer(network, loss: .meanSquaredError, optimizer: .adam())
    #expect(throws: TrainingError.self) {
      _ = try Samples(inputs: .random([3, 2], seed: 1), targets: .random([4, 1], seed: 2))
    }
    let wide = try Samples(inputs: .random([4, 3], seed: 1), targets: .random([4, 1], seed: 2))
    #expect(throws: NetworkError.self) { try trainer.fit(wide, epochs: 1) }
    let good = try Samples(inputs: .random([4, 2], seed: 1), targets: .random([4, 1], seed: 2))
    #expect(throws: TrainingError.self) { try trainer.fit(good, epochs: -1) }
    #expect(throws: TrainingError.self) { try trainer.fit(good, epochs: 1, batchSize: 0) }
    #expect(throws: TrainingError.self) {
      try trainer.fit(good.samples(in: 0..<0), epochs: 1)
    }
  }

  @Test("a split draws every sample once, the same for the same seed")
  func split() throws {
    let data = try Samples(
      inputs: Tensor((0..<10).map { Float($0) }, shape: [10, 1]),
      targets: Tensor((0..<10).map { Int64($0) }))
    let (training, validation) = try data.split(validation: 0.3, seed: 5)
    #expect(training.count == 7)
    #expect(validation.count == 3)
    let drawn =
      try training.targets.elements(of: Int64.self)
      + validation.targets.elements(of: Int64.self)
    #expect(drawn.sorted() == Array(0..<10))
    #expect(try data.split(validation: 0.3, seed: 5).validation.targets == validation.targets)
    #expect(
      try training.inputs[0].elements(of: Float.self).map { Int64($0) }
        == training.targets.elements(of: Int64.self))
  }

  @Test("by default weights are trained, and constants of preprocessing are not")
  func trainableParameters() throws {
    var draft = NetworkDraft()
    var x = draft.node("Sub", ["x", try draft.random("mean", [4])])
    x = draft.node("Div", [x, try draft.random("deviation", [4], in: 1...2)])
    let moved = draft.node(
      "Transpose", [try draft.random("weight", [3, 4])], ["perm": .integers([1, 0])])
    x = draft.node("Add", [draft.node("MatMul", [x, moved]), try draft.random("bias", [3])])
    let output = try draft.normalization("n", x, 3)
    let graph = draft.graph([[4]], output: output)
    #expect(graph.trainableParameters == ["bias", "n.bias", "n.scale", "weight"])
  }
}
