public import VitrineTensor

/// A loss that looks at the error of each output element: the mean over all of them.
public struct RegressionLoss: Loss {
  /// What an error e = output − target costs.
  public enum Form: Sendable, Hashable {
    /// e²
    case squared
    /// |e|; its derivative at 0 is 0.
    case absolute
    /// e² / 2 up to the threshold δ, δ (|e| − δ / 2) beyond (Huber 1964).
    case huber(threshold: Double)
  }

  /// What an error costs.
  public let form: Form

  /// Creates the loss.
  public init(_ form: Form) { self.form = form }

  public var identifier: String { "regression(\(form))" }

  public func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue {
    let targets = try targets.asTargets(of: outputs)
    if case .huber(let threshold) = form, !(threshold > 0) {
      throw TrainingError.invalidSetting(
        name: "huber threshold", expected: "a positive number", found: "\(threshold)")
    }
    return try outputs.dataType == .float64
      ? evaluate(outputs, targets, Double.self) : evaluate(outputs, targets, Float.self)
  }

  @inline(__always)
  private func evaluate<T: RealScalar>(_ outputs: Tensor, _ targets: Tensor, _: T.Type) throws
    -> LossValue
  {
    let count = Double(max(1, outputs.count))
    let scale = T(1 / count)
    var sum = 0.0
    let gradient = try outputs.withElements(of: T.self) { y in
      try targets.withElements(of: T.self) { t in
        Tensor(uninitialized: outputs.shape, of: T.self) { g in
          switch form {
          case .squared:
            for i in g.indices {
              let error = y[i] - t[i]
              sum += Double(error * error)
              g[i] = 2 * error * scale
            }
          case .absolute:
            for i in g.indices {
              let error = y[i] - t[i]
              sum += Double(error.magnitude)
              g[i] = error > 0 ? scale : error < 0 ? -scale : error * scale
            }
          case .huber(let threshold):
            let limit = T(threshold)
            for i in g.indices {
              let error = y[i] - t[i]
              if error.magnitude <= limit {
                sum += Double(error * error) / 2
                g[i] = error * scale
              } else {
                sum += threshold * (Double(error.magnitude) - threshold / 2)
                g[i] = error > 0 ? limit * scale : error < 0 ? -limit * scale : error
              }
            }
          }
        }
      }
    }
    return LossValue(value: sum / count, gradient: gradient)
  }
}

extension Loss where Self == RegressionLoss {
  /// The mean of squared errors.
  public static var meanSquaredError: RegressionLoss { RegressionLoss(.squared) }

  /// The mean of absolute errors, "L1".
  public static var meanAbsoluteError: RegressionLoss { RegressionLoss(.absolute) }

  /// Squared errors up to a threshold, absolute ones beyond.
  ///
  /// - Parameter threshold: δ, in units of the output, above 0.
  public static func huber(threshold: Double = 1) -> RegressionLoss {
    RegressionLoss(.huber(threshold: threshold))
  }
}

extension Tensor {
  /// Returns the targets in the shape and type of the outputs; axes of extent 1 may be missing.
  func asTargets(of outputs: Tensor) throws -> Tensor {
    let targets = shape.dimensions.filter { $0 != 1 }
    guard targets == outputs.shape.dimensions.filter({ $0 != 1 }) else {
      throw TrainingError.invalidData(
        what: "targets", expected: "shape \(outputs.shape), as the output", found: "\(shape)")
    }
    return try converted(to: outputs.dataType).reshaped(to: outputs.shape.dimensions)
  }
}
