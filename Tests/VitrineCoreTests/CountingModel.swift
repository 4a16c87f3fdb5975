import Synchronization
import VitrineCore
import VitrineTensor

/// A ``QuadraticModel`` that keeps the batch size of every call.
final class CountingModel: Differentiable {
  let takesBatches: Bool
  private let model = QuadraticModel()
  private let sizes = Mutex<[Int]>([])

  init(takesBatches: Bool = true) { self.takesBatches = takesBatches }

  var batchSizes: [Int] { sizes.withLock(\.self) }
  var signature: Signature { model.signature }
  var layers: [Layer] { model.layers }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    record(inputs)
    return try model.evaluate(inputs, observing: sites)
  }

  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    record(inputs)
    return try model.gradients(of: objective, withRespectTo: sites, at: inputs, rules: rules)
  }

  private func record(_ inputs: Inputs) {
    let size = inputs.tensors[0].value.shape[0]
    sizes.withLock { $0.append(size) }
  }
}
