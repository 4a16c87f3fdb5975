/// A walk over two arrays that share their dimensions but not their strides, in row-major order.
///
/// Elements are visited in runs along the innermost axis. Neighbouring axes that both arrays cross
/// without a jump count as one, so that two contiguous arrays are a single run. A stride of zero
/// visits one element again and again, which is how broadcasting reads and how reduction writes.
struct StridedWalk {
  private struct Axis {
    var count: Int
    var left: Int
    var right: Int
  }

  /// Number of elements in a run.
  let runLength: Int
  /// Distance between the elements of a run in the first array.
  let leftStep: Int
  /// Distance between the elements of a run in the second array.
  let rightStep: Int
  private let outerAxes: [Axis]
  private let isEmpty: Bool

  /// Plans a walk.
  ///
  /// - Parameters:
  ///   - dimensions: Extents that the arrays share, outermost first.
  ///   - left: Distance in elements between neighbours of the first array along each axis.
  ///   - right: The same of the second array.
  init(dimensions: [Int], left: [Int], right: [Int]) {
    var axes: [Axis] = []
    for (i, count) in dimensions.enumerated() where count != 1 {
      if let outer = axes.last,
        outer.left == left[i] &* count, outer.right == right[i] &* count
      {
        axes[axes.count - 1] = Axis(count: outer.count &* count, left: left[i], right: right[i])
      } else {
        axes.append(Axis(count: count, left: left[i], right: right[i]))
      }
    }
    let run = axes.popLast() ?? Axis(count: 1, left: 0, right: 0)
    runLength = run.count
    leftStep = run.left
    rightStep = run.right
    outerAxes = axes
    isEmpty = dimensions.contains(0)
  }

  /// Whether the walk is one run.
  var isSingleRun: Bool { outerAxes.isEmpty && !isEmpty }

  /// Calls `body` for each run with the offsets of its first element in both arrays.
  @inline(__always)
  func forEachRun(_ body: (_ left: Int, _ right: Int) -> Void) {
    if isEmpty { return }
    var position = [Int](repeating: 0, count: outerAxes.count)
    var left = 0
    var right = 0
    while true {
      body(left, right)
      var i = outerAxes.count - 1
      while i >= 0 {
        let axis = outerAxes[i]
        position[i] += 1
        left += axis.left
        right += axis.right
        if position[i] < axis.count { break }
        left -= axis.left * axis.count
        right -= axis.right * axis.count
        position[i] = 0
        i -= 1
      }
      if i < 0 { return }
    }
  }
}

extension Shape {
  /// Returns the strides with which an array of this shape is read as one of shape `target`.
  ///
  /// - Precondition: This shape can be broadcast to `target`.
  func strides(broadcastTo target: Shape) -> [Int] {
    let missing = target.rank - rank
    let own = strides
    return target.dimensions.indices.map { axis in
      axis < missing || dimensions[axis - missing] == 1 ? 0 : own[axis - missing]
    }
  }
}
