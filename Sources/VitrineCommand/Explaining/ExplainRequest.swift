import VitrineCore

/// What `vitrine explain` is asked: the flags, decoded and checked against the method.
struct ExplainRequest: Sendable {
  let explainer: any Explainer
  let method: Method
  /// Every option with its value, defaults included.
  let options: [(name: String, value: String)]
  let target: Target

  /// - Throws: ``CommandError`` or ``CoreError`` for anything the method does not take.
  init(_ invocation: Invocation, catalog: MethodCatalog) throws {
    guard let name = invocation.text("method") else {
      throw CommandError.usage(
        "explain needs --method NAME, one of "
          + catalog.methods.map(\.identifier).joined(separator: ", "))
    }
    let type = try catalog.explainerType(named: name)
    method = type.method
    let given = try Self.options(invocation, method)
    let options = try Options(given, for: method)
    explainer = try type.init(options: options)
    self.options = options.texts
    target = try Self.target(invocation, method)
  }

  private static func options(
    _ invocation: Invocation, _ method: Method
  ) throws(CommandError) -> [(name: String, value: String)] {
    var given: [(name: String, value: String)] = []
    for setting in invocation.texts("set") {
      guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
        throw .usage("--set: expected option=value, found '\(setting)'")
      }
      given.append(
        (String(setting[..<equals]), String(setting[setting.index(after: equals)...])))
    }
    if let layer = invocation.text("layer") {
      guard let option = method.options.first(where: { ["layer", "layers"].contains($0.name) })
      else {
        throw .usage(
          "--layer: \(method.identifier) looks at no layer; vitrine describe \(method.identifier) "
            + "lists its options")
      }
      given.append((option.name, layer))
    }
    return given
  }

  private static func target(
    _ invocation: Invocation, _ method: Method
  ) throws(CommandError) -> Target {
    for flag in ["target", "score"] where invocation.has(flag) && !method.usesTarget {
      throw .usage("--\(flag): \(method.identifier) explains no score; leave the flag out")
    }
    let score = invocation.text("score").flatMap { Score(rawValue: $0) } ?? .logit
    switch invocation.text("target") {
    case nil, "top"?: return Target(.top, score: score)
    case let text?:
      return Target(Int(text).map { .index($0) } ?? .label(text), score: score)
    }
  }
}
