/// How the backward pass treats one operator.
///
/// `z` is the operator's input, `g` the cotangent of its output; what is returned is the cotangent
/// of `z`. The set is open: a model may offer more rules than these and says which by throwing for
/// the others.
public struct BackwardRule: Hashable, Sendable, CustomStringConvertible {
  /// Stable, in kebab-case.
  public let identifier: String

  /// Creates a rule of this name.
  public init(_ identifier: String) { self.identifier = identifier }

  public var description: String { identifier }

  /// The derivative: `g · f'(z)`. For ReLU `g · 1[z > 0]`.
  public static let gradient = BackwardRule("gradient")

  /// Guided backpropagation: `g · 1[z > 0] · 1[g > 0]` at every ReLU.
  ///
  /// Source: Springenberg et al., "Striving for Simplicity" (ICLR 2015 workshop), figure 1.
  public static let guided = BackwardRule("guided")

  /// Deconvnet: `g · 1[g > 0]` at every ReLU.
  ///
  /// Source: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014), §2.1.
  public static let deconvnet = BackwardRule("deconvnet")
}

/// Which backward rule applies at which layers; the plain gradient everywhere else.
///
/// A rule that a model cannot apply at a layer it was assigned to is an error before the run, never
/// silently the gradient; ``Gradients/applications`` reports where each rule was applied.
public struct BackwardRules: Sendable, Hashable {
  /// Chooses layers.
  public enum Selector: Sendable, Hashable {
    /// Every layer of this kind, such as `"Relu"`, as ``Layer/kind`` spells it.
    case kind(String)
    /// The one layer with this name.
    case layer(String)
  }

  /// One rule and the layers it is for.
  public struct Assignment: Sendable, Hashable {
    /// Which layers.
    public let selector: Selector
    /// What applies there.
    public let rule: BackwardRule

    /// Creates an assignment.
    public init(_ selector: Selector, _ rule: BackwardRule) {
      self.selector = selector
      self.rule = rule
    }
  }

  /// Later assignments take precedence over earlier ones.
  public let assignments: [Assignment]

  /// Creates rules; the plain gradient applies where none is assigned.
  public init(_ assignments: [Assignment] = []) { self.assignments = assignments }

  /// The plain gradient at every layer.
  public static let gradient = BackwardRules()

  /// ``BackwardRule/guided`` at every rectifier.
  public static let guided = BackwardRules([Assignment(.kind("Relu"), .guided)])

  /// ``BackwardRule/deconvnet`` at every rectifier.
  public static let deconvnet = BackwardRules([Assignment(.kind("Relu"), .deconvnet)])

  /// Returns the rule for a layer.
  public func rule(forLayer name: String, kind: String) -> BackwardRule {
    for assignment in assignments.reversed() {
      switch assignment.selector {
      case .kind(let selected) where selected == kind: return assignment.rule
      case .layer(let selected) where selected == name: return assignment.rule
      default: continue
      }
    }
    return .gradient
  }
}
