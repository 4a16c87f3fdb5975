/// A file that cannot be read or written.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What went wrong, for programs.
  public enum Kind: Sendable, Hashable {
    /// A file to read does not exist or the system refuses it.
    case cannotRead
    /// What is there is a folder or a device, or larger than accepted.
    case unfit
    /// No file or folder can be made there.
    case cannotCreate
    /// Writing failed, such as on a full disk.
    case cannotWrite
  }

  /// What went wrong.
  public let kind: Kind
  /// What was expected, what was found, with the path.
  public let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }
}
