/// What can be wrong with a network or with the way it is called.
public enum NetworkError: Error, Sendable, Equatable {
  /// An operator that Vitrine does not have, how often it occurs, and the first node that uses it.
  public struct UnsupportedOperator: Sendable, Equatable {
    /// The operator.
    public let kind: String
    /// Its operator set; empty for that of ONNX.
    public let domain: String
    /// How many nodes have it.
    public let count: Int
    /// Name of the first of them.
    public let firstNode: String

    /// Creates a description.
    public init(kind: String, domain: String, count: Int, firstNode: String) {
      self.kind = kind
      self.domain = domain
      self.count = count
      self.firstNode = firstNode
    }
  }

  /// All unsupported operators of the graph at once.
  case unsupportedOperators([UnsupportedOperator], opset: Int)
  /// The graph contradicts itself: a cycle, a missing value, a value written twice.
  case malformedGraph(String)
  /// A node's attributes, input shapes or input values do not fit its operator.
  case invalidNode(name: String, kind: String, reason: String)
  /// A site that the network does not have.
  case unknownSite(name: String, suggestion: String?)
  /// The inputs of a call do not fit the network's.
  case invalidInput(name: String, expected: String, found: String)
  /// A derivative that does not exist or that was not asked of the right thing.
  case notDifferentiable(String)
  /// A backward rule cannot be applied at a node it was assigned to.
  case ruleNotApplicable(rule: String, node: String, kind: String)
  /// More memory than a call may use, in bytes.
  case memoryLimit(needed: Int, limit: Int, what: String)
  /// Parameters that are to replace a network's do not fit by name or shape.
  case parameterMismatch(String)
}

extension NetworkError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unsupportedOperators(let operators, let opset):
      "the model uses \(operators.count) operator\(operators.count == 1 ? "" : "s") that this "
        + "version does not support (opset \(opset)): "
        + operators.map {
          ($0.domain.isEmpty ? "" : $0.domain + ".") + $0.kind
            + " ×\($0.count) (first: \($0.firstNode))"
        }.joined(separator: ", ")
    case .malformedGraph(let reason): "the model's graph is malformed: \(reason)"
    case .invalidNode(let name, let kind, let reason): "node \(name) (\(kind)): \(reason)"
    case .unknownSite(let name, let suggestion):
      "the model has no layer or tensor named '\(name)'"
        + (suggestion.map { "; did you mean '\($0)'?" } ?? "; `vitrine inspect` lists them")
    case .invalidInput(let name, let expected, let found):
      "input '\(name)': expected \(expected), found \(found)"
    case .notDifferentiable(let reason): "no derivative: \(reason)"
    case .ruleNotApplicable(let rule, let node, let kind):
      "backward rule '\(rule)' cannot be applied at node \(node) (\(kind))"
    case .parameterMismatch(let reason): "the parameters do not fit the network: \(reason)"
    case .memoryLimit(let needed, let limit, let what):
      "\(what) needs \(needed) bytes, the limit is \(limit): raise it with --memory-limit"
    }
  }
}
