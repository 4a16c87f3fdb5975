import VitrineCore

/// What `vitrine explain` is asked: the flags, decoded and checked against the method.
struct ExplainRequest: Sendable {
  let explainer: any Explaining
  let method: Method
  /// Every option with its value, defaults included.
  let options: [(name: String, value: String)]
  /// As for all samples of all inputs: a list holds one class for each of them, in their order.
  let target: Target

  /// - Parameter defaults: Options to set where the method has them and the flags do not set them.
  /// - Throws: ``CommandError`` or ``CoreError`` for anything the method does not take.
  init(
    _ invocation: Invocation, catalog: MethodCatalog,
    defaults: [(name: String, value: String)] = []
  ) throws {
    guard let name = invocation.text("method") else {
      throw CommandError.usage(
        "explain needs --method NAME, one of "
          + catalog.methods.map(\.identifier).joined(separator: ", "))
    }
    try self.init(method: name, invocation, catalog: catalog, defaults: defaults)
  }

  /// - Parameters:
  ///   - defaults: Options to set where the method has them and the flags do not set them.
  ///   - target: The target's text if the flags do not give one.
  /// - Throws: As ``init(_:catalog:defaults:)``.
  init(
    method name: String, _ invocation: Invocation, catalog: MethodCatalog,
    defaults: [(name: String, value: String)] = [], target defaultTarget: String = "top"
  ) throws {
    let entry = try catalog.entry(named: name)
    method = entry.method
    var given = try Self.options(invocation, method)
    for option in defaults
    where method.options.contains(where: { $0.name == option.name })
      && !given.contains(where: { $0.name == option.name })
    {
      given.append(option)
    }
    let options = try Options(given, for: method)
    explainer = try entry.make(options)
    self.options = options.texts
    target = try Self.target(invocation, method, default: defaultTarget)
  }

  /// Creates the request of one of several methods: flags that it does not take are those of others.
  ///
  /// - Parameter settings: Its options, as after `--set`.
  /// - Throws: As ``init(_:catalog:defaults:)``.
  init(
    method name: String, settings: [String], _ invocation: Invocation, catalog: MethodCatalog
  ) throws {
    let entry = try catalog.entry(named: name)
    method = entry.method
    var given = try Self.options(settings)
    if let layer = invocation.text("layer"), let option = method.layerOption,
      !given.contains(where: { $0.name == option.name })
    {
      given.append((option.name, layer))
    }
    let options = try Options(given, for: method)
    explainer = try entry.make(options)
    self.options = options.texts
    target = method.usesTarget ? try Self.target(invocation, method, default: "top") : .top
  }

  private static func options(
    _ settings: [String]
  ) throws(CommandError) -> [(name: String, value: String)] {
    var given: [(name: String, value: String)] = []
    for setting in settings {
      guard let equals = setting.firstIndex(of: "="), equals != setting.startIndex else {
        throw .usage("--set: expected option=value, found '\(setting)'")
      }
      given.append(
        (String(setting[..<equals]), String(setting[setting.index(after: equals)...])))
    }
    return given
  }

  private static func options(
    _ invocation: Invocation, _ method: Method
  ) throws(CommandError) -> [(name: String, value: String)] {
    var given = try options(invocation.texts("set"))
    if let layer = invocation.text("layer") {
      guard let option = method.layerOption else {
        throw .usage(
          "--layer: \(method.identifier) looks at no layer; vitrine describe \(method.identifier) "
            + "lists its options")
      }
      given.append((option.name, layer))
    }
    return given
  }

  private static func target(
    _ invocation: Invocation, _ method: Method, default defaultTarget: String
  ) throws(CommandError) -> Target {
    for flag in ["target", "score"] where invocation.has(flag) && !method.usesTarget {
      throw .usage("--\(flag): \(method.identifier) explains no score; leave the flag out")
    }
    let score = invocation.text("score").flatMap { Score(rawValue: $0) } ?? .logit
    let text = invocation.text("target") ?? defaultTarget
    return Target(try choice(text), score: score)
  }

  /// Reads `top`, an index, several with weights, one for each sample, a position, or a name.
  private static func choice(_ text: String) throws(CommandError) -> Target.Choice {
    if text == "top" { return .top }
    if let terms = weightedTerms(text) { return .weighted(terms) }
    if let index = Int(text) { return .index(index) }
    if let list = integers(text, separatedBy: ",") { return .perSample(list) }
    if let position = integers(text, separatedBy: "/") { return .coordinates(position) }
    // An index beyond all integers is out of range, not the name of a class.
    let isNumber = !text.isEmpty && text.allSatisfy { $0.isASCII && $0.isWholeNumber }
    return isNumber ? .index(.max) : .label(text)
  }

  private static func integers(_ text: String, separatedBy separator: Character) -> [Int]? {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }
    return numbers.count == parts.count ? numbers : nil
  }

  /// Returns the target of one input.
  ///
  /// - Parameter samples: The input's samples, counted through all inputs.
  /// - Throws: ``CommandError`` if a list of classes is shorter.
  func target(of samples: Range<Int>) throws(CommandError) -> Target {
    guard case .perSample(let list) = target.choice else { return target }
    guard samples.upperBound <= list.count else {
      throw .usage(
        "--target lists \(list.count) classes, one for each sample: expected at least "
          + "\(samples.upperBound), as many as the inputs hold")
    }
    return Target(.perSample(Array(list[samples])), score: target.score, output: target.output)
  }

  /// - Parameter samples: Of all inputs together.
  /// - Throws: ``CommandError`` if a list of classes is longer.
  func checkTarget(against samples: Int) throws(CommandError) {
    guard case .perSample(let list) = target.choice, list.count != samples else { return }
    throw .usage(
      "--target lists \(list.count) classes, one for each sample: expected \(samples), as many as the "
        + "inputs hold")
  }

  /// Reads several classes with signed weights, such as `3:1,5:-1`; `nil` for any other text.
  private static func weightedTerms(_ text: String) -> [(index: Int, weight: Double)]? {
    var terms: [(index: Int, weight: Double)] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let sides = part.split(separator: ":", omittingEmptySubsequences: false)
      guard sides.count == 2, let index = Int(sides[0]), let weight = Double(sides[1]),
        weight.isFinite
      else { return nil }
      terms.append((index, weight))
    }
    return terms
  }
}

extension Method {
  /// The option that `--layer` sets.
  var layerOption: Option? { options.first { ["layer", "layers"].contains($0.name) } }

  /// Whether `--layer` means something to it.
  var takesLayer: Bool { layerOption != nil }
}
