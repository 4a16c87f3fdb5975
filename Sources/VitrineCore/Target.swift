internal import VitrineTensor

/// Which number of a classifier is explained: before or after its final softmax.
public enum Score: String, Sendable, Hashable, CaseIterable {
  /// The class's unnormalised score.
  case logit
  /// The class's share after softmax.
  case probability
}

/// What an explanation is about: which element of which output, and which score of it.
public struct Target: Sendable {
  /// Which element or elements.
  public enum Choice: Sendable {
    /// The element with the largest value, chosen for each sample; the lowest index on ties.
    case top
    /// One index into the flattened output, the same for every sample.
    case index(Int)
    /// One index per sample.
    case perSample([Int])
    /// The class with this name in the model's labels.
    case label(String)
    /// A position in an output of higher rank, without the batch axis.
    case coordinates([Int])
    /// Several elements with signed weights.
    case weighted([(index: Int, weight: Double)])
  }

  public let choice: Choice
  public let score: Score
  /// Name of the output; `nil` for the first.
  public let output: String?

  public init(_ choice: Choice = .top, score: Score = .logit, output: String? = nil) {
    self.choice = choice
    self.score = score
    self.output = output
  }

  public static let top = Target(.top)
  public static func index(_ index: Int) -> Target { Target(.index(index)) }
  public static func label(_ label: String) -> Target { Target(.label(label)) }
}

/// A target made concrete for a model and its inputs.
public struct ResolvedTarget: Sendable {
  /// Where the explained number is read.
  public let site: Site
  public let score: Score
  /// Whether a softmax after ``site`` was left out because the logit was asked for.
  public let skippedSoftmax: Bool
  /// The explained element for each sample, with its value; one entry per sample, or empty when the
  /// target is a weighted sum.
  public let elements: [Int]
  public let objective: Objective

  public init(
    site: Site, score: Score, skippedSoftmax: Bool, elements: [Int], objective: Objective
  ) {
    self.site = site
    self.score = score
    self.skippedSoftmax = skippedSoftmax
    self.elements = elements
    self.objective = objective
  }
}

extension Model {
  /// Makes a target concrete: finds the site of its score and, for ``Target/Choice/top``, evaluates the
  /// model once.
  ///
  /// - Throws: ``CoreError`` when the output, label or index does not exist, or the model has no
  ///   probability.
  public func resolve(_ target: Target, at inputs: Inputs, context: Context) throws
    -> ResolvedTarget
  {
    let outputs = signature.outputs
    guard
      let output = target.output.map({ name in outputs.first { $0.name == name } })
        ?? outputs.first
    else {
      throw CoreError.unknownName(
        what: "output", name: target.output ?? "",
        suggestion: closestName(to: target.output ?? "", among: outputs.map(\.name)),
        known: outputs.map(\.name))
    }
    guard let site = site(of: target.score, output: output.name) else {
      throw CoreError.noProbability(output: output.name)
    }
    let skippedSoftmax =
      target.score == .logit && self.site(of: .probability, output: output.name) != nil

    func single(_ elements: [Int], samples: Int? = nil) -> ResolvedTarget {
      ResolvedTarget(
        site: site, score: target.score, skippedSoftmax: skippedSoftmax, elements: elements,
        objective: Objective(site, .elements(elements)))
    }

    switch target.choice {
    case .top:
      let value = try evaluate(inputs, observing: [site])[0]
      return single(try topElements(of: value))
    case .index(let index): return single([index])
    case .perSample(let indices): return single(indices)
    case .label(let label):
      guard let labels = context.labels else { throw CoreError.noLabels(label: label) }
      return single([try indexOfLabel(label, in: labels)])
    case .coordinates(let coordinates):
      let shape = try evaluate(inputs, observing: [site])[0].shape.dimensions.dropFirst()
      guard coordinates.count == shape.count,
        zip(coordinates, shape).allSatisfy({ $0 >= 0 && $0 < $1 })
      else {
        throw CoreError.shapeMismatch(
          what: "target coordinates within the output", expected: Array(shape), found: coordinates)
      }
      return single([zip(coordinates, shape).reduce(0) { $0 * $1.1 + $1.0 }])
    case .weighted(let terms):
      return ResolvedTarget(
        site: site, score: target.score, skippedSoftmax: skippedSoftmax, elements: [],
        objective: Objective(
          site, .weighted(terms.map { (element: $0.index, weight: $0.weight) })))
    }
  }
}

/// Returns the index of the largest element of each sample, the lowest on ties.
///
/// - Throws: ``CoreError/notFinite(_:)`` if a sample holds a NaN: nothing is largest then.
private func topElements(of value: Tensor) throws -> [Int] {
  let samples = value.rank > 0 ? value.shape[0] : 1
  let perSample = samples > 0 ? value.count / samples : 0
  guard perSample > 0 else {
    throw CoreError.elementOutOfRange(element: 0, count: 0, site: "output")
  }
  let numbers = try value.converted(to: .float64).elements(of: Double.self)
  return try (0..<samples).map { n in
    var best = n * perSample
    for i in n * perSample..<(n + 1) * perSample {
      guard !numbers[i].isNaN else { throw CoreError.notFinite("the model's output") }
      if numbers[i] > numbers[best] { best = i }
    }
    return best - n * perSample
  }
}

private func indexOfLabel(_ label: String, in labels: [String]) throws -> Int {
  let wanted = label.lowercased()
  if let exact = labels.firstIndex(of: label) { return exact }
  if let folded = labels.firstIndex(where: { $0.lowercased() == wanted }) { return folded }
  // "tabby" finds "tabby, tabby cat".
  let partial = labels.indices.filter { index in
    labels[index].lowercased().split(separator: ",").contains { name in
      name.drop { $0 == " " } == wanted[...]
    }
  }
  if partial.count == 1 { return partial[0] }
  throw CoreError.unknownName(
    what: "label", name: label, suggestion: closestName(to: label, among: labels),
    known: labels.count <= 12 ? labels : [])
}
