import Foundation
import Testing
import VitrineCommand
import VitrineImaging
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Targets on the command line")
struct TargetTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addTableModel()
    // y = (x0 - x1, 2 x3) for three rows.
    let rows = try Tensor([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] as [Float], shape: [3, 4])
    try workspace.write(rows.npyBytes(), as: "rows.npy")
    try workspace.write(try rows.sliced(axis: 0, 0..<1).npyBytes(), as: "row.npy")
  }

  private func run(_ target: String, _ inputs: [String] = ["@rows.npy"]) -> (
    code: ExitCode, output: String, errors: String
  ) {
    workspace.run(
      ["explain", "@table.onnx"] + inputs + ["-m", "saliency", "-t", target, "--json"])
  }

  private func elements(_ target: String, _ inputs: [String]) throws -> [Int] {
    let object = try workspace.json(
      ["explain", "@table.onnx"] + inputs + ["-m", "saliency", "-t", target, "--json"])
    let results = object["results"] as? [[String: Any]] ?? [object]
    return results.compactMap { ($0["target"] as? [String: Any])?["index"] as? Int }
  }

  @Test("a list has a class for each sample, through all inputs")
  func lists() throws {
    #expect(try elements("1,0,1", ["@rows.npy"]) == [1, 0, 1])
    #expect(try elements("1,0,1,0", ["@row.npy", "@rows.npy"]) == [1, 0, 1, 0])
    #expect(try elements("1", ["@row.npy", "@rows.npy"]) == [1, 1, 1, 1])
    let object = try workspace.json([
      "explain", "@table.onnx", "@rows.npy", "-m", "ig", "-t", "1,0,1", "--json",
    ])
    let results = try #require(object["results"] as? [[String: Any]])
    #expect(results.compactMap { ($0["values"] as? [Double])?.first } == [8, -1, 24])
  }

  @Test("a list of another length than the samples is refused, and nothing is written")
  func wrongLength() {
    for (target, inputs) in [
      ("1,0", ["@rows.npy"]), ("1,0,1,0", ["@rows.npy"]), ("0,1", ["@row.npy", "@rows.npy"]),
    ] {
      let result = run(target, inputs)
      #expect(result.code == .usage)
      #expect(result.errors.contains("one for each sample"), "\(result.errors)")
    }
    let result = workspace.run([
      "explain", "@table.onnx", "@rows.npy", "-m", "saliency", "-t", "1,0,1,0", "--raw", "@raw.npy",
    ])
    #expect(result.code == .usage && !workspace.contents.contains("raw.npy"))
    #expect(run("1,7,0").errors.contains("index 7 is out of range"))
  }

  @Test("a position in an output of several axes is one number, and must lie inside it")
  func positions() throws {
    let graph = Graph(
      opset: 17,
      inputs: [
        Graph.Port(name: "row", dataType: .float32, dimensions: [.dynamic("N"), .fixed(6)])
      ],
      outputs: [
        Graph.Port(
          name: "grid", dataType: .float32, dimensions: [.dynamic("N"), .fixed(2), .fixed(3)])
      ],
      nodes: [
        Graph.Node(name: "square", kind: "Mul", inputs: ["row", "row"], outputs: ["squares"]),
        Graph.Node(
          name: "grid", kind: "Reshape", inputs: ["squares", "shape"], outputs: ["grid"]),
      ], constants: ["shape": Tensor([0, 2, 3] as [Int64])])
    try workspace.write(ONNX.bytes(of: graph), as: "grid.onnx")
    let x = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [1, 6])
    try workspace.write(x.npyBytes(), as: "six.npy")
    let object = try workspace.json([
      "explain", "@grid.onnx", "@six.npy", "-m", "saliency", "-t", "1/1", "--json",
    ])
    let found = try #require(object["target"] as? [String: Any])
    #expect(found["index"] as? Int == 4 && found["position"] as? [Int] == [1, 1])
    let text = workspace.run(["explain", "@grid.onnx", "@six.npy", "-m", "saliency", "-t", "1/1"])
    #expect(text.output.contains("gradient-magnitude of position 1/1, logit 25"), "\(text.output)")
    #expect(object["values"] as? [Double] == [25])
    let attributions = try #require(object["attributions"] as? [[String: Any]])
    #expect(attributions[0]["values"] as? [Double] == [0, 0, 0, 0, 10, 0])
    for (target, found) in [("2/0", "[2, 0]"), ("1/1/0", "[1, 1, 0]"), ("0/-1", "[0, -1]")] {
      let result = workspace.run([
        "explain", "@grid.onnx", "@six.npy", "-m", "saliency", "-t", target,
      ])
      #expect(result.code != .success)
      #expect(
        result.errors.contains("expected [2, 3], found \(found)"), "\(result.errors)")
    }
  }
}
