import VitrineNetwork

/// An `AttributeProto`.
struct AttributeMessage {
  let name: String
  /// Name of the function's attribute whose value this one has.
  let reference: String?
  /// `nil` for a reference, and for graphs and types, which no supported operator has.
  let value: Graph.Attribute?
}

extension GraphReader {
  /// The kinds of value, with the numbers of `AttributeProto.AttributeType`.
  private enum Kind: Int {
    case float = 1
    case int = 2
    case string = 3
    case tensor = 4
    case graph = 5
    case floats = 6
    case ints = 7
    case strings = 8
    case tensors = 9
    case graphs = 10
    case sparseTensor = 11
    case sparseTensors = 12
    case type = 13
    case types = 14

    /// The kind of value that a field of the message holds.
    init?(field: Int) {
      switch field {
      case 2: self = .float
      case 3: self = .int
      case 4: self = .string
      case 5: self = .tensor
      case 6: self = .graph
      case 7: self = .floats
      case 8: self = .ints
      case 9: self = .strings
      case 10: self = .tensors
      case 11: self = .graphs
      case 14: self = .type
      case 15: self = .types
      case 22: self = .sparseTensor
      case 23: self = .sparseTensors
      default: return nil
      }
    }
  }

  mutating func attribute(_ message: ByteCursor) throws(ONNXError) -> AttributeMessage {
    var cursor = message
    var name = ""
    var reference: String?
    var declared: Kind?
    var present: Set<Kind> = []
    var float: Float = 0
    var int: Int64 = 0
    var string = ""
    var tensor: ByteCursor?
    var floats: [Double] = []
    var ints: [Int64] = []
    var strings: [String] = []
    while let field = try cursor.nextField() {
      if let kind = Kind(field: field.number) { present.insert(kind) }
      switch field.number {
      case 1: name = try cursor.name(field, limit: limits.nameBytes)
      case 2: float = try cursor.float(field)
      case 3: int = try cursor.integer(field)
      case 4: string = try cursor.string(field)
      case 5: tensor = try cursor.message(field)
      case 7:
        try cursor.forEachFixed(field, UInt32.self) { floats.append(Double(Float(bitPattern: $0))) }
      case 8: try cursor.forEachInteger(field) { (value) throws(ONNXError) in ints.append(value) }
      case 9: strings.append(try cursor.string(field))
      case 20:
        let code = try cursor.integer32(field)
        declared = Kind(rawValue: code)
        guard declared != nil || code == 0 else {
          throw .malformed(
            reason: "attribute '\(printable(name))' has type \(code), expected 1...14",
            offset: field.offset)
        }
      case 21: reference = try cursor.name(field, limit: limits.nameBytes)
      default: try cursor.skip(field)
      }
    }

    let label = "attribute '\(printable(name))'"
    guard !name.isEmpty else {
      throw .malformed(reason: "an attribute has no name", offset: message.position)
    }
    if let reference, !reference.isEmpty {
      guard present.isEmpty else {
        throw .malformed(
          reason: "\(label) has a value and refers to another one", offset: message.position)
      }
      return AttributeMessage(name: name, reference: reference, value: nil)
    }
    // Files of the first IR versions leave the type to be seen from the value. A value that is zero
    // or an empty list may be absent.
    guard let kind = declared ?? present.first, present.isEmpty || present.contains(kind),
      declared != nil || present.count == 1
    else {
      throw .malformed(
        reason: "\(label) does not have exactly one value, of its type", offset: message.position)
    }
    let value: Graph.Attribute?
    switch kind {
    case .float: value = .real(Double(float))
    case .int: value = .integer(int)
    case .string: value = .string(string)
    case .floats: value = .reals(floats)
    case .ints: value = .integers(ints)
    case .strings: value = .strings(strings)
    case .tensor:
      guard let tensor else {
        throw .malformed(reason: "\(label) has no tensor", offset: message.position)
      }
      value = .tensor(try tensors.tensor(try TensorMessage(tensor, limits)))
    case .sparseTensor, .sparseTensors:
      throw .unsupported("\(label) is a sparse tensor; store it dense")
    case .graph, .graphs, .tensors, .type, .types: value = nil
    }
    return AttributeMessage(name: name, reference: nil, value: value)
  }
}
