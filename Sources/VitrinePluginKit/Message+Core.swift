package import VitrineCore
package import VitrineTensor

// The values of VitrineCore as members of messages. Docs/Plugins.md describes the same for people.

extension Message {
  package mutating func add(_ inputs: Inputs) -> JSONValue {
    var members: [JSONValue] = []
    for (name, value) in inputs.tensors {
      members.append(.object(["name": .string(name), "tensor": add(value)]))
    }
    return .array(members)
  }

  package func inputs(_ name: String) throws(MessageError) -> Inputs {
    var tensors: [(name: String, value: Tensor)] = []
    for entry in try member(name).array(name) {
      tensors.append(
        (try entry.member("name").string("name"), try tensor(at: entry.member("tensor"))))
    }
    return Inputs(tensors)
  }

  package mutating func add(_ tensors: [Tensor]) -> JSONValue {
    var places: [JSONValue] = []
    for tensor in tensors { places.append(add(tensor)) }
    return .array(places)
  }

  package func tensors(_ name: String) throws(MessageError) -> [Tensor] {
    try member(name).array(name).map { place throws(MessageError) in try tensor(at: place) }
  }

  package func sites(_ name: String) throws(MessageError) -> [Site] {
    try member(name).array(name).map { value throws(MessageError) in try Site(value) }
  }

  package mutating func add(_ objective: Objective) -> JSONValue {
    var members: [String: JSONValue] = ["site": objective.site.json]
    switch objective.form {
    case .elements(let elements):
      members["form"] = .string("elements")
      members["elements"] = .integers(elements)
    case .weighted(let terms):
      members["form"] = .string("weighted")
      members["elements"] = .integers(terms.map(\.element))
      members["weights"] = .reals(terms.map(\.weight))
    case .channelMean(let channel):
      members["form"] = .string("channel-mean")
      members["channel"] = .integer(channel)
    case .sum: members["form"] = .string("sum")
    case .mean: members["form"] = .string("mean")
    case .cotangent(let tensor):
      members["form"] = .string("cotangent")
      members["tensor"] = add(tensor)
    }
    return .object(members)
  }

  package func objective(_ name: String) throws(MessageError) -> Objective {
    let value = try member(name)
    let site = try Site(value.member("site"))
    switch try value.member("form").string("form") {
    case "elements":
      return Objective(site, .elements(try value.member("elements").integers("elements")))
    case "weighted":
      let elements = try value.member("elements").integers("elements")
      let weights = try value.member("weights").reals("weights")
      guard elements.count == weights.count else {
        throw MessageError("expected as many weights as elements")
      }
      return Objective(
        site, .weighted(zip(elements, weights).map { (element: $0, weight: $1) }))
    case "channel-mean":
      return Objective(site, .channelMean(try value.member("channel").integer("channel")))
    case "sum": return Objective(site, .sum)
    case "mean": return Objective(site, .mean)
    case "cotangent": return Objective(site, .cotangent(try tensor(at: value.member("tensor"))))
    case let form: throw MessageError("expected a form of objectives, found '\(form)'")
    }
  }
}

extension Site {
  package var json: JSONValue {
    switch self {
    case .input(let name): .strings(["input", name])
    case .output(let name): .strings(["output", name])
    case .layer(let name): .strings(["layer", name])
    }
  }

  package init(_ json: JSONValue) throws(MessageError) {
    let parts = try json.strings("site")
    switch (parts.first, parts.count) {
    case ("input", 2): self = .input(parts[1])
    case ("output", 2): self = .output(parts[1])
    case ("layer", 2): self = .layer(parts[1])
    default: throw MessageError("expected a site such as [\"layer\", \"conv1\"]")
    }
  }
}

extension BackwardRules {
  package var json: JSONValue {
    .array(
      assignments.map { assignment in
        switch assignment.selector {
        case .kind(let kind): .strings(["kind", kind, assignment.rule.identifier])
        case .layer(let name): .strings(["layer", name, assignment.rule.identifier])
        }
      })
  }

  package init(_ json: JSONValue) throws(MessageError) {
    self.init(
      try json.array("rules").map { value throws(MessageError) in
        let parts = try value.strings("rule")
        switch (parts.first, parts.count) {
        case ("kind", 3): return Assignment(.kind(parts[1]), BackwardRule(parts[2]))
        case ("layer", 3): return Assignment(.layer(parts[1]), BackwardRule(parts[2]))
        default: throw MessageError("expected a rule such as [\"kind\", \"Relu\", \"guided\"]")
        }
      })
  }
}

