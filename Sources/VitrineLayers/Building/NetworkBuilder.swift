import VitrineCore
public import VitrineNetwork
public import VitrineTensor

/// Turns blocks into a graph: chooses names, makes parameters, checks shapes.
///
/// Layers get automatic names by kind, `conv1`, `conv2`, in the order of the blocks; layers inside a
/// named block begin with its name and a dot. A layer's last node, and the value it writes, carry the
/// layer's name, so that it is a site; inner nodes append a slash and a word, parameters a dot and one.
public struct NetworkBuilder: Sendable {
  /// The operator set of the graphs made: the first with `Gelu`.
  static let opset = 20

  /// Name of the layer that is being connected.
  public private(set) var layer = ""
  private var prefix = ""
  private var counts: [String: Int] = [:]
  private var names: Set<String> = []
  private var nodes: [Graph.Node] = []
  private var constants: [String: Tensor] = [:]
  /// Of every value, for a batch of one.
  private var types: [String: ValueType] = [:]
  private let seed: UInt64

  init(seed: UInt64) { self.seed = seed }

  // MARK: - Blocks

  /// Adds blocks one behind the other.
  ///
  /// - Returns: What the last one computes; `input` if there are none.
  /// - Throws: ``LayerError`` naming the block that does not fit.
  public mutating func connect(_ blocks: [any Block], to input: Signal) throws -> Signal {
    try blocks.reduce(input) { signal, block in try connect(block, to: signal) }
  }

  /// Adds a block under a name of its own.
  ///
  /// - Returns: What it computes, under the layer's name.
  /// - Throws: ``LayerError/repeatedName(_:)``; what the block throws.
  public mutating func connect(_ block: any Block, to input: Signal) throws -> Signal {
    let outer = (layer: layer, prefix: prefix)
    defer { (layer, prefix) = outer }
    if block.kind.isEmpty {
      // A container: named, it gives its layers a prefix; unnamed, it is not to be seen.
      if let name = block.name {
        guard !name.isEmpty, names.insert(prefix + name).inserted else {
          throw LayerError.repeatedName(prefix + name)
        }
        prefix += name + "."
      }
      layer = prefix.isEmpty ? outer.layer : String(prefix.dropLast())
      return try block.connect(input, &self)
    }
    layer = try chosenName(block)
    let output = try block.connect(input, &self)
    // Behind an activation the layer has its name already.
    return output.name.hasPrefix(layer + "/") ? rename(output, to: layer) : output
  }

  /// Calls `body`, in which blocks that are connected belong to the layer: they are called `layer.name`.
  public mutating func inside<Result>(
    _ body: (inout NetworkBuilder) throws -> Result
  ) throws -> Result {
    let outer = (layer: layer, prefix: prefix)
    defer { (layer, prefix) = outer }
    prefix = layer + "."
    return try body(&self)
  }

  private mutating func chosenName(_ block: any Block) throws -> String {
    if let name = block.name {
      guard !name.isEmpty else {
        throw LayerError.invalid(layer: block.kind, reason: "its name is empty")
      }
      guard names.insert(prefix + name).inserted else {
        throw LayerError.repeatedName(prefix + name)
      }
      return prefix + name
    }
    while true {
      let key = prefix + block.kind
      counts[key, default: 0] += 1
      let name = key + String(counts[key, default: 0])
      if names.insert(name).inserted { return name }
    }
  }

  /// Gives the last node and its value the layer's name.
  private mutating func rename(_ output: Signal, to name: String) -> Signal {
    guard let last = nodes.last, last.outputs.contains(output.name) else { return output }
    nodes.removeLast()
    nodes.append(
      Graph.Node(
        name: name, kind: last.kind, domain: last.domain, inputs: last.inputs,
        outputs: last.outputs.map { $0 == output.name ? name : $0 }, attributes: last.attributes))
    types[name] = types.removeValue(forKey: output.name)
    return Signal(name: name, shape: output.shape, dataType: output.dataType)
  }

  // MARK: - Nodes and parameters

  /// Adds a node with one output that anything reads.
  ///
  /// - Parameters:
  ///   - kind: The ONNX operator.
  ///   - part: What the node does within the layer; the operator in lower case if `nil`.
  ///   - inputs: Signals, parameters and constants, in the operator's order; `nil` for one left out.
  ///   - attributes: The operator's attributes.
  ///   - output: Which output of the operator is returned.
  /// - Returns: The value of that output; its shape follows from those of the inputs.
  /// - Throws: ``LayerError/invalid(layer:reason:)`` if the operator refuses shapes or attributes.
  public mutating func node(
    _ kind: String, part: String? = nil, _ inputs: [Signal?],
    _ attributes: [String: Graph.Attribute] = [:], output: Int = 0
  ) throws -> Signal {
    let part = part ?? kind.lowercased()
    var name = layer + "/" + part
    var copy = 1
    while names.contains(name) {
      copy += 1
      name = layer + "/" + part + String(copy)
    }
    names.insert(name)
    let node = Graph.Node(
      name: name, kind: kind, inputs: inputs.map { $0?.name ?? "" },
      outputs: Array(repeating: "", count: output) + [name],
      attributes: attributes.mapValues { value in
        // Files have them in single precision: a network read back computes the same.
        if case .real(let number) = value { .real(Double(Float(number))) } else { value }
      })
    guard let type = OperatorCatalog.operators[kind] else {
      throw invalid("there is no operator '\(kind)'")
    }
    let results: [ValueType]
    do {
      let operation = try type.init(NodeReader(node, opset: Self.opset))
      results = try operation.infer(inputs.map { $0.flatMap { types[$0.name] } })
    } catch {
      throw invalid("\(error)")
    }
    guard output < results.count else { throw invalid("'\(kind)' has no output \(output)") }
    nodes.append(node)
    let result = results[output]
    types[name] = result
    return Signal(
      name: name, shape: Array(result.shape.dimensions.dropFirst()), dataType: result.dataType)
  }

