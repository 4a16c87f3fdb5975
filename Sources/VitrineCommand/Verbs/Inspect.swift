import VitrineCore
import VitrineNetwork
import VitrineReport
import VitrineTensor

extension Verb {
  /// `vitrine inspect`
  static let inspect = Verb(
    "inspect",
    summary: "list a model's inputs, outputs and layers",
    operands: .exactly(["MODEL"]),
    flags: [CommonFlags.json] + CommonFlags.running,
    examples: [
      Example(
        command: "vitrine inspect model.onnx",
        purpose: "what goes in, what comes out, and the names for --layer")
    ]
  ) { invocation, session in
    let settings = try RunSettings(invocation)
    let model = try LoadedModel(
      contentsOf: invocation.operands[0], configuration: settings.configuration)
    try session.checkCancellation()
    try session.write(invocation.has("json") ? json(model).text : text(model))
  }

  private static func text(_ model: LoadedModel) -> String {
    let network = model.network
    var text = "\(model.name.visible): ONNX operator set \(network.graph.opset)\n\n"
    var ports = TextTable([("", .left), ("name", .left), ("shape", .left), ("type", .left)])
    for port in network.signature.inputs { ports.add(cells("input", port)) }
    for port in network.signature.outputs { ports.add(cells("output", port)) }
    text += ports.text + "\n"
    var layers = TextTable([
      ("layer", .left), ("operator", .left), ("shape", .left), ("also called", .left),
    ])
    for layer in network.layers {
      layers.add([
        layer.name, layer.kind, shape(layer.dimensions), layer.aliases.joined(separator: ", "),
      ])
    }
    text += layers.text + "\n"
    text += "  \(Number.grouped(network.parameterCount)) parameters"
    if let count = network.multiplyAdds() {
      text += ", \(Number.grouped(count)) multiply-adds for one sample"
    }
    text += ", \(network.layers.count) layers\n"
    for note in network.graph.notes { text += "  note: \(note.visible)\n" }
    return text
  }

  private static func cells(_ role: String, _ port: Port) -> [String] {
    [role, port.name, port.shapeDescription, port.dataType.rawValue]
  }

  private static func shape(_ dimensions: [Int?]) -> String {
    "[" + dimensions.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + "]"
  }

  private static func json(_ model: LoadedModel) throws -> JSON {
    let network = model.network
    return .object([
      "schema": .integer(1),
      "verb": .string("inspect"),
      "model": try model.json(),
      "inputs": .array(network.signature.inputs.map(json)),
      "outputs": .array(network.signature.outputs.map(json)),
      "layers": .array(
        network.layers.map { layer in
          .object([
            "name": .string(layer.name), "kind": .string(layer.kind),
            "aliases": .strings(layer.aliases), "shape": .dimensions(layer.dimensions),
          ])
        }),
      "parameters": .integer(network.parameterCount),
      "multiply_adds": network.multiplyAdds().map { .integer($0) } ?? .null,
      "notes": .strings(network.graph.notes),
    ])
  }

  private static func json(_ port: Port) -> JSON {
    .object([
      "name": .string(port.name), "type": .string(port.dataType.rawValue),
      "shape": .dimensions(port.dimensions), "axes": .strings(port.axes.map(\.rawValue)),
    ])
  }
}

extension LoadedModel {
  /// What identifies the model in a report: the file's name without its folder, and its digest.
  ///
  /// - Parameter digest: Of the file, if it is known.
  func json(digest: String? = nil) throws -> JSON {
    .object([
      "file": .string(name), "sha256": .string(try digest ?? self.digest()),
      "opset": .integer(network.graph.opset),
    ])
  }
}
