public import VitrineNetwork
public import VitrineTensor

extension Network {
  /// Builds a network from layers.
  ///
  /// ```swift
  /// let lenet = try Network(input: [1, 28, 28]) {
  ///   Conv2D(6, kernel: 5, activation: .relu)
  ///   MaxPool2D(2)
  ///   Conv2D(16, kernel: 5, activation: .relu)
  ///   MaxPool2D(2)
  ///   Flatten()
  ///   Dense(120, activation: .relu)
  ///   Dense(84, activation: .relu)
  ///   Dense(10)
  /// }
  /// ```
  ///
  /// It is the same network that the layers would give as an ONNX file: every explainer works on it,
  /// layers are sites under their names, and `ONNX.write(_:to:)` saves it.
  ///
  /// - Parameters:
  ///   - shape: Extents of one sample, such as `[channel, height, width]`; the batch axis comes by
  ///     itself and may have any extent.
  ///   - dataType: `.int64` for a sequence of symbols that an ``Embedding`` reads.
  ///   - name: What the input is called.
  ///   - output: What the output is called; the last layer's name if `nil`.
  ///   - seed: Of the initial parameters: the same seed gives the same network.
  /// - Throws: ``LayerError`` naming the layer whose settings or input do not fit.
  /// - Complexity: O(parameters).
  public init(
    input shape: [Int], of dataType: DataType = .float32, name: String = "input",
    output: String? = nil, seed: UInt64 = 0, configuration: Configuration = Configuration(),
    @BlockBuilder layers: () -> [any Block]
  ) throws {
    guard shape.allSatisfy({ $0 > 0 }) else {
      throw LayerError.invalid(
        layer: name, reason: "expected extents of at least 1, found \(shape)")
    }
    var builder = NetworkBuilder(seed: seed)
    let start = try builder.input(name, shape, dataType)
    let end = try builder.connect(layers(), to: start)
    let graph = try builder.graph("vitrine", input: start, output: end, as: output)
    try self.init(graph, configuration: configuration)
  }
}
