/// A law that some methods obey and others do not: what a method's numbers mean, as an axiom.
///
/// A method states its claims in its manifest, ``Method/claims``; the conformance kit tries each of them
/// on models where the answer is known. A claim is about a method with its default options, and about
/// every kind of input: what holds for tables but not for pictures is not claimed.
///
/// Below, F is the explained score as a function of the input x, x' the baseline (that of the method's
/// option of kind ``Option/Kind/baseline``, zero if it has none), and A_i the attribution of feature i.
/// Unless said otherwise a definition is that of Sundararajan, Taly, Yan, "Axiomatic Attribution for Deep
/// Networks" (ICML 2017).
public enum Claim: String, Sendable, Hashable, CaseIterable {
  /// Σ_i A_i = F(x) − F(x'), up to the error of a quadrature (§3, proposition 1). The sum is over all
  /// elements of all real inputs.
  case completeness
  /// If x and x' differ in one feature alone, and F(x) ≠ F(x'), then A of that feature is not zero
  /// (§2.1, sensitivity (a)). Plain gradients break it where F saturates.
  case sensitivity
  /// If F does not depend on feature i, as a mathematical function, then A_i = 0 (§3, sensitivity (b);
  /// "dummy" in Friedman, "Paths and consistency in additive cost allocation", 2004).
  case dummy
  /// A of a F + b G is a times A of F plus b times A of G (§3, linearity).
  case linearity
  /// Networks that compute the same function have the same attributions, however they are written
  /// (§2.2).
  case implementationInvariance = "implementation-invariance"
  /// If F stays the same when features i and j are exchanged, x_i = x_j and x'_i = x'_j, then A_i = A_j
  /// (§4.1, symmetry-preserving).
  case symmetry
}
