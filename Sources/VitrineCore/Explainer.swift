/// Something that explains: a method with its options set, wherever its code runs.
///
/// Who writes a method conforms to ``Explainer``, which this is a part of. What stands for a method that
/// lives in another process conforms to this alone.
public protocol Explaining: Sendable {
  /// Explains the model's answer to `inputs`.
  ///
  /// - Throws: ``CoreError``, and whatever the model throws.
  func explain(_ model: any Model, at inputs: Inputs, target: Target, context: Context) throws
    -> Explanation
}

/// A method of explanation with its options set: a stateless value.
///
/// Laws, checked by the conformance kit (`VitrineConformance`): equal calls give bit-equal attributions,
/// whatever was explained in between; an attribution has the shape its axes say and finite numbers; a
/// sample's attribution does not depend on the rest of the batch, also when the method is random; the
/// inputs stay as they were; a target that does not exist is an error; the model is used only through
/// ``Model`` and, where ``method`` requires gradients, ``Differentiable``; a cancelled run throws
/// ``CoreError/cancelled`` after at most a few calls of the model; and the axioms that ``Method/claims``
/// names hold.
public protocol Explainer: Explaining {
  /// What it is, needs and can be told; the same at every access.
  static var method: Method { get }

  /// Creates an explainer from checked options.
  ///
  /// - Throws: ``CoreError`` when options contradict one another.
  init(options: Options) throws
}

extension Explainer {
  /// Creates an explainer from option texts, as they come from a command line.
  ///
  /// - Throws: ``CoreError`` for unknown or ill-formed options.
  public init(_ options: [String: String] = [:]) throws {
    let given = options.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    try self.init(options: Options(given, for: Self.method))
  }

  /// Returns the model as a differentiable one.
  ///
  /// - Throws: ``CoreError/missingCapability(method:needs:)`` if it is none.
  public func differentiable(_ model: any Model) throws(CoreError) -> any Differentiable {
    guard let model = model as? any Differentiable else {
      throw .missingCapability(
        method: Self.method.identifier, needs: "gradients (the protocol Differentiable)")
    }
    return model
  }
}
