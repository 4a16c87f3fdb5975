import VitrineNetwork

/// A `NodeProto`.
struct NodeMessage {
  var node: Graph.Node
  /// Attributes whose value is that of an attribute of the function the node is in.
  var references: [String: String]
  /// Which variant of a function is called; empty for all else.
  var overload: String
}

extension GraphReader {
  mutating func node(_ message: ByteCursor) throws(ONNXError) -> NodeMessage {
    var cursor = message
    var inputs: [String] = []
    var outputs: [String] = []
    var name = ""
    var kind = ""
    var domain = ""
    var overload = ""
    var attributes: [String: Graph.Attribute] = [:]
    var references: [String: String] = [:]
    while let field = try cursor.nextField() {
      switch field.number {
      case 1: inputs.append(try cursor.name(field, limit: limits.nameBytes))
      case 2: outputs.append(try cursor.name(field, limit: limits.nameBytes))
      case 3: name = try cursor.name(field, limit: limits.nameBytes)
      case 4: kind = try cursor.name(field, limit: limits.nameBytes)
      case 5:
        let attribute = try attribute(try cursor.message(field))
        let isNew =
          if let reference = attribute.reference {
            references.updateValue(reference, forKey: attribute.name) == nil
              && attributes[attribute.name] == nil
          } else if let value = attribute.value {
            attributes.updateValue(value, forKey: attribute.name) == nil
              && references[attribute.name] == nil
          } else {
            true
          }
        guard isNew else {
          throw .malformed(
            reason: "a node has the attribute '\(printable(attribute.name))' twice",
            offset: field.offset)
        }
      case 7: domain = normalizedDomain(try cursor.name(field, limit: limits.nameBytes))
      case 8: overload = try cursor.name(field, limit: limits.nameBytes)
      case 9: if try isStackTrace(try cursor.message(field)) { stackTraceCount += 1 }
      default: try cursor.skip(field)
      }
    }
    guard !kind.isEmpty else {
      throw .malformed(
        reason: "node '\(printable(name))' does not say which operator it is",
        offset: message.position)
    }
    let node = Graph.Node(
      name: name, kind: kind, domain: domain, inputs: inputs, outputs: outputs,
      attributes: attributes)
    return NodeMessage(node: node, references: references, overload: overload)
  }

  /// Whether a `StringStringEntryProto` of a node's metadata is a stack trace, as torch.onnx writes.
  private func isStackTrace(_ message: ByteCursor) throws(ONNXError) -> Bool {
    var cursor = message
    var found = false
    while let field = try cursor.nextField() {
      guard field.number == 1 else {
        try cursor.skip(field)
        continue
      }
      found = try cursor.source.withBytes(try cursor.range(field)) { (key) throws(ONNXError) in
        key.suffix(11).elementsEqual("stack_trace".utf8)
      }
    }
    return found
  }
}
