/// How a batch goes through the operations of a plan: together where weights weigh most, some samples
/// after others where values do.
///
/// Reading weights from memory for every sample, and writing values to memory because they do not fit
/// the cache, both cost more than the arithmetic. Early layers have large values and few weights, late
/// ones the reverse. None of it changes results: every operation keeps samples apart.
package struct BatchSchedule {
  /// What an operation moves.
  struct Operation {
    /// Bytes of constants.
    let weightBytes: Int
    /// Bytes that it reads and writes for each sample.
    let valueBytes: Int
    /// Whether it can be run for some samples alone.
    let splits: Bool
    /// Bytes for each sample that are needed both before and from this operation on.
    let carriedBytes: Int
  }

  /// Successive operations that are all run for some samples, then for the next ones.
  struct Stage: Equatable {
    let operations: Range<Int>
    let samplesAtOnce: Int
  }

  let stages: [Stage]

  /// What values and weights may fill of a third-level cache of 32 MiB.
  package static let cacheBytes = 16 << 20

  /// Chooses stages that move the fewest bytes.
  ///
  /// - Parameters:
  ///   - stops: Operations before which a stage ends in any case.
  ///   - cacheBytes: What stays in the processor's last cache.
  /// - Complexity: O(operations · places to cut · sizes).
  init(_ operations: [Operation], samples: Int, stops: Set<Int> = [], cacheBytes: Int) {
    guard samples > 1, !operations.isEmpty, operations.contains(where: \.splits) else {
      stages = [Stage(operations: operations.indices, samplesAtOnce: samples)]
      return
    }
    // A batch is cut into equal parts, up to the last one.
    let sizes = Set((1...samples).map { (samples + $0 - 1) / $0 }).sorted(by: >)
    let cuts = Self.cuts(operations, stops)
    var best = [(cost: Int, start: Int, size: Int)?](repeating: nil, count: operations.count + 1)
    best[0] = (0, 0, samples)
    for (position, start) in cuts.enumerated() {
      guard let before = best[start], start < operations.count else { continue }
      let carried = operations[start].carriedBytes * samples
      let entry = before.cost + (start == 0 ? 0 : carried > cacheBytes / 2 ? 2 * carried : carried)
      for size in sizes {
        var stage = Traffic(samples: samples, size: size, cacheBytes: cacheBytes)
        var next = start
        for end in cuts.dropFirst(position + 1) {
          while next < end {
            stage.add(operations[next])
            next += 1
          }
          guard stage.isPossible else { break }
          let cost = entry + stage.bytes
          if best[end].map({ cost < $0.cost }) ?? true { best[end] = (cost, start, size) }
          if stops.contains(end) { break }
        }
      }
    }
    var stages: [Stage] = []
    var end = operations.count
    while end > 0, let step = best[end] {
      stages.append(Stage(operations: step.start..<end, samplesAtOnce: step.size))
      end = step.start
    }
    self.stages = stages.reversed()
  }

  /// Returns where stages may begin and end: where less is carried over than next to it, around what
  /// does not split, and at the stops.
  private static func cuts(_ operations: [Operation], _ stops: Set<Int>) -> [Int] {
    let inner = (1..<max(1, operations.count)).filter { place in
      let (before, here) = (operations[place - 1], operations[place])
      let after = place + 1 < operations.count ? operations[place + 1].carriedBytes : .max
      return before.splits != here.splits || stops.contains(place)
        || here.carriedBytes <= before.carriedBytes && here.carriedBytes <= after
    }
    return [0] + inner + [operations.count]
  }

  /// The bytes that a stage moves between memory and the cache.
  private struct Traffic {
    let samples: Int
    let size: Int
    let cacheBytes: Int
    private var weightBytes = 0
    private var widest = 0
    private var spilled = 0
    private var count = 0
    private(set) var isPossible = true

    /// Starting an operation takes as long as reading this much.
    private static let bytesPerOperation = 16 << 10

    init(samples: Int, size: Int, cacheBytes: Int) {
      self.samples = samples
      self.size = size
      self.cacheBytes = cacheBytes
    }

    mutating func add(_ operation: Operation) {
      weightBytes += operation.weightBytes
      widest = max(widest, operation.valueBytes)
      if operation.valueBytes * size > cacheBytes { spilled += operation.valueBytes * samples }
      count += 1
      if !operation.splits, size < samples { isPossible = false }
    }

    var bytes: Int {
      let passes = (samples + size - 1) / size
      let stays = weightBytes + min(widest * size, cacheBytes) <= cacheBytes
      return (stays ? weightBytes : weightBytes * passes) + spilled
        + count * passes * Self.bytesPerOperation
    }
  }
}
