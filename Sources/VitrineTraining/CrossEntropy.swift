public import VitrineTensor

/// Cross-entropy between the softmax of logits and targets: −Σ_c t_c log softmax(y)_c.
///
/// Logits are `[sample, class, …]`; targets are classes as `int64` `[sample, …]`, or probabilities of the
/// shape of the logits. The mean is over samples and positions, weighted by the class's weight if there
/// are weights, as in PyTorch.
public struct CrossEntropy: Loss {
  /// Share of a target that is spread evenly over all classes, in 0..<1 (Szegedy et al. 2016).
  public let smoothing: Double
  /// One factor per class, for targets that are classes.
  public let classWeights: [Double]?

  /// Creates the loss.
  public init(smoothing: Double = 0, classWeights: [Double]? = nil) {
    self.smoothing = smoothing
    self.classWeights = classWeights
  }

  public var identifier: String {
    "crossEntropy(smoothing: \(smoothing), classWeights: \(classWeights ?? []))"
  }

  public var readsLogits: Bool { true }

  public func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue {
    let layout = try ClassLayout(outputs.shape)
    guard smoothing >= 0, smoothing < 1 else {
      throw TrainingError.invalidSetting(
        name: "label smoothing", expected: "a number in 0..<1", found: "\(smoothing)")
    }
    if let classWeights, classWeights.count != layout.classes {
      throw TrainingError.invalidSetting(
        name: "class weights", expected: "one for each of \(layout.classes) classes",
        found: "\(classWeights.count)")
    }
    return try outputs.dataType == .float64
      ? evaluate(outputs, targets, layout, Double.self)
      : evaluate(outputs, targets, layout, Float.self)
  }

  @inline(__always)
  private func evaluate<T: RealScalar>(
    _ outputs: Tensor, _ targets: Tensor, _ layout: ClassLayout, _: T.Type
  ) throws -> LossValue {
    let classes: [Int]?
    let probabilities: [T]
    if targets.dataType.isFloatingPoint {
      guard classWeights == nil else {
        throw TrainingError.invalidData(
          what: "targets", expected: "classes, because classes have weights",
          found: "\(targets)")
      }
      classes = nil
      probabilities = try targets.asTargets(of: outputs).elements(of: T.self)
    } else {
      classes = try layout.classes(of: targets)
      probabilities = []
    }
    let weights = classes.map { classes in
      classes.map { classWeights?[$0] ?? 1 }
    }
    let total = weights?.reduce(0, +) ?? Double(layout.positions)
    let spread = smoothing / Double(layout.classes)
    var sum = 0.0
    let gradient = try outputs.withElements(of: T.self) { y in
      Tensor(uninitialized: outputs.shape, of: T.self) { g in
        var exponentials = [T](repeating: 0, count: layout.classes)
        for position in 0..<layout.positions {
          let (first, step) = layout.row(position)
          var largest = y[first]
          for c in 1..<layout.classes { largest = max(largest, y[first + c * step]) }
          var normalizer = 0.0
          for c in 0..<layout.classes {
            let value = T.exp(y[first + c * step] - largest)
            exponentials[c] = value
            normalizer += Double(value)
          }
          let logarithm = Double(largest) + Double.log(normalizer)
          func target(_ c: Int) -> Double {
            let sharp =
              classes.map { $0[position] == c ? 1 : 0 } ?? Double(probabilities[first + c * step])
            return sharp * (1 - smoothing) + spread
          }
          if let classes, let weights {
            // As PyTorch does: the spread part of each class has that class's own weight.
            let weight = weights[position]
            var mass = 0.0
            for c in 0..<layout.classes {
              let part =
                (c == classes[position] ? (1 - smoothing) * weight : 0)
                + spread * (classWeights?[c] ?? 1)
              if part != 0 {
                mass += part
                sum += part * (logarithm - Double(y[first + c * step]))
              }
            }
            for c in 0..<layout.classes {
              let part =
                (c == classes[position] ? (1 - smoothing) * weight : 0)
                + spread * (classWeights?[c] ?? 1)
              let probability = Double(exponentials[c]) / normalizer
              g[first + c * step] = T((mass * probability - part) / total)
            }
          } else {
            var mass = 0.0
            for c in 0..<layout.classes {
              let part = target(c)
              mass += part
              if part != 0 { sum += part * (logarithm - Double(y[first + c * step])) }
            }
            for c in 0..<layout.classes {
              let probability = Double(exponentials[c]) / normalizer
              g[first + c * step] = T((mass * probability - target(c)) / total)
            }
          }
        }
      }
    }
    return LossValue(value: sum / total, gradient: gradient)
  }
}

extension Loss where Self == CrossEntropy {
  /// Cross-entropy of logits with classes or probabilities.
  ///
  /// - Parameters:
  ///   - smoothing: Share of a target that is spread evenly over all classes, in 0..<1.
  ///   - classWeights: One factor per class.
  public static func crossEntropy(
    smoothing: Double = 0, classWeights: [Double]? = nil
  ) -> CrossEntropy {
    CrossEntropy(smoothing: smoothing, classWeights: classWeights)
  }
}

/// Where the classes of each position are in logits `[sample, class, …]`.
struct ClassLayout {
  let classes: Int
  /// Samples times what comes after the class axis.
  let positions: Int
  private let inner: Int

  init(_ outputs: Shape) throws {
    guard outputs.rank >= 2, outputs[1] >= 1 else {
      throw TrainingError.invalidData(
        what: "output", expected: "shape [sample, class, …]", found: "\(outputs)")
    }
    classes = outputs[1]
    inner = outputs.dimensions.dropFirst(2).reduce(1, *)
    positions = outputs[0] * inner
  }

  /// Returns the place of the first class and the distance between classes.
  @inline(__always)
  func row(_ position: Int) -> (first: Int, step: Int) {
    let (sample, place) = position.quotientAndRemainder(dividingBy: inner)
    return (sample * classes * inner + place, inner)
  }

  /// Returns the class of each position.
  func classes(of targets: Tensor) throws -> [Int] {
    guard targets.dataType == .int64, targets.count == positions else {
      throw TrainingError.invalidData(
        what: "targets",
        expected: "\(positions) int64 classes, or probabilities of the shape of the output",
        found: "\(targets)")
    }
    return try targets.elements(of: Int64.self).map {
      guard let index = Int(exactly: $0), index >= 0, index < classes else {
        throw TrainingError.invalidData(
          what: "class", expected: "0..<\(classes)", found: "\($0)")
      }
      return index
    }
  }
}
