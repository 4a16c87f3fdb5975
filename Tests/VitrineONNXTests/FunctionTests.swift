import Testing
import VitrineNetwork
import VitrineONNX

@Suite("Functions that a model defines itself")
struct FunctionTests {
  /// A function `own.NAME(a, b) -> c` with the nodes that `body` writes.
  private func function(
    _ name: String, opset: Int64 = 17, in model: inout ByteWriter,
    _ body: (inout ByteWriter) -> Void
  ) {
    model.message(25) { function in
      function.string(1, name)
      function.string(10, "own")
      for input in ["a", "b"] { function.string(4, input) }
      function.string(5, "c")
      function.message(9) { $0.integer(2, opset) }
      body(&function)
    }
  }

  private func node(
    _ kind: String, _ inputs: [String], _ outputs: [String], domain: String = "", name: String = "",
    in writer: inout ByteWriter, field: Int = 7, attributes: (inout ByteWriter) -> Void = { _ in }
  ) {
    writer.message(field) { node in
      for input in inputs { node.string(1, input) }
      for output in outputs { node.string(2, output) }
      node.string(3, name)
      node.string(4, kind)
      attributes(&node)
      node.string(7, domain)
    }
  }

  private func model(
    _ graph: (inout ByteWriter) -> Void, functions: (inout ByteWriter) -> Void
  ) -> [UInt8] {
    var model = ByteWriter()
    model.message(7, graph)
    model.message(8) { $0.integer(2, 17) }
    functions(&model)
    return model.bytes
  }

  @Test("are expanded where they are called, with values of their own at each call")
  func expansion() throws {
    let bytes = model { graph in
      node("Twice", ["x", "w"], ["h"], domain: "own", name: "first", in: &graph, field: 1) { node in
        node.message(5) { attribute in
          attribute.string(1, "slope")
          attribute.float(2, 0.5)
          attribute.integer(20, 1)
        }
      }
      node("Twice", ["h"], ["y"], domain: "own", name: "second", in: &graph, field: 1)
    } functions: { model in
      function("Twice", in: &model) { function in
        node("Add", ["a", "b"], ["t"], name: "sum", in: &function)
        node("LeakyRelu", ["t"], ["c"], in: &function) { node in
          node.message(5) { attribute in
            attribute.string(1, "alpha")
            attribute.string(21, "slope")
            attribute.integer(20, 1)
          }
        }
        function.message(11) { attribute in
          attribute.string(1, "slope")
          attribute.float(2, 0.25)
          attribute.integer(20, 1)
        }
      }
    }
    let nodes = try ONNX.graph(bytes: bytes, folder: nil).nodes
    #expect(nodes.map(\.kind) == ["Add", "LeakyRelu", "Add", "LeakyRelu"])
    #expect(
      nodes.map(\.inputs) == [["x", "w"], ["first/t"], ["h", ""], ["second/t"]])
    #expect(nodes.map(\.outputs) == [["first/t"], ["h"], ["second/t"], ["y"]])
    #expect(nodes[0].name == "first/sum")
    guard case .real(0.5) = nodes[1].attributes["alpha"],
      case .real(0.25) = nodes[3].attributes["alpha"]
    else {
      Issue.record("the attribute must be that of the call, else the default")
      return
    }
  }

  @Test("may call each other, but not themselves, and not too often")
  func calls() throws {
    let nested = model { graph in
      node("Outer", ["x"], ["y"], domain: "own", name: "n", in: &graph, field: 1)
    } functions: { model in
      function("Outer", in: &model) { node("Inner", ["a"], ["c"], domain: "own", in: &$0) }
      function("Inner", in: &model) { node("Relu", ["a"], ["c"], in: &$0) }
    }
    let nodes = try ONNX.graph(bytes: nested, folder: nil).nodes
    #expect(nodes.map(\.kind) == ["Relu"])
    #expect(nodes.first?.inputs == ["x"] && nodes.first?.outputs == ["y"])

    let recursive = model { graph in
      node("Loop", ["x"], ["y"], domain: "own", in: &graph, field: 1)
    } functions: { model in
      function("Loop", in: &model) { node("Loop", ["a"], ["c"], domain: "own", in: &$0) }
    }
    #expect(failure(recursive)?.mentions("by itself") == true)

    // Thirty functions, each calling the next one twice: 2^30 nodes.
    let exponential = model { graph in
      node("F0", ["x"], ["y"], domain: "own", in: &graph, field: 1)
    } functions: { model in
      for level in 0..<30 {
        function("F\(level)", in: &model) { function in
          node("F\(level + 1)", ["a"], ["t"], domain: "own", in: &function)
          node("F\(level + 1)", ["t"], ["c"], domain: "own", in: &function)
        }
      }
    }
    var limits = ONNXLimits()
    limits.nodes = 1000
    #expect(
      failure(exponential, limits: limits)
        == .limitExceeded(name: "nodes", found: 1001, limit: 1000))
  }

  @Test("that cannot be expanded are refused")
  func refused() {
    let otherOpset = model { _ in
    } functions: { model in
      function("F", opset: 18, in: &model) { _ in }
    }
    #expect(failure(otherOpset)?.mentions("uses opset 18") == true)
    let twice = model { _ in
    } functions: { model in
      for _ in 0..<2 { function("F", in: &model) { _ in } }
    }
    #expect(failure(twice)?.mentions("defined twice") == true)
    let manyInputs = model { graph in
      node("F", ["x", "y", "z"], ["o"], domain: "own", in: &graph, field: 1)
    } functions: { model in
      function("F", in: &model) { _ in }
    }
    #expect(failure(manyInputs)?.isMalformed == true)
  }
}
