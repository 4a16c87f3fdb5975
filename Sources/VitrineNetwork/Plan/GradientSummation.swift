internal import CVitrineKernels
internal import VitrineTensor

/// What is summed over batches of samples: Σ w ∂⟨source, cotangent⟩/∂y.
package struct GradientTerms {
  /// A value that is not computed but moves along a straight line: start + fraction · direction.
  package struct Line {
    let value: Int
    /// One sample, `float32`.
    let start: Tensor
    /// To where the fraction is 1, likewise.
    let direction: Tensor
  }

  let source: Int
  /// The channels of `source` outside which the cotangent is zero; `nil` for all.
  let channels: Set<Int>?
  /// Of the whole batch.
  let cotangent: Tensor
  /// The values y.
  let sums: [Int]
  /// Those of them whose sums are wanted in double precision.
  let precise: Set<Int>
  /// None if all values are computed from the inputs.
  var lines: [Line] = []
  /// The inputs of the whole batch; those of repetitions may be others.
  let inputs: [Tensor]
}

/// Sums of gradients over many batches, each of which runs in the same memory. For one thread.
package final class GradientSummation {
  private let repetition: Plan.Repetition
  private let slots: Averaging
  private let results: [Int]

  init(
    _ plan: Plan, _ request: PlanRequest, _ terms: GradientTerms, results: [Int],
    log: OperationLog?
  ) throws {
    var slots = Averaging()
    var count = terms.inputs.count + 1
    slots.reserveSlots(for: request, &count)
    self.slots = slots
    self.results = results
    repetition = try Plan.Repetition(
      plan, terms.inputs + [terms.cotangent] + terms.lines.flatMap { [$0.start, $0.direction] },
      log: log)
  }

  /// Adds the gradients of a batch on the lines.
  ///
  /// - Parameters:
  ///   - fractions: One for each sample of the batch.
  ///   - weights: Likewise; samples of weight 0 are left out.
  func add(fractions: [Double], weights: [Double]) throws {
    var inputs = [try weightSlot(weights)]
    if let slot = slots.fractionSlot {
      inputs.append((slot, try Tensor(fractions.map(Float.init), shape: [fractions.count])))
    }
    try repetition.repeatSteps(inputs)
  }

  /// Adds the gradients of a batch of inputs.
  func add(inputs: [Tensor], weights: [Double]) throws {
    try repetition.repeatSteps(
      inputs.enumerated().map { ($0, $1) } + [try weightSlot(weights)])
  }

  private func weightSlot(_ weights: [Double]) throws -> (slot: Int, tensor: Tensor) {
    (slots.weightSlot ?? 0, try Tensor(weights, shape: [weights.count]))
  }

  /// Returns the sums, one tensor of one sample for each value: `float64`, or `float32` where that will do.
  func finish() throws -> [Tensor] {
    let slots = try repetition.finish()
    return results.compactMap { slots[$0] }
  }
}
