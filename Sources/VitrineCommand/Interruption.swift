import Synchronization
import VitrineCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The user's wish to stop, as Ctrl-C sends it.
enum Interruption {
  /// Cancelled by the first SIGINT or SIGTERM.
  static let cancellation = Cancellation()
  /// The signal that came first; 0 if none did.
  private static let first = Atomic<Int32>(0)

  /// What shells expect of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM.
  static var exitStatus: Int32 {
    let number = first.load(ordering: .relaxed)
    return number == 0 ? ExitCode.interrupted.rawValue : 128 + number
  }

  /// From now on the first signal asks for a clean end, and the second ends the process at once.
  static func listen() {
    // Made here: a signal handler must not be the first to touch a lazily made value.
    _ = cancellation
    _ = first.load(ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        Interruption.first.store(number, ordering: .relaxed)
        Interruption.cancellation.cancel()
        signal(number, SIG_DFL)
      }
    }
    // A file that grows past a limit is an error like a full disk, not a reason to be killed.
    signal(SIGXFSZ, SIG_IGN)
  }
}
