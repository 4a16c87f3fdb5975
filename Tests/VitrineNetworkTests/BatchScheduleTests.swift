import Testing

@testable import VitrineNetwork

@Suite("Batches go through a plan in parts") struct BatchScheduleTests {
  typealias Operation = BatchSchedule.Operation
  typealias Stage = BatchSchedule.Stage

  private func operation(
    weights: Int, values: Int, carried: Int, splits: Bool = true
  ) -> Operation {
    Operation(weightBytes: weights, valueBytes: values, splits: splits, carriedBytes: carried)
  }

  @Test("large values are taken some samples after others, heavy weights for all at once")
  func cutsWhereValuesBecomeSmall() {
    let early = (0..<4).map { operation(weights: 1 << 16, values: 6 << 20, carried: $0 << 20) }
    let late = (0..<4).map { _ in operation(weights: 30 << 20, values: 1 << 17, carried: 1 << 16) }
    let stages = BatchSchedule(early + late, samples: 16, cacheBytes: 16 << 20).stages
    #expect(
      stages == [
        Stage(operations: 0..<4, samplesAtOnce: 2), Stage(operations: 4..<8, samplesAtOnce: 16),
      ])
  }

  @Test("what fits the cache is not cut")
  func leavesTogetherWhatFits() {
    let operations = (0..<5).map { _ in operation(weights: 1000, values: 1000, carried: 500) }
    let stages = BatchSchedule(operations, samples: 16, cacheBytes: 16 << 20).stages
    #expect(stages == [Stage(operations: 0..<5, samplesAtOnce: 16)])
  }

  @Test("what does not split is never cut")
  func neverCutsWhatDoesNotSplit() {
    let operations = [
      operation(weights: 0, values: 8 << 20, carried: 0),
      operation(weights: 0, values: 8 << 20, carried: 1, splits: false),
      operation(weights: 0, values: 8 << 20, carried: 1),
    ]
    let stages = BatchSchedule(operations, samples: 8, cacheBytes: 16 << 20).stages
    #expect(stages.map(\.operations) == [0..<1, 1..<2, 2..<3])
    #expect(stages.map(\.samplesAtOnce) == [2, 8, 2])
  }

  @Test(
    "stages cover all operations in order and end at the stops", arguments: [1, 2, 3, 5, 7, 13])
  func covers(samples: Int) {
    var seed = UInt64(samples)
    func random(_ bound: Int) -> Int {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(seed >> 33) % bound
    }
    let operations = (0..<60).map { _ in
      operation(
        weights: random(40 << 20), values: random(20 << 20), carried: random(4 << 20),
        splits: random(5) > 0)
    }
    let stops: Set = [7, 30]
    let stages = BatchSchedule(operations, samples: samples, stops: stops, cacheBytes: 16 << 20)
      .stages
    #expect(stages.flatMap { Array($0.operations) } == Array(0..<60))
    for stage in stages {
      #expect((1...samples).contains(stage.samplesAtOnce))
      let splits = !operations[stage.operations].contains { !$0.splits }
      #expect(splits || stage.samplesAtOnce == samples)
    }
    if samples > 1 { #expect(stops.isSubset(of: stages.map(\.operations.lowerBound))) }
  }

  @Test("an empty plan has no operations")
  func anEmptyPlanHasNoOperations() {
    let stages = BatchSchedule([], samples: 4, cacheBytes: 1).stages
    #expect(!stages.contains { !$0.operations.isEmpty })
  }
}
