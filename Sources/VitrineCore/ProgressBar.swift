import Synchronization

/// Draws how far a task has come, and how long it still takes, as a line of text.
///
///     training [#####···············] 80 of 320 batches, 12 s left
package final class ProgressBar: Sendable {
  /// What the speed is measured from: a run that resumes does not begin at 0.
  private struct Start: Sendable {
    let task: String
    let done: Int
    let instant: ContinuousClock.Instant
  }

  /// Characters between the brackets.
  private static let width = 20

  private let start = Mutex<Start?>(nil)

  package init() {}

  /// Returns the line for a report.
  ///
  /// - Parameters:
  ///   - progress: The newest report.
  ///   - task: What is done; another task, or less done than before, starts the clock anew.
  ///   - now: When the report was made.
  /// - Returns: Without the time left at the first report of a task, which has no speed yet.
  package func line(
    _ progress: Progress, of task: String, at now: ContinuousClock.Instant = .now
  ) -> String {
    let start = start.withLock { start in
      if let known = start, known.task == task, known.done <= progress.done { return known }
      let new = Start(task: task, done: progress.done, instant: now)
      start = new
      return new
    }
    let share = progress.total > 0 ? Double(progress.done) / Double(progress.total) : 0
    let filled = max(0, min(Self.width, Int(share * Double(Self.width))))
    let bar =
      String(repeating: "#", count: filled) + String(repeating: "·", count: Self.width - filled)
    var line = "\(task) [\(bar)] \(progress.done) of \(progress.total) \(progress.unit)"
    let (done, rest) = (progress.done - start.done, progress.total - progress.done)
    if done > 0, rest > 0 {
      let seconds = (now - start.instant) / .seconds(1) / Double(done) * Double(rest)
      line += ", \(Self.duration(seconds)) left"
    }
    return line
  }

  /// Returns seconds in words: `12 s`, `3 min 20 s`, `2 h 5 min`.
  private static func duration(_ seconds: Double) -> String {
    let seconds = Int(max(1, min(seconds, 1e9)).rounded(.up))
    if seconds < 60 { return "\(seconds) s" }
    if seconds < 3600 { return "\(seconds / 60) min \(seconds % 60) s" }
    return "\(seconds / 3600) h \(seconds % 3600 / 60) min"
  }
}
