import VitrineNetwork
import VitrineTensor

/// Settings that all recurrent layers share.
///
/// Input `[step, feature]`; output `[step, units]` or, without sequences, `[units]`: the state after
/// the last step. Two directions put their units side by side; the second one's last step is the
/// sequence's first.
private struct RecurrentSettings: Sendable {
  let kind: String
  let gates: Int
  let units: Int
  let layers: Int
  let isBidirectional: Bool
  let returnsSequences: Bool
  let extra: [String: Graph.Attribute]
  let weights: Initializer
  let recurrentWeights: Initializer

  func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.shape.count == 2, input.dataType == .float32 else {
      throw builder.invalid(
        "expected real input [step, feature], found \(input.dataType) \(input.shape)")
    }
    guard units >= 1, layers >= 1 else {
      throw builder.invalid(
        "expected at least 1 unit and 1 layer, found \(units) and \(layers)")
    }
    let directions = isBidirectional ? 2 : 1
    var attributes = extra
    attributes["hidden_size"] = .integer(Int64(units))
    attributes["direction"] = .string(isBidirectional ? "bidirectional" : "forward")
    // ONNX has the steps first.
    var sequence = try builder.node("Transpose", [input], ["perm": .integers([1, 0, 2])])
    var features = input.shape[1]
    for index in 0..<layers {
      let suffix = layers == 1 ? "" : String(index + 1)
      let rows = gates * units
      let weight = try builder.parameter(
        "weight" + suffix, [directions, rows, features], weights, fanIn: features, fanOut: units,
        rows: directions * rows)
      let recurrent = try builder.parameter(
        "recurrent_weight" + suffix, [directions, rows, units], recurrentWeights, fanIn: units,
        fanOut: units, rows: directions * rows)
      let bias = try builder.parameter("bias" + suffix, [directions, 2 * rows], .zeros)
      let isLast = index == layers - 1
      let states = try builder.node(
        kind, [sequence, weight, recurrent, bias], attributes,
        output: isLast && !returnsSequences ? 1 : 0)
      features = directions * units
      if isLast, !returnsSequences {
        // [direction, batch, unit] -> [batch, direction · unit]
        let shape = try builder.constant("shape", Tensor([0, Int64(features)]))
        return try builder.node(
          "Reshape",
          [builder.node("Transpose", [states], ["perm": .integers([1, 0, 2])]), shape])
      }
      // [step, direction, batch, unit] -> [step, batch, direction · unit], batch first at the end
      let order: [Int64] = isLast ? [2, 0, 1, 3] : [0, 2, 1, 3]
      let shape = try builder.constant("shape" + suffix, Tensor([0, 0, Int64(features)]))
      sequence = try builder.node(
        "Reshape", [builder.node("Transpose", [states], ["perm": .integers(order)]), shape])
    }
    return sequence
  }
}

/// Simple recurrent layers: `h' = tanh(W · x + R · h + b)`, from `h = 0`.
///
/// Input `[step, feature]`; output `[step, units]`, or `[units]` without sequences; twice as many units
/// in two directions. Parameters of layer `n` (no number if there is one only): `weightn`
/// `[direction, unit, feature]`, `recurrent_weightn` `[direction, unit, unit]`, `biasn`
/// `[direction, 2 · unit]`.
///
/// Source: Elman, "Finding Structure in Time" (1990).
public struct RNN: Block {
  public let name: String?
  private let settings: RecurrentSettings

  public var kind: String { "rnn" }

  /// - Parameters:
  ///   - units: Extent of the output.
  ///   - layers: So many layers one upon the other.
  ///   - isBidirectional: Whether a second pass goes from the last step to the first.
  ///   - returnsSequences: Whether to return the states of all steps, not of the last one only.
  ///   - weights: How the weights start.
  ///   - recurrentWeights: How the weights of the state start.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ units: Int, layers: Int = 1, isBidirectional: Bool = false, returnsSequences: Bool = false,
    weights: Initializer = .glorotUniform, recurrentWeights: Initializer = .glorotUniform,
    name: String? = nil
  ) {
    self.name = name
    settings = RecurrentSettings(
      kind: "RNN", gates: 1, units: units, layers: layers, isBidirectional: isBidirectional,
      returnsSequences: returnsSequences, extra: [:], weights: weights,
      recurrentWeights: recurrentWeights)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try settings.connect(input, &builder)
  }
}

/// Gated recurrent units, in the form that PyTorch and cuDNN have (reset after the product):
/// `z = σ(W_z x + R_z h + b_z)`, `r = σ(W_r x + R_r h + b_r)`, `n = tanh(W_h x + b_h + r ⊙ (R_h h + c_h))`,
/// `h' = (1 − z) ⊙ n + z ⊙ h`.
///
/// Shapes and parameters as ``RNN``, with three gates `z`, `r`, `h` one after the other in the place
/// of `unit`.
///
/// Source: Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder" (2014).
public struct GRU: Block {
  public let name: String?
  private let settings: RecurrentSettings

  public var kind: String { "gru" }

  /// - Parameters:
  ///   - units: Extent of the output.
  ///   - layers: So many layers one upon the other.
  ///   - isBidirectional: Whether a second pass goes from the last step to the first.
  ///   - returnsSequences: Whether to return the states of all steps, not of the last one only.
  ///   - weights: How the weights start.
  ///   - recurrentWeights: How the weights of the state start.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ units: Int, layers: Int = 1, isBidirectional: Bool = false, returnsSequences: Bool = false,
    weights: Initializer = .glorotUniform, recurrentWeights: Initializer = .glorotUniform,
    name: String? = nil
  ) {
    self.name = name
    settings = RecurrentSettings(
      kind: "GRU", gates: 3, units: units, layers: layers, isBidirectional: isBidirectional,
      returnsSequences: returnsSequences, extra: ["linear_before_reset": .integer(1)],
      weights: weights, recurrentWeights: recurrentWeights)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try settings.connect(input, &builder)
  }
}

/// Long short-term memory: `i, o, f = σ(W x + R h + b)`, `c' = f ⊙ c + i ⊙ tanh(W_c x + R_c h + b_c)`,
/// `h' = o ⊙ tanh(c')`, without peepholes. States begin at 0.
///
/// Shapes and parameters as ``RNN``, with four gates `i`, `o`, `f`, `c` one after the other in the
/// place of `unit`.
///
/// Source: Hochreiter, Schmidhuber, "Long Short-Term Memory" (1997), with the forget gate of Gers et al.
/// (2000).
public struct LSTM: Block {
  public let name: String?
  private let settings: RecurrentSettings

  public var kind: String { "lstm" }

  /// - Parameters:
  ///   - units: Extent of the output.
  ///   - layers: So many layers one upon the other.
  ///   - isBidirectional: Whether a second pass goes from the last step to the first.
  ///   - returnsSequences: Whether to return the states of all steps, not of the last one only.
  ///   - weights: How the weights start.
  ///   - recurrentWeights: How the weights of the state start.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ units: Int, layers: Int = 1, isBidirectional: Bool = false, returnsSequences: Bool = false,
    weights: Initializer = .glorotUniform, recurrentWeights: Initializer = .glorotUniform,
    name: String? = nil
  ) {
    self.name = name
    settings = RecurrentSettings(
      kind: "LSTM", gates: 4, units: units, layers: layers, isBidirectional: isBidirectional,
      returnsSequences: returnsSequences, extra: [:], weights: weights,
      recurrentWeights: recurrentWeights)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try settings.connect(input, &builder)
  }
}
