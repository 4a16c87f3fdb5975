import Foundation
import Testing
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A run that another process can begin and this one can finish.
private func run(
  checkpoint: String?, _ callbacks: [Callback] = []
) throws -> [String: Tensor] {
  let network = try Network(NetworkDraft.perceptron([4, 16, 3]))
  var trainer = try Trainer(
    network, loss: .crossEntropy(), optimizer: .adam(learningRate: 1e-2), seed: 6)
  trainer.checkpoint = checkpoint.map { Checkpointing(path: $0, everyBatches: 2, resumes: true) }
  let data = try Samples(
    inputs: .random([50, 4], seed: 1), targets: Tensor((0..<50).map { Int64($0 % 3) }))
  try trainer.fit(data, epochs: 6, batchSize: 8, callbacks: callbacks)
  return trainer.values
}

@Suite("Killed training")
struct KillTests {
  @Test("a process killed at any moment leaves a checkpoint that ends in the same parameters")
  func killed() async throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("vitrine-\(UUID().uuidString).checkpoint").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    // Three processes are killed one after the other, each a little further on.
    for _ in 0..<3 {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
        var batches = 0
        _ = try run(
          checkpoint: path,
          [
            .batchEnded { _ in
              batches += 1
              if batches == 11 { kill(getpid(), SIGKILL) }
            }
          ])
      }
      #expect(FileManager.default.fileExists(atPath: path))
    }
    #expect(try run(checkpoint: path) == run(checkpoint: nil))
  }
}
