import Synchronization
import VitrineCore
import VitrineTensor

/// A model that scores each sample by a function of its elements, and keeps what it was shown.
final class RecordingModel: Model {
  let signature: Signature
  let layers: [Layer] = []
  private let score: @Sendable ([Double]) -> Double
  private let seen = Mutex<[[Double]]>([])
  private let calls = Mutex<[Int]>([])

  /// - Parameters:
  ///   - dimensions: Extents of a sample.
  ///   - axes: What they mean.
  ///   - score: Of the elements of a sample.
  init(
    _ dimensions: [Int], _ axes: [Axis], score: @escaping @Sendable ([Double]) -> Double
  ) {
    self.score = score
    signature = Signature(
      inputs: [
        Port(name: "x", dataType: .float64, dimensions: [nil] + dimensions, axes: [.batch] + axes)
      ],
      outputs: [
        Port(name: "y", dataType: .float64, dimensions: [nil, 1], axes: [.batch, .feature])
      ])
  }

  /// F(x) = w · x + b of a table.
  convenience init(weights: [Double], bias: Double) {
    self.init([weights.count], [.feature]) { x in
      zip(weights, x).reduce(bias) { $0 + $1.0 * $1.1 }
    }
  }

  /// Every sample the model was shown, in order; the first is the input itself.
  var samples: [[Double]] { seen.withLock(\.self) }

  /// The number of samples in each call.
  var batchSizes: [Int] { calls.withLock(\.self) }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    guard let x = inputs["x"] else { throw CoreError.inputCount(expected: ["x"], found: 0) }
    let rows = x.shape[0]
    let width = x.count / rows
    let numbers = try x.elements(of: Double.self)
    let samples = (0..<rows).map { Array(numbers[$0 * width..<($0 + 1) * width]) }
    seen.withLock { $0 += samples }
    calls.withLock { $0.append(rows) }
    let scores = try Tensor(samples.map(score), shape: [rows, 1])
    return sites.map { _ in scores }
  }
}
