import VitrineFiles
public import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads and writes parameters by name, in the format of Hugging Face's safetensors.
///
/// A file is not trusted: whatever its bytes, reading ends with tensors or with an error, in memory
/// and time in proportion to the file.
public enum Safetensors {
  /// Returns all tensors of a file by name.
  ///
  /// `F16` and `BF16` become `float32`, exactly; integers become `int64`.
  ///
  /// - Throws: ``SafetensorsError``.
  /// - Complexity: O(bytes of the file) in time and memory; up to 8 times the bytes for small integers.
  public static func tensors(
    contentsOf path: String
  ) throws(SafetensorsError) -> [String: Tensor] {
    let file: OpenFile
    do throws(OpenFile.Failure) {
      file = try OpenFile(path)
    } catch {
      if error.isNotFound { throw .notFound(path: path) }
      throw .cannotRead(path: path, reason: error.reason)
    }
    guard file.isRegular else {
      throw .cannotRead(path: path, reason: "it is a folder, pipe or device, expected a file")
    }
    return try tensors(byteCount: file.byteCount) { (target, offset) throws(SafetensorsError) in
      let found: Int
      do throws(OpenFile.Failure) {
        found = try file.read(into: target, at: offset)
      } catch {
        throw .cannotRead(path: path, reason: error.reason)
      }
      guard found == target.count else {
        throw .cannotRead(path: path, reason: "it became shorter while it was read")
      }
    }
  }

  /// Returns all tensors in the bytes of a file by name.
  ///
  /// - Throws: ``SafetensorsError``.
  public static func tensors(bytes: [UInt8]) throws(SafetensorsError) -> [String: Tensor] {
    try tensors(byteCount: bytes.count) { (target, offset) throws(SafetensorsError) in
      target.copyBytes(from: bytes[offset..<offset + target.count])
    }
  }

  /// - Parameter read: Fills memory with the file's bytes from an offset on; both are in range.
  private static func tensors(
    byteCount: Int,
    _ read: (UnsafeMutableRawBufferPointer, Int) throws(SafetensorsError) -> Void
  ) throws(SafetensorsError) -> [String: Tensor] {
    guard byteCount >= 8 else {
      throw .malformed(reason: "expected at least 8 bytes, found \(byteCount)", offset: 0)
    }
    let start = try bytes(8, at: 0, read)
    let length = start.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(byteCount - 8) else {
      throw .malformed(
        reason: "the header takes \(length) bytes, the file has \(byteCount)", offset: 0)
    }
    let headerCount = Int(length)
    guard headerCount <= Header.byteLimit else {
      throw .limitExceeded(what: "bytes of the header", found: headerCount, limit: Header.byteLimit)
    }
    let dataStart = 8 + headerCount
    let header = try Header(
      bytes(headerCount, at: 8, read), dataCount: byteCount - dataStart)
    try checkMemory(header)
    var tensors: [String: Tensor] = [:]
    for entry in header.entries {
      tensors[entry.name] = try tensor(entry, dataStart + entry.range.lowerBound, read)
    }
    return tensors
  }

  private static func tensor(
    _ entry: Header.Entry, _ offset: Int,
    _ read: (UnsafeMutableRawBufferPointer, Int) throws(SafetensorsError) -> Void
  ) throws(SafetensorsError) -> Tensor {
    let shape: Shape
    do {
      shape = try Shape(entry.shape)
    } catch {
      throw .malformed(reason: "tensor '\(printable(entry.name))': \(error)", offset: nil)
    }
    if entry.type.isStoredUnchanged, Int(littleEndian: 1) == 1 {
      func filled<T: Scalar>(_: T.Type) throws(SafetensorsError) -> Tensor {
        try Tensor(uninitialized: shape, of: T.self) { (elements) throws(SafetensorsError) in
          try read(UnsafeMutableRawBufferPointer(elements), offset)
        }
      }
      switch entry.type.dataType {
      case .float64: return try filled(Double.self)
      case .int64: return try filled(Int64.self)
      default: return try filled(Float.self)
      }
    }
    let stored = try bytes(entry.range.count, at: offset, read)
    guard let tensor = stored.withUnsafeBytes({ entry.type.tensor(shape, $0) }) else {
      throw .malformed(
        reason: "tensor '\(printable(entry.name))' has an element above \(Int64.max)", offset: nil)
    }
    return tensor
  }

