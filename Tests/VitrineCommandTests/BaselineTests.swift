import Foundation
import Testing
import VitrineCommand
import VitrineImaging
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Baselines on the command line")
struct BaselineTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
    try workspace.addPicture()
  }

  /// Returns Σ w (x − x') of output 0, which integrated gradients of a linear model sum to.
  private func sum(_ baseline: String, _ flags: [String] = []) throws -> Double {
    let object = try workspace.json(
      [
        "explain", "@linear.onnx", "@picture.png", "-m", "ig", "-t", "0", "--json", "--set",
        "baseline=\(baseline)",
      ] + flags)
    let attributions = try #require(object["attributions"] as? [[String: Any]])
    return try #require(attributions[0]["sum"] as? Double)
  }

  @Test("colours and pictures are prepared as the input is")
  func prepared() throws {
    let white = try Image(
      width: 4, height: 3, channels: 1, pixels: Array(repeating: 255, count: 12))
    try workspace.write(try PNG.encode(white), as: "white.png")
    let total = Double(Workspace.weights[..<12].reduce(0, +))
    for (flags, black, white) in [
      ([], 0.0, 1.0), (["--preprocess", "signed"], -1, 1), (["--preprocess", "byte"], 0, 255),
    ] {
      let range = (white - black) * total
      let fromBlack = try sum("black", flags)
      #expect(abs(fromBlack - (try sum("white", flags)) - range) < 1e-5 * range)
      #expect(abs(try sum(workspace.path("white.png"), flags) - fromBlack + range) < 1e-5 * range)
      #expect(abs(try sum("\(black)", flags) - fromBlack) < 1e-5 * range)
      let gray = black + (white - black) * 128 / 255
      #expect(abs(try sum("gray", flags) - fromBlack + (gray - black) * total) < 1e-5 * range)
    }
  }

  @Test("an array is taken as it is, with or without a batch axis")
  func array() throws {
    let numbers = (0..<12).map(Float.init)
    try workspace.write(try Tensor(numbers, shape: [1, 3, 4]).npyBytes(), as: "b.npy")
    let expected =
      Workspace.logits[0]
      - zip(Workspace.weights, numbers).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    #expect(abs(try sum(workspace.path("b.npy")) - expected) < 1e-3)
  }

  @Test(
    "names that are no colour and no file are refused",
    arguments: [
      ("missing.png", ExitCode.noInput, "cannot open baseline"),
      ("no/such/file", .noInput, "cannot open baseline"),
      ("blakc", .usage, "did you mean 'black'?"), ("1,2", .badData, "baseline values"),
    ])
  func refused(_ name: String, _ code: ExitCode, _ message: String) {
    for (method, option) in [("integrated-gradients", "baseline"), ("occlusion", "fill")] {
      let result = workspace.run([
        "explain", "@linear.onnx", "@picture.png", "-m", method, "--set", "\(option)=\(name)",
      ])
      #expect(result.code == code)
      #expect(result.errors.contains(message), "\(result.errors)")
    }
  }

  @Test("a model of pictures of any size takes colours and pictures at the size of the input")
  func openSize() throws {
    let graph = Graph(
      opset: 17,
      inputs: [
        Graph.Port(
          name: "picture", dataType: .float32,
          dimensions: [.dynamic("N"), .fixed(1), .dynamic("H"), .dynamic("W")])
      ],
      outputs: [
        Graph.Port(name: "mean", dataType: .float32, dimensions: [.dynamic("N"), .fixed(1)])
      ],
      nodes: [
        Graph.Node(
          name: "pool", kind: "GlobalAveragePool", inputs: ["picture"], outputs: ["pooled"]),
        Graph.Node(name: "flatten", kind: "Flatten", inputs: ["pooled"], outputs: ["mean"]),
      ])
    try workspace.write(ONNX.bytes(of: graph), as: "open.onnx")
    let mean = Workspace.samples.reduce(0.0) { $0 + Double($1) } / 12 / 255
    let gray = try Image(
      width: 4, height: 3, channels: 1, pixels: Array(repeating: 51, count: 12))
    try workspace.write(try PNG.encode(gray), as: "gray.png")
    for (baseline, level) in [
      ("black", 0.0), ("white", 1), (workspace.path("gray.png"), 0.2), ("mean", mean),
    ] {
      let object = try workspace.json([
        "explain", "@open.onnx", "@picture.png", "-m", "ig", "-t", "0", "--json", "--set",
        "baseline=\(baseline)",
      ])
      let attributions = try #require(object["attributions"] as? [[String: Any]])
      let sum = try #require(attributions[0]["sum"] as? Double)
      #expect(abs(sum - (mean - level)) < 1e-6, "\(baseline)")
    }
    let wide = try Image(
      width: 5, height: 3, channels: 1, pixels: Array(repeating: 51, count: 15))
    try workspace.write(try PNG.encode(wide), as: "wide.png")
    let result = workspace.run([
      "explain", "@open.onnx", "@picture.png", "-m", "occlusion", "--set",
      "fill=\(workspace.path("wide.png"))", "--set", "window=2",
    ])
    #expect(result.code == .badData)
    #expect(result.errors.contains("wide.png is 5x3 pixels"), "\(result.errors)")
  }

  @Test("snapshots of an occlusion become an animation, beside the map's picture")
  func animation() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "occlusion", "-t", "0", "-o", "@map.png",
      "--set", "window=2", "--set", "stride=1", "--set", "snapshots=4", "--set", "fill=white",
    ])
    #expect(result.code == .success, "\(result.errors)")
    let bytes = try workspace.bytes("map-animation.png")
    // The number of frames follows the chunk's name: the whole input, and four windows.
    let control = try #require(bytes.firstRange(of: Array("acTL".utf8)))
    #expect(Array(bytes[control.upperBound..<control.upperBound + 4]) == [0, 0, 0, 5])
    let object = try workspace.json([
      "explain", "@linear.onnx", "@picture.png", "-m", "occlusion", "-t", "0", "--json", "--set",
      "window=2", "--set", "stride=1", "--set", "snapshots=4",
    ])
    let diagnostics = try #require(object["diagnostics"] as? [String: Any])
    let scores = try #require(diagnostics["snapshot_scores"] as? [Double])
    let all = try #require(diagnostics["window_scores"] as? [Double])
    // 2 x 3 windows: 0, 1, 3 and 4 of them.
    #expect(scores.count == 5 && Array(scores[1...]) == [all[0], all[1], all[3], all[4]])
    #expect(abs(scores[0] - Workspace.logits[0]) < 1e-4)
  }

  @Test("the window table is arrays in the JSON, and one picture shows the main map")
  func windowTable() throws {
    let object = try workspace.json([
      "explain", "@linear.onnx", "@picture.png", "-m", "occlusion", "-t", "0", "--json", "--set",
      "window=2", "--set", "stride=2", "-o", "@map.png", "--set", "fill=black",
    ])
    let diagnostics = try #require(object["diagnostics"] as? [String: Any])
    #expect(diagnostics["windows"] as? Int == 4)
    #expect(diagnostics["window_rows"] as? [Int] == [0, 0, 2, 2])
    #expect(diagnostics["window_columns"] as? [Int] == [0, 2, 0, 2])
    #expect((diagnostics["window_scores"] as? [Double])?.count == 4)
    #expect(workspace.contents.contains("map.png"))
    let several = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "ig", "-o", "@maps",
    ])
    #expect(several.code == .success)
    #expect(
      workspace.contents.filter { $0.hasPrefix("maps/") }
        == ["maps/attribution.png", "maps/mean-gradient.png"])
    let one = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "ig", "-o", "@one.png",
    ])
    #expect(one.code == .success)
  }
}
