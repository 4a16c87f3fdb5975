public import Vitrine
public import VitrineCore
import VitrinePlugins
import VitrineReport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The command `vitrine`, as a function that tests can call.
public enum Command {
  /// The version of this package, by semantic versioning.
  public static let version = "0.1.0"

  static let verbs: [Verb] = [
    .methods, .describe, .inspect, .predict, .explain, .compare, .check, .plugins, .demo,
    .benchmark,
  ]

  /// Runs one command line.
  ///
  /// - Parameters:
  ///   - arguments: The words after the program's name.
  ///   - environment: Only `NO_COLOR`, `TERM` and `VITRINE_PLUGINS` are looked at.
  ///   - console: Where text goes. Files are written to the paths in the arguments.
  ///   - catalog: The methods that can be chosen by name.
  ///   - cancellation: Once cancelled, the run stops, removes what is not finished, and returns
  ///     ``ExitCode/interrupted``.
  /// - Returns: What the process should exit with. Errors have been reported by then.
  public static func run(
    arguments: [String], environment: [String: String], console: any Console,
    catalog: MethodCatalog = .standard, cancellation: Cancellation = Cancellation()
  ) -> ExitCode {
    let session = Session(
      console: console, catalog: catalog, cancellation: cancellation,
      pluginFolders: environment["VITRINE_PLUGINS"] ?? "")
    let words = arguments.prefix { $0 != "--" }
    do {
      try dispatch(arguments, session)
      return .success
    } catch {
      session.clearProgress()
      let error = CommandError(error)
      let usesColor =
        console.reportsToTerminal && (environment["NO_COLOR"] ?? "").isEmpty
        && !words.contains("--no-color")
      let mark = usesColor ? "\u{1B}[1;31merror:\u{1B}[0m" : "error:"
      console.report("vitrine: \(mark) \(error.message.visible)\n")
      // A difference has been reported in full.
      if words.contains("--json"), error.code != "cannot-write-output", error.exitCode != .different
      {
        let report = JSON.object([
          "schema": .integer(1),
          "error": .object([
            "code": .string(error.code), "message": .string(error.message),
            "exit_code": .integer(Int(error.exitCode.rawValue)),
          ]),
        ])
        // The exit code already tells of the error; that it cannot be written changes nothing.
        try? console.write(report.text)
      }
      return error.exitCode
    }
  }

  /// As the first word, makes the process serve the shared library that the second word names.
  static let servingWord = "serve-plugin"

  /// Runs the command line of this process, and exits.
  ///
  /// - Parameter catalog: The methods that can be chosen by name; register more to add them to the command.
  public static func main(catalog: MethodCatalog = .standard) -> Never {
    if CommandLine.arguments.count == 3, CommandLine.arguments[1] == servingWord {
      do {
        try PluginLibrary.serve(contentsOf: CommandLine.arguments[2])
      } catch {
        ProcessConsole(environment: [:]).report(error.reason + "\n")
        exit(ExitCode.badData.rawValue)
      }
    }
    var environment: [String: String] = [:]
    for name in ["NO_COLOR", "TERM", "VITRINE_PLUGINS"] {
      environment[name] = getenv(name).map { String(cString: $0) }
    }
    Interruption.listen()
    let code = run(
      arguments: Array(CommandLine.arguments.dropFirst()), environment: environment,
      console: ProcessConsole(environment: environment), catalog: catalog,
      cancellation: Interruption.cancellation)
    exit(code == .interrupted ? Interruption.exitStatus : code.rawValue)
  }

  private static func dispatch(_ arguments: [String], _ session: Session) throws {
    guard let first = arguments.first else {
      session.console.report(HelpText.overview(verbs))
      throw CommandError.usage("expected a verb, found nothing; try vitrine demo")
    }
    switch first {
    case "-h", "--help": return try session.write(HelpText.overview(verbs))
    case "-V", "--version": return try session.write("vitrine \(version)\n")
    case "help":
      guard let name = arguments.dropFirst().first(where: { !$0.hasPrefix("-") }) else {
        return try session.write(HelpText.overview(verbs))
      }
      return try session.write(HelpText.page(verb(named: name)))
    default: break
    }
    guard !first.hasPrefix("-") else {
      throw CommandError.usage(
        "expected a verb before \(first): vitrine VERB [options]; see vitrine help",
        code: "unknown-flag")
    }
    let verb = try verb(named: first)
    let words = Array(arguments.dropFirst())
    if words.prefix(while: { $0 != "--" }).contains(where: { $0 == "--help" || $0 == "-h" }) {
      let options = try methodNamed(in: words, of: verb, session).map { "\n" + $0.optionText }
      return try session.write(HelpText.page(verb) + (options ?? ""))
    }
    let invocation = try ArgumentParser.parse(words, for: verb)
    var session = session
    session.isQuiet = invocation.has("quiet")
    if verb.usesMethods { try session.addPlugins(invocation) }
    try verb.run(invocation, session)
  }

  /// Returns the method that a command line with `--help` names, if it names one with options.
  private static func methodNamed(
    in words: [String], of verb: Verb, _ session: Session
  ) throws -> Method? {
    guard verb.flags.contains(where: { $0.name == "method" }),
      let index = words.firstIndex(where: { $0 == "-m" || $0.hasPrefix("--method") })
    else { return nil }
    let parts = words[index].split(separator: "=", maxSplits: 1).map(String.init)
    guard let name = parts.count > 1 ? parts[1] : words[(index + 1)...].first,
      !name.hasPrefix("-")
    else { return nil }
    let method = try session.catalog.entry(named: name).method
    return method.options.isEmpty ? nil : method
  }

  private static func verb(named name: String) throws(CommandError) -> Verb {
    if let verb = verbs.first(where: { $0.name == name }) { return verb }
    let names = verbs.map(\.name)
    throw .usage(
      "unknown verb '\(name)'" + ArgumentParser.suggestion(name, names + ["help"])
        + "; expected one of \(names.joined(separator: ", "))",
      code: "unknown-verb")
  }
}
