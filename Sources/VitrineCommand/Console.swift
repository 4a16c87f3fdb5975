import VitrineFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where a command's text goes: the standard streams of a process, or a recording in a test.
public protocol Console: Sendable {
  /// Writes data to standard output.
  ///
  /// - Throws: ``CommandError`` with ``ExitCode/inputOutput`` if it could not be written in full.
  func write(_ text: String) throws(CommandError)

  /// Writes to standard error, as far as possible.
  func report(_ text: String)

  /// Whether standard error is a terminal that understands escape sequences.
  var reportsToTerminal: Bool { get }
}

/// The standard streams of this process.
public struct ProcessConsole: Console {
  public let reportsToTerminal: Bool

  /// - Parameter environment: `TERM=dumb` counts as no terminal.
  public init(environment: [String: String]) {
    reportsToTerminal = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
  }

  public func write(_ text: String) throws(CommandError) {
    if let number = writeAll(Array(text.utf8), to: STDOUT_FILENO) {
      throw CommandError(
        .inputOutput, code: "cannot-write-output",
        "cannot write to standard output: \(systemMessage(number))")
    }
  }

  public func report(_ text: String) {
    // There is nowhere left to tell that standard error cannot be written.
    _ = writeAll(Array(text.utf8), to: STDERR_FILENO)
  }
}
