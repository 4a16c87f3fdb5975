public import VitrineTensor

/// One array of an explanation, with what its axes and signs mean.
public struct Attribution: Sendable {
  /// What its numbers can be.
  public enum Range: String, Sendable, Hashable {
    /// Evidence for (positive) and against (negative): zero is neutral.
    case signed
    /// Magnitudes: zero is nothing.
    case nonnegative
    /// Values of an input, in its own units: for an image model a picture, not evidence in one.
    case input
    /// 1 for what was selected, 0 for the rest.
    case mask
  }

  /// What the array is, such as `attribution` or the name of a layer.
  public let name: String
  /// The numbers.
  public let tensor: Tensor
  /// One entry per axis of `tensor`.
  public let axes: [Axis]
  /// What the numbers can be.
  public let range: Range

  /// Creates an attribution.
  public init(name: String, tensor: Tensor, axes: [Axis], range: Range) {
    self.name = name
    self.tensor = tensor
    self.axes = axes
    self.range = range
  }
}

/// What was explained, in words and numbers.
public struct Explained: Sendable {
  /// Where the explained number was read.
  public let site: Site
  /// `nil` for methods that explain no score.
  public let score: Score?
  /// Whether a softmax after the site was left out.
  public let skippedSoftmax: Bool
  /// The explained element for each sample; empty if it was not a single element.
  public let elements: [Int]
  /// The objective's value for each sample, in its own units; for a Jacobian one value for each
  /// sample and output, outputs innermost; empty for methods that explain no score.
  public let values: [Double]

  /// Creates a description from its parts.
  public init(
    site: Site, score: Score?, skippedSoftmax: Bool, elements: [Int], values: [Double]
  ) {
    self.site = site
    self.score = score
    self.skippedSoftmax = skippedSoftmax
    self.elements = elements
    self.values = values
  }

  /// Creates the description of a resolved target and its objective's values.
  public init(_ target: ResolvedTarget, values: [Double]) {
    self.init(
      site: target.site, score: target.score, skippedSoftmax: target.skippedSoftmax,
      elements: target.elements, values: values)
  }
}

/// The answer of an explainer.
public struct Explanation: Sendable {
  /// A number or text that says how the answer came about or how good it is.
  public enum Diagnostic: Sendable, Hashable {
    /// One number.
    case number(Double)
    /// Several numbers, such as one for each sample.
    case numbers([Double])
    /// A word or sentence.
    case text(String)
    /// Several words or sentences.
    case texts([String])
  }

  /// Identifier of the method.
  public let method: String
  /// At least one; the first is what `--raw` writes.
  public let attributions: [Attribution]
  /// What was explained.
  public let explained: Explained
  /// In the order a reader should see them; names in kebab-case, with the unit at the end where there
  /// is one (`forward-seconds`).
  public let diagnostics: [(name: String, value: Diagnostic)]
  /// Things a reader must know to trust the numbers, one sentence each.
  public let warnings: [String]

  /// Creates an explanation.
  ///
  /// - Precondition: `attributions` is not empty.
  public init(
    method: String, attributions: [Attribution], explained: Explained,
    diagnostics: [(name: String, value: Diagnostic)] = [], warnings: [String] = []
  ) {
    precondition(!attributions.isEmpty, "an explanation holds at least one attribution")
    self.method = method
    self.attributions = attributions
    self.explained = explained
    self.diagnostics = diagnostics
    self.warnings = warnings
  }

  /// The main array.
  public var attribution: Attribution { attributions[0] }
}
