/// A part of a network: a layer, or several of them.
///
/// A block is a description; ``NetworkBuilder`` turns it into nodes and parameters of a graph. Your own
/// block either composes others (``Sequential``, ``Residual``, a function that returns them) or adds nodes
/// through the builder:
///
/// ```swift
/// struct Doubled: Block {
///   var kind: String { "doubled" }
///   func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
///     try builder.node("Add", [input, input])
///   }
/// }
/// ```
public protocol Block: Sendable {
  /// What the layer is called by whoever builds it; `nil` for an automatic name such as `dense1`.
  var name: String? { get }
  /// The start of automatic names, in lower case; empty for blocks that have no name of their own.
  var kind: String { get }

  /// Adds the block to the graph behind `input`.
  ///
  /// - Returns: What the block computes; the last node added gets the layer's name.
  /// - Throws: ``LayerError/invalid(layer:reason:)`` by way of ``NetworkBuilder/invalid(_:)`` if the
  ///   input's shape does not fit.
  func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal
}

extension Block {
  public var name: String? { nil }
}

/// Collects the blocks of a network in order; `if`, `switch` and `for` may be used.
@resultBuilder
public enum BlockBuilder {
  /// Makes a list of one block.
  public static func buildExpression(_ block: any Block) -> [any Block] { [block] }
  /// Makes a list of one block.
  public static func buildExpression(_ blocks: [any Block]) -> [any Block] { blocks }
  /// Joins the blocks of a list.
  public static func buildBlock(_ parts: [any Block]...) -> [any Block] { parts.flatMap { $0 } }
  /// Joins the blocks of a loop.
  public static func buildArray(_ parts: [[any Block]]) -> [any Block] { parts.flatMap { $0 } }
  /// Takes the blocks of an `if` without `else`, or none.
  public static func buildOptional(_ part: [any Block]?) -> [any Block] { part ?? [] }
  /// Takes the blocks of `if`.
  public static func buildEither(first: [any Block]) -> [any Block] { first }
  /// Takes the blocks of `else`.
  public static func buildEither(second: [any Block]) -> [any Block] { second }
}
