import Foundation
import Testing
import Vitrine
import VitrineCommand
import VitrineCore
import VitrineImaging
import VitrineLayers
import VitrineNetwork
import VitrineONNX
import VitrineSafetensors
import VitrineTensor

/// What the README claims.
@Suite("README")
struct ReadmeTests {
  let text: String

  init() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    text = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
  }

  @Test("its list of operators is the catalog's")
  func operators() throws {
    let paragraph = try #require(
      text.split(separator: "\n\n").first { $0.hasPrefix("`Abs`") })
    let listed = paragraph.split { $0 == "," || $0 == "\n" || $0 == " " }
      .map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "`.")) }
    #expect(listed == OperatorCatalog.operators.keys.sorted())
  }

  @Test("its table of methods is the catalog's")
  func methods() {
    for method in MethodCatalog.standard.methods {
      let names = ([method.identifier] + method.aliases).map { "`\($0)`" }
      #expect(text.contains("| \(names.joined(separator: ", ")) | \(method.summary) |"))
    }
  }

  @Test("it names every verb and preset")
  func verbs() throws {
    let workspace = try Workspace()
    for line in workspace.run(["help"]).output.split(separator: "\n")
    where line.hasPrefix("  ") && !line.hasPrefix("  vitrine") && !line.hasPrefix("   ") {
      let verb = String(line.split(separator: " ")[0])
      #expect(text.contains("`\(verb)") || text.contains(", `\(verb) "))
    }
    let presets = Preprocessing.presets.map(\.name).joined(separator: "|")
    #expect(text.contains("--preprocess \(presets)`"))
  }

  @Test("its example in Swift compiles, runs, and is this one")
  func example() throws {
    let workspace = try Workspace()
    let wide = Graph(
      opset: 17,
      inputs: [
        Graph.Port(
          name: "image", dataType: .float32,
          dimensions: [.dynamic("N"), .fixed(3), .fixed(224), .fixed(224)])
      ],
      outputs: [
        Graph.Port(
          name: "logits", dataType: .float32,
          dimensions: [.dynamic("N"), .fixed(3), .fixed(1), .fixed(1)])
      ],
      nodes: [
        Graph.Node(
          name: "mean", kind: "GlobalAveragePool", inputs: ["image"], outputs: ["logits"])
      ])
    try workspace.write(ONNX.bytes(of: wide), as: "model.onnx")
    let gray = try Image(width: 224, height: 224, color: .gray)
    try workspace.write(try PNG.encode(gray), as: "photo.png")
    let folder = workspace.folder + "/"

    let network = try Network(ONNX.graph(contentsOf: folder + "model.onnx"))
    let photo = try Image(
      decoding: [UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "photo.png"))))
    let pixels = try Preprocessing.imagenet.apply(to: photo, channels: 3, width: 224, height: 224)
    let inputs = try Inputs(Tensor(pixels.values, shape: [1, 3, 224, 224]), for: network)

    let explainer = try MethodCatalog.standard.explainer(
      named: "gradient-magnitude", options: ["channels": "max"])
    let explanation = try explainer.explain(network, at: inputs, target: .top, context: Context())

    let values = try explanation.attribution.tensor.elements(of: Float.self)
    let picture = try HeatMap(width: 224, height: 224, values: values).overlaid(on: photo)
    try Data(PNG.encode(picture)).write(to: URL(fileURLWithPath: folder + "why.png"))

    #expect(workspace.contents.contains("why.png"))
    let source = try String(contentsOf: URL(fileURLWithPath: #filePath), encoding: .utf8)
      .filter { !$0.isWhitespace }.replacing("folder+", with: "")
    let code = try #require(text.split(separator: "```swift")[1...].first)
      .split(separator: "```")[0]
      .filter { !$0.isWhitespace }.replacing("importFoundationimportVitrine", with: "")
    #expect(source.contains(code))
  }

  @Test("its network of layers is built, saved, and this one")
  func layers() throws {
    let folder = try Workspace().folder + "/"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let weights = try Network(input: [1, 28, 28], seed: 1) {
      Conv2D(6, kernel: 5, activation: .relu)
      MaxPool2D(2)
      Flatten()
      Dense(10)
    }
    try weights.writeParameters(to: folder + "weights.safetensors")

    let network = try Network(input: [1, 28, 28]) {
      Conv2D(6, kernel: 5, activation: .relu)
      MaxPool2D(2)
      Flatten()
      Dense(10)
    }
    try ONNX.write(network, to: folder + "network.onnx")
    let trained = try network.loadingParameters(contentsOf: folder + "weights.safetensors")

    #expect(trained.parameters == weights.parameters)
    let source = try String(contentsOf: URL(fileURLWithPath: #filePath), encoding: .utf8)
      .filter { !$0.isWhitespace }.replacing("folder+", with: "")
    let code = try #require(text.split(separator: "```swift").dropFirst(2).first)
      .split(separator: "```")[0]
    #expect(source.contains(code.filter { !$0.isWhitespace }))
  }
}
