import Foundation
import Testing
import VitrineFiles
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

@Suite("Checkpoints")
struct CheckpointTests {
  private func trainer(seed: UInt64 = 7, optimizer: Optimizer = .adam()) throws -> Trainer {
    var draft = NetworkDraft()
    var x = try draft.convolution("a", "x", 1, 3, kernel: 3)
    x = draft.node("Relu", [try draft.normalization("n", x, 3)])
    x = draft.node("Dropout", [x, draft.constant("ratio", Tensor(scalar: Float(0.2)))])
    let output = try draft.dense("b", draft.node("Flatten", [x]), 48, 3)
    var trainer = try Trainer(
      Network(draft.graph([[1, 6, 6]], output: output)), loss: .crossEntropy(),
      optimizer: optimizer, metrics: [.accuracy], seed: seed)
    trainer.schedule = .cosine(epochs: 4)
    trainer.earlyStopping = EarlyStopping(patience: 50)
    return trainer
  }

  private func data() throws -> Samples {
    try Samples(
      inputs: .random([22, 1, 6, 6], seed: 1), targets: Tensor((0..<22).map { Int64($0 % 3) }))
  }

  /// A folder that is gone afterwards.
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("vitrine-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private struct Interruption: Error {}

  @Test("a run that was interrupted anywhere goes on to the same parameters, bit for bit")
  func resume() throws {
    let data = try data()
    let (training, validation) = try data.split(validation: 0.25)
    var whole = try trainer()
    try whole.fit(training, validation: validation, epochs: 4, batchSize: 4)
    for interruption in [1, 3, 4, 5, 11, 15] {
      try withFolder { folder in
        let path = folder + "/run.checkpoint"
        var first = try trainer()
        first.checkpoint = Checkpointing(path: path, everyBatches: 1)
        #expect(throws: Interruption.self) {
          try first.fit(
            training, validation: validation, epochs: 4, batchSize: 4,
            callbacks: [
              Callback(at: .batchEnded) { if $0.step > interruption { throw Interruption() } }
            ]
          )
        }
        var second = try trainer()
        second.checkpoint = Checkpointing(path: path, resumes: true)
        try second.fit(training, validation: validation, epochs: 4, batchSize: 4)
        #expect(second.values == whole.values)
        #expect(
          second.history.epochs.map(\.training) == whole.history.epochs.map(\.training))
        #expect(
          second.history.epochs.map(\.validation) == whole.history.epochs.map(\.validation))
        #expect(second.history.bestEpoch == whole.history.bestEpoch)
      }
    }
  }

  @Test("a checkpoint of another run is refused, and nothing changes")
  func otherRuns() throws {
    var source = try trainer()
    try source.fit(data(), epochs: 1)
    let bytes = source.checkpointBytes()
    var others = [
      try trainer(seed: 8), try trainer(optimizer: .sgd(learningRate: 0.1)),
      try Trainer(
        Network(NetworkDraft.perceptron([3, 2])), loss: .crossEntropy(), optimizer: .adam(),
        metrics: [.accuracy], seed: 7),
    ]
    for index in others.indices {
      let before = others[index].values
      #expect(throws: TrainingError.self) { try others[index].restore(from: bytes) }
      #expect(others[index].values == before)
    }
    var same = try trainer()
    try same.restore(from: bytes)
    #expect(same.values == source.values)
    // Half an epoch of other data cannot be finished with these.
    var half = try trainer()
    #expect(throws: Interruption.self) {
      try half.fit(
        data(), epochs: 1, batchSize: 4, callbacks: [.batchEnded { _ in throw Interruption() }])
    }
    #expect(throws: TrainingError.self) {
      try half.fit(data().samples(in: 0..<20), epochs: 1, batchSize: 4)
    }
  }

  @Test("damaged bytes are refused, whatever the damage")
  func damage() throws {
    var source = try trainer()
    try source.fit(data(), epochs: 1)
    let bytes = source.checkpointBytes()
    var target = try trainer()
    for length in [0, 1, 7, 8, 15, 16, 17, 100, bytes.count / 2, bytes.count - 1] {
      #expect(throws: TrainingError.self) { try target.restore(from: Array(bytes[..<length])) }
    }
    #expect(throws: TrainingError.self) { try target.restore(from: bytes + [0]) }
    var generator = RandomGenerator(seed: 3)
    for _ in 0..<300 {
      var broken = bytes
      broken[generator.index(below: bytes.count)] ^= UInt8(1 << generator.index(below: 8))
      #expect(throws: TrainingError.self) { try target.restore(from: broken) }
    }
  }

  @Test("bytes with a right checksum and wrong contents are refused or read, never trapped on")
  func forgery() throws {
    var source = try trainer()
    try source.fit(data(), epochs: 1)
    let bytes = source.checkpointBytes()
    var generator = RandomGenerator(seed: 4)
    var target = try trainer()
    for round in 0..<2000 {
      var forged = Array(bytes.dropLast(8))
      if round % 3 == 0 { forged.removeLast(generator.index(below: forged.count)) }
      for _ in 0..<1 + generator.index(below: 4) where !forged.isEmpty {
        // Mostly the short fields before and after the tensors.
        let place = generator.index(below: min(forged.count, 600))
        forged[generator.index(below: 2) == 0 ? place : forged.count - 1 - place] =
          UInt8(truncatingIfNeeded: generator.next())
      }
      withUnsafeBytes(of: checkpointChecksum(forged).littleEndian) {
        forged.append(contentsOf: $0)
      }
      try? target.restore(from: forged)
    }
  }

  @Test("a checkpoint file is whole or absent, and unreadable ones are reported")
  func files() throws {
    try withFolder { folder in
      var trainer = try trainer()
      trainer.checkpoint = Checkpointing(path: folder + "/none/run.checkpoint")
      #expect(throws: FileError.self) { try trainer.fit(data(), epochs: 1) }
      #expect(throws: FileError.self) {
        try trainer.restore(fromCheckpointAt: folder + "/absent")
      }
      #expect(throws: FileError.self) { try trainer.restore(fromCheckpointAt: folder) }
      trainer.checkpoint = Checkpointing(path: folder + "/run.checkpoint")
      try trainer.fit(data(), epochs: 2)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["run.checkpoint"])
    }
  }
}
