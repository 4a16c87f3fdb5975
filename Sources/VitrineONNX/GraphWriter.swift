import VitrineFiles
public import VitrineNetwork
import VitrineTensor

extension ONNX {
  /// Writes a network as an ONNX file, which other tools can read, and ``graph(contentsOf:limits:)``.
  ///
  /// Names of layers and parameters are kept, and so is a free batch axis; reading the file gives a
  /// network that computes the same bits. The file appears complete or not at all, replacing what is
  /// there.
  ///
  /// - Throws: ``ONNXError/cannotWrite(_:)``, also if the model is larger than the 2 GiB that
  ///   the format allows.
  /// - Complexity: O(bytes of the parameters), which are held in memory twice.
  public static func write(_ network: Network, to path: String) throws(ONNXError) {
    let bytes = bytes(of: network.graph)
    guard bytes.count < 2 << 30 else {
      throw .cannotWrite(
        "cannot write \(path): the model takes \(bytes.count) bytes, the format allows 2 GiB")
    }
    do throws(FileError) {
      try OutputFiles.write(bytes, to: path)
    } catch {
      throw .cannotWrite(error.message)
    }
  }

  /// Returns an ONNX model with a graph, in the bytes of a file.
  ///
  /// Reading it back gives the same graph, except that real attributes are rounded to `Float`, that
  /// an empty graph name becomes `graph`, and that notes are not kept. The same graph gives the same
  /// bytes. A file that others can read must stay below 2 GiB.
  ///
  /// - Complexity: O(bytes of the constants).
  package static func bytes(of graph: Graph) -> [UInt8] {
    var writer = ByteWriter()
    writer.integer(1, irVersion(forOpset: graph.opset))
    writer.string(2, "vitrine")
    writer.message(7) { $0.graph(graph) }
    for domain in Set(graph.nodes.map(\.domain)).union([""]).sorted() {
      writer.message(8) { set in
        set.string(1, domain)
        set.integer(2, domain.isEmpty ? Int64(graph.opset) : 1)
      }
    }
    return writer.bytes
  }

  /// The file format that came with an operator set, or a later one.
  private static func irVersion(forOpset opset: Int) -> Int64 {
    switch opset {
    case ...18: 8
    case 19...20: 9
    case 21...22: 10
    default: 11
    }
  }
}

extension ByteWriter {
  fileprivate mutating func graph(_ graph: Graph) {
    for node in graph.nodes { message(1) { $0.node(node) } }
    string(2, graph.name.isEmpty ? "graph" : graph.name)
    for (name, tensor) in graph.constants.sorted(by: { $0.key < $1.key }) {
      message(5) { $0.tensor(tensor, name: name) }
    }
    for input in graph.inputs { message(11) { $0.port(input) } }
    for output in graph.outputs { message(12) { $0.port(output) } }
  }

  private mutating func node(_ node: Graph.Node) {
    for input in node.inputs { string(1, input) }
    for output in node.outputs { string(2, output) }
    if !node.name.isEmpty { string(3, node.name) }
    string(4, node.kind)
    for (name, value) in node.attributes.sorted(by: { $0.key < $1.key }) {
      message(5) { $0.attribute(value, name: name) }
    }
    if !node.domain.isEmpty { string(7, node.domain) }
  }

  private mutating func attribute(_ value: Graph.Attribute, name: String) {
    string(1, name)
    switch value {
    case .real(let number):
      float(2, Float(number))
      integer(20, 1)
    case .integer(let number):
      integer(3, number)
      integer(20, 2)
    case .string(let text):
      string(4, text)
      integer(20, 3)
    case .tensor(let tensor):
      message(5) { $0.tensor(tensor, name: "") }
      integer(20, 4)
    case .reals(let numbers):
      floats(7, numbers.map(Float.init))
      integer(20, 6)
    case .integers(let numbers):
      integers(8, numbers)
      integer(20, 7)
    case .strings(let texts):
      for text in texts { string(9, text) }
      integer(20, 8)
    }
  }

  private mutating func tensor(_ tensor: Tensor, name: String) {
    integers(1, tensor.shape.dimensions.map(Int64.init))
    integer(2, tensor.dataType.elementType.rawValue)
    if !name.isEmpty { string(8, name) }
    tensor.withBytes { data(9, $0) }
  }

  private mutating func port(_ port: Graph.Port) {
    string(1, port.name)
    message(2) { type in
      type.message(1) { tensor in
        tensor.integer(1, port.dataType.elementType.rawValue)
        guard let dimensions = port.dimensions else { return }
        tensor.message(2) { shape in
          for dimension in dimensions {
            shape.message(1) { entry in
              switch dimension {
              case .fixed(let extent): entry.integer(1, Int64(extent))
              case .dynamic(""): break
              case .dynamic(let name): entry.string(2, name)
              }
            }
          }
        }
      }
    }
  }
}

extension DataType {
  fileprivate var elementType: ElementType {
    switch self {
    case .float32: .float32
    case .float64: .float64
    case .int64: .int64
    case .bool: .bool
    }
  }
}
