import VitrineCore
import VitrineTensor

extension Explanation {
  /// Checks what every explanation obeys, as an answer that nobody vouches for.
  ///
  /// - Throws: ``PluginError/badExplanation(plugin:reason:)``.
  func check(
    of method: Method, at inputs: Inputs, of model: any Model, by plugin: String
  ) throws(PluginError) {
    func refuse(_ reason: String) -> PluginError { .badExplanation(plugin: plugin, reason: reason) }

    let isBatch = model.signature.inputs.first?.batchAxis == 0
    let count = isBatch ? inputs.tensors.first?.value.shape.dimensions.first ?? 1 : 1
    let samples = max(count, 1)
    for attribution in attributions {
      let shape = attribution.tensor.shape
      let name = attribution.name.prefix(100)
      guard attribution.axes.count == shape.rank else {
        throw refuse(
          "expected \(shape.rank) axes for '\(name)' of shape \(shape), found "
            + "\(attribution.axes.count)")
      }
      if let axis = attribution.axes.firstIndex(of: .batch), shape[axis] != samples {
        throw refuse("expected \(samples) samples in '\(name)', found shape \(shape)")
      }
      guard shape.count > 0 else { throw refuse("expected elements in '\(name)', found none") }
      do {
        try attribution.tensor.requireFinite(String(name))
      } catch {
        throw refuse("\(error)")
      }
    }
    let values = explained.values.count
    guard method.usesTarget ? values > 0 && values % samples == 0 : values % samples == 0 else {
      throw refuse("expected a value of the score for each of \(samples) samples, found \(values)")
    }
    guard [0, 1, samples].contains(explained.elements.count),
      explained.elements.allSatisfy({ $0 >= 0 })
    else {
      throw refuse(
        "expected an explained element for each of \(samples) samples, found "
          + "\(explained.elements.prefix(8))")
    }
  }
}
