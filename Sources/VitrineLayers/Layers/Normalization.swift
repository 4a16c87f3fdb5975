import VitrineNetwork
import VitrineTensor

/// Brings each channel to mean 0 and variance 1, then scales and shifts it:
/// `weight · (x − mean) / √(variance + ε) + bias`.
///
/// A network always uses the statistics it has stored, which training updates: what it says of a
/// sample does not depend on the rest of the batch. Input and output `[channel, …]`; parameters `weight`,
/// `bias`, `running_mean` and `running_var`, all `[channel]`.
///
/// Source: Ioffe, Szegedy, "Batch Normalization" (2015), algorithms 1 and 2; as in PyTorch, the stored
/// variance takes the unbiased estimate of each batch.
public struct BatchNorm: Block {
  public let name: String?
  private let epsilon: Double
  private let momentum: Double

  public var kind: String { "batchnorm" }

  /// - Parameters:
  ///   - epsilon: Added to the variance.
  ///   - momentum: Share of the old statistics that a training step keeps.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(epsilon: Double = 1e-5, momentum: Double = 0.9, name: String? = nil) {
    self.epsilon = epsilon
    self.momentum = momentum
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard let channels = input.shape.first, input.dataType == .float32 else {
      throw builder.invalid(
        "expected real input [channel, …], found \(input.dataType) \(input.shape)")
    }
    guard epsilon > 0, (0...1).contains(momentum) else {
      throw builder.invalid(
        "expected epsilon above 0 and momentum in 0...1, found \(epsilon) and \(momentum)")
    }
    let weight = try builder.parameter("weight", [channels], .ones)
    let bias = try builder.parameter("bias", [channels], .zeros)
    let mean = try builder.parameter("running_mean", [channels], .zeros)
    let variance = try builder.parameter("running_var", [channels], .ones)
    return try builder.node(
      "BatchNormalization", [input, weight, bias, mean, variance],
      ["epsilon": .real(epsilon), "momentum": .real(momentum)])
  }
}

/// Brings the last axis of each sample to mean 0 and variance 1, then scales and shifts it.
///
/// Input and output `[…, feature]`; parameters `weight` and `bias` `[feature]`.
///
/// Source: Ba, Kiros, Hinton, "Layer Normalization" (2016), equations 3 and 4.
public struct LayerNorm: Block {
  public let name: String?
  private let epsilon: Double

  public var kind: String { "layernorm" }

  /// - Parameters:
  ///   - epsilon: Added to the variance.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(epsilon: Double = 1e-5, name: String? = nil) {
    self.epsilon = epsilon
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard let features = input.shape.last, input.dataType == .float32 else {
      throw builder.invalid(
        "expected real input […, feature], found \(input.dataType) \(input.shape)")
    }
    guard epsilon > 0 else { throw builder.invalid("expected epsilon above 0, found \(epsilon)") }
    let weight = try builder.parameter("weight", [features], .ones)
    let bias = try builder.parameter("bias", [features], .zeros)
    return try builder.node(
      "LayerNormalization", [input, weight, bias],
      ["axis": .integer(-1), "epsilon": .real(epsilon)])
  }
}

/// In training, sets elements to 0 with probability `rate` and multiplies the others by 1 / (1 − rate); else
/// its input. The shape stays.
///
/// Source: Srivastava et al., "Dropout" (2014).
public struct Dropout: Block {
  public let name: String?
  private let rate: Double

  public var kind: String { "dropout" }

  /// - Parameters:
  ///   - rate: Probability of 0, in 0..<1.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ rate: Double, name: String? = nil) {
    self.rate = rate
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard rate >= 0, rate < 1 else {
      throw builder.invalid("expected a rate of at least 0 and below 1, found \(rate)")
    }
    let ratio = try builder.constant("ratio", Tensor(scalar: Float(rate)))
    return try builder.node("Dropout", [input, ratio])
  }
}
