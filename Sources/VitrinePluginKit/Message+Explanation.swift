package import VitrineCore

// An answer as a message.

extension Message {
  /// Creates the message that carries an explanation.
  package init(_ explanation: Explanation) {
    self.init("explanation")
    var attributions: [JSONValue] = []
    for attribution in explanation.attributions {
      attributions.append(
        .object([
          "name": .string(attribution.name), "tensor": add(attribution.tensor),
          "axes": .strings(attribution.axes.map(\.rawValue)),
          "range": .string(attribution.range.rawValue),
        ]))
    }
    fields["attributions"] = .array(attributions)
    let explained = explanation.explained
    var members: [String: JSONValue] = [
      "site": explained.site.json, "skipped-softmax": .bool(explained.skippedSoftmax),
      "elements": .integers(explained.elements), "values": .reals(explained.values),
    ]
    members["score"] = explained.score.map { .string($0.rawValue) }
    fields["explained"] = .object(members)
    fields["diagnostics"] = .array(
      explanation.diagnostics.map { .array([.string($0.name), $0.value.json]) })
    fields["warnings"] = .strings(explanation.warnings)
  }

  /// Returns the explanation that the message carries, as the answer of a method.
  package func explanation(of method: String) throws(MessageError) -> Explanation {
    let attributions = try member("attributions").array("attributions").map {
      value throws(MessageError) in
      let name = try value.member("range").string("range")
      guard let range = Attribution.Range(rawValue: name) else {
        throw MessageError("expected the range of an attribution, found '\(name)'")
      }
      return Attribution(
        name: try value.member("name").string("name"),
        tensor: try tensor(at: value.member("tensor")),
        axes: try Axis.list(value.member("axes")), range: range)
    }
    guard !attributions.isEmpty else {
      throw MessageError("expected an explanation with an attribution, found none")
    }
    let explained = try member("explained")
    let score = try explained.optional("score")?.string("score")
    return Explanation(
      method: method, attributions: attributions,
      explained: Explained(
        site: try Site(explained.member("site")), score: score.flatMap { Score(rawValue: $0) },
        skippedSoftmax: try explained.optional("skipped-softmax")?.bool("skipped-softmax") ?? false,
        elements: try explained.member("elements").integers("elements"),
        values: try explained.member("values").reals("values")),
      diagnostics: try (optional("diagnostics")?.array("diagnostics") ?? []).map {
        value throws(MessageError) in
        let parts = try value.array("a diagnostic")
        guard parts.count == 2 else { throw MessageError("expected a name and a value") }
        return (try parts[0].string("name"), try Explanation.Diagnostic(parts[1]))
      },
      warnings: try optional("warnings")?.strings("warnings") ?? [])
  }
}

extension Explanation.Diagnostic {
  /// A number, a list of numbers, a text or a list of texts; a number that JSON does not have is one of a
  /// list.
  fileprivate var json: JSONValue {
    switch self {
    case .number(let value): value.isFinite ? .number(value) : .reals([value])
    case .numbers(let values): .reals(values)
    case .text(let text): .string(text)
    case .texts(let texts): .object(["texts": .strings(texts)])
    }
  }

  fileprivate init(_ json: JSONValue) throws(MessageError) {
    switch json {
    case .integer, .number: self = .number(try json.real("diagnostic"))
    case .string(let text): self = .text(text)
    case .array: self = .numbers(try json.reals("diagnostic"))
    default: self = .texts(try json.member("texts").strings("texts"))
    }
  }
}
