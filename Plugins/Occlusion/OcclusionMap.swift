import VitrineCore
import VitrineTensor

/// What windows of one size tell about one input.
struct OcclusionMap {
  let windows: Windows
  /// F with each window filled, windows innermost, for each sample.
  let scores: [[Double]]
  /// The mean drop of the score over the windows that cover an element, `float64`, shape of the input.
  let tensor: Tensor

  /// Fills one window after the other and evaluates the model.
  ///
  /// - Parameters:
  ///   - port: Which input is occluded.
  ///   - input: Its tensor.
  ///   - fill: What windows show instead, shape and type of `input`.
  ///   - whole: F(x) for each sample.
  init(
    _ windows: Windows, of port: Port, _ input: Tensor, fill: Tensor, whole: [Double],
    _ objective: Objective, _ model: any Model, at inputs: Inputs, _ context: Context
  ) throws {
    self.windows = windows
    scores = try model.scores(
      of: objective, at: inputs, covering: port.name, with: fill,
      in: (0..<windows.count).map { index in
        var ranges = input.shape.dimensions.map { 0..<$0 }
        for (axis, range) in zip(windows.axes, windows.ranges(of: index)) { ranges[axis] = range }
        return Box(ranges)
      }, context: context)

    let maps = zip(scores, whole).flatMap { scores, whole in
      windows.meanDrops(scores.map { whole - $0 })
    }
    var dimensions = input.shape.dimensions.map { _ in 1 }
    for (axis, extent) in zip(windows.axes, windows.extents) { dimensions[axis] = extent }
    if port.batchAxis == 0 { dimensions[0] = input.shape[0] }
    tensor = try Tensor(maps, shape: dimensions).broadcast(to: input.shape.dimensions)
  }
}

extension Tensor {
  /// Copies what a window covers from another tensor of the same type.
  ///
  /// - Parameter offset: Where in `source` the elements of this one begin.
  mutating func fill(_ windows: Windows, _ index: Int, from source: Tensor, at offset: Int) {
    var ranges = shape.dimensions.map { 0..<$0 }
    for (axis, range) in zip(windows.axes, windows.ranges(of: index)) { ranges[axis] = range }
    let bytes = dataType.byteCount
    let dimensions = shape.dimensions
    withMutableBytes { target in
      source.withBytes { source in
        forEachRun(of: ranges, in: dimensions) { run in
          let shown = run.lowerBound + offset..<run.upperBound + offset
          UnsafeMutableRawBufferPointer(
            rebasing: target[run.lowerBound * bytes..<run.upperBound * bytes]
          ).copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: source[shown.lowerBound * bytes..<shown.upperBound * bytes]))
        }
      }
    }
  }
}

extension Windows {
  /// Returns for each element the mean over the windows that cover it, as Captum does; others add.
  fileprivate func meanDrops(_ drops: [Double]) -> [Double] {
    var sums = [Double](repeating: 0, count: extents.reduce(1, *))
    var covers = sums
    for (index, drop) in drops.enumerated() {
      forEachRun(of: ranges(of: index), in: extents) { run in
        for i in run {
          sums[i] += drop
          covers[i] += 1
        }
      }
    }
    return zip(sums, covers).map { $0 / $1 }
  }
}
