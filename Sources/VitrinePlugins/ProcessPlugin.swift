import VitrineCore
import VitrinePluginKit
import VitrineTensor

/// A plugin that runs in a process of its own: a program that speaks the protocol of `Docs/Plugins.md`.
///
/// Each explanation is a new process. Whatever becomes of it is the end of that explanation only.
struct ProcessPlugin: Sendable {
  /// For messages.
  let path: String
  /// The program and its arguments.
  let command: [String]
  let limits: PluginLimits

  private static let mostMethods = 256
  /// Longest time to say what methods there are, in seconds.
  private static let greeting = 10.0

  /// Asks the plugin what methods it has.
  func methods() throws(PluginError) -> [Method] {
    do {
      let limits = PluginLimits(
        seconds: min(limits.seconds, Self.greeting), memory: limits.memory,
        fileSize: limits.fileSize, messageSize: 0)
      var process = try ChildProcess(command, plugin: path, limits: limits)
      let question = Message("hello", ["protocol": .integer(PluginProcess.version)])
      let answer = try process.exchange(question) {}
      guard answer.type == "hello" else {
        throw MessageError("expected hello, found '\(answer.type)'")
      }
      let version = try answer.member("protocol").integer("protocol")
      guard version == PluginProcess.version else {
        throw PluginError.incompatible(
          plugin: path, found: "protocol \(version)", expected: "protocol \(PluginProcess.version)")
      }
      let methods = try answer.member("methods").array("methods").prefix(Self.mostMethods).map {
        value throws(MessageError) in try Method(value)
      }
      for method in methods { try check(method) }
      return methods
    } catch let error as PluginError {
      throw error
    } catch {
      throw .badMessage(plugin: path, reason: "\(error)")
    }
  }

  /// Checks that a manifest can be shown and its defaults be decoded.
  private func check(_ method: Method) throws {
    let names = [method.identifier] + method.aliases + method.options.map(\.name)
    for name in names where !isKebabCase(name) {
      throw PluginError.refusedMethod(
        plugin: path, reason: "expected a name in kebab-case, found '\(name.prefix(100))'")
    }
    do {
      _ = try Options([], for: method)
    } catch {
      throw PluginError.refusedMethod(plugin: path, reason: error.description)
    }
  }

  private func isKebabCase(_ name: String) -> Bool {
    (1...100).contains(name.utf8.count)
      && name.split(separator: "-", omittingEmptySubsequences: false).allSatisfy { word in
        !word.isEmpty && word.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) }
      }
  }
}

/// A method of a plugin in a process of its own, with its options set.
struct ProcessExplainer: Explaining {
  let plugin: ProcessPlugin
  let method: Method
  let options: [(name: String, value: String)]

  func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    if method.requirement == .gradients, !(model is any Differentiable) {
      throw CoreError.missingCapability(
        method: method.identifier, needs: "gradients (the protocol Differentiable)")
    }
    try context.checkCancellation()
    var process = try ChildProcess(plugin.command, plugin: plugin.path, limits: plugin.limits)
    var service = ModelService(model: model, inputs: inputs, context: context)
    var message = try process.exchange(question(model, inputs, target, context)) {
      try context.checkCancellation()
    }
    do {
      while true {
        switch message.type {
        case "explanation":
          let explanation = try message.explanation(of: method.identifier)
          try explanation.check(of: method, at: inputs, of: model, by: plugin.path)
          return explanation
        case "failure": throw try failure(message, service)
        case "progress":
          try service.tellProgress(message)
          message = try process.next { try context.checkCancellation() }
        default:
          let answer = try service.answer(message)
          message = try process.exchange(answer) { try context.checkCancellation() }
        }
      }
    } catch let error as MessageError {
      throw PluginError.badMessage(plugin: plugin.path, reason: error.description)
    }
  }

  private func question(
    _ model: any Model, _ inputs: Inputs, _ target: Target, _ context: Context
  ) -> Message {
    var settings: [String: JSONValue] = [
      "seed": .string(String(context.seed)), "memory-limit": .integer(context.memoryLimit),
      "resolves-baselines": .bool(context.resolveBaseline != nil),
    ]
    settings["labels"] = context.labels.map { .strings($0) }
    var message = Message(
      "explain",
      [
        "method": .string(method.identifier),
        "options": .object(
          Dictionary(options.map { ($0.name, .string($0.value)) }) { first, _ in first }),
        "target": target.json, "context": .object(settings), "model": ModelService.json(of: model),
      ])
    message.fields["inputs"] = message.add(inputs)
    return message
  }

  private func failure(_ message: Message, _ service: ModelService) throws -> any Error {
    let reason = try message.member("message").string("message")
    switch try message.member("kind").string("kind") {
    case "model":
      return service.lastError ?? PluginError.failed(plugin: plugin.path, reason: reason)
    case "not-applicable": return CoreError.notApplicable(String(reason.prefix(2000)))
    default:
      return PluginError.failed(plugin: plugin.path, reason: "it failed: \(reason.prefix(2000))")
    }
  }
}
