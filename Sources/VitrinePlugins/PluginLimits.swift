/// What a plugin in a process of its own may use for one explanation.
public struct PluginLimits: Sendable, Hashable {
  /// Time that the program waits for the plugin, all waiting together, in seconds; work of the program's
  /// model does not count.
  public let seconds: Double
  /// Address space of the process, in bytes.
  public let memory: Int
  /// Largest file it may write, in bytes.
  public let fileSize: Int
  /// Bytes of tensors in one message.
  public let messageSize: Int

  /// Creates limits.
  public init(
    seconds: Double = 60, memory: Int = 4 << 30, fileSize: Int = 64 << 20,
    messageSize: Int = 1 << 30
  ) {
    self.seconds = seconds
    self.memory = memory
    self.fileSize = fileSize
    self.messageSize = messageSize
  }

  /// Most bytes of the head of a message from a plugin.
  static let headSize = 16 << 20
  /// Most bytes of its last words on standard error that are kept.
  static let errorSize = 2048
  /// Open files of the process.
  static let files = 256
}
