/// The methods that can be chosen by name: a value.
public struct MethodCatalog: Sendable {
  /// A method, and how it is made once its options are known.
  public struct Entry: Sendable {
    /// What it is, needs and can be told.
    public let method: Method
    /// Creates it from checked options.
    public let make: @Sendable (_ options: Options) throws -> any Explaining
    /// Its type, if it is of this program.
    let type: (any Explainer.Type)?
  }

  /// In order of registration.
  public private(set) var entries: [Entry] = []

  /// Creates an empty catalog.
  public init() {}

  /// Creates a catalog of explainers.
  ///
  /// - Throws: ``CoreError/duplicateMethod(_:)``.
  public init(_ explainers: [any Explainer.Type]) throws(CoreError) {
    for explainer in explainers { try register(explainer) }
  }

  /// What the registered explainers are, in order of registration.
  public var methods: [Method] { entries.map(\.method) }

  /// The types of the explainers that are part of this program, in order of registration.
  public var explainers: [any Explainer.Type] { entries.compactMap(\.type) }

  /// Adds an explainer.
  ///
  /// - Throws: ``CoreError/duplicateMethod(_:)`` if its identifier or an alias is taken.
  public mutating func register(_ explainer: any Explainer.Type) throws(CoreError) {
    try add(
      Entry(
        method: explainer.method, make: { try explainer.init(options: $0) }, type: explainer))
  }

  /// Adds a method whose code is not part of this program.
  ///
  /// - Parameters:
  ///   - method: Its manifest.
  ///   - make: Creates it from options that fit the manifest.
  /// - Throws: ``CoreError/duplicateMethod(_:)`` if its identifier or an alias is taken.
  public mutating func register(
    _ method: Method, make: @escaping @Sendable (_ options: Options) throws -> any Explaining
  ) throws(CoreError) {
    try add(Entry(method: method, make: make, type: nil))
  }

  private mutating func add(_ entry: Entry) throws(CoreError) {
    let taken = Set(methods.flatMap { [$0.identifier] + $0.aliases })
    for name in [entry.method.identifier] + entry.method.aliases where taken.contains(name) {
      throw .duplicateMethod(name)
    }
    entries.append(entry)
  }

  /// Returns the method with this identifier or alias.
  ///
  /// - Throws: ``CoreError/unknownName(what:name:suggestion:known:)``.
  public func entry(named name: String) throws(CoreError) -> Entry {
    for entry in entries
    where entry.method.identifier == name || entry.method.aliases.contains(name) {
      return entry
    }
    let names = methods.flatMap { [$0.identifier] + $0.aliases }
    throw .unknownName(
      what: "method", name: name, suggestion: closestName(to: name, among: names),
      known: methods.map(\.identifier))
  }

  /// Returns the type of the explainer with this identifier or alias.
  ///
  /// - Throws: ``CoreError/unknownName(what:name:suggestion:known:)``, ``CoreError/notApplicable(_:)`` for
  ///   a method whose code is not part of this program.
  public func explainerType(named name: String) throws(CoreError) -> any Explainer.Type {
    let entry = try entry(named: name)
    guard let type = entry.type else {
      throw .notApplicable(
        "\(entry.method.identifier) is no part of this program: it has no type here")
    }
    return type
  }

  /// Creates an explainer by name, with options as texts.
  ///
  /// - Throws: ``CoreError`` for unknown methods and unknown or ill-formed options.
  public func explainer(
    named name: String, options: [String: String] = [:]
  ) throws -> any Explaining {
    let entry = try entry(named: name)
    let given = options.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
    return try entry.make(Options(given, for: entry.method))
  }
}
