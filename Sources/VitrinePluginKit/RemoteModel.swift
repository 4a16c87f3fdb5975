import VitrineCore
import VitrineTensor

/// The model of the program, as a plugin in another process sees it: every call is a message.
struct RemoteModel: Model {
  let signature: Signature
  let layers: [Layer]
  let takesBatches: Bool
  private let sites: [Sought: Site]
  private let connection: Connection

  private struct Sought: Hashable {
    let score: Score
    let output: String
  }

  /// Reads the description in the message that asks for an explanation.
  init(_ json: JSONValue, _ connection: Connection) throws {
    signature = Signature(
      inputs: try json.member("inputs").array("inputs").map { try Port($0) },
      outputs: try json.member("outputs").array("outputs").map { try Port($0) })
    layers = try json.member("layers").array("layers").map { try Layer($0) }
    takesBatches = try json.member("takes-batches").bool("takes-batches")
    var sites: [Sought: Site] = [:]
    for entry in try json.member("scores").array("scores") {
      let score = Score(rawValue: try entry.member("score").string("score"))
      guard let score else { continue }
      let output = try entry.member("output").string("output")
      sites[Sought(score: score, output: output)] = try Site(entry.member("site"))
    }
    self.sites = sites
    self.connection = connection
  }

  func site(of score: Score, output: String) -> Site? {
    sites[Sought(score: score, output: output)]
  }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    var message = Message("evaluate", ["sites": .array(sites.map(\.json))])
    message.fields["inputs"] = message.add(inputs)
    return try connection.ask(message).tensors("values")
  }
}

/// The same, of a model that has gradients.
struct RemoteDifferentiable: Differentiable {
  private let model: RemoteModel
  private let connection: Connection

  init(_ model: RemoteModel, _ connection: Connection) {
    self.model = model
    self.connection = connection
  }

  var signature: Signature { model.signature }
  var layers: [Layer] { model.layers }
  var takesBatches: Bool { model.takesBatches }

  func site(of score: Score, output: String) -> Site? { model.site(of: score, output: output) }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    try model.evaluate(inputs, observing: sites)
  }

  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    var message = Message(
      "gradients", ["sites": .array(sites.map(\.json)), "rules": rules.json])
    message.fields["objective"] = message.add(objective)
    message.fields["inputs"] = message.add(inputs)
    let answer = try connection.ask(message)
    return Gradients(
      values: try answer.member("values").reals("values"),
      tensors: try answer.tensors("gradients"),
      applications: try RuleApplication.list(answer.member("applications")))
  }

  func jacobian(
    of output: Site, elements: [Int]?, withRespectTo sites: [Site], at inputs: Inputs,
    rules: BackwardRules, context: Context
  ) throws -> Jacobian {
    var message = Message(
      "jacobian",
      ["output": output.json, "sites": .array(sites.map(\.json)), "rules": rules.json])
    message.fields["elements"] = elements.map { .integers($0) }
    message.fields["inputs"] = message.add(inputs)
    let answer = try connection.ask(message)
    return Jacobian(
      values: try answer.tensor(at: answer.member("values")),
      tensors: try answer.tensors("gradients"),
      applications: try RuleApplication.list(answer.member("applications")))
  }

  func pathGradients(
    of objective: Objective, from baselines: Inputs, to inputs: Inputs, at points: [PathPoint],
    withRespectTo sites: [Site], context: Context
  ) throws -> [Tensor] {
    var message = Message(
      "path-gradients",
      [
        "sites": .array(sites.map(\.json)), "fractions": .reals(points.map(\.fraction)),
        "weights": .reals(points.map(\.weight)),
      ])
    message.fields["objective"] = message.add(objective)
    message.fields["baselines"] = message.add(baselines)
    message.fields["inputs"] = message.add(inputs)
    return try connection.ask(message).tensors("gradients")
  }
}
