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
    /// The class with this name in ``Context/labels``: as it is spelled, else ignoring case, else as one
    /// of the names in a label such as `tabby, tabby cat`.
    case label(String)
    /// A position in an output of higher rank, without the batch axis.
    case coordinates([Int])
    /// Several elements with signed weights.
    case weighted([(index: Int, weight: Double)])
  }

  /// Which element or elements.
  public let choice: Choice
  /// Before or after a final softmax.
  public let score: Score
  /// Name of the output; `nil` for the first.
  public let output: String?

  /// Creates a target.
  public init(_ choice: Choice = .top, score: Score = .logit, output: String? = nil) {
    self.choice = choice
    self.score = score
    self.output = output
  }

  /// The largest logit of the first output.
  public static let top = Target(.top)
  /// The logit with this flat index in the first output.
  public static func index(_ index: Int) -> Target { Target(.index(index)) }
  /// The logit of the class with this name in the first output.
  public static func label(_ label: String) -> Target { Target(.label(label)) }
}

/// A target made concrete for a model and its inputs.
public struct ResolvedTarget: Sendable {
  /// Where the explained number is read.
  public let site: Site
  /// Which score of the output it is.
  public let score: Score
  /// Whether a softmax after ``site`` was left out because the logit was asked for.
  public let skippedSoftmax: Bool
  /// The explained element for each sample, with its value; one entry per sample, or empty when the
  /// target is a weighted sum.
  public let elements: [Int]
  /// The explained number as a function of the values at ``site``.
  public let objective: Objective

  /// Creates a resolved target; ``Model/resolve(_:at:context:)`` does it for you.
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
  /// Returns the site of a target's output and score, whatever element it chooses, and whether a
  /// softmax after that site is left out.
  ///
  /// - Throws: ``CoreError/unknownName(what:name:suggestion:known:)`` for an output the model does not
  ///   have, ``CoreError/noProbability(output:)``.
  public func explainedSite(of target: Target) throws(CoreError) -> (
    site: Site, skippedSoftmax: Bool
  ) {
    let names = signature.outputs.map(\.name)
    guard let output = target.output ?? names.first, names.contains(output) else {
      throw .unknownName(
        what: "output", name: target.output ?? "",
        suggestion: closestName(to: target.output ?? "", among: names), known: names)
    }
    guard let site = site(of: target.score, output: output) else {
      throw .noProbability(output: output)
    }
    return (site, target.score == .logit && self.site(of: .probability, output: output) != nil)
  }

  /// Makes a target concrete: finds the site of its score and, for ``Target/Choice/top``, evaluates the
  /// model once.
  ///
  /// An index is not compared with the extent of the output here, which is not known without a forward
  /// pass; the objective is, wherever it is used.
  ///
  /// - Throws: ``CoreError`` when the output or label does not exist, coordinates do not fit, the model
  ///   has no probability, or the largest of values with a NaN is asked for; what the model throws.
  /// - Complexity: One forward pass for ``Target/Choice/top`` and ``Target/Choice/coordinates(_:)``.
  public func resolve(_ target: Target, at inputs: Inputs, context: Context) throws
    -> ResolvedTarget
  {
    let (site, skippedSoftmax) = try explainedSite(of: target)

    func single(_ elements: [Int]) -> ResolvedTarget {
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

/// Returns the index of the class with a name: exact before case-insensitive before one name of several.
///
/// - Throws: ``CoreError`` if no class has the name, or several do: ImageNet has two classes `crane`.
private func indexOfLabel(_ label: String, in labels: [String]) throws(CoreError) -> Int {
  let wanted = label.lowercased()
  let matches: [(String) -> Bool] = [
    { $0 == label },
    { $0.lowercased() == wanted },
    // "tabby" finds "tabby, tabby cat".
    {
      $0.lowercased().split(separator: ",").contains { name in
        name.drop { $0 == " " } == wanted[...]
      }
    },
  ]
  for isMatch in matches {
    let found = labels.indices.filter { isMatch(labels[$0]) }
    if found.count == 1 { return found[0] }
    if found.count > 1 {
      throw .notApplicable(
        "label '\(label)' names several classes (\(found.map(String.init).joined(separator: ", "))); "
          + "give the index")
    }
  }
  throw .unknownName(
    what: "label", name: label, suggestion: closestName(to: label, among: labels),
    known: labels.count <= 12 ? labels : [])
}
