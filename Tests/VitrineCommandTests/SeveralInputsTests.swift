import Foundation
import Testing
import VitrineCommand
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Models with several inputs on the command line")
struct SeveralInputsTests {
  let workspace: Workspace
  /// Row r is (r, 2 r, 3 r, 4 r).
  private static let table: [Float] = (0..<5).flatMap { r in (1...4).map { Float(r * $0) } }

  /// y = Σ_i numbers_i · table[id]_i
  init() throws {
    workspace = try Workspace()
    let graph = Graph(
      opset: 17,
      inputs: [
        Graph.Port(name: "numbers", dataType: .float32, dimensions: [.dynamic("N"), .fixed(4)]),
        Graph.Port(name: "ids", dataType: .int64, dimensions: [.dynamic("N")]),
      ],
      outputs: [
        Graph.Port(name: "y", dataType: .float32, dimensions: [.dynamic("N"), .fixed(1)])
      ],
      nodes: [
        Graph.Node(
          name: "embedding", kind: "Gather", inputs: ["table", "ids"], outputs: ["rows"]),
        Graph.Node(name: "mul", kind: "Mul", inputs: ["numbers", "rows"], outputs: ["products"]),
        Graph.Node(
          name: "sum", kind: "ReduceSum", inputs: ["products", "axes"], outputs: ["y"]),
      ],
      constants: [
        "table": try Tensor(Self.table, shape: [5, 4]), "axes": Tensor([1] as [Int64]),
      ])
    try workspace.write(ONNX.bytes(of: graph), as: "two.onnx")
    let numbers = try Tensor([1, 1, 1, 1, 2, 0, 0, 0] as [Float], shape: [2, 4])
    try workspace.write(numbers.npyBytes(), as: "numbers.npy")
    try workspace.write(Tensor([3, 1] as [Int64]).npyBytes(), as: "ids.npy")
    try workspace.write(Tensor([2] as [Int64]).npyBytes(), as: "id.npy")
    try workspace.write(Tensor([2, 2, 2] as [Int64]).npyBytes(), as: "three.npy")
  }

  private func explain(_ flags: [String]) -> (code: ExitCode, output: String, errors: String) {
    workspace.run(["explain", "@two.onnx", "-m", "saliency", "-t", "0", "--json"] + flags)
  }

  private func input(_ name: String, _ file: String) -> [String] {
    ["--input", "\(name)=\(workspace.path(file))"]
  }

  @Test("the gradient of the real input uses what the other is fed, sample by sample or for all")
  func gradients() throws {
    for (file, rows) in [("ids.npy", [3, 1]), ("id.npy", [2, 2])] {
      let object = try workspace.json(
        ["explain", "@two.onnx", "@numbers.npy", "-m", "saliency", "-t", "0", "--json"]
          + input("ids", file))
      let results = try #require(object["results"] as? [[String: Any]])
      for (result, row) in zip(results, rows) {
        let attributions = try #require(result["attributions"] as? [[String: Any]])
        #expect(attributions[0]["values"] as? [Int] == (1...4).map { row * $0 })
        let warnings = try #require(result["warnings"] as? [String])
        #expect(warnings.contains { $0.contains("'ids'") && $0.contains("layer 'embedding'") })
      }
      let provenance = try #require(object["provenance"] as? [String: Any])
      let inputs = try #require(provenance["inputs"] as? [String: [String: String]])
      #expect(inputs["ids"]?["file"] == file)
    }
  }

  @Test("predictions and comparisons take further inputs too")
  func otherVerbs() throws {
    let object = try workspace.json(
      ["predict", "@two.onnx", "@numbers.npy", "--json"] + input("ids", "ids.npy"))
    let results = try #require(object["results"] as? [[String: Any]])
    let values = results.compactMap {
      (($0["outputs"] as? [[String: Any]])?.first?["values"] as? [Double])?.first
    }
    #expect(values == [30, 2])
  }

  @Test("inputs that are missing, unknown, twice or of another length are told")
  func refusals() {
    for (flags, message) in [
      (["@numbers.npy"], "missing so far: numbers, ids"),
      (["@numbers.npy"] + input("idz", "ids.npy"), "did you mean 'ids'?"),
      (["@numbers.npy"] + input("ids", "ids.npy") + input("ids", "ids.npy"), "given twice"),
      (
        ["@numbers.npy"] + input("ids", "ids.npy") + input("numbers", "numbers.npy"),
        "leave one out for INPUT"
      ),
      (["@numbers.npy"] + input("ids", "three.npy"), "expected 1 sample, or 2"),
      (["@numbers.npy", "--input", "ids"], "expected NAME=FILE"),
      (["@numbers.npy"] + input("ids", "missing.npy"), "cannot open"),
    ] {
      let result = explain(flags)
      #expect(result.code != .success)
      #expect(result.errors.contains(message), "\(result.errors)")
    }
  }
}
