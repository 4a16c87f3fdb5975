package import VitrineTensor

/// Runs a specialised graph.
package protocol Engine: Sendable {
  /// Returns the values of `targets`, by value number.
  ///
  /// - Parameter inputs: One tensor per input of the wiring, in the engine's precision.
  func evaluate(_ targets: [Int], inputs: [Tensor]) throws -> [Tensor]

  /// Returns the values of `targets`, and for each cotangent the gradients of `⟨source, cotangent⟩`
  /// with respect to `sites`.
  ///
  /// - Parameters:
  ///   - channels: Those of `source` outside which cotangents are zero and its value is of no interest;
  ///     `nil` for all.
  ///   - cotangents: Tensors of the shape of `source`.
  func gradients(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], observing targets: [Int],
    inputs: [Tensor], rules: RuleTable, cotangents: [Tensor]
  ) throws -> (values: [Tensor], gradients: [[Tensor]])

  /// Prepares to differentiate ⟨source, cotangent⟩ at one point after the other.
  ///
  /// - Parameters:
  ///   - channels: As for ``gradients``.
  ///   - inputs: Of the shapes of all points.
  /// - Returns: A function of the inputs, for one thread: the value of `source`, and the gradient for each of
  ///   `sites`.
  func gradientFunction(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], inputs: [Tensor],
    rules: RuleTable, cotangent: Tensor
  ) throws -> (_ inputs: [Tensor]) throws -> (value: Tensor, gradients: [Tensor])

  /// Returns the derivatives of `target` along tangents of inputs, each given by value numbers.
  ///
  /// - Parameter checkpoint: Called after each tangent with the number done.
  func pushforward(
    of target: Int, along tangents: [[Int: Tensor]], inputs: [Tensor],
    checkpoint: (Int) throws -> Void
  ) throws -> [Tensor]

  /// Prepares to sum gradients over many batches, or returns `nil` if calling ``gradients`` for each batch
  /// is as good.
  func summation(_ terms: GradientTerms) throws -> GradientSummation?

  /// Prepares to evaluate `target` with one box of an input covered for each sample, or returns `nil` if
  /// evaluating whole variants is as good.
  func coveredEvaluation(
    of target: Int, channels: Set<Int>?, covering input: Int, _ covered: ChangedRegion
  ) throws -> CoveredEvaluation?
}

extension Engine {
  package func gradientFunction(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], inputs: [Tensor],
    rules: RuleTable, cotangent: Tensor
  ) throws -> (_ inputs: [Tensor]) throws -> (value: Tensor, gradients: [Tensor]) {
    { inputs in
      let result = try gradients(
        of: source, channels: channels, withRespectTo: sites, observing: [source], inputs: inputs,
        rules: rules, cotangents: [cotangent])
      return (result.values[0], result.gradients[0])
    }
  }

  package func summation(_ terms: GradientTerms) throws -> GradientSummation? { nil }

  package func coveredEvaluation(
    of target: Int, channels: Set<Int>?, covering input: Int, _ covered: ChangedRegion
  ) throws -> CoveredEvaluation? { nil }
}
