import VitrineNetwork
import VitrineTensor

/// A function applied to every element, or along the last axis.
public enum ActivationFunction: Sendable, Hashable {
  /// max(x, 0).
  case relu
  /// `slope · x` below 0.
  case leakyReLU(slope: Double)
  /// x above 0, e^x − 1 below.
  case elu
  /// ELU with the constants that keep mean 0 and variance 1.
  case selu
  /// `x · Φ(x)` with the normal distribution `Φ`.
  case gelu
  /// `x · sigmoid(x)`.
  case silu
  /// x · tanh(ln(1 + e^x)).
  case mish
  /// x · min(max(x + 3, 0), 6) / 6.
  case hardSwish
  /// 1 / (1 + e^−x).
  case sigmoid
  /// The hyperbolic tangent.
  case tanh
  /// ln(1 + e^x).
  case softplus
  /// Along the last axis.
  case softmax
  /// Along the last axis.
  case logSoftmax

  var kind: String {
    switch self {
    case .relu: "relu"
    case .leakyReLU: "leakyrelu"
    case .elu: "elu"
    case .selu: "selu"
    case .gelu: "gelu"
    case .silu: "silu"
    case .mish: "mish"
    case .hardSwish: "hardswish"
    case .sigmoid: "sigmoid"
    case .tanh: "tanh"
    case .softplus: "softplus"
    case .softmax: "softmax"
    case .logSoftmax: "logsoftmax"
    }
  }
}

/// A layer that applies an activation function.
///
/// Its automatic name is that of the function: `relu1`, `gelu1`.
public struct Activation: Block {
  public let name: String?
  /// What is applied to each element.
  public let function: ActivationFunction

  public var kind: String { function.kind }

  /// Creates the layer.
  public init(_ function: ActivationFunction, name: String? = nil) {
    self.function = function
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.dataType == .float32 else {
      throw builder.invalid("expected real input, found \(input.dataType)")
    }
    switch function {
    case .relu: return try builder.node("Relu", [input])
    case .leakyReLU(let slope):
      return try builder.node("LeakyRelu", [input], ["alpha": .real(slope)])
    case .elu: return try builder.node("Elu", [input])
    case .selu: return try builder.node("Selu", [input])
    case .gelu: return try builder.node("Gelu", [input])
    case .silu: return try builder.node("Mul", [input, builder.node("Sigmoid", [input])])
    case .mish: return try builder.node("Mish", [input])
    case .hardSwish: return try builder.node("HardSwish", [input])
    case .sigmoid: return try builder.node("Sigmoid", [input])
    case .tanh: return try builder.node("Tanh", [input])
    case .softplus: return try builder.node("Softplus", [input])
    case .softmax: return try builder.node("Softmax", [input], ["axis": .integer(-1)])
    case .logSoftmax: return try builder.node("LogSoftmax", [input], ["axis": .integer(-1)])
    }
  }
}
