public import VitrineCore
import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A program whose explainers other programs use, each in a process of its own.
///
///     @main struct MyPlugin {
///       static func main() { PluginProcess.main([MyExplainer.self]) }
///     }
///
/// The model stays with the program that asks: what an explainer calls of it is a message there and back.
/// What the explainer prints goes to standard error.
public enum PluginProcess {
  /// Version of the protocol; both sides must have the same.
  package static let version = 1

  /// Answers what is asked on standard input until it closes, and exits.
  ///
  /// - Precondition: The explainers' names are unique.
  public static func main(_ explainers: [any Explainer.Type]) -> Never {
    signal(SIGPIPE, SIG_IGN)
    // What the explainer prints or reads must not get between the messages.
    let connection = Connection(input: dup(STDIN_FILENO), output: dup(STDOUT_FILENO))
    let nothing = open("/dev/null", O_RDONLY)
    dup2(nothing, STDIN_FILENO)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    do {
      let catalog = try MethodCatalog(explainers)
      while let message = try connection.receive() {
        try connection.tell(try answer(to: message, catalog, connection))
      }
    } catch is Connection.Closed {
      exit(0)
    } catch {
      print(error)
      exit(1)
    }
    exit(0)
  }

  private static func answer(
    to message: Message, _ catalog: MethodCatalog, _ connection: Connection
  ) throws -> Message {
    switch message.type {
    case "hello":
      return Message(
        "hello", ["protocol": .integer(version), "methods": .array(catalog.methods.map(\.json))])
    case "explain":
      do {
        return Message(try explain(message, catalog, connection))
      } catch let error as Connection.Closed {
        throw error
      } catch {
        return failure(error)
      }
    case let type: throw MessageError("expected hello or explain, found '\(type)'")
    }
  }

  private static func explain(
    _ message: Message, _ catalog: MethodCatalog, _ connection: Connection
  ) throws -> Explanation {
    var options: [String: String] = [:]
    if case .object(let members) = try message.member("options") {
      for (name, value) in members { options[name] = try value.string(name) }
    }
    let explainer = try catalog.explainer(
      named: message.member("method").string("method"), options: options)
    let description = try message.member("model")
    let remote = try RemoteModel(description, connection)
    let model: any Model =
      try description.member("differentiable").bool("differentiable")
      ? RemoteDifferentiable(remote, connection) : remote
    return try explainer.explain(
      model, at: message.inputs("inputs"), target: Target(message.member("target")),
      context: try context(message.member("context"), connection))
  }

  private static func context(_ json: JSONValue, _ connection: Connection) throws -> Context {
    let seed = try json.member("seed").string("seed")
    let resolves = try json.member("resolves-baselines").bool("resolves-baselines")
    let tell: @Sendable (Progress) -> Void = { progress in
      // A line that is closed is noticed at the next question.
      try? connection.tell(
        Message(
          "progress",
          [
            "done": .integer(progress.done), "total": .integer(progress.total),
            "unit": .string(progress.unit),
          ]))
    }
    let resolve: @Sendable (String, Port) throws -> Tensor = { name, port in
      let answer = try connection.ask(
        Message("baseline", ["name": .string(name), "input": .string(port.name)]))
      return try answer.tensor(at: answer.member("value"))
    }
    return Context(
      seed: UInt64(seed) ?? 0,
      memoryLimit: try json.member("memory-limit").integer("memory-limit"),
      labels: try json.optional("labels")?.strings("labels"), onProgress: tell,
      resolveBaseline: resolves ? resolve : nil)
  }

  /// Says why there is no explanation: the program tells its own errors apart from the explainer's.
  private static func failure(_ error: any Error) -> Message {
    let kind: String
    switch error {
    case is RemoteError: kind = "model"
    case let error as CoreError: kind = error == .cancelled ? "cancelled" : "not-applicable"
    default: kind = "error"
    }
    return Message("failure", ["kind": .string(kind), "message": .string("\(error)")])
  }
}
