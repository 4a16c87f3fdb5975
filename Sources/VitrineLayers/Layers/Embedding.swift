import VitrineNetwork
import VitrineTensor

/// A row of learned numbers for each symbol: `[step]` of integers becomes `[step, feature]`.
///
/// The input holds integers in `0..<count`. Parameter `weight` `[symbol, feature]`.
public struct Embedding: Block {
  public let name: String?
  private let count: Int
  private let features: Int
  private let weights: Initializer

  public var kind: String { "embedding" }

  /// - Parameters:
  ///   - count: Symbols there are.
  ///   - features: Numbers for each symbol.
  ///   - weights: How the numbers start.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ count: Int, features: Int, weights: Initializer = .normal(standardDeviation: 0.05),
    name: String? = nil
  ) {
    self.count = count
    self.features = features
    self.weights = weights
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.dataType == .int64 else {
      throw builder.invalid(
        "expected integers, found \(input.dataType): give the network's input the type int64")
    }
    guard count >= 1, features >= 1 else {
      throw builder.invalid(
        "expected at least 1 symbol and 1 feature, found \(count) and \(features)")
    }
    let weight = try builder.parameter(
      "weight", [count, features], weights, fanIn: count, fanOut: features)
    return try builder.node("Gather", [weight, input], ["axis": .integer(0)])
  }
}

/// Adds learned numbers to every step of a sequence `[step, feature]`, so that its place counts.
///
/// Output as the input. Parameter `weight` `[step, feature]`: the number of steps is fixed.
///
/// Source: Devlin et al., "BERT" (2019), learned positions.
public struct PositionEmbedding: Block {
  public let name: String?
  private let weights: Initializer

  public var kind: String { "positionembedding" }

  /// - Parameters:
  ///   - weights: How the numbers start.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(weights: Initializer = .normal(standardDeviation: 0.02), name: String? = nil) {
    self.weights = weights
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.shape.count == 2, input.dataType == .float32 else {
      throw builder.invalid(
        "expected real input [step, feature], found \(input.dataType) \(input.shape)")
    }
    let weight = try builder.parameter(
      "weight", input.shape, weights, fanIn: input.shape[0], fanOut: input.shape[1])
    return try builder.node("Add", [input, weight])
  }
}
