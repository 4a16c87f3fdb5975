import VitrineNetwork
import VitrineTensor

/// Reads a `GraphProto` and the functions that its nodes call.
struct GraphReader {
  let limits: ONNXLimits
  var tensors: TensorReader
  /// How many nodes carry the stack trace of the Python code that made them.
  var stackTraceCount = 0
  /// Which variant of a function a node calls, by the node's index, for those that say.
  private(set) var overloads: [Int: String] = [:]
  private var name = ""
  private var nodes: [Graph.Node] = []
  private var constants: [String: Tensor] = [:]
  private var inputs: [ValueMessage] = []
  private var outputs: [ValueMessage] = []

  init(limits: ONNXLimits, tensors: TensorReader) {
    self.limits = limits
    self.tensors = tensors
  }

  mutating func read(_ message: ByteCursor) throws(ONNXError) {
    var cursor = message
    while let field = try cursor.nextField() {
      switch field.number {
      case 1:
        try ONNXLimits.check(nodes.count + 1, "nodes", limits.nodes)
        let node = try node(try cursor.message(field))
        guard node.references.isEmpty else {
          throw .malformed(
            reason: "node '\(printable(node.node.name))' refers to an attribute of a function, "
              + "but is in none", offset: field.offset)
        }
        if !node.overload.isEmpty { overloads[nodes.count] = node.overload }
        nodes.append(node.node)
      case 2: name = try cursor.name(field, limit: limits.nameBytes)
      case 5: try readInitializer(try cursor.message(field))
      case 11: inputs.append(try ValueMessage(try cursor.message(field), limits))
      case 12: outputs.append(try ValueMessage(try cursor.message(field), limits))
      case 15: throw .unsupported("it has sparse initializers; store them dense")
      default: try cursor.skip(field)
      }
    }
  }

  /// Returns what was read; initializers that are listed as inputs too are constants.
  func graph(opset: Int) throws(ONNXError) -> Graph {
    var graph = Graph(name: name, opset: opset, inputs: [], outputs: [], nodes: nodes)
    for input in inputs where constants[input.name] == nil {
      graph.inputs.append(try input.port(.input))
    }
    for output in outputs { graph.outputs.append(try output.port(.output)) }
    graph.constants = constants
    return graph
  }

  private mutating func readInitializer(_ message: ByteCursor) throws(ONNXError) {
    try ONNXLimits.check(constants.count + 1, "initializers", limits.initializers)
    let tensor = try TensorMessage(message, limits)
    guard !tensor.name.isEmpty else {
      throw .malformed(reason: "an initializer has no name", offset: message.position)
    }
    guard constants[tensor.name] == nil else {
      throw .malformed(
        reason: "the initializer '\(printable(tensor.name))' is given twice",
        offset: message.position)
    }
    constants[tensor.name] = try tensors.tensor(tensor)
  }
}
