import Synchronization
import VitrineCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A plugin's end of the line to the program it works for.
final class Connection: Sendable {
  /// Why the line is of no use any more; the process ends then.
  struct Closed: Error {}

  private let input: Int32
  private let output: Int32
  /// One message and its answer at a time, whichever thread of an explainer asks.
  private let decoder = Mutex(MessageDecoder(headLimit: .max, bodyLimit: .max))

  init(input: Int32, output: Int32) {
    self.input = input
    self.output = output
  }

  /// Waits for a message; `nil` once the program has closed the line.
  func receive() throws -> Message? {
    try decoder.withLock { try receive(into: &$0) }
  }

  /// Sends a message that has no answer.
  func tell(_ message: Message) throws {
    try decoder.withLock { _ in try send(message) }
  }

  /// Sends a message and waits for its answer.
  ///
  /// - Throws: ``RemoteError`` if the answer is an error.
  func ask(_ message: Message) throws -> Message {
    let answer = try decoder.withLock { decoder in
      try send(message)
      return try receive(into: &decoder)
    }
    guard let answer else { throw Closed() }
    guard answer.type != "error" else {
      throw RemoteError(description: try answer.member("message").string("message"))
    }
    return answer
  }

  private func send(_ message: Message) throws {
    try message.bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let part = UnsafeRawBufferPointer(rebasing: rest)
        let count = write(output, part.baseAddress, part.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw Closed() }
        rest = rest.dropFirst(count)
      }
    }
  }

  private func receive(into decoder: inout MessageDecoder) throws -> Message? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      if let message = try decoder.next() { return message }
      let count = buffer.withUnsafeMutableBytes { read(input, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return nil }
      decoder.append(buffer[..<count])
    }
  }
}

/// What went wrong in the program when a plugin asked its model something.
struct RemoteError: Error, CustomStringConvertible {
  let description: String
}
