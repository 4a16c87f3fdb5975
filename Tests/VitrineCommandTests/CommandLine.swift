import Foundation
import Synchronization
import Vitrine
import VitrineCommand
import VitrineCore
import VitrineImaging
import VitrineNetwork
import VitrineTensor

/// Keeps what a command writes.
final class RecordingConsole: Console {
  private let texts = Mutex<(output: String, errors: String)>(("", ""))
  private let isOutputFull: Bool
  let reportsToTerminal: Bool

  init(isOutputFull: Bool = false, reportsToTerminal: Bool = false) {
    self.isOutputFull = isOutputFull
    self.reportsToTerminal = reportsToTerminal
  }

  var output: String { texts.withLock { $0.output } }
  var errors: String { texts.withLock { $0.errors } }

  func write(_ text: String) throws(CommandError) {
    if isOutputFull {
      throw CommandError(.inputOutput, code: "cannot-write-output", "cannot write")
    }
    texts.withLock { $0.output += text }
  }

  func report(_ text: String) { texts.withLock { $0.errors += text } }
}

/// A folder of its own, with small models and pictures, removed at the end.
final class Workspace: Sendable {
  let folder: String

  init() throws {
    folder = NSTemporaryDirectory() + "vitrine-test-" + UUID().uuidString
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func path(_ name: String) -> String { folder + "/" + name }

  func write(_ bytes: [UInt8], as name: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
  }

  func write(_ text: String, as name: String) throws { try write(Array(text.utf8), as: name) }

  func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  /// Every file and folder below the workspace, sorted.
  var contents: [String] {
    (FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []).sorted()
  }

  /// Runs a command line; words that start with `@` are paths in the workspace.
  func run(
    _ words: [String], console: RecordingConsole = RecordingConsole(),
    environment: [String: String] = [:], cancellation: Cancellation = Cancellation()
  ) -> (code: ExitCode, output: String, errors: String) {
    let arguments = words.map { $0.hasPrefix("@") ? path(String($0.dropFirst())) : $0 }
    let code = Command.run(
      arguments: arguments, environment: environment, console: console,
      cancellation: cancellation)
    return (code, console.output, console.errors)
  }

  /// Runs a command line and returns its standard output as a JSON object.
  func json(_ words: [String]) throws -> [String: Any] {
    let result = run(words)
    let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    return object as? [String: Any] ?? [:]
  }
}

// MARK: - Models whose answers are known in closed form

extension Workspace {
  /// Weights of ``addLinearModel(named:output:softmax:)``: output c is Σ w[c][i] x[i].
  static let weights: [Float] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1,
    0.5, 0, 0, 0, 0, 0, 0, 0, -0.5, 0, 0, 0,
  ]

  /// Writes a model that maps a gray picture of 3 rows and 4 columns linearly to three numbers.
  func addLinearModel(
    named name: String = "linear.onnx", output: String = "logits", softmax: Bool = false
  ) throws {
    var nodes = [
      Graph.Node(name: "flatten", kind: "Flatten", inputs: ["picture"], outputs: ["flat"]),
      Graph.Node(
        name: "dense", kind: "Gemm", inputs: ["flat", "w"],
        outputs: [softmax ? "scores" : output], attributes: ["transB": .integer(1)]),
    ]
    if softmax {
      nodes.append(
        Graph.Node(
          name: "softmax", kind: "Softmax", inputs: ["scores"], outputs: [output],
          attributes: ["axis": .integer(1)]))
    }
    let graph = Graph(
      opset: 17,
      inputs: [
        Graph.Port(
          name: "picture", dataType: .float32,
          dimensions: [.dynamic("N"), .fixed(1), .fixed(3), .fixed(4)])
      ],
      outputs: [
        Graph.Port(name: output, dataType: .float32, dimensions: [.dynamic("N"), .fixed(3)])
      ],
      nodes: nodes, constants: ["w": try Tensor(Self.weights, shape: [3, 12])])
    try write(ONNX.bytes(of: graph), as: name)
  }

  /// Writes a model of four features and two numbers, y = (x0 - x1, 2 x3).
  func addTableModel(named name: String = "table.onnx") throws {
    let graph = Graph(
      opset: 17,
      inputs: [
        Graph.Port(name: "row", dataType: .float32, dimensions: [.dynamic("N"), .fixed(4)])
      ],
      outputs: [
        Graph.Port(name: "y", dataType: .float32, dimensions: [.dynamic("N"), .fixed(2)])
      ],
      nodes: [Graph.Node(name: "dense", kind: "MatMul", inputs: ["row", "w"], outputs: ["y"])],
      constants: ["w": try Tensor([1, 0, -1, 0, 0, 0, 0, 2] as [Float], shape: [4, 2])])
    try write(ONNX.bytes(of: graph), as: name)
  }

  /// Writes a model of colour pictures of 8 rows and columns: a convolution to 4 channels with a ReLU, called
  /// `maps`, their means, and 3 logits.
  func addConvolutionModel(named name: String = "convolution.onnx") throws {
    var generator = RandomGenerator(seed: 7)
    let graph = Graph(
      opset: 17,
      inputs: [
        Graph.Port(
          name: "picture", dataType: .float32,
          dimensions: [.dynamic("N"), .fixed(3), .fixed(8), .fixed(8)])
      ],
      outputs: [
        Graph.Port(name: "logits", dataType: .float32, dimensions: [.dynamic("N"), .fixed(3)])
      ],
      nodes: [
        Graph.Node(
          name: "conv", kind: "Conv", inputs: ["picture", "taps"], outputs: ["sums"],
          attributes: ["pads": .integers([1, 1, 1, 1])]),
        Graph.Node(name: "maps", kind: "Relu", inputs: ["sums"], outputs: ["relu"]),
        Graph.Node(
          name: "means", kind: "GlobalAveragePool", inputs: ["relu"], outputs: ["pooled"]),
        Graph.Node(name: "flatten", kind: "Flatten", inputs: ["pooled"], outputs: ["flat"]),
        Graph.Node(name: "dense", kind: "Gemm", inputs: ["flat", "w"], outputs: ["logits"]),
      ],
      constants: [
        "taps": try generator.normalTensor(Shape([4, 3, 3, 3])),
        "w": try generator.normalTensor(Shape([4, 3])),
      ])
    try write(ONNX.bytes(of: graph), as: name)
  }

  /// The samples of ``addPicture(named:)``, 0...255.
  static let samples: [UInt8] = [0, 51, 102, 153, 204, 255, 0, 51, 102, 153, 204, 255]

  /// Writes a gray picture of 3 rows and 4 columns.
  func addPicture(named name: String = "picture.png") throws {
    let image = try Image(width: 4, height: 3, channels: 1, pixels: Self.samples)
    try write(try PNG.encode(image), as: name)
  }

  /// The three outputs of the linear model for the picture scaled to 0...1.
  static var logits: [Double] {
    (0..<3).map { c in
      (0..<12).reduce(0) { $0 + Double(weights[c * 12 + $1]) * Double(samples[$1]) / 255 }
    }
  }
}
