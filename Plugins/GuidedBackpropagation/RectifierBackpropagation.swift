import VitrineCore
import VitrineTensor

/// What guided backpropagation and deconvnet share: all but the rule at the rectifiers.
struct RectifierBackpropagation: Sendable {
  let method: Method
  let rule: BackwardRule
  let channels: GuidedBackpropagation.Channels

  /// The options of both methods.
  static let options = [
    Option(
      "channels", .choice(GuidedBackpropagation.Channels.allCases.map(\.rawValue)),
      default: GuidedBackpropagation.Channels.none.rawValue,
      help: "How the channels become one: max |r|, sum of r, or root of the sum of squares.")
  ]

  func explain(
    _ model: any Differentiable, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    try context.checkCancellation()
    let realInputs = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let gradients = try model.gradients(
      of: target.objective, withRespectTo: realInputs.sites, at: inputs, atRectifiers: rule,
      context: context)
    guard gradients.values.allSatisfy(\.isFinite) else {
      throw CoreError.notFinite("the explained score")
    }
    let report = model.ruleReport(rule, gradients.applications)
    return Explanation(
      method: method.identifier,
      attributions: try realInputs.attributions(of: gradients.tensors, range: .signed)
        .map(combined),
      explained: Explained(target, values: gradients.values), diagnostics: report.diagnostics,
      warnings: realInputs.warnings + report.warnings)
  }

  /// Returns an attribution with its channels combined; an input without a channel axis is one channel.
  private func combined(_ attribution: Attribution) throws -> Attribution {
    let axes = attribution.axes.firstIndex(of: .channel).map { [$0] } ?? []
    let tensor = attribution.tensor
    let result =
      switch channels {
      case .none: tensor
      case .max: axes.isEmpty ? try tensor.absolute() : try tensor.largestMagnitude(along: axes)
      case .sum: axes.isEmpty ? tensor : try tensor.sum(axes: axes, keepDimensions: true)
      case .l2:
        axes.isEmpty ? try tensor.absolute() : try tensor.norm(axes: axes, keepDimensions: true)
      }
    return Attribution(
      name: attribution.name, tensor: result, axes: attribution.axes,
      range: channels == .max || channels == .l2 ? .nonnegative : .signed)
  }
}

extension Tensor {
  fileprivate func largestMagnitude(along axes: [Int]) throws(TensorError) -> Tensor {
    try absolute().max(axes: axes, keepDimensions: true)
  }
}
