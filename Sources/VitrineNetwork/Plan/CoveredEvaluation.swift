internal import VitrineTensor

/// Evaluations of one value with one box of an input covered for each sample of a batch. For one thread.
package final class CoveredEvaluation {
  private let plan: Plan
  private let covering: Covering
  private let result: Int
  private let log: OperationLog?
  private var repetition: Plan.Repetition?

  init(_ plan: Plan, _ covering: Covering, result: Int, log: OperationLog?) {
    self.plan = plan
    self.covering = covering
    self.result = result
    self.log = log
  }

  /// The values of the uncovered input that ``start(inputs:bases:cover:)`` needs.
  var baseValues: [Int] { covering.baseValues }

  /// Takes another sample.
  ///
  /// - Parameters:
  ///   - inputs: Those of a whole batch, for what does not depend on the covered input.
  ///   - bases: One sample of each of ``baseValues``.
  ///   - cover: One sample.
  func start(inputs: [Tensor], bases: [Tensor], cover: Tensor) throws {
    repetition = nil
    repetition = try Plan.Repetition(plan, inputs + bases + [cover], log: log)
  }

  /// Returns the value for a batch of boxes, by their numbers.
  func evaluate(_ boxes: [Int]) throws -> Tensor? {
    let places = covering.pieces.flatMap { piece in boxes.flatMap { piece.place(of: $0) } }
    let slots = try repetition?.repeatSteps([
      (covering.placeSlot, try Tensor(places, shape: [places.count]))
    ])
    return slots?[result]
  }
}