extension RuleApplication {
  package static func json(_ applications: [RuleApplication]) -> JSONValue {
    .array(applications.map { .strings([$0.rule.identifier, $0.layer]) })
  }

  package static func list(_ json: JSONValue) throws(MessageError) -> [RuleApplication] {
    try json.array("applications").map { value throws(MessageError) in
      let parts = try value.strings("application")
      guard parts.count == 2 else { throw MessageError("expected a rule and a layer") }
      return RuleApplication(rule: BackwardRule(parts[0]), layer: parts[1])
    }
  }
}

// MARK: - The model

extension JSONValue {
  package static func dimensions(_ dimensions: [Int?]) -> JSONValue {
    .array(dimensions.map { $0.map { .integer($0) } ?? .null })
  }

  package func dimensions(_ what: String) throws(MessageError) -> [Int?] {
    try array(what).map { value throws(MessageError) in
      value == .null ? nil : try value.integer(what)
    }
  }
}

extension Port {
  package var json: JSONValue {
    .object([
      "name": .string(name), "type": .string(dataType.rawValue),
      "dimensions": .dimensions(dimensions), "axes": .strings(axes.map(\.rawValue)),
    ])
  }

  package init(_ json: JSONValue) throws(MessageError) {
    let type = try json.member("type").string("type")
    guard let dataType = DataType(rawValue: type) else {
      throw MessageError("expected a type of tensors, found '\(type)'")
    }
    self.init(
      name: try json.member("name").string("name"), dataType: dataType,
      dimensions: try json.member("dimensions").dimensions("dimensions"),
      axes: try Axis.list(json.member("axes")))
  }
}

extension Axis {
  package static func list(_ json: JSONValue) throws(MessageError) -> [Axis] {
    try json.strings("axes").map { name throws(MessageError) in
      guard let axis = Axis(rawValue: name) else {
        throw MessageError("expected the name of an axis, found '\(name)'")
      }
      return axis
    }
  }
}

extension Layer {
  package var json: JSONValue {
    .object([
      "name": .string(name), "kind": .string(kind), "aliases": .strings(aliases),
      "dimensions": .dimensions(dimensions),
    ])
  }

  package init(_ json: JSONValue) throws(MessageError) {
    self.init(
      name: try json.member("name").string("name"), kind: try json.member("kind").string("kind"),
      aliases: try json.member("aliases").strings("aliases"),
      dimensions: try json.member("dimensions").dimensions("dimensions"))
  }
}

// MARK: - The question

extension Target {
  package var json: JSONValue {
    var members: [String: JSONValue] = ["score": .string(score.rawValue)]
    members["output"] = output.map { .string($0) }
    switch choice {
    case .top: members["choice"] = .string("top")
    case .index(let index):
      members["choice"] = .string("index")
      members["indices"] = .integers([index])
    case .perSample(let indices):
      members["choice"] = .string("per-sample")
      members["indices"] = .integers(indices)
    case .label(let label):
      members["choice"] = .string("label")
      members["label"] = .string(label)
    case .coordinates(let coordinates):
      members["choice"] = .string("coordinates")
      members["indices"] = .integers(coordinates)
    case .weighted(let terms):
      members["choice"] = .string("weighted")
      members["indices"] = .integers(terms.map(\.index))
      members["weights"] = .reals(terms.map(\.weight))
    }
    return .object(members)
  }

  package init(_ json: JSONValue) throws(MessageError) {
    let name = try json.member("score").string("score")
    guard let score = Score(rawValue: name) else {
      throw MessageError("expected a score, found '\(name)'")
    }
    let indices = try json.optional("indices")?.integers("indices") ?? []
    let choice: Choice
    switch try json.member("choice").string("choice") {
    case "top": choice = .top
    case "index" where indices.count == 1: choice = .index(indices[0])
    case "per-sample": choice = .perSample(indices)
    case "label": choice = .label(try json.member("label").string("label"))
    case "coordinates": choice = .coordinates(indices)
    case "weighted":
      let weights = try json.member("weights").reals("weights")
      guard weights.count == indices.count else {
        throw MessageError("expected as many weights as indices")
      }
      choice = .weighted(zip(indices, weights).map { (index: $0, weight: $1) })
    case let name: throw MessageError("expected the choice of a target, found '\(name)'")
    }
    self.init(choice, score: score, output: try json.optional("output")?.string("output"))
  }
}