  private static func bytes(
    _ count: Int, at offset: Int,
    _ read: (UnsafeMutableRawBufferPointer, Int) throws(SafetensorsError) -> Void
  ) throws(SafetensorsError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let result = bytes.withUnsafeMutableBytes { target -> Result<Void, SafetensorsError> in
      Result { () throws(SafetensorsError) in try read(target, offset) }
    }
    try result.get()
    return bytes
  }

  /// Checks the bytes that all tensors take in memory before the first is read.
  private static func checkMemory(_ header: Header) throws(SafetensorsError) {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let pageBytes = sysconf(Int32(_SC_PAGESIZE))
    let physical = pages > 0 && pageBytes > 0 ? pages * pageBytes : 4 << 30
    let limit = physical / 10 * 7
    var total = 0
    for entry in header.entries {
      // A file's byte becomes at most eight.
      let widening = entry.type.dataType.byteCount / entry.type.byteCount
      let (bytes, overflow) = entry.range.count.multipliedReportingOverflow(by: max(1, widening))
      total += overflow ? limit : bytes
      guard total <= limit else {
        throw .limitExceeded(what: "bytes of all tensors", found: total, limit: limit)
      }
    }
  }

  // MARK: - Writing

  /// Writes tensors by name; the file appears complete or not at all, replacing what is there.
  ///
  /// - Parameters:
  ///   - tensors: By name.
  ///   - metadata: Texts that go with them.
  ///   - path: The file.
  /// - Throws: ``SafetensorsError/cannotWrite(_:)``.
  /// - Complexity: O(bytes of the tensors), which are held in memory twice.
  public static func write(
    _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: String
  ) throws(SafetensorsError) {
    do throws(FileError) {
      try OutputFiles.write(bytes(of: tensors, metadata: metadata), to: path)
    } catch {
      throw .cannotWrite(error.message)
    }
  }

  /// Returns the bytes of a file.
  package static func bytes(
    of tensors: [String: Tensor], metadata: [String: String] = [:]
  ) -> [UInt8] {
    let ordered = inFileOrder(tensors)
    return ordered.reduce(into: header(ordered, metadata)) { bytes, entry in
      entry.tensor.withBytes { bytes.append(contentsOf: $0) }
    }
  }

  /// Wide elements first, so that all are aligned; then by name.
  private static func inFileOrder(
    _ tensors: [String: Tensor]
  ) -> [(name: String, tensor: Tensor)] {
    tensors.map { (name: $0.key, tensor: $0.value) }.sorted {
      let (a, b) = ($0.tensor.dataType.byteCount, $1.tensor.dataType.byteCount)
      return a == b ? $0.name < $1.name : a > b
    }
  }

  private static func header(
    _ tensors: [(name: String, tensor: Tensor)], _ metadata: [String: String]
  ) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map {
        quoted($0.key) + ":" + quoted($0.value)
      }
      members.append("\"__metadata__\":{" + texts.joined(separator: ",") + "}")
    }
    var offset = 0
    for (name, tensor) in tensors {
      let end = offset + tensor.count * tensor.dataType.byteCount
      let shape = tensor.shape.dimensions.map(String.init).joined(separator: ",")
      members.append(
        quoted(name)
          + ":{\"dtype\":\"\(StoredType(tensor.dataType).rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var text = Array(("{" + members.joined(separator: ",") + "}").utf8)
    // Spaces bring the data to a multiple of eight bytes.
    while text.count % 8 != 0 { text.append(0x20) }
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{0}"..."\u{1f}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
