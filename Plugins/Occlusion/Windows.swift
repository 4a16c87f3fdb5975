import VitrineCore
import VitrineTensor

/// Where a window of one size stands as it slides over an input.
///
/// Windows stand at 0, stride, 2·stride… along each axis, until one reaches the end; that one is cut at
/// the border.
struct Windows {
  /// The axes the window slides along; it covers all others whole.
  let axes: [Int]
  /// Extents of the input along ``axes``.
  let extents: [Int]
  let size: [Int]
  let stride: [Int]
  private let counts: [Int]

  /// How many windows there are.
  var count: Int { counts.reduce(1, *) }

  /// - Parameters:
  ///   - size: One number for every axis, or one for each; `nil` for the default.
  ///   - stride: Likewise; by default half the window.
  /// - Throws: `CoreError` if a window is larger than the input, or windows would leave gaps.
  init(
    over shape: Shape, at port: Port, size: [Int]?, stride: [Int]?
  ) throws {
    let axes = Windows.axes(of: port)
    let extents = axes.map { shape[$0] }
    let meanings = axes.map { port.axes[$0].rawValue }
    func perAxis(_ numbers: [Int], _ option: String) throws(CoreError) -> [Int] {
      if numbers.count == 1 { return axes.map { _ in numbers[0] } }
      guard numbers.count == axes.count else {
        throw .invalidOption(
          method: Occlusion.method.identifier, option: option, value: listed(numbers),
          expected: "one number, or one for each of \(meanings.joined(separator: ", ")) of input "
            + "'\(port.name)'")
      }
      return numbers
    }
    let window = try perAxis(size ?? [Windows.defaultSize(extents, port)], "window")
    let step = try perAxis(stride ?? window.map { max($0 / 2, 1) }, "stride")
    for (index, extent) in extents.enumerated() {
      guard window[index] <= extent else {
        throw CoreError.notApplicable(
          "a window of \(window[index]) does not fit into the \(extent) of the \(meanings[index]) of "
            + "input '\(port.name)'; choose a smaller one")
      }
      guard step[index] <= window[index] else {
        throw CoreError.invalidOption(
          method: Occlusion.method.identifier, option: "stride", value: listed(step),
          expected: "at most the window, \(listed(window)): a larger one leaves elements uncovered")
      }
    }
    self.axes = axes
    self.extents = extents
    self.size = window
    self.stride = step
    counts = axes.indices.map { (extents[$0] - window[$0] + step[$0] - 1) / step[$0] + 1 }
  }

  /// Height and width, or positions; columns of a table that has neither; channels alone.
  private static func axes(of port: Port) -> [Int] {
    let candidates: [[Axis]] = [[.height, .width, .position], [.feature], [.channel]]
    for kinds in candidates {
      let axes = port.axes.indices.filter { kinds.contains(port.axes[$0]) }
      if !axes.isEmpty { return Array(axes) }
    }
    return []
  }

  /// A fourteenth of the shortest side, 16 of 224 pixels, but at least 4; one column of a table.
  private static func defaultSize(_ extents: [Int], _ port: Port) -> Int {
    let isTable = !port.axes.contains { [.height, .width, .position].contains($0) }
    guard let shortest = extents.min(), !isTable else { return 1 }
    return min(max(shortest / 14, 4), shortest)
  }

  /// Returns the first position of a window along each axis; the last axis runs fastest.
  func position(of index: Int) -> [Int] {
    var rest = index
    var position = axes.map { _ in 0 }
    for axis in axes.indices.reversed() {
      position[axis] = rest % counts[axis] * stride[axis]
      rest /= counts[axis]
    }
    return position
  }

  /// Returns what a window covers along each axis, cut at the border.
  func ranges(of index: Int) -> [Range<Int>] {
    position(of: index).enumerated().map { axis, start in
      start..<min(start + size[axis], extents[axis])
    }
  }
}

/// Numbers as an option spells them.
private func listed(_ numbers: [Int]) -> String {
  numbers.map(String.init).joined(separator: ",")
}

/// Calls `body` with the flat index ranges of a box inside a tensor, in order.
///
/// - Parameter ranges: One for each of `dimensions`, inside it.
func forEachRun(
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
