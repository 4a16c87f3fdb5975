#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// How large a model may be before it is refused; checked before memory is taken.
///
/// The defaults let every ordinary model pass and keep a hostile one from exhausting the machine.
public struct ONNXLimits: Sendable, Equatable {
  /// Bytes of the `.onnx` file: protobuf itself ends at 2 GiB.
  public var fileBytes = 2 << 30
  /// Bytes of all tensors that are stored outside the `.onnx` file.
  public var externalBytes = 64 << 30
  /// Bytes in memory of all constants, after widening; seven tenths of the machine's memory.
  public var constantBytes = physicalMemory / 10 * 7
  /// Nodes of the graph, local functions counted at each call.
  public var nodes = 1_000_000
  /// Constants of the graph.
  public var initializers = 1_000_000
  /// Bytes of one name in UTF-8.
  public var nameBytes = 4096
  /// Axes of a tensor; ordinary models need at most 8.
  public var rank = 32

  /// Creates the default limits.
  public init() {}

  private static var physicalMemory: Int {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let pageBytes = sysconf(Int32(_SC_PAGESIZE))
    let (bytes, overflow) = pages.multipliedReportingOverflow(by: pageBytes)
    return overflow || pages <= 0 || pageBytes <= 0 ? 4 << 30 : bytes
  }
}

extension ONNXLimits {
  /// Checks a value against a limit, given as the property's name and value.
  static func check(_ found: Int, _ name: String, _ limit: Int) throws(ONNXError) {
    guard found <= limit else {
      throw .limitExceeded(name: name, found: found, limit: limit)
    }
  }
}
