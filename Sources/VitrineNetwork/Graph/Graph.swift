public import VitrineTensor

/// A network as its file or its builder describes it: nodes that name the values they read and write.
///
/// A graph promises nothing: ``Network`` checks it. Node order is free as long as it has no cycle.
public struct Graph: Sendable {
  /// An extent that is known, or one that is chosen when the network is called.
  public enum Dimension: Sendable, Hashable {
    case fixed(Int)
    /// Named by the file (`batch`), or unnamed (`""`).
    case dynamic(String)
  }

  /// An input or output of the whole network.
  public struct Port: Sendable, Hashable {
    public let name: String
    public let dataType: DataType
    /// `nil` if the file does not even say the rank.
    public let dimensions: [Dimension]?

    public init(name: String, dataType: DataType, dimensions: [Dimension]?) {
      self.name = name
      self.dataType = dataType
      self.dimensions = dimensions
    }
  }

  /// One operation.
  public struct Node: Sendable {
    /// As the file has it; may be empty, and need not be unique.
    public let name: String
    /// The operator, such as `Conv`, in ONNX's spelling.
    public let kind: String
    /// The operator set the kind belongs to; empty for ONNX's own.
    public let domain: String
    /// Names of the values read; an empty string is an optional input left out.
    public let inputs: [String]
    /// Names of the values written; an empty string is an output nobody reads.
    public let outputs: [String]
    public let attributes: [String: Attribute]

    public init(
      name: String, kind: String, domain: String = "", inputs: [String], outputs: [String],
      attributes: [String: Attribute] = [:]
    ) {
      self.name = name
      self.kind = kind
      self.domain = domain
      self.inputs = inputs
      self.outputs = outputs
      self.attributes = attributes
    }
  }

  /// A constant that belongs to a node.
  public enum Attribute: Sendable {
    case integer(Int64)
    case real(Double)
    case string(String)
    case tensor(Tensor)
    case integers([Int64])
    case reals([Double])
    case strings([String])
  }

  public var name: String
  /// Version of the ONNX operator set that gives the nodes their meaning.
  public var opset: Int
  public var inputs: [Port]
  public var outputs: [Port]
  public var nodes: [Node]
  /// Parameters and other constants by value name.
  public var constants: [String: Tensor]
  /// Things worth telling a person who loads it; empty if there are none.
  public var notes: [String]

  public init(
    name: String = "", opset: Int, inputs: [Port], outputs: [Port], nodes: [Node],
    constants: [String: Tensor] = [:], notes: [String] = []
  ) {
    self.name = name
    self.opset = opset
    self.inputs = inputs
    self.outputs = outputs
    self.nodes = nodes
    self.constants = constants
    self.notes = notes
  }
}
