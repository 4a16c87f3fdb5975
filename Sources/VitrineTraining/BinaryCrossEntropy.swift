public import VitrineTensor

/// Cross-entropy between the logistic function of each logit and a target probability: the mean over all
/// elements of max(y, 0) − y t + log(1 + exp(−|y|)).
public struct BinaryCrossEntropy: Loss {
  /// Share of a target that is moved to ½, in 0..<1.
  public let smoothing: Double

  /// Creates the loss.
  public init(smoothing: Double = 0) { self.smoothing = smoothing }

  public var identifier: String { "binaryCrossEntropy(smoothing: \(smoothing))" }

  public var readsLogits: Bool { true }

  public func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue {
    guard smoothing >= 0, smoothing < 1 else {
      throw TrainingError.invalidSetting(
        name: "label smoothing", expected: "a number in 0..<1", found: "\(smoothing)")
    }
    let targets = try targets.asTargets(of: outputs)
    return try outputs.dataType == .float64
      ? evaluate(outputs, targets, Double.self) : evaluate(outputs, targets, Float.self)
  }

  @inline(__always)
  private func evaluate<T: RealScalar>(_ outputs: Tensor, _ targets: Tensor, _: T.Type) throws
    -> LossValue
  {
    let count = Double(max(1, outputs.count))
    var sum = 0.0
    let gradient = try outputs.withElements(of: T.self) { y in
      try targets.withElements(of: T.self) { t in
        Tensor(uninitialized: outputs.shape, of: T.self) { g in
          for i in g.indices {
            let logit = Double(y[i])
            let target = Double(t[i]) * (1 - smoothing) + smoothing / 2
            let small = Double.exp(-logit.magnitude)
            sum += max(logit, 0) - logit * target + Double.log(1 + small)
            let probability = logit >= 0 ? 1 / (1 + small) : small / (1 + small)
            g[i] = T((probability - target) / count)
          }
        }
      }
    }
    return LossValue(value: sum / count, gradient: gradient)
  }
}

extension Loss where Self == BinaryCrossEntropy {
  /// Cross-entropy of logits with probabilities of yes, one for each output element.
  ///
  /// - Parameter smoothing: Share of a target that is moved to ½, in 0..<1.
  public static func binaryCrossEntropy(smoothing: Double = 0) -> BinaryCrossEntropy {
    BinaryCrossEntropy(smoothing: smoothing)
  }
}
