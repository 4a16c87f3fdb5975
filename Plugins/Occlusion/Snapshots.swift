import VitrineCore
import VitrineTensor

/// An input as the model saw it: whole, then with one window filled after the other.
struct Snapshots {
  private let port: Port
  /// The input's shape with an axis of moments after the batch.
  private let tensor: Tensor
  /// The score at each moment, moments innermost, for each sample.
  private let scores: [Double]

  /// Keeps windows spread evenly over all maps, in their order.
  ///
  /// - Parameter whole: F(x) for each sample.
  /// - Throws: `CoreError.notApplicable(_:)` if they exceed `Context.memoryLimit`.
  init(
    of port: Port, _ input: Tensor, _ maps: [OcclusionMap], fill: Tensor, whole: [Double],
    count: Int, _ context: Context
  ) throws {
    self.port = port
    let all = maps.flatMap { map in (0..<map.windows.count).map { (map: map, index: $0) } }
    let shown = min(count, all.count)
    let chosen = (0..<shown).map { all[$0 * all.count / shown] }
    let bytes = Double(input.count) * Double(input.dataType.byteCount) * Double(shown + 1)
    guard bytes <= Double(context.memoryLimit) else {
      throw CoreError.notApplicable(
        "\(shown) snapshots need \(Int(bytes / 1e6)) MB, the limit is "
          + "\(context.memoryLimit / 1_000_000) MB; keep fewer, or raise the memory limit")
    }
    let frames = chosen.map { window in
      var frame = input
      frame.fill(window.map.windows, window.index, from: fill, at: 0)
      return frame
    }
    let axis = port.batchAxis == 0 ? 1 : 0
    tensor = try Tensor.stack([input] + frames, axis: axis)
    scores = whole.indices.flatMap { sample in
      [whole[sample]] + chosen.map { $0.map.scores[sample][$0.index] }
    }
  }

  func attribution(isOnly: Bool) -> Attribution {
    var axes = port.axes
    axes.insert(.step, at: port.batchAxis == 0 ? 1 : 0)
    return Attribution(
      name: "snapshots" + (isOnly ? "" : " of \(port.name)"), tensor: tensor, axes: axes,
      range: .input)
  }

  func diagnostic(isOnly: Bool) -> (name: String, value: Explanation.Diagnostic) {
    ((isOnly ? "" : port.name + "-") + "snapshot-scores", .numbers(scores))
  }
}
