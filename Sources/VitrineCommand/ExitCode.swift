/// What the process reports to its caller; the numbers are those of BSD's `sysexits.h`.
public enum ExitCode: Int32, Sendable {
  /// Everything was done.
  case success = 0
  /// Two things that were compared differ.
  case different = 1
  /// The command line makes no sense: an unknown flag, a class that does not exist.
  case usage = 64
  /// A model, picture or array is damaged or does not fit.
  case badData = 65
  /// A file to read does not exist or cannot be opened.
  case noInput = 66
  /// A mistake in Vitrine itself.
  case internalError = 70
  /// A file to write cannot be created.
  case cannotCreate = 73
  /// Writing failed, such as on a full disk.
  case inputOutput = 74
  /// Stopped by the user (128 + SIGINT); a process that SIGTERM stopped exits with 143.
  case interrupted = 130
}
