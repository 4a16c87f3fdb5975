package import VitrineCore
package import VitrineTensor

/// What is known of a value before the network runs: its shape and type, and its elements if they do
/// not depend on the inputs.
package struct ValueType: Sendable {
  package var shape: Shape
  package var dataType: DataType
  /// Set where constant folding knows the value: shapes, axes, parameters.
  package var constant: Tensor?

  package init(_ shape: Shape, _ dataType: DataType, constant: Tensor? = nil) {
    self.shape = shape
    self.dataType = dataType
    self.constant = constant
  }

  package init(constant: Tensor) {
    self.init(constant.shape, constant.dataType, constant: constant)
  }
}

/// One operation of a graph: all there is to know of its meaning.
///
/// This is the reference: plain Swift, generic over `Float` and `Double`, the float64 path itself and
/// the oracle of the kernels' tests. One file per family of operators; each file has its shape rules,
/// evaluation, pullbacks and the behaviour of backward rules.
///
/// Nodes are hostile input: `init` and `infer` check every attribute, shape and length, so that the
/// other two can rely on them. `infer` also bounds memory: whoever runs the operator reserves the
/// bytes of the shapes it returned before calling ``evaluate(_:_:)``.
package protocol Operator: Sendable {
  /// Reads and checks the attributes.
  init(_ node: NodeReader) throws

  /// Returns shape and type of every output.
  ///
  /// - Parameter inputs: One entry per input of the node, `nil` for one left out. Real inputs are
  ///   `float32` here, whatever the precision of the run.
  /// - Throws: An ``OperatorError`` whose reason states what was expected and found; the caller adds
  ///   the node.
  func infer(_ inputs: [ValueType?]) throws -> [ValueType]

  /// Computes the outputs, in the precision `T`: every real tensor holds `T`.
  func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor]

  /// Returns the cotangents of the inputs: for each input `i` with `point.wanted[i]` the sum over all
  /// outputs of `cotangent · ∂output/∂input`, in the input's shape; `nil` for the others, and `nil`
  /// where the derivative is zero everywhere.
  ///
  /// - Parameter cotangents: One per output, `nil` for zero.
  func pullback<T: RealScalar>(_ cotangents: [Tensor?], at point: Point, _: T.Type) throws
    -> [Tensor?]

  /// How tangents are carried forwards.
  var pushforwardRule: PushforwardRule { get }

  /// Returns the tangents of the outputs: for each the sum over all inputs of `∂output/∂input · tangent`, in
  /// the output's shape; `nil` where it is zero everywhere.
  ///
  /// The default does as ``pushforwardRule`` says; an operator whose rule is
  /// ``PushforwardRule/own`` has one of its own.
  ///
  /// - Parameter tangents: One per input, `nil` for zero.
  func pushforward<T: RealScalar>(_ tangents: [Tensor?], at point: Point, _: T.Type) throws
    -> [Tensor?]

  /// The backward rules this operator has besides ``BackwardRule/gradient``.
  var backwardRules: Set<BackwardRule> { get }
}

/// Where a pullback is taken.
package struct Point: Sendable {
  package let inputs: [Tensor?]
  package let outputs: [Tensor]
  /// Which inputs need a cotangent.
  package let wanted: [Bool]
  package let rule: BackwardRule

  package init(
    inputs: [Tensor?], outputs: [Tensor], wanted: [Bool], rule: BackwardRule = .gradient
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.wanted = wanted
    self.rule = rule
  }
}

extension Operator {
  package var backwardRules: Set<BackwardRule> { [] }

  /// The derivative of operators that only look at shapes or integers: zero.
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    Array(repeating: nil, count: point.inputs.count)
  }
}

/// A node's attributes, inputs or shapes do not fit its operator; becomes
/// ``NetworkError/invalidNode(name:kind:reason:)``.
package struct OperatorError: Error, Equatable, CustomStringConvertible {
  package let reason: String

  package init(_ reason: String) { self.reason = reason }

  package var description: String { reason }
}

/// Reads the attributes of one node with their defaults and checks their types.
package struct NodeReader: Sendable {
  package let node: Graph.Node
  /// Version of the operator set.
  package let opset: Int

  package init(_ node: Graph.Node, opset: Int) {
    self.node = node
    self.opset = opset
  }

  package var inputCount: Int { node.inputs.count }
  package var outputCount: Int { node.outputs.count }

  package func has(_ name: String) -> Bool { node.attributes[name] != nil }

  package func integer(_ name: String, default value: Int? = nil) throws -> Int {
    switch node.attributes[name] {
    case .integer(let found)?:
      guard let result = Int(exactly: found) else { throw wrongType(name, "an integer") }
      return result
    case nil:
      guard let value else { throw missing(name) }
      return value
    default: throw wrongType(name, "an integer")
    }
  }

  package func flag(_ name: String, default value: Bool) throws -> Bool {
    try integer(name, default: value ? 1 : 0) != 0
  }

  package func real(_ name: String, default value: Double? = nil) throws -> Double {
    switch node.attributes[name] {
    case .real(let found)?: return found
    case .integer(let found)?: return Double(found)
    case nil:
      guard let value else { throw missing(name) }
      return value
    default: throw wrongType(name, "a number")
    }
  }

  package func string(_ name: String, default value: String? = nil) throws -> String {
    switch node.attributes[name] {
    case .string(let found)?: return found
    case nil:
      guard let value else { throw missing(name) }
      return value
    default: throw wrongType(name, "a string")
    }
  }

  /// Returns `nil` if the attribute is absent.
  package func integers(_ name: String) throws -> [Int]? {
    switch node.attributes[name] {
    case .integers(let found)?:
      return try found.map {
        guard let value = Int(exactly: $0) else { throw wrongType(name, "integers") }
        return value
      }
    case nil: return nil
    // An empty list is written without a type by some exporters.
    case .reals(let found)? where found.isEmpty: return []
    case .strings(let found)? where found.isEmpty: return []
    default: throw wrongType(name, "integers")
    }
  }

  /// Returns `nil` if the attribute is absent.
  package func reals(_ name: String) throws -> [Double]? {
    switch node.attributes[name] {
    case .reals(let found)?: return found
    case nil: return nil
    case .integers(let found)? where found.isEmpty: return []
    default: throw wrongType(name, "numbers")
    }
  }

  /// Returns `nil` if the attribute is absent.
  package func tensor(_ name: String) throws -> Tensor? {
    switch node.attributes[name] {
    case .tensor(let found)?: return found
    case nil: return nil
    default: throw wrongType(name, "a tensor")
    }
  }

  private func wrongType(_ name: String, _ expected: String) -> OperatorError {
    OperatorError("attribute '\(name)' must be \(expected)")
  }

  private func missing(_ name: String) -> OperatorError {
    OperatorError("attribute '\(name)' is missing")
  }
}