  /// Adds a parameter of the layer, chosen by an initializer.
  ///
  /// - Parameters:
  ///   - name: Its name after the layer's and a dot, such as `weight`.
  ///   - shape: All extents; a parameter has no batch axis.
  ///   - initializer: How it starts.
  ///   - fanIn: Connections into a unit, for initializers that scale; `fanOut` those out of it.
  ///   - fanOut: Outputs that one input reaches, for initialisers that ask.
  ///   - rows: Extent of the first axis if `nil`; for orthogonal matrices.
  /// - Returns: The parameter, for ``node(_:part:_:_:output:)``.
  /// - Throws: ``LayerError/repeatedName(_:)``; ``LayerError/invalid(layer:reason:)`` for a shape that is
  ///   none.
  public mutating func parameter(
    _ name: String, _ shape: [Int], _ initializer: Initializer, fanIn: Int = 1, fanOut: Int = 1,
    rows: Int? = nil
  ) throws -> Signal {
    let fullName = layer + "." + name
    // The name, not the order of layers, decides the numbers: a layer more leaves the others alone.
    var random = RandomGenerator(seed: seed ^ stableHash(fullName))
    let tensor: Tensor
    do {
      tensor = try initializer.tensor(
        Shape(shape), fanIn: fanIn, fanOut: fanOut, rows: rows ?? shape.first ?? 1, &random)
    } catch {
      throw invalid("\(name): \(error)")
    }
    return try constant(name, tensor)
  }

  /// Adds a constant of the layer, which training leaves alone unless an operator takes it as a weight.
  ///
  /// - Parameters:
  ///   - name: Its name after the layer's and a dot.
  ///   - tensor: Its value; a constant has no batch axis.
  /// - Throws: ``LayerError/repeatedName(_:)``.
  public mutating func constant(_ name: String, _ tensor: Tensor) throws -> Signal {
    let fullName = layer + "." + name
    guard names.insert(fullName).inserted, constants[fullName] == nil else {
      throw LayerError.repeatedName(fullName)
    }
    constants[fullName] = tensor
    types[fullName] = ValueType(constant: tensor)
    return Signal(
      name: fullName, shape: tensor.shape.dimensions, dataType: tensor.dataType)
  }

  /// Returns an error that names the layer being connected.
  ///
  /// - Parameter reason: What was expected and what was found.
  public func invalid(_ reason: String) -> LayerError { .invalid(layer: layer, reason: reason) }

  /// Returns the signal behind an activation, which is a layer of its own with an automatic name.
  mutating func activated(_ signal: Signal, _ function: ActivationFunction?) throws -> Signal {
    guard let function else { return signal }
    return try connect(Activation(function), to: rename(signal, to: layer))
  }

  // MARK: - The whole

  mutating func input(_ name: String, _ shape: [Int], _ dataType: DataType) throws -> Signal {
    names.insert(name)
    types[name] = ValueType(try Shape([1] + shape), dataType)
    return Signal(name: name, shape: shape, dataType: dataType)
  }

  /// Returns the graph, with the output value under another name if one is given.
  func graph(_ name: String, input: Signal, output: Signal, as outputName: String?) throws -> Graph
  {
    var nodes = nodes
    var output = output
    if let outputName, outputName != output.name {
      guard !names.contains(outputName) else { throw LayerError.repeatedName(outputName) }
      nodes = nodes.map { node in
        func renamed(_ value: String) -> String { value == output.name ? outputName : value }
        return Graph.Node(
          name: node.name, kind: node.kind, domain: node.domain, inputs: node.inputs.map(renamed),
          outputs: node.outputs.map(renamed), attributes: node.attributes)
      }
      output = Signal(name: outputName, shape: output.shape, dataType: output.dataType)
    }
    guard nodes.contains(where: { $0.outputs.contains(output.name) }) else {
      throw LayerError.empty
    }
    return Graph(
      name: name, opset: Self.opset, inputs: [port(input)], outputs: [port(output)], nodes: nodes,
      constants: constants)
  }

  private func port(_ signal: Signal) -> Graph.Port {
    Graph.Port(
      name: signal.name, dataType: signal.dataType,
      dimensions: [.dynamic("batch")] + signal.shape.map { .fixed($0) })
  }
}

/// FNV-1a: the same number for the same text on every platform, unlike Swift's own hashes.
private func stableHash(_ text: String) -> UInt64 {
  text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
