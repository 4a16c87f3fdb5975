import VitrineNetwork

/// Turns a `ModelProto` into a ``Graph``.
///
/// Source: onnx.proto of ONNX 1.23 (field numbers) and the ONNX IR specification (meaning).
struct ModelReader {
  /// The parts of a model, not yet looked into.
  private struct Model {
    var irVersion: Int64?
    var graph: ByteCursor?
    var operatorSets: [String: Int64] = [:]
    var functions: [ByteCursor] = []
  }

  private let source: ByteSource
  private let limits: ONNXLimits
  private var tensors: TensorReader

  init(_ source: ByteSource, folder: String?, limits: ONNXLimits) {
    self.source = source
    self.limits = limits
    tensors = TensorReader(limits: limits, folder: folder)
  }

  mutating func graph() throws(ONNXError) -> Graph {
    let model = try model()
    guard let graphMessage = model.graph else {
      throw .malformed(reason: "it contains no graph", offset: nil)
    }
    let opset = try opset(of: model)
    var reader = GraphReader(limits: limits, tensors: tensors)
    try reader.read(graphMessage)

    var functions: [FunctionMessage] = []
    for message in model.functions {
      functions.append(try reader.function(message, defaultOpset: opset))
    }
    var graph = try reader.graph(opset: Int(opset))
    if !functions.isEmpty {
      let inliner = try FunctionInliner(functions, opset: opset, limits: limits)
      graph.nodes = try inliner.expanded(graph, overloads: reader.overloads)
    }
    graph.notes = notes(model, reader)
    return graph
  }

  private func model() throws(ONNXError) -> Model {
    var model = Model()
    var cursor = ByteCursor(source)
    while let field = try cursor.nextField() {
      switch field.number {
      case 1: model.irVersion = try cursor.integer(field)
      case 7:
        guard model.graph == nil else {
          throw .malformed(reason: "it contains a second graph", offset: field.offset)
        }
        model.graph = try cursor.message(field)
      case 8:
        let (domain, version) = try operatorSet(try cursor.message(field), limits)
        guard model.operatorSets.updateValue(version, forKey: domain) ?? version == version else {
          throw .malformed(
            reason: "it imports two versions of operator set '\(printable(domain))'",
            offset: field.offset)
        }
      case 25:
        try ONNXLimits.check(model.functions.count + 1, "nodes", limits.nodes)
        model.functions.append(try cursor.message(field))
      default: try cursor.skip(field)
      }
    }
    return model
  }

  private func opset(of model: Model) throws(ONNXError) -> Int64 {
    guard let opset = model.operatorSets[""] else {
      throw .malformed(
        reason: "it does not say which version of ONNX's operators it uses", offset: nil)
    }
    let supported = ONNX.opsets
    guard supported.contains(opset) else {
      throw .unsupported(
        opset > supported.upperBound
          ? "opset \(opset) is newer than the newest supported, \(supported.upperBound); "
            + "export it again with a lower opset_version"
          : "opset \(opset) is older than the oldest supported, \(supported.lowerBound); "
            + "convert it with onnx.version_converter or export it again")
    }
    return opset
  }

  private func notes(_ model: Model, _ reader: GraphReader) -> [String] {
    var notes: [String] = []
    if let version = model.irVersion, version > ONNX.newestIRVersion {
      notes.append(
        "the file format is IR version \(version), newer than \(ONNX.newestIRVersion): "
          + "fields that are not known were ignored")
    } else if model.irVersion ?? 0 < 1 {
      notes.append("the file does not say which version of the file format it has")
    }
    let halves = reader.tensors.halfPrecisionCount
    if halves > 0 {
      notes.append(
        "\(halves) tensor\(halves == 1 ? " is" : "s are") stored in half precision; "
          + "computed in float32")
    }
    if reader.stackTraceCount > 0 {
      notes.append(
        "the file contains \(reader.stackTraceCount) stack traces with paths of the machine that "
          + "exported it")
    }
    return notes
  }
}

/// Reads an `OperatorSetIdProto`; `ai.onnx` is another name of the default domain.
func operatorSet(
  _ message: ByteCursor, _ limits: ONNXLimits
) throws(ONNXError) -> (domain: String, version: Int64) {
  var cursor = message
  var domain = ""
  var version: Int64 = 0
  while let field = try cursor.nextField() {
    switch field.number {
    case 1: domain = normalizedDomain(try cursor.name(field, limit: limits.nameBytes))
    case 2: version = try cursor.integer(field)
    default: try cursor.skip(field)
    }
  }
  return (domain, version)
}

func normalizedDomain(_ domain: String) -> String {
  domain == "ai.onnx" ? "" : domain
}
