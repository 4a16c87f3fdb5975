/// The methods that can be chosen by name: a value.
public struct MethodCatalog: Sendable {
  /// In order of registration.
  public private(set) var explainers: [any Explainer.Type] = []

  /// Creates a catalog without methods.
  public init() {}

  /// Creates a catalog of explainers.
  ///
  /// - Throws: ``CoreError/duplicateMethod(_:)``.
  public init(_ explainers: [any Explainer.Type]) throws(CoreError) {
    for explainer in explainers { try register(explainer) }
  }

  /// What the registered explainers are, in order of registration.
  public var methods: [Method] { explainers.map { $0.method } }

  /// Adds an explainer.
  ///
  /// - Throws: ``CoreError/duplicateMethod(_:)`` if its identifier or an alias is taken.
  public mutating func register(_ explainer: any Explainer.Type) throws(CoreError) {
    let taken = Set(methods.flatMap { [$0.identifier] + $0.aliases })
    for name in [explainer.method.identifier] + explainer.method.aliases
    where taken.contains(name) {
      throw .duplicateMethod(name)
    }
    explainers.append(explainer)
  }

  /// Returns the explainer with this identifier or alias.
  ///
  /// - Throws: ``CoreError/unknownName(what:name:suggestion:known:)``.
  public func explainerType(named name: String) throws(CoreError) -> any Explainer.Type {
    for explainer in explainers {
      let method = explainer.method
      if method.identifier == name || method.aliases.contains(name) { return explainer }
    }
    let names = methods.flatMap { [$0.identifier] + $0.aliases }
    throw .unknownName(
      what: "method", name: name, suggestion: closestName(to: name, among: names),
      known: methods.map(\.identifier))
  }

  /// Creates an explainer by name, with options as texts.
  ///
  /// - Throws: ``CoreError`` for unknown methods and unknown or ill-formed options.
  public func explainer(named name: String, options: [String: String] = [:]) throws
    -> any Explainer
  {
    try explainerType(named: name).init(options)
  }
}
