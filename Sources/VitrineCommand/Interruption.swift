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

  /// From now on the first signal asks for a clean end, and the second ends the process at once.
  static func listen() {
    // Made here: a signal handler must not be the first to touch a lazily made value.
    _ = cancellation
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        Interruption.cancellation.cancel()
        signal(number, SIG_DFL)
      }
    }
    // A file that grows past a limit is an error like a full disk, not a reason to be killed.
    signal(SIGXFSZ, SIG_IGN)
  }
}
