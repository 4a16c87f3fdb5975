import VitrineNetwork
import VitrineTensor

/// Every unit a weighted sum of all features: `x · weightᵀ + bias`.
///
/// Input `[feature]`, or `[…, feature]` with the same weights at every place. Parameters `weight`
/// `[unit, feature]` and `bias` `[unit]`.
public struct Dense: Block {
  public let name: String?
  /// Extent of the output.
  public let units: Int
  private let hasBias: Bool
  private let activation: ActivationFunction?
  private let weights: Initializer
  private let bias: Initializer

  public var kind: String { "dense" }

  /// - Parameters:
  ///   - units: Extent of the output.
  ///   - activation: Applied behind the layer, as a layer of its own.
  ///   - hasBias: Whether a bias is added.
  ///   - weights: How `weight` starts, `bias` likewise.
  ///   - bias: How the bias starts.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ units: Int, activation: ActivationFunction? = nil, hasBias: Bool = true,
    weights: Initializer = .glorotUniform, bias: Initializer = .zeros, name: String? = nil
  ) {
    self.units = units
    self.activation = activation
    self.hasBias = hasBias
    self.weights = weights
    self.bias = bias
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard units >= 1 else {
      throw builder.invalid("expected at least 1 unit, found \(units)")
    }
    guard let features = input.shape.last, input.dataType == .float32 else {
      throw builder.invalid(
        "expected real input [feature] or […, feature], found \(input.dataType) \(input.shape)")
    }
    let weight = try builder.parameter(
      "weight", [units, features], weights, fanIn: features, fanOut: units)
    let bias =
      hasBias
      ? try builder.parameter("bias", [units], bias, fanIn: features, fanOut: units) : nil
    if input.shape.count == 1 {
      return try builder.activated(
        builder.node("Gemm", [input, weight] + (bias.map { [$0] } ?? []), ["transB": .integer(1)]),
        activation)
    }
    let transposed = try builder.node("Transpose", [weight], ["perm": .integers([1, 0])])
    var output = try builder.node("MatMul", [input, transposed])
    if let bias { output = try builder.node("Add", [output, bias]) }
    return try builder.activated(output, activation)
  }
}
