/// Why the command stopped: a message of one line and the exit code that goes with it.
public struct CommandError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What the process exits with.
  public let exitCode: ExitCode
  /// A stable name for scripts, in kebab-case, such as `unknown-flag`.
  public let code: String
  /// What was expected, what was found, what to do.
  public let message: String

  /// Creates an error.
  public init(_ exitCode: ExitCode, code: String, _ message: String) {
    self.exitCode = exitCode
    self.code = code
    self.message = message
  }

  public var description: String { message }

  /// Returns the error with the name of the file it is about in front, if the message has it not.
  func naming(_ file: String) -> CommandError {
    message.contains(file) ? self : CommandError(exitCode, code: code, "\(file): \(message)")
  }

  static func usage(_ message: String, code: String = "usage") -> CommandError {
    CommandError(.usage, code: code, message)
  }

  static func badData(_ message: String, code: String = "bad-data") -> CommandError {
    CommandError(.badData, code: code, message)
  }
}
