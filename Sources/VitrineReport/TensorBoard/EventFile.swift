import VitrineFiles
public import VitrineImaging

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A log of numbers and pictures that TensorBoard shows while it grows.
///
/// The format is TensorFlow's: records of length, masked CRC-32C of the length, bytes, masked CRC-32C of
/// the bytes; each holds an `Event` message (`tensorflow/core/util/event.proto`).
public struct EventFile: Sendable {
  /// Where the log lies.
  public let path: String

  /// Starts a log in a folder that TensorBoard watches; the folder is made if it is not there.
  ///
  /// - Parameters:
  ///   - folder: Made if it does not exist.
  ///   - time: Seconds since 1970; `nil` for now.
  /// - Throws: `FileError` if it cannot be written.
  public init(in folder: String, time: Double? = nil) throws {
    let time = time ?? Self.now
    var files = OutputFiles()
    try files.makeFolder(folder)
    try files.commit()
    let separator = folder.isEmpty || folder.hasSuffix("/") ? "" : "/"
    var generator = SystemRandomNumberGenerator()
    let suffix = String(generator.next() as UInt32, radix: 36)
    path = "\(folder)\(separator)events.out.tfevents.\(Int64(time)).vitrine.\(getpid()).\(suffix)"
    try AppendedFile.create(at: path)
    try append(event(time, step: 0) { $0.string(3, "brain.Event:2") })
  }

  /// Adds a number, such as a loss.
  ///
  /// - Parameters:
  ///   - value: What is shown.
  ///   - tag: The curve it belongs to; parts between slashes become groups.
  ///   - step: Where on the curve it lies, such as the epoch.
  ///   - time: Seconds since 1970; `nil` for now.
  public func add(_ value: Double, tag: String, step: Int, time: Double? = nil) throws {
    try append(
      event(time, step: step) { event in
        event.message(5) { summary in
          summary.message(1) { entry in
            entry.string(1, tag)
            entry.float(2, Float(value))
          }
        }
      })
  }

  /// Adds a picture; parameters as for numbers.
  public func add(_ image: Image, tag: String, step: Int, time: Double? = nil) throws {
    let png = try PNG.encode(image)
    try append(
      event(time, step: step) { event in
        event.message(5) { summary in
          summary.message(1) { entry in
            entry.string(1, tag)
            entry.message(4) { picture in
              picture.integer(1, image.height)
              picture.integer(2, image.width)
              picture.integer(3, image.channels)
              picture.bytes(4, png)
            }
          }
        }
      })
  }

  private func event(
    _ time: Double?, step: Int, _ content: (inout MessageWriter) -> Void
  ) -> [UInt8] {
    var event = MessageWriter()
    event.double(1, time ?? Self.now)
    event.integer(2, step)
    content(&event)
    return event.bytes
  }

  private func append(_ event: [UInt8]) throws(FileError) {
    let length = littleEndian(UInt64(event.count))
    let record =
      length + littleEndian(CRC32C.masked(length)) + event + littleEndian(CRC32C.masked(event))
    try AppendedFile.append(record, to: path)
  }

  private static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// Writes the fields of one protocol buffer message.
private struct MessageWriter {
  var bytes: [UInt8] = []

  mutating func integer(_ field: UInt8, _ value: Int) {
    bytes.append(field << 3)
    append(UInt64(bitPattern: Int64(value)))
  }

  mutating func double(_ field: UInt8, _ value: Double) {
    bytes.append(field << 3 | 1)
    bytes += littleEndian(value.bitPattern)
  }

  mutating func float(_ field: UInt8, _ value: Float) {
    bytes.append(field << 3 | 5)
    bytes += littleEndian(value.bitPattern)
  }

  mutating func string(_ field: UInt8, _ value: String) { self.bytes(field, Array(value.utf8)) }

  mutating func bytes(_ field: UInt8, _ value: [UInt8]) {
    bytes.append(field << 3 | 2)
    append(UInt64(value.count))
    bytes += value
  }

  mutating func message(_ field: UInt8, _ content: (inout MessageWriter) -> Void) {
    var message = MessageWriter()
    content(&message)
    bytes(field, message.bytes)
  }

  /// Seven bits a byte, the lowest first.
  private mutating func append(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

private func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
