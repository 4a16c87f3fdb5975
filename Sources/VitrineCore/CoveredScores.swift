public import VitrineTensor

extension Model {
  public func scores(
    of objective: Objective, at inputs: Inputs, covering input: String, with cover: Tensor,
    in boxes: [Box], context: Context
  ) throws -> [[Double]] {
    try scoresVariantByVariant(
      of: objective, at: inputs, covering: input, with: cover, in: boxes, context: context)
  }

  /// The default of ``scores(of:at:covering:with:in:context:)``, for models that override it and cannot do
  /// better for some inputs.
  package func scoresVariantByVariant(
    of objective: Objective, at inputs: Inputs, covering input: String, with cover: Tensor,
    in boxes: [Box], context: Context
  ) throws -> [[Double]] {
    let port = try checkCover(cover, of: input, at: inputs, in: boxes)
    return try scores(
      of: objective, at: inputs, variants: boxes.count, context: context
    ) { index, samples, original in
      guard var changed = original[input] else { return original }
      let dimensions = changed.shape.dimensions
      var ranges = boxes[index].ranges
      var first = 0
      if let axis = port.batchAxis {
        ranges[axis] = 0..<dimensions[axis]
        if axis == 0 { first = samples.lowerBound * (cover.count / max(cover.shape[0], 1)) }
      }
      changed.withMutableBytes { target in
        cover.withBytes { source in
          let bytes = cover.dataType.byteCount
          forEachRun(of: ranges, in: dimensions) { run in
            let size = run.count * bytes
            let from = (first + run.lowerBound) * bytes
            let to = run.lowerBound * bytes
            UnsafeMutableRawBufferPointer(rebasing: target[to..<to + size])
              .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from..<from + size]))
          }
        }
      }
      return original.replacing(input, with: changed)
    }
  }

  /// Checks that a cover fits an input and boxes lie inside it, and returns the input's port.
  ///
  /// - Throws: ``CoreError/shapeMismatch(what:expected:found:)``, ``CoreError/inputCount(expected:found:)``.
  package func checkCover(
    _ cover: Tensor, of input: String, at inputs: Inputs, in boxes: [Box]
  ) throws(CoreError) -> Port {
    guard let tensor = inputs[input],
      let port = signature.inputs.first(where: { $0.name == input })
    else { throw .inputCount(expected: [input], found: inputs.tensors.count) }
    let dimensions = tensor.shape.dimensions
    guard cover.shape == tensor.shape, cover.dataType == tensor.dataType else {
      throw .shapeMismatch(
        what: "cover of input '\(input)'", expected: dimensions, found: cover.shape.dimensions)
    }
    for box in boxes {
      let fits =
        box.ranges.count == dimensions.count
        && zip(box.ranges, dimensions).enumerated().allSatisfy { axis, pair in
          axis == port.batchAxis || (pair.0.lowerBound >= 0 && pair.0.upperBound <= pair.1)
        }
      guard fits else {
        throw .shapeMismatch(
          what: "end of a box over input '\(input)'", expected: dimensions,
          found: box.ranges.map(\.upperBound))
      }
    }
    return port
  }
}

/// Calls `body` with the flat index ranges of a box inside a tensor, in order.
///
/// - Parameter ranges: One for each of `dimensions`, inside it.
private func forEachRun(
  of ranges: [Range<Int>], in dimensions: [Int], _ body: (Range<Int>) -> Void
) {
  guard let last = ranges.last else { return body(0..<1) }
  guard !ranges.contains(where: \.isEmpty) else { return }
  var position = ranges.dropLast().map(\.lowerBound)
  while true {
    let row = zip(position, dimensions).reduce(0) { $0 * $1.1 + $1.0 }
    let start = row * dimensions[dimensions.count - 1]
    body(start + last.lowerBound..<start + last.upperBound)
    var axis = position.count - 1
    while axis >= 0 {
      position[axis] += 1
      if position[axis] < ranges[axis].upperBound { break }
      position[axis] = ranges[axis].lowerBound
      axis -= 1
    }
    if axis < 0 { return }
  }
}
