/// The header of an ELF file, as far as it tells whether the system's loader may be given the file.
///
/// The loader maps files into memory: one that is cut short would kill the process.
struct SharedObject {
  #if arch(x86_64)
    private static let machine: (number: Int, name: String) = (62, "x86-64")
  #else
    private static let machine: (number: Int, name: String) = (183, "arm64")
  #endif

  private let bytes: [UInt8]

  /// - Throws: A reason, for a file that is no shared object of this machine or is cut short.
  init(_ bytes: [UInt8]) throws(Reason) {
    self.bytes = bytes
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
      throw Reason("expected a shared library (ELF), found other data")
    }
    guard bytes.count >= 64, bytes[4] == 2, bytes[5] == 1 else {
      throw Reason("expected a 64-bit little-endian shared library")
    }
    let machine = number(at: 18, bytes: 2)
    guard machine == Self.machine.number else {
      throw Reason(
        "expected a library for \(Self.machine.name), found one for machine \(machine ?? -1)")
    }
    guard number(at: 16, bytes: 2) == 3 else {
      throw Reason("expected a shared library, found another kind of ELF file")
    }
    try checkSegments()
  }

  /// Checks that what the loader maps lies in the file.
  private func checkSegments() throws(Reason) {
    guard let table = number(at: 32, bytes: 8), let size = number(at: 54, bytes: 2),
      let count = number(at: 56, bytes: 2), size >= 56
    else { throw Reason.cutShort }
    for index in 0..<count {
      let (start, overflow) = table.addingReportingOverflow(index * size)
      guard !overflow, let offset = number(at: start, plus: 8, bytes: 8),
        let length = number(at: start, plus: 32, bytes: 8)
      else { throw Reason.cutShort }
      let (end, tooLong) = offset.addingReportingOverflow(length)
      guard !tooLong, end <= bytes.count else { throw Reason.cutShort }
    }
  }

  private func number(at start: Int, plus distance: Int, bytes count: Int) -> Int? {
    let (offset, overflow) = start.addingReportingOverflow(distance)
    return overflow ? nil : number(at: offset, bytes: count)
  }

  /// Returns a little-endian number, or `nil` if it lies outside the file or beyond `Int`.
  private func number(at offset: Int, bytes count: Int) -> Int? {
    guard offset >= 0, offset <= bytes.count - count else { return nil }
    let value = bytes[offset..<offset + count].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int(exactly: value)
  }

  struct Reason: Error {
    let text: String
    init(_ text: String) { self.text = text }
    static let cutShort = Reason("the file is cut short or damaged")
  }
}
