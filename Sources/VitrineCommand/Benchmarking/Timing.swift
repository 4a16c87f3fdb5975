import VitrineCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// How long a call takes, from repetitions of at least one second and at least five calls.
struct Timing: Sendable {
  /// In seconds, as the next one.
  let median: Double
  let fastest: Double
  /// Number of calls.
  let count: Int

  /// Repeats a call that has been made once before.
  init(of call: () throws -> Void, _ session: Session) throws {
    var seconds: [Double] = []
    let clock = ContinuousClock()
    let start = clock.now
    while seconds.count < 5 || clock.now - start < .seconds(1) {
      try session.checkCancellation()
      let duration = try clock.measure(call)
      seconds.append(
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)
    }
    seconds.sort()
    median = seconds[seconds.count / 2]
    fastest = seconds[0]
    count = seconds.count
  }

  /// Most bytes of memory that this process has had so far.
  static func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_maxrss * 1024
    #endif
  }
}
