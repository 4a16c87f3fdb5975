import CVitrineProcess
import VitrineFiles
import VitrinePluginKit

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A plugin's process, and the line to it.
///
/// Nothing it does makes this program wait longer than its limits say, hold more memory than one of its
/// messages may have, or end.
struct ChildProcess: ~Copyable {
  private let plugin: String
  private let limits: PluginLimits
  private let identifier: pid_t
  private var streams: vitrine_streams
  private var decoder: MessageDecoder
  /// What the process wrote to standard error last.
  private var lastWords: [UInt8] = []
  private var areErrorsOpen = true
  private var waited = 0.0

  /// Names of variables that the process sees of this program's environment.
  private static let variables = ["HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TMPDIR"]
  /// Longest time without looking whether the user wants to stop, in milliseconds.
  private static let patience: Int32 = 50

  /// Starts a plugin.
  init(_ command: [String], plugin: String, limits: PluginLimits) throws(PluginError) {
    self.plugin = plugin
    self.limits = limits
    decoder = MessageDecoder(headLimit: PluginLimits.headSize, bodyLimit: limits.messageSize)
    var environment = Self.variables.compactMap { name in
      getenv(name).map { "\(name)=\(String(cString: $0))" }
    }
    // The crash reporter of the Swift runtime would be one more process.
    environment.append("SWIFT_BACKTRACE=enable=no")
    var bounds = vitrine_limits(
      processor_seconds: UInt64(min(max(limits.seconds, 0), 1e6).rounded(.up)) * 4 + 1,
      memory_bytes: UInt64(limits.memory), file_bytes: UInt64(limits.fileSize),
      files: UInt64(PluginLimits.files))
    var streams = vitrine_streams()
    let identifier = Self.withStrings(command) { arguments in
      Self.withStrings(environment) { variables in
        vitrine_spawn(arguments[0], arguments, variables, &bounds, &streams)
      }
    }
    guard identifier > 0 else {
      // Not yet stored: a value that is complete would be taken apart, and end another process.
      throw .cannotLoad(plugin: plugin, reason: systemMessage(-identifier))
    }
    self.identifier = identifier
    self.streams = streams
  }

  deinit {
    // The whole session: what the plugin itself has started ends with it.
    kill(-identifier, SIGKILL)
    close(streams.input)
    close(streams.output)
    close(streams.errors)
    var status: Int32 = 0
    while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
  }

  /// Sends a message and returns the next one that arrives.
  ///
  /// - Parameter checkCancellation: Asked now and then whether to go on.
  /// - Throws: ``PluginError``, and what `checkCancellation` throws.
  mutating func exchange(_ message: Message, checkCancellation: () throws -> Void) throws -> Message
  {
    let bytes = message.bytes
    var rest = bytes[...]
    return try wait(sending: &rest, checkCancellation: checkCancellation)
  }

  /// Returns the next message.
  ///
  /// - Throws: As ``exchange(_:checkCancellation:)``.
  mutating func next(checkCancellation: () throws -> Void) throws -> Message {
    var nothing: ArraySlice<UInt8> = []
    return try wait(sending: &nothing, checkCancellation: checkCancellation)
  }

  private mutating func wait(
    sending rest: inout ArraySlice<UInt8>, checkCancellation: () throws -> Void
  ) throws -> Message {
    let start = Self.now()
    defer { waited += Self.now() - start }
    var isOutputOpen = true
    while true {
      do {
        // What comes before the question has been read is no answer, and stays in the pipe.
        if rest.isEmpty, let message = try decoder.next() { return message }
      } catch {
        throw PluginError.badMessage(plugin: plugin, reason: error.description)
      }
      try checkCancellation()
      guard isOutputOpen else { throw ended() }
      guard waited + (Self.now() - start) < limits.seconds else {
        throw PluginError.timeout(plugin: plugin, seconds: limits.seconds)
      }
      var files = [
        pollfd(fd: rest.isEmpty ? streams.output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: areErrorsOpen ? streams.errors : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: rest.isEmpty ? -1 : streams.input, events: Int16(POLLOUT), revents: 0),
      ]
      guard poll(&files, nfds_t(files.count), Self.patience) >= 0 || errno == EINTR else {
        throw PluginError.ended(plugin: plugin, how: systemMessage(errno))
      }
      readErrors()
      if rest.isEmpty {
        isOutputOpen = readOutput()
      } else if files[2].revents != 0 {
        send(&rest)
      }
    }
  }

