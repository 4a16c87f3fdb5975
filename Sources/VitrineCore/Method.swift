/// What a method is, for people and for the catalog.
public struct Method: Sendable, Hashable {
  /// What a model must offer.
  public enum Requirement: String, Sendable, Hashable {
    /// Only ``Model``: the values at its sites.
    case evaluation
    /// ``Differentiable``.
    case gradients
  }

  /// Stable, in kebab-case.
  public let identifier: String
  /// Other names it is found by.
  public let aliases: [String]
  /// One sentence.
  public let summary: String
  /// The paper it comes from: authors, title, year.
  public let paper: String
  /// What it asks of a model.
  public let requirement: Requirement
  /// In the order a reader should see them.
  public let options: [Option]
  /// Whether it explains a target; methods that look at layers do not.
  public let usesTarget: Bool
  /// Whether it can make its own input: then `start=noise` among its options lets it ignore the values
  /// it is given and use only their shapes.
  public let canStartFromNoise: Bool
  /// The axioms that its attributions obey with default options; the first attribution of each real input
  /// is meant.
  public let claims: Set<Claim>

  /// Creates a manifest; for what each part says see the properties.
  public init(
    identifier: String, aliases: [String] = [], summary: String, paper: String,
    requirement: Requirement, options: [Option], usesTarget: Bool = true,
    canStartFromNoise: Bool = false, claims: Set<Claim> = []
  ) {
    self.identifier = identifier
    self.aliases = aliases
    self.summary = summary
    self.paper = paper
    self.requirement = requirement
    self.options = options
    self.usesTarget = usesTarget
    self.canStartFromNoise = canStartFromNoise
    self.claims = claims
  }
}
