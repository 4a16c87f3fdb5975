import VitrineCore
import VitrinePluginKit
import VitrineTensor

/// Answers what a plugin asks of the model, which stays in this process.
struct ModelService {
  let model: any Model
  let inputs: Inputs
  let context: Context
  /// The last error of the model, to be thrown on if it is why the plugin gives up.
  private(set) var lastError: (any Error)?

  init(model: any Model, inputs: Inputs, context: Context) {
    self.model = model
    self.inputs = inputs
    self.context = context
  }

  /// Describes a model.
  static func json(of model: any Model) -> JSONValue {
    let signature = model.signature
    var scores: [JSONValue] = []
    for output in signature.outputs.map(\.name) {
      for score in Score.allCases {
        guard let site = model.site(of: score, output: output) else { continue }
        scores.append(
          .object([
            "output": .string(output), "score": .string(score.rawValue), "site": site.json,
          ]))
      }
    }
    return .object([
      "inputs": .array(signature.inputs.map(\.json)),
      "outputs": .array(signature.outputs.map(\.json)),
      "layers": .array(model.layers.map(\.json)), "takes-batches": .bool(model.takesBatches),
      "differentiable": .bool(model is any Differentiable), "scores": .array(scores),
    ])
  }

  /// Passes on how far the plugin says it is.
  func tellProgress(_ message: Message) throws(MessageError) {
    let done = try message.member("done").integer("done")
    let total = try message.member("total").integer("total")
    guard total >= 0, (0...total).contains(done) else {
      throw MessageError("expected progress between 0 and its total, found \(done) of \(total)")
    }
    let unit = try message.member("unit").string("unit")
    context.progress(done, of: total, String(unit.prefix(100)))
  }

  /// Returns the answer to a question: an error of the model is an answer too.
  ///
  /// - Throws: ``MessageError`` for a message that is none; ``CoreError/cancelled``.
  mutating func answer(_ message: Message) throws -> Message {
    do {
      return try call(message)
    } catch let error as MessageError {
      throw error
    } catch CoreError.cancelled {
      throw CoreError.cancelled
    } catch {
      lastError = error
      return Message("error", ["message": .string("\(error)")])
    }
  }

  private func call(_ message: Message) throws -> Message {
    switch message.type {
    case "evaluate":
      return tensors(
        "values",
        try model.evaluate(message.inputs("inputs"), observing: message.sites("sites")))
    case "gradients":
      let gradients = try differentiable().gradients(
        of: message.objective("objective"), withRespectTo: message.sites("sites"),
        at: message.inputs("inputs"), rules: BackwardRules(message.member("rules")))
      var answer = tensors("gradients", gradients.tensors)
      answer.fields["values"] = .reals(gradients.values)
      answer.fields["applications"] = RuleApplication.json(gradients.applications)
      return answer
    case "jacobian":
      let jacobian = try differentiable().jacobian(
        of: Site(message.member("output")),
        elements: message.optional("elements")?.integers("elements"),
        withRespectTo: message.sites("sites"), at: message.inputs("inputs"),
        rules: BackwardRules(message.member("rules")), context: context)
      var answer = tensors("gradients", jacobian.tensors)
      answer.fields["values"] = answer.add(jacobian.values)
      answer.fields["applications"] = RuleApplication.json(jacobian.applications)
      return answer
    case "path-gradients":
      let fractions = try message.member("fractions").reals("fractions")
      let weights = try message.member("weights").reals("weights")
      guard fractions.count == weights.count else {
        throw MessageError("expected as many weights as fractions")
      }
      return tensors(
        "gradients",
        try differentiable().pathGradients(
          of: message.objective("objective"), from: message.inputs("baselines"),
          to: message.inputs("inputs"),
          at: zip(fractions, weights).map { PathPoint(fraction: $0, weight: $1) },
          withRespectTo: message.sites("sites"), context: context))
    case "baseline":
      let name = try message.member("input").string("input")
      guard let resolve = context.resolveBaseline,
        let port = model.signature.inputs.first(where: { $0.name == name })
      else { throw MessageError("expected the name of an input, found '\(name)'") }
      var answer = Message("baseline")
      answer.fields["value"] = answer.add(
        try resolve(message.member("name").string("name"), port))
      return answer
    case let type: throw MessageError("expected a question or an answer, found '\(type)'")
    }
  }

  private func tensors(_ name: String, _ tensors: [Tensor]) -> Message {
    var answer = Message(name)
    answer.fields[name] = answer.add(tensors)
    return answer
  }

  private func differentiable() throws -> any Differentiable {
    guard let model = model as? any Differentiable else {
      throw CoreError.missingCapability(
        method: "the plugin", needs: "gradients (the protocol Differentiable)")
    }
    return model
  }
}
