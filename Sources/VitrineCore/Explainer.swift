/// A method of explanation with its options set: a stateless value.
///
/// Laws, checked by the conformance kit: equal calls give bit-equal results; the attribution has the
/// shape its axes say; a sample's attribution does not depend on the rest of the batch; the model is
/// used only through ``Model`` and, where ``method`` requires gradients, ``Differentiable``.
public protocol Explainer: Sendable {
  static var method: Method { get }

  /// Creates an explainer from checked options.
  ///
  /// - Throws: ``CoreError`` when options contradict one another.
  init(options: Options) throws

  /// Explains the model's answer to `inputs`.
  ///
  /// - Throws: ``CoreError``, and whatever the model throws.
  func explain(_ model: any Model, at inputs: Inputs, target: Target, context: Context) throws
    -> Explanation
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
