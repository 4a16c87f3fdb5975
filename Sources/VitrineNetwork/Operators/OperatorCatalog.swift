/// Every operator this version knows, by its name in the default ONNX domain.
///
/// Each family lists its own; adding an operator is adding it to its family's list.
package enum OperatorCatalog {
  package static let operators: [String: any Operator.Type] = {
    let families: [[String: any Operator.Type]] = [
      Activations.operators,
      Comparisons.operators,
      Constants.operators,
      Convolutions.operators,
      Elementwise.operators,
      MatrixProducts.operators,
      MomentNormalizations.operators,
      Movement.operators,
      Normalizations.operators,
      Poolings.operators,
      Recurrences.operators,
      Reductions.operators,
      Shaping.operators,
      Softmaxes.operators,
    ]
    return families.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
  }()
}
