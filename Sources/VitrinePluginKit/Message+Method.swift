package import VitrineCore

// A method's manifest as a member of messages.

extension Method {
  package var json: JSONValue {
    .object([
      "identifier": .string(identifier), "aliases": .strings(aliases),
      "summary": .string(summary), "paper": .string(paper),
      "requirement": .string(requirement.rawValue), "options": .array(options.map(\.json)),
      "uses-target": .bool(usesTarget), "can-start-from-noise": .bool(canStartFromNoise),
      "claims": .strings(Claim.allCases.filter(claims.contains).map(\.rawValue)),
    ])
  }

  package init(_ json: JSONValue) throws(MessageError) {
    let need = try json.member("requirement").string("requirement")
    guard let requirement = Requirement(rawValue: need) else {
      throw MessageError("expected evaluation or gradients as requirement, found '\(need)'")
    }
    // A claim that this version does not know is one that nobody examines.
    let claims = try json.optional("claims")?.strings("claims").compactMap { Claim(rawValue: $0) }
    self.init(
      identifier: try json.member("identifier").string("identifier"),
      aliases: try json.optional("aliases")?.strings("aliases") ?? [],
      summary: try json.member("summary").string("summary"),
      paper: try json.member("paper").string("paper"), requirement: requirement,
      options: try json.member("options").array("options").map { value throws(MessageError) in
        try Option(value)
      },
      usesTarget: try json.optional("uses-target")?.bool("uses-target") ?? true,
      canStartFromNoise: try json.optional("can-start-from-noise")?.bool("can-start-from-noise")
        ?? false,
      claims: Set(claims ?? []))
  }
}

extension Option {
  fileprivate var json: JSONValue {
    var members: [String: JSONValue] = [
      "name": .string(name), "unit": .string(unit), "help": .string(help),
      "since": .string(since),
    ]
    members["default"] = defaultText.map { .string($0) }
    switch kind {
    case .flag: members["kind"] = .string("flag")
    case .integer(let range):
      members["kind"] = .string("integer")
      members["range"] = .integers([range.lowerBound, range.upperBound])
    case .number(let range):
      members["kind"] = .string("number")
      members["range"] = .reals([range.lowerBound, range.upperBound])
    case .choice(let choices):
      members["kind"] = .string("choice")
      members["choices"] = .strings(choices)
    case .integers(let range):
      members["kind"] = .string("integers")
      members["range"] = .integers([range.lowerBound, range.upperBound])
    case .layers: members["kind"] = .string("layers")
    case .baseline: members["kind"] = .string("baseline")
    case .layer: members["kind"] = .string("layer")
    }
    return .object(members)
  }

  fileprivate init(_ json: JSONValue) throws(MessageError) {
    func range<T: Comparable>(_ bounds: [T], _ lowest: T, _ highest: T) throws(MessageError)
      -> ClosedRange<T>
    {
      if bounds.isEmpty { return lowest...highest }
      // A comparison with NaN is false.
      guard bounds.count == 2, bounds[0] <= bounds[1] else {
        throw MessageError("expected a range as two numbers in order")
      }
      return bounds[0]...bounds[1]
    }
    let bounds = try json.optional("range")
    let kind: Kind
    switch try json.member("kind").string("kind") {
    case "flag": kind = .flag
    case "integer": kind = .integer(try range(bounds?.integers("range") ?? [], .min, .max))
    case "number":
      let most = Double.greatestFiniteMagnitude
      kind = .number(try range(bounds?.reals("range") ?? [], -most, most))
    case "choice": kind = .choice(try json.member("choices").strings("choices"))
    case "integers": kind = .integers(try range(bounds?.integers("range") ?? [], .min, .max))
    case "layers": kind = .layers
    case "baseline": kind = .baseline
    case "layer": kind = .layer
    case let name: throw MessageError("expected the kind of an option, found '\(name)'")
    }
    self.init(
      try json.member("name").string("name"), kind,
      default: try json.optional("default")?.string("default"),
      unit: try json.optional("unit")?.string("unit") ?? "",
      help: try json.member("help").string("help"),
      since: try json.optional("since")?.string("since") ?? "0.1.0")
  }
}
