/// A `TensorProto` whose data has been located, but not yet read.
struct TensorMessage {
  /// The repeated fields that can hold the elements instead of `raw_data`, by field number.
  enum TypedField: Int, CaseIterable {
    case float = 4
    case int32 = 5
    case string = 6
    case int64 = 7
    case double = 10
    case uint64 = 11

    var wireType: ByteCursor.WireType {
      switch self {
      case .float: .fixed32
      case .double: .fixed64
      case .string: .lengthDelimited
      case .int32, .int64, .uint64: .varint
      }
    }

    /// The field that holds elements of a type.
    init(for type: ElementType) {
      switch type {
      case .float32: self = .float
      case .float64: self = .double
      case .int64: self = .int64
      case .uint32, .uint64: self = .uint64
      default: self = .int32
      }
    }
  }

  var name = ""
  var dimensions: [Int64] = []
  var typeCode: Int64 = 0
  var rawData: Range<Int>?
  var isExternal = false
  /// Key and value of what the file says about external data.
  var external: [(key: String, value: String)] = []
  /// How many elements each typed field holds.
  var counts: [TypedField: Int] = [:]
  /// The whole message, for reading typed fields once their number is known to be right.
  let content: ByteCursor

  init(_ content: ByteCursor, _ limits: ONNXLimits) throws(ONNXError) {
    self.content = content
    var cursor = content
    while let field = try cursor.nextField() {
      switch field.number {
      case 1:
        try cursor.forEachInteger(field) { (dimension) throws(ONNXError) in
          try ONNXLimits.check(dimensions.count + 1, "rank", limits.rank)
          dimensions.append(dimension)
        }
      case 2: typeCode = Int64(try cursor.integer32(field))
      case 3: throw .unsupported("\(label) is stored in segments")
      case 8: name = try cursor.name(field, limit: limits.nameBytes)
      case 9: rawData = try cursor.range(field)
      case 13:
        guard external.count < 64 else {
          throw .malformed(
            reason: "\(label) has more than 64 external data entries", offset: field.offset)
        }
        external.append(try Self.entry(try cursor.message(field), limits))
      case 14: isExternal = try cursor.integer32(field) == 1
      default:
        guard let typed = TypedField(rawValue: field.number) else {
          try cursor.skip(field)
          continue
        }
        counts[typed, default: 0] += try cursor.count(field, of: typed.wireType)
      }
    }
  }

  /// The tensor in messages.
  var label: String {
    name.isEmpty ? "the tensor at byte \(content.position)" : "tensor '\(printable(name))'"
  }

  private static func entry(
    _ message: ByteCursor, _ limits: ONNXLimits
  ) throws(ONNXError) -> (key: String, value: String) {
    var cursor = message
    var key = ""
    var value = ""
    while let field = try cursor.nextField() {
      switch field.number {
      case 1: key = try cursor.name(field, limit: limits.nameBytes)
      case 2: value = try cursor.name(field, limit: limits.nameBytes)
      default: try cursor.skip(field)
      }
    }
    return (key, value)
  }
}
