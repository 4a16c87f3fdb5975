import VitrineTensor

/// A number that says how good outputs are, over a whole data set.
public enum Metric: String, Sendable, Hashable, CaseIterable {
  /// Share of positions whose greatest output is the target's class.
  case accuracy
  /// Share of output elements that are positive just where the target is more than ½.
  case binaryAccuracy = "binary-accuracy"
  /// 1 − Σ (output − target)² / Σ (target − mean target)², averaged over output elements: the
  /// coefficient of determination.
  case rSquared = "r-squared"
  /// Mean of |output − target|.
  case meanAbsoluteError = "mean-absolute-error"
  /// Mean of (output − target)².
  case meanSquaredError = "mean-squared-error"

  /// Whether more is better.
  public var isBetterHigher: Bool {
    switch self {
    case .accuracy, .binaryAccuracy, .rSquared: true
    case .meanAbsoluteError, .meanSquaredError: false
    }
  }
}

/// Loss and metrics over a data set.
public struct Evaluation: Sendable, Hashable {
  /// Mean over samples.
  public let loss: Double
  /// Value of each metric.
  public let metrics: [Metric: Double]

  /// Creates a result.
  public init(loss: Double, metrics: [Metric: Double] = [:]) {
    self.loss = loss
    self.metrics = metrics
  }
}

/// The sums from which an ``Evaluation`` is made, batch by batch.
struct EvaluationSums: Hashable {
  var samples = 0.0
  var loss = 0.0
  var correct = 0.0
  var positions = 0.0
  var elements = 0.0
  var absolute = 0.0
  var squared = 0.0
  /// Per output element: what targets are measured from, then Σ t, Σ t², Σ e².
  var columns: [[Double]] = [[], [], [], []]

  /// Takes note of a batch.
  mutating func add(
    _ outputs: Tensor, targets: Tensor, loss: Double, metrics: Set<Metric>
  ) throws {
    let count = Double(outputs.shape.dimensions.first ?? 1)
    samples += count
    self.loss += loss * count
    if metrics.contains(.accuracy) { try addAccuracy(outputs, targets) }
    guard !metrics.subtracting([.accuracy]).isEmpty else { return }
    let y = try outputs.converted(to: .float64).elements(of: Double.self)
    let t = try targets.asTargets(of: outputs).converted(to: .float64).elements(of: Double.self)
    elements += Double(y.count)
    if metrics.contains(.binaryAccuracy) {
      for i in y.indices where (y[i] > 0) == (t[i] > 0.5) { correct += 1 }
      positions += Double(y.count)
    }
    for i in y.indices {
      let error = y[i] - t[i]
      absolute += error.magnitude
      squared += error * error
    }
    if metrics.contains(.rSquared) { addColumns(y, t, samples: Int(count)) }
  }

  /// The metrics of what was noted so far.
  func evaluation(_ metrics: Set<Metric>) -> Evaluation {
    var values: [Metric: Double] = [:]
    for metric in metrics {
      switch metric {
      case .accuracy, .binaryAccuracy: values[metric] = correct / max(1, positions)
      case .meanAbsoluteError: values[metric] = absolute / max(1, elements)
      case .meanSquaredError: values[metric] = squared / max(1, elements)
      case .rSquared: values[metric] = rSquared
      }
    }
    return Evaluation(loss: loss / max(1, samples), metrics: values)
  }

  private mutating func addAccuracy(_ outputs: Tensor, _ targets: Tensor) throws {
    let layout = try ClassLayout(outputs.shape)
    let y = try outputs.converted(to: .float64).elements(of: Double.self)
    func greatest(_ values: [Double], _ position: Int) -> Int {
      let (first, step) = layout.row(position)
      var best = 0
      for c in 1..<max(1, layout.classes)
      where values[first + c * step] > values[first + best * step] { best = c }
      return best
    }
    if targets.dataType.isFloatingPoint {
      let t = try targets.asTargets(of: outputs).converted(to: .float64)
        .elements(of: Double.self)
      for position in 0..<layout.positions
      where greatest(y, position) == greatest(t, position) { correct += 1 }
    } else {
      let classes = try layout.classes(of: targets)
      for position in 0..<layout.positions where greatest(y, position) == classes[position] {
        correct += 1
      }
    }
    positions += Double(layout.positions)
  }

  private mutating func addColumns(_ y: [Double], _ t: [Double], samples: Int) {
    let width = samples > 0 ? y.count / samples : 0
    if columns[0].isEmpty {
      let zeros = [Double](repeating: 0, count: width)
      columns = [Array(t.prefix(width)), zeros, zeros, zeros]
    }
    guard columns[0].count == width else { return }
    for i in y.indices {
      let column = i % width
      let target = t[i] - columns[0][column]
      columns[1][column] += target
      columns[2][column] += target * target
      columns[3][column] += (y[i] - t[i]) * (y[i] - t[i])
    }
  }

  private var rSquared: Double {
    let width = columns[0].count
    guard width > 0, samples > 0 else { return 0 }
    var sum = 0.0
    for column in 0..<width {
      let spread = columns[2][column] - columns[1][column] * columns[1][column] / samples
      sum += 1 - columns[3][column] / spread
    }
    return sum / Double(width)
  }
}
