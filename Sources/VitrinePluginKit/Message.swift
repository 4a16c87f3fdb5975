package import VitrineTensor

/// One message of the protocol between a program and a plugin in a process of its own.
///
/// As bytes: `VTRP`, the length of the head (4 bytes) and of the body (8 bytes), both little-endian; the
/// head, a JSON object in UTF-8; the body, the elements of all tensors one after the other, little-endian.
/// The head's member `type` says what the message is, and `tensors` lists the type and shape of each tensor
/// in the body; other members name tensors by their place in that list.
package struct Message: Sendable, Equatable {
  package let type: String
  package var fields: [String: JSONValue]
  package private(set) var tensors: [Tensor] = []

  package init(_ type: String, _ fields: [String: JSONValue] = [:]) {
    self.type = type
    self.fields = fields
  }

  /// Adds a tensor, and returns its place.
  package mutating func add(_ tensor: Tensor) -> JSONValue {
    tensors.append(tensor)
    return .integer(tensors.count - 1)
  }

  /// Returns the tensor at a place that a member names.
  package func tensor(at place: JSONValue) throws(MessageError) -> Tensor {
    let index = try place.integer("the place of a tensor")
    guard tensors.indices.contains(index) else {
      throw MessageError("expected one of \(tensors.count) tensors, found number \(index)")
    }
    return tensors[index]
  }

  /// Returns a member of the head.
  package func member(_ name: String) throws(MessageError) -> JSONValue {
    guard let value = fields[name] else {
      throw MessageError("\(type): expected a member '\(name)', found none")
    }
    return value
  }

  /// Returns a member of the head that may be missing or `null`.
  package func optional(_ name: String) -> JSONValue? {
    fields[name].flatMap { $0 == .null ? nil : $0 }
  }
}

// MARK: - Bytes

extension Message {
  package static let mark = Array("VTRP".utf8)
  /// Bytes before the head.
  static let prefixLength = 16
  private static let mostTensors = 1 << 16
  private static let highestRank = 32

  package var bytes: [UInt8] {
    var head = fields
    head["type"] = .string(type)
    head["tensors"] = .array(
      tensors.map { tensor in
        .object([
          "type": .string(tensor.dataType.rawValue),
          "shape": .integers(tensor.shape.dimensions),
        ])
      })
    let text = Array(JSONValue.object(head).text.utf8)
    let length = tensors.reduce(0) { $0 + $1.count * $1.dataType.byteCount }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.prefixLength + text.count + length)
    bytes += Self.mark
    withUnsafeBytes(of: UInt32(text.count).littleEndian) { bytes += $0 }
    withUnsafeBytes(of: UInt64(length).littleEndian) { bytes += $0 }
    bytes += text
    for tensor in tensors { tensor.withBytes { bytes += $0 } }
    return bytes
  }

  /// Reads the parts of a message.
  ///
  /// - Throws: ``MessageError`` if they do not fit each other; before memory is reserved.
  init(head: [UInt8], body: ArraySlice<UInt8>) throws(MessageError) {
    guard case .object(var fields) = try JSONReader.value(of: head) else {
      throw MessageError("expected an object as head")
    }
    let head = JSONValue.object(fields)
    type = try head.member("type").string("type")
    fields["type"] = nil
    fields["tensors"] = nil
    self.fields = fields
    let entries = try head.optional("tensors")?.array("tensors") ?? []
    guard entries.count <= Self.mostTensors else {
      throw MessageError("expected at most \(Self.mostTensors) tensors, found \(entries.count)")
    }
    var rest = body
    for entry in entries {
      let tensor = try Self.tensor(entry, from: &rest)
      tensors.append(tensor)
    }
    guard rest.isEmpty else {
      throw MessageError("expected the tensors to fill the body, found \(rest.count) bytes more")
    }
  }

  private static func tensor(
    _ entry: JSONValue, from rest: inout ArraySlice<UInt8>
  ) throws(MessageError) -> Tensor {
    let name = try entry.member("type").string("the type of a tensor")
    guard let dataType = DataType(rawValue: name) else {
      throw MessageError("expected a type of tensors, found '\(name)'")
    }
    let dimensions = try entry.member("shape").integers("the shape of a tensor")
    guard dimensions.count <= highestRank, let shape = try? Shape(dimensions) else {
      throw MessageError("expected a shape, found \(dimensions.prefix(highestRank))")
    }
    // A shape's bytes never overflow.
    let length = shape.count * dataType.byteCount
    guard length <= rest.count else {
      throw MessageError(
        "expected \(length) bytes for a tensor of shape \(shape), found \(rest.count)")
    }
    let elements = rest.prefix(length)
    rest = rest.dropFirst(length)
    if dataType == .bool, let bad = elements.first(where: { $0 > 1 }) {
      throw MessageError("expected 0 or 1 as truth values, found \(bad)")
    }
    var tensor = Tensor(zeros: shape, dataType)
    tensor.withMutableBytes { target in
      elements.withUnsafeBytes { target.copyMemory(from: $0) }
    }
    return tensor
  }
}

/// Puts messages together from bytes as they arrive.
package struct MessageDecoder: Sendable {
  private let headLimit: Int
  private let bodyLimit: Int
  private var buffer: [UInt8] = []

  /// Creates a decoder.
  ///
  /// - Parameters:
  ///   - headLimit: Longest head that is accepted, in bytes.
  ///   - bodyLimit: Longest body that is accepted, in bytes.
  package init(headLimit: Int, bodyLimit: Int) {
    self.headLimit = headLimit
    self.bodyLimit = bodyLimit
  }

  /// Whether nothing of a further message has arrived.
  package var isEmpty: Bool { buffer.isEmpty }

  package mutating func append(_ bytes: some Sequence<UInt8>) { buffer += bytes }

  /// Returns the first message that is complete, or `nil` if more bytes are needed.
  ///
  /// - Throws: ``MessageError`` as soon as the bytes cannot become a message within the limits.
  package mutating func next() throws(MessageError) -> Message? {
    guard buffer.prefix(4).elementsEqual(Message.mark.prefix(buffer.count)) else {
      throw MessageError(
        "expected a message, found '\(String(decoding: buffer.prefix(40), as: UTF8.self))'")
    }
    guard buffer.count >= Message.prefixLength else { return nil }
    let head = Self.number(buffer[4..<8])
    let body = Self.number(buffer[8..<16])
    guard head <= UInt64(headLimit) else {
      throw MessageError("expected a head of at most \(headLimit) bytes, found \(head)")
    }
    guard body <= UInt64(bodyLimit) else {
      throw MessageError("expected at most \(bodyLimit) bytes of tensors, found \(body)")
    }
    let headEnd = Message.prefixLength + Int(head)
    let end = headEnd + Int(body)
    guard buffer.count >= end else { return nil }
    let message = try Message(
      head: Array(buffer[Message.prefixLength..<headEnd]), body: buffer[headEnd..<end])
    buffer.removeFirst(end)
    return message
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