  /// Sends as much as the line takes; what can no longer be sent is dropped, as its end will be seen.
  private func send(_ rest: inout ArraySlice<UInt8>) {
    let count = rest.withUnsafeBytes { vitrine_send(streams.input, $0.baseAddress, $0.count) }
    if count >= 0 {
      rest = rest.dropFirst(count)
    } else if errno != EAGAIN, errno != EINTR {
      rest = []
    }
  }

  /// Takes what has arrived; `false` once the process has closed its end.
  private mutating func readOutput() -> Bool {
    let buffer = Self.read(streams.output)
    if let buffer { decoder.append(buffer) }
    return buffer?.isEmpty != true
  }

  private mutating func readErrors() {
    guard areErrorsOpen, let buffer = Self.read(streams.errors) else { return }
    areErrorsOpen = !buffer.isEmpty
    lastWords = Array((lastWords + buffer).suffix(PluginLimits.errorSize))
  }

  /// Returns what can be read at once: `nil` if nothing has arrived, empty at the end.
  private static func read(_ file: Int32) -> [UInt8]? {
    var isEnd = false
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
      let found = recvOrRead(file, buffer.baseAddress, buffer.count)
      isEnd = found == 0 || found < 0 && errno != EAGAIN && errno != EINTR
      count = max(found, 0)
    }
    return bytes.isEmpty && !isEnd ? nil : bytes
  }

  /// Says how the process ended.
  private mutating func ended() -> PluginError {
    var code: Int32 = 0
    var signal: Int32 = 0
    var hasEnded = vitrine_has_ended(identifier, &code, &signal) == 1
    // A process that closed its line but goes on is stopped; one that is about to end is given time to.
    for _ in 0..<20 where !hasEnded {
      usleep(10_000)
      hasEnded = vitrine_has_ended(identifier, &code, &signal) == 1
    }
    readErrors()
    let how =
      !hasEnded
      ? "it closed its line without an answer"
      : signal == 0
        ? "it exited with code \(code) without an answer"
        : "it was ended by signal \(signal)\(Self.name(ofSignal: signal))"
    let words = String(decoding: lastWords, as: UTF8.self).split(whereSeparator: \.isNewline)
    // After the reason of a trap the Swift runtime prints where it happened, one line for each call.
    let reason = words.last { $0.contains("Fatal error: ") } ?? words.last
    return .ended(
      plugin: plugin, how: how + (reason.map { "; it said: \($0.suffix(300))" } ?? ""))
  }
}

// MARK: - The system

extension ChildProcess {
  private static func name(ofSignal number: Int32) -> String {
    switch number {
    case SIGILL, SIGTRAP: " (a trap)"
    case SIGABRT: " (it aborted)"
    case SIGSEGV, SIGBUS: " (a bad memory access)"
    case SIGXCPU: " (its processor time is used up)"
    case SIGXFSZ: " (it wrote too large a file)"
    case SIGKILL: " (killed)"
    default: ""
    }
  }

  /// Seconds since some moment, from a clock that does not jump.
  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// Calls `body` with texts as C has them, `nil` behind the last.
  private static func withStrings<Result>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let strings = texts.map { strdup($0) }
    defer { for string in strings { free(string) } }
    return body(strings + [nil])
  }
}

/// `read(2)`, out of reach of the method of the same name.
private func recvOrRead(_ file: Int32, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  read(file, buffer, count)
}
