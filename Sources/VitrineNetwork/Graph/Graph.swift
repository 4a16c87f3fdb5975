public import VitrineTensor

/// A network as its file or its builder describes it: nodes that name the values they read and write.
///
/// A graph promises nothing: ``Network`` checks it. Node order is free as long as it has no cycle.
public struct Graph: Sendable {
  /// An extent that is known, or one that is chosen when the network is called.
  public enum Dimension: Sendable, Hashable {
    /// This many.
    case fixed(Int)
    /// Named by the file (`batch`), or unnamed (`""`).
    case dynamic(String)
  }

  /// An input or output of the whole network.
  public struct Port: Sendable, Hashable {
    /// Unique within the graph.
    public let name: String
    /// Type of the elements.
    public let dataType: DataType
    /// `nil` if the file does not even say the rank.
    public let dimensions: [Dimension]?

    /// Creates a port.
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
    /// By name.
    public let attributes: [String: Attribute]

    /// Creates an operation.
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
    /// A whole number.
    case integer(Int64)
    /// A number.
    case real(Double)
    /// A text.
    case string(String)
    /// An array.
    case tensor(Tensor)
    /// Whole numbers.
    case integers([Int64])
    /// Numbers.
    case reals([Double])
    /// Texts.
    case strings([String])
  }

  /// As the file has it; may be empty.
  public var name: String
  /// Version of the ONNX operator set that gives the nodes their meaning.
  public var opset: Int
  /// What the network takes; those that are also constants have a default.
  public var inputs: [Port]
  /// What it gives.
  public var outputs: [Port]
  /// In any order.
  public var nodes: [Node]
  /// Parameters and other constants by value name.
  public var constants: [String: Tensor]
  /// Things worth telling a person who loads it; empty if there are none.
  public var notes: [String]

  /// Creates a graph; nothing is checked here.
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
