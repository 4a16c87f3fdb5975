package import VitrineTensor

/// Runs a specialised graph.
package protocol Engine: Sendable {
  /// Returns the values of `targets`, by value number.
  ///
  /// - Parameter inputs: One tensor per input of the wiring, in the engine's precision.
  func evaluate(_ targets: [Int], inputs: [Tensor]) throws -> [Tensor]

  /// Returns the value of `source`, and for each cotangent the gradients of `⟨source, cotangent⟩`
  /// with respect to `sites`.
  ///
  /// - Parameter cotangents: Tensors of the shape of `source`.
  func gradients(
    of source: Int, withRespectTo sites: [Int], inputs: [Tensor], rules: RuleTable,
    cotangents: [Tensor]
  ) throws -> (value: Tensor, gradients: [[Tensor]])

  /// Returns the derivatives of `target` along tangents of inputs, each given by value numbers.
  ///
  /// - Parameter checkpoint: Called after each tangent with the number done.
  func pushforward(
    of target: Int, along tangents: [[Int: Tensor]], inputs: [Tensor],
    checkpoint: (Int) throws -> Void
  ) throws -> [Tensor]
}
