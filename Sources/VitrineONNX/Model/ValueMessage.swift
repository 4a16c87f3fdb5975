import VitrineNetwork
import VitrineTensor

/// A `ValueInfoProto`: a name, and what kind of value has it.
struct ValueMessage {
  /// Which end of the network a value is.
  enum Role: String {
    case input
    case output
  }

  /// A `TypeProto`.
  private enum Kind {
    case unknown
    case tensor(code: Int64, dimensions: [Graph.Dimension]?)
    /// Something that is not a tensor, in words.
    case other(String)
  }

  private(set) var name = ""
  private var kind = Kind.unknown
  private let offset: Int

  init(_ message: ByteCursor, _ limits: ONNXLimits) throws(ONNXError) {
    offset = message.position
    var cursor = message
    while let field = try cursor.nextField() {
      switch field.number {
      case 1: name = try cursor.name(field, limit: limits.nameBytes)
      case 2: kind = try Self.kind(try cursor.message(field), limits)
      default: try cursor.skip(field)
      }
    }
    guard !name.isEmpty else {
      throw .malformed(reason: "an input or output has no name", offset: offset)
    }
  }

  /// Returns the port of a graph that the value is.
  func port(_ role: Role) throws(ONNXError) -> Graph.Port {
    let label = "\(role) '\(printable(name))'"
    switch kind {
    case .tensor(let code, let dimensions) where role == .input || code != 0:
      let type = try ElementType(code: code, of: label, offset: offset)
      return Graph.Port(
        name: name, dataType: type.dataType ?? .float32, dimensions: dimensions)
    case .tensor(_, let dimensions):
      return Graph.Port(name: name, dataType: .float32, dimensions: dimensions)
    case .unknown:
      guard role == .output else {
        throw .malformed(reason: "\(label) has no type", offset: offset)
      }
      return Graph.Port(name: name, dataType: .float32, dimensions: nil)
    case .other(let what):
      throw .unsupported(
        "\(label) is \(what), expected a tensor; for a classifier of scikit-learn, convert it with "
          + "options={'zipmap': False}")
    }
  }

  // MARK: - Types

  private static func kind(_ message: ByteCursor, _ limits: ONNXLimits) throws(ONNXError) -> Kind {
    var cursor = message
    var kind = Kind.unknown
    while let field = try cursor.nextField() {
      switch field.number {
      case 1:
        kind = try tensor(try cursor.message(field), limits)
        continue
      case 4: kind = .other("a sequence")
      case 5: kind = .other("a map")
      case 7: kind = .other("of an opaque type")
      case 8: kind = .other("a sparse tensor")
      case 9: kind = .other("an optional value")
      default: break
      }
      try cursor.skip(field)
    }
    return kind
  }

  private static func tensor(
    _ message: ByteCursor, _ limits: ONNXLimits
  ) throws(ONNXError) -> Kind {
    var cursor = message
    var code: Int64 = 0
    var dimensions: [Graph.Dimension]?
    while let field = try cursor.nextField() {
      switch field.number {
      case 1: code = Int64(try cursor.integer32(field))
      case 2: dimensions = try shape(try cursor.message(field), limits)
      default: try cursor.skip(field)
      }
    }
    return .tensor(code: code, dimensions: dimensions)
  }

  /// Reads a `TensorShapeProto`.
  private static func shape(
    _ message: ByteCursor, _ limits: ONNXLimits
  ) throws(ONNXError) -> [Graph.Dimension] {
    var cursor = message
    var dimensions: [Graph.Dimension] = []
    while let field = try cursor.nextField() {
      guard field.number == 1 else {
        try cursor.skip(field)
        continue
      }
      try ONNXLimits.check(dimensions.count + 1, "rank", limits.rank)
      dimensions.append(try dimension(try cursor.message(field), limits))
    }
    return dimensions
  }

  private static func dimension(
    _ message: ByteCursor, _ limits: ONNXLimits
  ) throws(ONNXError) -> Graph.Dimension {
    var cursor = message
    var dimension = Graph.Dimension.dynamic("")
    while let field = try cursor.nextField() {
      switch field.number {
      case 1:
        let extent = try cursor.integer(field)
        // Some exporters write -1 for an extent that is chosen later.
        guard let fixed = Int(exactly: extent), fixed >= -1 else {
          throw .malformed(
            reason: "a dimension is \(extent), expected 0 or more", offset: field.offset)
        }
        dimension = fixed == -1 ? .dynamic("") : .fixed(fixed)
      case 2: dimension = .dynamic(try cursor.name(field, limit: limits.nameBytes))
      default: try cursor.skip(field)
      }
    }
    return dimension
  }
}
