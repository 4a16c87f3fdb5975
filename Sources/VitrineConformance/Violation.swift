import VitrineCore

/// What every explainer promises, and the axioms that some claim.
public enum Law: String, Sendable, Hashable, CaseIterable {
  /// The description is complete: names in kebab-case and unique, help for every option.
  case manifest
  /// Options have defaults that fit, and a misspelt one is refused with its right name.
  case options
  /// At least one of the models can be explained, and a model that cannot be is refused by a
  /// `CoreError` that says why.
  case applicability
  /// Equal calls give bit-equal results, from the same or another instance, whatever was explained in
  /// between; the only source of randomness is the seed.
  case determinism
  /// A sample's result does not depend on the rest of its batch.
  case batchIndependence = "batch-independence"
  /// Arrays have the shape that their axes say, and the result names its method and its values.
  case shape
  /// No NaN, no infinity, and no negative number where magnitudes are promised.
  case finiteness
  /// The inputs are as they were.
  case nonMutation = "non-mutation"
  /// A cancelled run stops with `CoreError.cancelled`.
  case cancellation
  /// Progress counts up to its total.
  case progress
  /// A target that does not exist is an error.
  case targetRange = "target-range"
  /// A model without the required capability is refused with `CoreError.missingCapability`, and one
  /// that has it suffices.
  case capability
  /// `Claim.completeness`, of those that claim it; so are the laws that follow.
  case completeness
  /// `Claim.sensitivity`
  case sensitivity
  /// `Claim.dummy`
  case dummy
  /// `Claim.linearity`
  case linearity
  /// `Claim.implementationInvariance`
  case implementationInvariance = "implementation-invariance"
  /// `Claim.symmetry`
  case symmetry

  /// The law that a claim makes.
  init(_ claim: Claim) {
    switch claim {
    case .completeness: self = .completeness
    case .sensitivity: self = .sensitivity
    case .dummy: self = .dummy
    case .linearity: self = .linearity
    case .implementationInvariance: self = .implementationInvariance
    case .symmetry: self = .symmetry
    }
  }
}

/// A law that an explainer broke, and how.
public struct Violation: Sendable, Hashable, CustomStringConvertible {
  /// Which law.
  public let law: Law
  /// Name of the case it was seen on; `nil` if it concerns no model.
  public let subject: String?
  /// What was expected and what was found.
  public let detail: String

  public var description: String {
    "\(law.rawValue)\(subject.map { " (\($0))" } ?? ""): \(detail)"
  }
}
