import VitrineFiles
public import VitrineNetwork

/// Reads networks from ONNX files, and writes them.
///
/// A file that is read is not trusted: whatever its bytes, reading ends with a graph or with an error, in
/// memory and time in proportion to the file. Whether the graph makes sense is for `Network` to
/// check.
public enum ONNX {
  /// The versions of ONNX's own operator set whose meaning is known.
  ///
  /// The newest is that of the Python package `onnx` 1.23.
  package static let opsets: ClosedRange<Int64> = 7...28
  /// The newest version of the file format whose fields are all known, from the same package.
  package static let newestIRVersion: Int64 = 14

  /// Returns the network in a file.
  ///
  /// Weights in files of their own are read from the file's folder, and from nowhere else.
  ///
  /// - Throws: ``ONNXError``; ``ONNXError/notFound(path:)`` and ``ONNXError/cannotRead(path:reason:)``
  ///   if the file cannot be read at all.
  /// - Complexity: O(bytes of the file and of its weights), in time and memory; weights stored as
  ///   they are used are read once, into their place.
  public static func graph(
    contentsOf path: String, limits: ONNXLimits = ONNXLimits()
  ) throws(ONNXError) -> Graph {
    try graph(try source(path, limits), folder: folder(of: path), limits)
  }

  /// Returns the network in the bytes of a file.
  ///
  /// - Parameters:
  ///   - bytes: All of the file.
  ///   - folder: Where weights in files of their own are; `nil` if there can be none.
  ///   - limits: How large the model may be.
  /// - Throws: ``ONNXError``.
  /// - Complexity: As ``graph(contentsOf:limits:)``.
  public static func graph(
    bytes: [UInt8], folder: String?, limits: ONNXLimits = ONNXLimits()
  ) throws(ONNXError) -> Graph {
    try ONNXLimits.check(bytes.count, "fileBytes", limits.fileBytes)
    guard isAvailable(bytes.count) else { throw .outOfMemory(needed: bytes.count) }
    return try graph(ByteSource(bytes), folder: folder, limits)
  }

  private static func graph(
    _ source: ByteSource, folder: String?, _ limits: ONNXLimits
  ) throws(ONNXError) -> Graph {
    do {
      var reader = ModelReader(source, folder: folder, limits: limits)
      return try reader.graph()
    } catch {
      guard case .malformed = error else { throw error }
      let start = try source.withBytes(0..<min(source.count, 512)) { (bytes) throws(ONNXError) in
        Array(bytes)
      }
      guard let mistake = MistakenFile(start) else { throw error }
      throw .malformed(reason: mistake.explanation, offset: nil)
    }
  }

  private static func source(
    _ path: String, _ limits: ONNXLimits
  ) throws(ONNXError) -> ByteSource {
    let file: OpenFile
    do {
      file = try OpenFile(path)
    } catch {
      guard error.isNotFound else { throw .cannotRead(path: path, reason: error.reason) }
      throw .notFound(path: path)
    }
    guard file.isRegular else {
      throw .cannotRead(path: path, reason: "it is a folder, pipe or device, expected a file")
    }
    try ONNXLimits.check(file.byteCount, "fileBytes", limits.fileBytes)
    guard isAvailable(file.byteCount) else { throw .outOfMemory(needed: file.byteCount) }
    return ByteSource(file, path: path)
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
