/// The positions along one axis of a value that differ from a baseline, for each of many variants, and the
/// span of one size that is computed anew for all of them.
package struct ChangedAxis: Hashable, Sendable {
  /// Positions of the value along the axis.
  let extent: Int
  /// What changes, for each variant; may be empty.
  let changed: [Range<Int>]
  /// How many positions are computed anew.
  let size: Int
  /// The first of them, for each variant.
  let starts: [Int]

  /// - Parameter alignment: What starts and sizes are multiples of; the last span may then reach past the
  ///   end.
  init(extent: Int, changed: [Range<Int>], alignment: Int = 1) {
    self.extent = extent
    self.changed = changed
    func floor(_ position: Int) -> Int { position / alignment * alignment }
    func ceiling(_ position: Int) -> Int { floor(position + alignment - 1) }
    let size = changed.reduce(alignment) { widest, span in
      max(widest, span.isEmpty ? 0 : ceiling(span.upperBound) - floor(span.lowerBound))
    }
    self.size = size
    // Nearer the end a span starts earlier instead of being shorter.
    starts = changed.map { max(0, min(floor($0.lowerBound), ceiling(extent) - size)) }
  }

  /// Returns what changes behind a window that moves along the axis.
  func behind(_ window: Window) -> [Range<Int>] {
    changed.map { span in
      guard !span.isEmpty else { return 0..<0 }
      // The first output whose last tap reaches the span, and the last one whose first tap is not past it.
      let reach = span.lowerBound + window.padBefore - (window.extent - 1)
      let first = max(0, reach <= 0 ? 0 : (reach + window.stride - 1) / window.stride)
      let end = span.upperBound - 1 + window.padBefore
      let last = end < 0 ? -1 : min(window.output - 1, end / window.stride)
      return first..<max(first, last + 1)
    }
  }
}

/// What is computed anew of a value: for each variant a box of the same size.
package struct ChangedRegion: Hashable, Sendable {
  let rows: ChangedAxis
  let columns: ChangedAxis

  /// Whether computing everything costs hardly more than computing the box and cutting out its
  /// surroundings.
  var isNearlyWhole: Bool {
    let area = rows.extent * columns.extent
    return rows.size * columns.size * 4 >= area * 3
  }
}

/// Returns the smallest spans that contain those of both.
func hull(_ a: [Range<Int>], _ b: [Range<Int>]) -> [Range<Int>] {
  zip(a, b).map { a, b in
    if a.isEmpty { return b }
    if b.isEmpty { return a }
    return min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
  }
}
