import VitrineNetwork
import VitrineTensor

/// A function applied to every element, or along the last axis.
public enum ActivationFunction: Sendable, Hashable {
  /// max(x, 0); its derivative at 0 is 0.
  case relu
  /// `slope · x` below 0.
  case leakyReLU(slope: Double)
  /// x above 0, e^x − 1 below. Source: Clevert et al. 2016, α = 1.
  case elu
  /// 1.0507 · x above 0, 1.7581 · (e^x − 1) below: keeps mean 0 and variance 1. Source: Klambauer et al.
  /// 2017, equation 2.
  case selu
  /// x · Φ(x) with the normal distribution Φ, exact, not by tanh. Source: Hendrycks, Gimpel 2016.
  case gelu
  /// x · sigmoid(x), also called swish. Source: Ramachandran et al. 2017.
  case silu
  /// x · tanh(ln(1 + e^x)). Source: Misra 2020.
  case mish
  /// x · min(max(x + 3, 0), 6) / 6. Source: Howard et al. 2019, section 5.2.
  case hardSwish
  /// 1 / (1 + e^−x).
  case sigmoid
  /// The hyperbolic tangent.
  case tanh
  /// ln(1 + e^x).
  case softplus
  /// e^x / Σ e^x along the last axis: probabilities. Training on logits is more exact.
  case softmax
  /// Logarithm of the softmax along the last axis.
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

  /// - Parameters:
  ///   - function: What is applied to each element.
  ///   - name: The layer's name; numbered by the function if `nil`.
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
