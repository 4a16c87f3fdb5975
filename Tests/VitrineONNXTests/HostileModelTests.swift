import Testing
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Hostile models")
struct HostileModelTests {
  @Test("a model cut short anywhere is refused")
  func truncation() throws {
    let bytes = ONNX.bytes(of: try ModelBytes.small())
    // Behind the default operator set the model is complete, but for that of another domain.
    let otherDomain = 2 + 2 + "com.example".utf8.count + 2
    var accepted: [Int] = []
    for count in 0..<bytes.count where failure(Array(bytes.prefix(count))) == nil {
      accepted.append(count)
    }
    #expect(accepted == [bytes.count - otherDomain])
    #expect(failure(bytes) == nil)
  }

  @Test("no change of some bytes makes reading trap or take unbounded memory")
  func mutation() throws {
    let original = ONNX.bytes(of: try ModelBytes.small())
    var generator = SeededGenerator(state: 31)
    var limits = ONNXLimits()
    limits.constantBytes = 1 << 20
    var refused = 0
    let rounds = 6000
    for _ in 0..<rounds {
      var bytes = original
      if Bool.random(using: &generator) {
        bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
      }
      for _ in 0..<Int.random(in: 1...8, using: &generator) where !bytes.isEmpty {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        case 2: bytes.insert(0xff, at: index)
        default: bytes.remove(at: index)
        }
      }
      if failure(bytes, limits: limits) != nil { refused += 1 }
    }
    #expect(refused > rounds / 2)
  }

  @Test("every single byte set to a hostile value is survived")
  func everyByte() throws {
    let original = ONNX.bytes(of: try ModelBytes.small())
    var limits = ONNXLimits()
    limits.constantBytes = 1 << 20
    var survived = 0
    for index in original.indices {
      for value: UInt8 in [0x00, 0x01, 0x7f, 0x80, 0xff] {
        var bytes = original
        bytes[index] = value
        _ = failure(bytes, limits: limits)
        survived += 1
      }
    }
    #expect(survived == 5 * original.count)
  }

  @Test("every message is one line, whatever the names in the file")
  func messages() {
    let name = "a\nb\u{1b}[31m\u{202e}" + String(repeating: "x", count: 4000)
    let error = failure(
      ModelBytes.model { graph in
        for _ in 0..<2 {
          graph.message(5) { tensor in
            tensor.string(8, name)
            tensor.integer(2, 2)
            tensor.data(9, [1])
          }
        }
      })
    let text = error?.description ?? ""
    #expect(error?.mentions("given twice") == true)
    #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202e })
    #expect(text.count < 400)
  }

  // MARK: - The model

  @Test("operator sets out of range, missing or contradictory are refused")
  func operatorSets() {
    #expect(failure(ModelBytes.model(opset: 99) { _ in })?.mentions("newest supported, 28") == true)
    #expect(failure(ModelBytes.model(opset: 6) { _ in })?.mentions("oldest supported, 7") == true)
    #expect(failure(ModelBytes.model(opset: 7) { _ in }) == nil)
    #expect(failure(ModelBytes.model(opset: 28) { _ in }) == nil)
    for opset: Int64 in [0, -1, .min, .max] {
      #expect(failure(ModelBytes.model(opset: opset) { _ in })?.isUnsupported == true)
    }

    func imports(_ sets: [(String, Int64)]) -> [UInt8] {
      var writer = ByteWriter()
      writer.message(7) { _ in }
      for (domain, version) in sets {
        writer.message(8) { set in
          set.string(1, domain)
          set.integer(2, version)
        }
      }
      return writer.bytes
    }
    #expect(failure(imports([]))?.isMalformed == true)
    #expect(failure(imports([("com.example", 1)]))?.isMalformed == true)
    #expect(failure(imports([("ai.onnx", 17)])) == nil)
    #expect(failure(imports([("", 17), ("ai.onnx", 17)])) == nil)
    #expect(failure(imports([("", 17), ("ai.onnx", 18)]))?.mentions("two versions") == true)
    #expect(failure(imports([("", 17), ("unknown.domain", 99)])) == nil)
  }

  @Test("a second graph, or none, is refused")
  func graphs() {
    var writer = ByteWriter()
    writer.message(8) { $0.integer(2, 17) }
    #expect(failure(writer.bytes)?.mentions("no graph") == true)
    writer.message(7) { _ in }
    #expect(failure(writer.bytes) == nil)
    writer.message(7) { _ in }
    #expect(failure(writer.bytes)?.mentions("second graph") == true)
  }

  @Test("an unknown version of the file format is noted, not refused")
  func formatVersion() throws {
    let newest = try ONNX.graph(bytes: ModelBytes.model(ir: 14) { _ in }, folder: nil)
    #expect(newest.notes.isEmpty)
    let newer = try ONNX.graph(bytes: ModelBytes.model(ir: 99) { _ in }, folder: nil)
    #expect(newer.notes.count == 1)
    #expect(newer.notes.first?.hasPrefix("the file format is IR version 99") == true)
  }

  @Test("unknown fields are passed over, at every level")
  func unknownFields() {
    let bytes = ModelBytes.model { graph in
      graph.integer(99, 1)
      graph.message(1) { node in
        node.float(98, 1)
        node.string(4, "Relu")
        node.string(97, "text")
      }
    }
    #expect(failure(bytes) == nil)
  }

  @Test("counts of nodes, initializers and bytes of names have limits")
  func limits() {
    var limits = ONNXLimits()
    limits.nodes = 2
    limits.initializers = 1
    limits.nameBytes = 5
    let nodes = ModelBytes.model { graph in
      for _ in 0..<3 { graph.message(1) { $0.string(4, "Relu") } }
    }
    #expect(
      failure(nodes, limits: limits) == .limitExceeded(name: "nodes", found: 3, limit: 2))
    let initializers = ModelBytes.model { graph in
      for name in ["a", "b"] {
        graph.message(5) { tensor in
          tensor.string(8, name)
          tensor.integer(2, 2)
          tensor.data(9, [1])
        }
      }
    }
    #expect(
      failure(initializers, limits: limits)
        == .limitExceeded(name: "initializers", found: 2, limit: 1))
    let names = ModelBytes.model { graph in graph.message(1) { $0.string(4, "LogSoftmax") } }
    #expect(
      failure(names, limits: limits) == .limitExceeded(name: "nameBytes", found: 10, limit: 5))
  }

  // MARK: - Initializers and ports

  @Test("duplicate, nameless and sparse initializers are refused")
  func initializers() {
    func tensor(_ names: [String]) -> [UInt8] {
      ModelBytes.model { graph in
        for name in names {
          graph.message(5) { tensor in
            tensor.string(8, name)
            tensor.integer(2, 2)
            tensor.data(9, [1])
          }
        }
      }
    }
    #expect(failure(tensor(["a", "b"])) == nil)
    #expect(failure(tensor(["a", "a"]))?.mentions("'a' is given twice") == true)
    #expect(failure(tensor([""]))?.mentions("no name") == true)
    #expect(failure(ModelBytes.model { $0.message(15) { _ in } })?.isUnsupported == true)
  }

  @Test("initializers listed as inputs are constants")
  func shadowedInputs() throws {
    let bytes = ModelBytes.model(ir: 3) { graph in
      for name in ["x", "w"] {
        graph.message(11) { port in
          port.string(1, name)
          port.message(2) { $0.message(1) { $0.integer(1, 1) } }
        }
      }
      graph.message(5) { tensor in
        tensor.string(8, "w")
        tensor.integer(2, 1)
        tensor.float(4, 2)
      }
    }
    let graph = try ONNX.graph(bytes: bytes, folder: nil)
    #expect(graph.inputs == [.init(name: "x", dataType: .float32, dimensions: nil)])
    #expect(graph.constants.keys.sorted() == ["w"])
  }

  @Test("dimensions of ports may be fixed, named, unnamed or unknown")
  func ports() throws {
    func input(_ dimensions: [Int64]?) -> [UInt8] {
      ModelBytes.model { graph in
        graph.message(11) { port in
          port.string(1, "x")
          port.message(2) { type in
            type.message(1) { tensor in
              tensor.integer(1, 10)
              guard let dimensions else { return }
              tensor.message(2) { shape in
                for dimension in dimensions { shape.message(1) { $0.integer(1, dimension) } }
                shape.message(1) { $0.string(2, "batch") }
                shape.message(1) { _ in }
              }
            }
          }
        }
      }
    }
    let known = try ONNX.graph(bytes: input([3, -1, 0]), folder: nil).inputs.first
    #expect(known?.dataType == .float32)
    #expect(
      known?.dimensions
        == [.fixed(3), .dynamic(""), .fixed(0), .dynamic("batch"), .dynamic("")])
    #expect(try ONNX.graph(bytes: input(nil), folder: nil).inputs.first?.dimensions == nil)
    #expect(failure(input([-2]))?.mentions("dimension is -2") == true)
    #expect(failure(input([Int64](repeating: 1, count: 31)))?.mentions("rank") == true)
  }

  @Test("ports that are not tensors are refused with advice, outputs without a type are not")
  func portTypes() throws {
    func port(_ field: Int, _ type: (inout ByteWriter) -> Void) -> [UInt8] {
      ModelBytes.model { graph in
        graph.message(field) { port in
          port.string(1, "p")
          type(&port)
        }
      }
    }
    let sequence = failure(port(12) { $0.message(2) { $0.message(4) { _ in } } })
    #expect(sequence?.isUnsupported == true)
    #expect(sequence?.mentions("options={'zipmap': False}") == true)
    #expect(failure(port(11) { _ in })?.mentions("no type") == true)
    let untyped = try ONNX.graph(bytes: port(12) { _ in }, folder: nil)
    #expect(untyped.outputs == [.init(name: "p", dataType: .float32, dimensions: nil)])
    let string = failure(
      port(12) { $0.message(2) { $0.message(1) { $0.integer(1, 8) } } })
    #expect(string?.mentions("string") == true)
  }

  // MARK: - Nodes

  @Test("attributes of every kind of contradiction are refused")
  func attributes() {
    func attribute(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
      ModelBytes.model { graph in
        graph.message(1) { node in
          node.string(4, "Own")
          node.message(5) { attribute in
            attribute.string(1, "a")
            body(&attribute)
          }
        }
      }
    }
    let refused: [(inout ByteWriter) -> Void] = [
      { _ in },
      { $0.integer(20, 99) },
      {
        $0.integer(20, 2)
        $0.float(2, 1)
      },
      {
        $0.float(2, 1)
        $0.integer(3, 1)
      },
      { $0.integer(20, 4) },
      { $0.string(21, "outer") },
      {
        $0.message(22) { _ in }
        $0.integer(20, 11)
      },
      { $0.data(7, [0, 0, 0]) },
      { $0.data(8, [0x80]) },
      { $0.data(2, [0, 0, 0, 0]) },
    ]
    for (index, body) in refused.enumerated() {
      #expect(failure(attribute(body)) != nil, "case \(index)")
    }
    let accepted: [(inout ByteWriter) -> Void] = [
      { $0.integer(3, 1) },  // the type is seen from the value, as in the first IR versions
      { $0.integer(20, 2) },  // zero left out, as proto3 writers do
      { $0.integer(20, 7) },  // an empty list
    ]
    for (index, body) in accepted.enumerated() {
      #expect(failure(attribute(body)) == nil, "case \(index)")
    }
    let twice = ModelBytes.model { graph in
      graph.message(1) { node in
        node.string(4, "Own")
        for _ in 0..<2 {
          node.message(5) { attribute in
            attribute.string(1, "axis")
            attribute.integer(3, 1)
          }
        }
      }
    }
    #expect(failure(twice)?.mentions("'axis' twice") == true)
    #expect(failure(ModelBytes.model { $0.message(1) { _ in } })?.isMalformed == true)
  }

  @Test("graphs inside attributes are passed over, however deep")
  func subgraphs() throws {
    var inner = ByteWriter()
    for _ in 0..<2000 {
      var attribute = ByteWriter()
      attribute.string(1, "then_branch")
      attribute.data(6, inner.bytes)
      attribute.integer(20, 5)
      var node = ByteWriter()
      node.string(4, "If")
      node.data(5, attribute.bytes)
      inner = ByteWriter()
      inner.data(1, node.bytes)
    }
    let content = inner.bytes
    var model = ByteWriter()
    model.data(7, content)
    model.message(8) { $0.integer(2, 17) }
    let graph = try ONNX.graph(bytes: model.bytes, folder: nil)
    #expect(graph.nodes.map(\.kind) == ["If"])
    #expect(graph.nodes.first?.attributes.isEmpty == true)
  }

  @Test("stack traces in the metadata are counted, not copied")
  func stackTraces() throws {
    let secret = "/home/someone/model.py"
    let bytes = ModelBytes.model { graph in
      for _ in 0..<3 {
        graph.message(1) { node in
          node.string(4, "Relu")
          node.message(9) { entry in
            entry.string(1, "pkg.torch.onnx.stack_trace")
            entry.string(2, secret)
          }
        }
      }
    }
    let graph = try ONNX.graph(bytes: bytes, folder: nil)
    #expect(graph.notes.count == 1)
    #expect(graph.notes.first?.hasPrefix("the file contains 3 stack traces") == true)
  }
}
