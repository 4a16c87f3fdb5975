public import VitrineNetwork
import VitrineTensor

extension Graph {
  /// Names of the constants that training changes unless it is told otherwise, ascending: weights,
  /// biases and scales, embeddings.
  ///
  /// They are real constants of rank 1 or more that convolutions, matrix products, normalisations,
  /// recurrent layers, `PRelu`, `Gather` (its table), `Add` and `Mul` read, directly or through
  /// operators that only move elements. Running statistics, and constants that are subtracted or
  /// divided by, as when inputs are standardised, stay.
  public var trainableParameters: [String] {
    var readers: [String: [(kind: String, position: Int, output: String)]] = [:]
    for node in nodes {
      for (position, input) in node.inputs.enumerated() where !input.isEmpty {
        readers[input, default: []].append((node.kind, position, node.outputs.first ?? ""))
      }
    }
    func isTrained(_ value: String, _ depth: Int) -> Bool {
      depth < 8
        && (readers[value] ?? []).contains { reader in
          if let positions = Self.trainedInputs[reader.kind] {
            return positions.contains(reader.position)
          }
          return reader.position == 0 && Self.movers.contains(reader.kind)
            && isTrained(reader.output, depth + 1)
        }
    }
    return constants.compactMap { name, tensor in
      tensor.dataType.isFloatingPoint && tensor.rank > 0 && isTrained(name, 0) ? name : nil
    }.sorted()
  }

  /// Which inputs of an operator are parameters if they are constants.
  private static let trainedInputs: [String: Set<Int>] = [
    "Add": [0, 1], "BatchNormalization": [1, 2], "Conv": [1, 2], "ConvTranspose": [1, 2],
    "GRU": [1, 2, 3], "Gather": [0], "Gemm": [0, 1, 2], "GroupNormalization": [1, 2],
    "InstanceNormalization": [1, 2], "LSTM": [1, 2, 3, 7], "LayerNormalization": [1, 2],
    "MatMul": [0, 1], "Mul": [0, 1], "PRelu": [1], "RMSNormalization": [1], "RNN": [1, 2, 3],
  ]

  private static let movers: Set<String> = [
    "Cast", "Concat", "Expand", "Flatten", "Identity", "Reshape", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
  ]
}
