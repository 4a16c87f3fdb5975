import VitrineCore
import VitrineNetwork
import VitrineTensor

/// What a model says of one sample, by one of its outputs.
struct Prediction: Sendable {
  /// What the numbers of an output mean.
  enum Meaning: String, Sendable {
    /// The model ends in a softmax: they are its probabilities.
    case probabilities = "probability"
    /// The model ends in logits; a softmax was applied here.
    case softmaxOfLogits = "softmax-of-logits"
    /// Numbers of their own, such as a regression's.
    case values = "value"
  }

  let output: String
  let meaning: Meaning
  /// Probabilities or values, by index.
  let values: [Double]
  /// Scores before the softmax; `nil` for plain values, and where the model does not give them.
  let logits: [Double]?

  /// Indices from the largest value to the smallest, lower indices first on ties.
  var ranking: [Int] {
    values.indices.sorted { values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1] }
  }
}

extension Network {
  /// Returns the prediction of every output for every sample: one list for each sample.
  ///
  /// - Parameter areClasses: Whether outputs without a softmax are scores of classes; `nil` to judge by
  ///   their names.
  func predictions(at inputs: Inputs, areClasses: Bool?) throws -> [[Prediction]] {
    var sites: [Site] = []
    for port in signature.outputs {
      sites.append(.output(port.name))
      if let logit = site(of: .logit, output: port.name) { sites.append(logit) }
    }
    let tensors = try evaluate(inputs, observing: sites)
    var byOutput: [[Prediction]] = []
    var next = tensors.makeIterator()
    for port in signature.outputs {
      guard let value = next.next() else { break }
      let logit = site(of: .logit, output: port.name) == nil ? nil : next.next()
      let hasProbability = site(of: .probability, output: port.name) != nil
      let isSoftmaxLogarithm = site(of: .logit, output: port.name) != .output(port.name)
      let isScore =
        value.dataType.isFloatingPoint
        && (isSoftmaxLogarithm || (areClasses ?? port.isNamedLikeLogits))
      byOutput.append(
        try zip(Self.samples(of: value), Self.samples(of: logit ?? value)).map { values, logits in
          if hasProbability {
            return Prediction(
              output: port.name, meaning: .probabilities, values: values, logits: logits)
          }
          if isScore, values.count > 1 {
            return Prediction(
              output: port.name, meaning: .softmaxOfLogits, values: softmax(logits),
              logits: logits)
          }
          return Prediction(output: port.name, meaning: .values, values: values, logits: nil)
        })
    }
    let samples = byOutput.first?.count ?? 0
    return (0..<samples).map { sample in
      byOutput.compactMap { $0.indices.contains(sample) ? $0[sample] : nil }
    }
  }

  private static func samples(of tensor: Tensor) throws -> [[Double]] {
    let numbers = try tensor.converted(to: .float64).elements(of: Double.self)
    let count = max(1, tensor.rank > 0 ? tensor.shape[0] : 1)
    let size = numbers.count / count
    return (0..<count).map { Array(numbers[$0 * size..<($0 + 1) * size]) }
  }
}

extension Port {
  /// Whether its name says that it holds scores of classes before a softmax.
  fileprivate var isNamedLikeLogits: Bool {
    let name = name.lowercased()
    return ["logit", "class", "score"].contains { name.contains($0) }
  }
}

/// exp(x_i) / Σ exp(x_j), with the largest subtracted first so that nothing overflows.
private func softmax(_ logits: [Double]) -> [Double] {
  let largest = logits.max() ?? 0
  let powers = logits.map { Double.exp($0 - largest) }
  let sum = powers.reduce(0, +)
  return powers.map { $0 / sum }
}
