public import VitrineTensor

/// A regression whose true attributions are known: 32 features that add, 32 that subtract and 32 that
/// do nothing.
///
/// y = Σ_i c_i x_i with x ~ U(−1, 1) and c = (1/32, …, 32/32, −1/32, …, −32/32, 0, …, 0). The attribution of
/// feature i of a sample is c_i (x_i − x'_i). It is the synthetic experiment of the article on
/// integrated gradients that Vitrine's capabilities name (rows D3 to D7).
public enum SignedFeatures {
  /// Features of one kind.
  public static let featuresPerKind = 32

  /// c, one for each of the 96 features: positive, negative, none.
  public static let coefficients: [Double] =
    (1...featuresPerKind).map { Double($0) / Double(featuresPerKind) }
    + (1...featuresPerKind).map { -Double($0) / Double(featuresPerKind) }
    + Array(repeating: 0, count: featuresPerKind)

  /// Which features have no influence.
  public static let noise = 2 * featuresPerKind..<3 * featuresPerKind

  /// Draws samples: inputs `[count, 96]`, targets `[count, 1]`.
  ///
  /// - Throws: ``DataError/invalidArgument(_:)`` for a count below 1.
  public static func dataSet(
    count: Int, using generator: inout RandomGenerator
  ) throws -> LabeledData {
    guard count >= 1 else {
      throw DataError.invalidArgument("expected a sample or more, found \(count)")
    }
    let features = coefficients.count
    let inputs = (0..<count * features).map { _ in Float(generator.uniformDouble() * 2 - 1) }
    let targets = (0..<count).map { sample in
      Float(
        coefficients.indices.reduce(0.0) {
          $0 + coefficients[$1] * Double(inputs[sample * features + $1])
        })
    }
    return try LabeledData(
      inputs: Tensor(inputs, shape: [count, features]), targets: Tensor(targets, shape: [count, 1]))
  }
}
