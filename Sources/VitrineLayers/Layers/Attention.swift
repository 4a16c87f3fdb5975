import VitrineNetwork
import VitrineTensor

/// Every step of a sequence looks at all steps: `softmax(Q · Kᵀ / √d) · V`, in several heads.
///
/// Input and output `[step, feature]`. The layers inside are `query`, `key`, `value`, `output`
/// (``Dense``) and `weights`, the attention weights `[head, step, step]`.
///
/// Source: Vaswani et al., "Attention Is All You Need" (2017), section 3.2.
public struct MultiHeadAttention: Block {
  public let name: String?
  private let heads: Int
  private let dropout: Double
  private let weights: Initializer

  public var kind: String { "attention" }

  /// - Parameters:
  ///   - heads: A divisor of the features.
  ///   - dropout: Rate at which training leaves out attention weights.
  ///   - weights: How the weights start.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    heads: Int, dropout: Double = 0, weights: Initializer = .glorotUniform, name: String? = nil
  ) {
    self.heads = heads
    self.dropout = dropout
    self.weights = weights
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.shape.count == 2, input.dataType == .float32 else {
      throw builder.invalid(
        "expected real input [step, feature], found \(input.dataType) \(input.shape)")
    }
    let features = input.shape[1]
    guard heads >= 1, features % heads == 0 else {
      throw builder.invalid(
        "expected a number of heads that divides \(features) features, found \(heads)")
    }
    let width = features / heads
    func projection(_ name: String) -> Dense { Dense(features, weights: weights, name: name) }
    let (query, key, value) = try builder.inside { builder in
      (
        try builder.connect(projection("query"), to: input),
        try builder.connect(projection("key"), to: input),
        try builder.connect(projection("value"), to: input)
      )
    }
    let split = try builder.constant("heads", Tensor([0, 0, Int64(heads), Int64(width)]))
    func perHead(_ signal: Signal, _ order: [Int64], _ builder: inout NetworkBuilder) throws
      -> Signal
    {
      try builder.node(
        "Transpose", [builder.node("Reshape", [signal, split])], ["perm": .integers(order)])
    }
    // [batch, head, step, width] and its transpose.
    let q = try perHead(query, [0, 2, 1, 3], &builder)
    let k = try perHead(key, [0, 2, 3, 1], &builder)
    let v = try perHead(value, [0, 2, 1, 3], &builder)
    let scale = try builder.constant(
      "scale", Tensor(scalar: Float(1 / Double(width).squareRoot())))
    let scores = try builder.node("Mul", [builder.node("MatMul", [q, k]), scale])
    let attention = try builder.inside { builder in
      let weights = try builder.connect(Activation(.softmax, name: "weights"), to: scores)
      return dropout > 0 ? try builder.connect(Dropout(dropout), to: weights) : weights
    }
    let joined = try builder.constant("features", Tensor([0, 0, Int64(features)]))
    let mixed = try builder.node(
      "Reshape",
      [
        builder.node(
          "Transpose", [builder.node("MatMul", [attention, v])], ["perm": .integers([0, 2, 1, 3])]),
        joined,
      ])
    let output = try builder.inside { try $0.connect(projection("output"), to: mixed) }
    return try builder.node("Identity", [output])
  }
}

/// Attention and a network of two dense layers at every step, each with a residual path and a
/// normalisation.
///
/// Input and output `[step, feature]`. The layers inside are `attention`, `norm1`, `norm2`, `dense1`
/// and `dense2`, called `name.attention` and so on if the block has a name.
///
/// Source: Vaswani et al., "Attention Is All You Need" (2017), section 3.1; with the normalisation
/// first: Xiong et al., "On Layer Normalization in the Transformer Architecture" (2020).
public struct TransformerEncoderBlock: Block {
  public let name: String?
  private let heads: Int
  private let feedForward: Int
  private let dropout: Double
  private let activation: ActivationFunction
  private let normalizesFirst: Bool

  public var kind: String { "transformer" }

  /// - Parameters:
  ///   - heads: A divisor of the features.
  ///   - feedForward: Units of the first dense layer; the second has as many as there are features.
  ///   - dropout: Rate in training, behind attention and behind both dense layers.
  ///   - activation: Between the two dense layers.
  ///   - normalizesFirst: Whether each part normalises its input, instead of the sum behind it.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    heads: Int, feedForward: Int, dropout: Double = 0, activation: ActivationFunction = .gelu,
    normalizesFirst: Bool = true, name: String? = nil
  ) {
    self.heads = heads
    self.feedForward = feedForward
    self.dropout = dropout
    self.activation = activation
    self.normalizesFirst = normalizesFirst
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard let features = input.shape.last, input.shape.count == 2 else {
      throw builder.invalid("expected input [step, feature], found \(input.shape)")
    }
    let output = try builder.inside { builder in
      let attended = try builder.connect(
        part(1, [MultiHeadAttention(heads: heads, dropout: dropout, name: "attention")]), to: input)
      return try builder.connect(
        part(
          2,
          [Dense(feedForward, activation: activation, name: "dense1")] + dropouts
            + [Dense(features, name: "dense2")]), to: attended)
    }
    return try builder.node("Identity", [output])
  }

  private var dropouts: [any Block] { dropout > 0 ? [Dropout(dropout)] : [] }

  private func part(_ number: Int, _ blocks: [any Block]) -> [any Block] {
    let norm = LayerNorm(name: "norm\(number)")
    return normalizesFirst
      ? [Residual { [norm] + blocks + dropouts }] : [Residual { blocks + dropouts }, norm]
  }
}
