import Testing
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

@testable import VitrineTraining

@Suite("Progress bar of training")
struct ProgressBarTests {
  /// Trains for 2 epochs of 4 batches, and returns what the bar writes.
  private func lines(isVisible: Bool) throws -> [String] {
    var lines: [String] = []
    var trainer = try Trainer(
      Network(NetworkDraft.perceptron([4, 8, 3])), loss: .crossEntropy(),
      optimizer: .adam(learningRate: 1e-2))
    let data = try Samples(
      inputs: .random([32, 4], seed: 1), targets: Tensor((0..<32).map { Int64($0 % 3) }))
    try trainer.fit(
      data, epochs: 2, batchSize: 8,
      callbacks: [.progressBar(isVisible: isVisible) { lines.append($0) }])
    return lines
  }

  @Test("each batch overwrites the line, and the last of an epoch removes it")
  func terminal() throws {
    let lines = try lines(isVisible: true)
    #expect(lines.count == 8)
    #expect(lines.allSatisfy { $0.hasPrefix("\r\u{1B}[K") })
    #expect(
      lines[0].contains("training [##··················] 1 of 8 batches, epoch 1 of 2, loss 1."))
    #expect(lines[1].contains("] 2 of 8 batches, "))
    #expect(lines[1].contains(" s left, epoch 1 of 2, loss "))
    #expect(lines[6].contains("] 7 of 8 batches, "))
    #expect(lines[6].contains(" s left, epoch 2 of 2, loss "))
    #expect(lines[3] == "\r\u{1B}[K" && lines[7] == "\r\u{1B}[K")
  }

  @Test("nothing is written where nobody sees it")
  func elsewhere() throws {
    #expect(try lines(isVisible: false).isEmpty)
  }
}
