import Testing
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Writing a graph and reading it back")
struct RoundTripTests {
  @Test("gives the same graph")
  func sameGraph() throws {
    let graph = try ModelBytes.small()
    let copy = try ONNX.graph(bytes: ONNX.bytes(of: graph), folder: nil)
    #expect(copy.name == "small")
    #expect(copy.opset == 17)
    #expect(copy.inputs == graph.inputs)
    #expect(copy.outputs == graph.outputs)
    #expect(copy.constants == graph.constants)
    #expect(copy.notes.isEmpty)
    #expect(copy.nodes.count == graph.nodes.count)
    for (node, original) in zip(copy.nodes, graph.nodes) {
      #expect(node.name == original.name && node.kind == original.kind)
      #expect(node.domain == original.domain)
      #expect(node.inputs == original.inputs && node.outputs == original.outputs)
      #expect(node.attributes.mapValues(describe) == original.attributes.mapValues(describe))
    }
  }

  @Test("gives the same bytes, however the dictionaries are ordered")
  func sameBytes() throws {
    let graph = try ModelBytes.small()
    let bytes = ONNX.bytes(of: graph)
    let copy = try ONNX.graph(bytes: bytes, folder: nil)
    #expect(ONNX.bytes(of: copy) == bytes)
  }

  @Test("writes what the format's definition says, byte for byte")
  func knownBytes() {
    let graph = Graph(
      name: "g", opset: 17,
      inputs: [.init(name: "x", dataType: .float32, dimensions: [.fixed(2)])],
      outputs: [.init(name: "y", dataType: .float32, dimensions: [.fixed(2)])],
      nodes: [.init(name: "n", kind: "Relu", inputs: ["x"], outputs: ["y"])])
    // onnx 1.23.2: make_model(make_graph([make_node("Relu", ["x"], ["y"], "n")], "g",
    // [make_tensor_value_info("x", 1, [2])], [… "y" …]), opset_imports=[make_opsetid("", 17)],
    // ir_version=8, producer_name="vitrine").SerializeToString()
    let expected =
      "0808120776697472696e65"
      + "3a360a0f0a01781201791a016e220452656c751201675a0f0a0178120a0a08080112040a020802"
      + "620f0a0179120a0a08080112040a020802" + "42040a001011"
    let digits = Array("0123456789abcdef")
    let written = ONNX.bytes(of: graph).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    #expect(String(written) == expected)
  }

  private func describe(_ attribute: Graph.Attribute) -> String {
    if case .tensor(let tensor) = attribute {
      return "\(tensor) \(tensor.withBytes { Array($0) })"
    }
    return "\(attribute)"
  }
}
