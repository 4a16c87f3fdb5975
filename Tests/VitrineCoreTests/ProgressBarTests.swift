import Testing

@testable import VitrineCore

@Suite("Progress bar")
struct ProgressBarTests {
  private let bar = ProgressBar()
  private let start = ContinuousClock.now

  private func line(_ done: Int, of total: Int, task: String = "training", after seconds: Double)
    -> String
  {
    bar.line(
      Progress(done: done, total: total, unit: "batches"), of: task,
      at: start + .seconds(seconds))
  }

  @Test("the time left follows from the speed so far")
  func timeLeft() {
    #expect(
      line(0, of: 100, after: 0) == "training [····················] 0 of 100 batches")
    #expect(
      line(25, of: 100, after: 10)
        == "training [#####···············] 25 of 100 batches, 30 s left")
    #expect(
      line(100, of: 100, after: 40) == "training [####################] 100 of 100 batches")
  }

  @Test("a run that was resumed has the speed of what it did itself")
  func resumed() {
    _ = line(500, of: 1000, after: 0)
    #expect(line(510, of: 1000, after: 10).hasSuffix(", 8 min 10 s left"))
  }

  @Test("another task starts the clock anew")
  func anotherTask() {
    _ = line(1, of: 3, after: 0)
    _ = line(2, of: 3, after: 100)
    #expect(!line(1, of: 10_000, task: "occlusion", after: 100).contains("left"))
    #expect(line(2, of: 10_000, task: "occlusion", after: 101).hasSuffix(", 2 h 46 min left"))
  }

  @Test("a task of unknown length has an empty bar")
  func unknownLength() {
    #expect(line(3, of: 0, after: 1) == "training [····················] 3 of 0 batches")
  }
}
