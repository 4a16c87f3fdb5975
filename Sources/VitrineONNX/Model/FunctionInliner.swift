import VitrineNetwork

/// A `FunctionProto`: an operator that the model defines by a graph of others.
struct FunctionMessage {
  /// What a node says to call the function.
  struct Identity: Hashable {
    let domain: String
    let name: String
    let overload: String
  }

  var name = ""
  var domain = ""
  var overload = ""
  var inputs: [String] = []
  var outputs: [String] = []
  var defaults: [String: Graph.Attribute] = [:]
  var nodes: [NodeMessage] = []

  var identity: Identity { Identity(domain: domain, name: name, overload: overload) }
}

extension GraphReader {
  mutating func function(
    _ message: ByteCursor, defaultOpset: Int64
  ) throws(ONNXError) -> FunctionMessage {
    var cursor = message
    var function = FunctionMessage()
    var opset = defaultOpset
    while let field = try cursor.nextField() {
      switch field.number {
      case 1: function.name = try cursor.name(field, limit: limits.nameBytes)
      case 4: function.inputs.append(try cursor.name(field, limit: limits.nameBytes))
      case 5: function.outputs.append(try cursor.name(field, limit: limits.nameBytes))
      case 7:
        try ONNXLimits.check(function.nodes.count + 1, "nodes", limits.nodes)
        function.nodes.append(try node(try cursor.message(field)))
      case 9:
        let (domain, version) = try operatorSet(try cursor.message(field), limits)
        if domain.isEmpty { opset = version }
      case 10: function.domain = normalizedDomain(try cursor.name(field, limit: limits.nameBytes))
      case 11:
        let attribute = try attribute(try cursor.message(field))
        function.defaults[attribute.name] = attribute.value
      case 13: function.overload = try cursor.name(field, limit: limits.nameBytes)
      default: try cursor.skip(field)
      }
    }
    guard opset == defaultOpset else {
      throw .unsupported(
        "its function '\(printable(function.name))' uses opset \(opset), "
          + "the model itself \(defaultOpset); inline it with onnx.inliner")
    }
    return function
  }
}

/// Replaces the nodes that call a model's own functions by the functions' nodes.
///
/// Source: ONNX IR specification, "Functions". Values inside a call get new names; a node's
/// attribute that refers to one of the function takes the call's value, else the default, else it
/// is left out.
struct FunctionInliner {
  private let functions: [FunctionMessage.Identity: FunctionMessage]
  private let limits: ONNXLimits
  /// How deep functions may call each other.
  private let depthLimit = 32

  init(_ functions: [FunctionMessage], opset: Int64, limits: ONNXLimits) throws(ONNXError) {
    var byIdentity: [FunctionMessage.Identity: FunctionMessage] = [:]
    for function in functions {
      guard byIdentity.updateValue(function, forKey: function.identity) == nil else {
        throw .malformed(
          reason: "the function '\(printable(function.name))' is defined twice", offset: nil)
      }
    }
    self.functions = byIdentity
    self.limits = limits
  }

  /// Returns the nodes of a graph with all calls expanded.
  func expanded(
    _ graph: Graph, overloads: [Int: String]
  ) throws(ONNXError) -> [Graph.Node] {
    var expansion = Expansion(graph)
    for (index, node) in graph.nodes.enumerated() {
      try expand(node, overload: overloads[index] ?? "", depth: 0, into: &expansion)
    }
    return expansion.nodes
  }

  private func expand(
    _ node: Graph.Node, overload: String, depth: Int, into expansion: inout Expansion
  ) throws(ONNXError) {
    let identity = FunctionMessage.Identity(
      domain: node.domain, name: node.kind, overload: overload)
    guard let function = functions[identity] else {
      try ONNXLimits.check(expansion.nodes.count + 1, "nodes", limits.nodes)
      expansion.nodes.append(node)
      return
    }
    try expansion.spend(1024 + 64 * (function.inputs.count + function.outputs.count))
    let label = "function '\(printable(function.name))'"
    guard depth < depthLimit else {
      throw .unsupported("\(label) is called through more than \(depthLimit) others, or by itself")
    }
    guard node.inputs.count <= function.inputs.count, node.outputs.count <= function.outputs.count
    else {
      throw .malformed(
        reason: "\(label) has \(function.inputs.count) inputs and \(function.outputs.count) "
          + "outputs, and is called with \(node.inputs.count) and \(node.outputs.count)",
        offset: nil)
    }

    let prefix = node.name.isEmpty ? function.name : node.name
    var names = ["": ""]
    for (index, input) in function.inputs.enumerated() {
      names[input] = index < node.inputs.count ? node.inputs[index] : ""
    }
    for (output, actual) in zip(function.outputs, node.outputs) where !actual.isEmpty {
      guard let passed = names.updateValue(actual, forKey: output) else { continue }
      // An output that is an input.
      expansion.nodes.append(
        Graph.Node(
          name: expansion.unique(prefix + "/" + output), kind: "Identity", inputs: [passed],
          outputs: [actual]))
      names[output] = passed
    }
    for inner in function.nodes {
      for name in inner.node.inputs + inner.node.outputs where names[name] == nil {
        let value = expansion.unique(prefix + "/" + name)
        try expansion.spend(2 * value.utf8.count)
        names[name] = value
      }
      try expansion.spend(
        64 * (inner.node.inputs.count + inner.node.outputs.count) + prefix.utf8.count)
      var attributes = inner.node.attributes
      for (name, reference) in inner.references {
        attributes[name] = node.attributes[reference] ?? function.defaults[reference]
      }
      let copy = Graph.Node(
        name: inner.node.name.isEmpty ? "" : prefix + "/" + inner.node.name,
        kind: inner.node.kind, domain: inner.node.domain,
        inputs: inner.node.inputs.map { names[$0] ?? "" },
        outputs: inner.node.outputs.map { names[$0] ?? "" }, attributes: attributes)
      try expand(copy, overload: inner.overload, depth: depth + 1, into: &expansion)
    }
  }

  /// The nodes so far, and the names of values that are taken.
  private struct Expansion {
    var nodes: [Graph.Node] = []
    private var spent = 0
    private var taken: Set<String>
    private var suffix = 1

    init(_ graph: Graph) {
      taken = Set(graph.constants.keys)
      for port in graph.inputs + graph.outputs { taken.insert(port.name) }
      for node in graph.nodes { taken.formUnion(node.inputs + node.outputs) }
    }

    /// Counts bytes that expanding takes, roughly, so that few functions that call each other often
    /// cannot take all memory or forever.
    mutating func spend(_ byteCount: Int) throws(ONNXError) {
      spent += byteCount
      guard spent <= 1 << 29 else {
        throw .unsupported("its functions call each other too often; inline them with onnx.inliner")
      }
    }

    /// Returns the name, changed if another value has it.
    mutating func unique(_ name: String) -> String {
      var candidate = name
      while !taken.insert(candidate).inserted {
        suffix += 1
        candidate = "\(name)_\(suffix)"
      }
      return candidate
    }
  }
}
