import Testing
import VitrineCommand

@Suite("Help")
struct HelpTests {
  let workspace: Workspace

  init() throws { workspace = try Workspace() }

  @Test("no arguments show the help on standard error and count as a usage error")
  func noArguments() {
    let result = workspace.run([])
    #expect(result.code == .usage)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains("vitrine demo"))
  }

  @Test("help goes to standard output", arguments: [["--help"], ["-h"], ["help"]])
  func overview(words: [String]) {
    let result = workspace.run(words)
    #expect(result.code == .success)
    #expect(result.errors.isEmpty)
    #expect(
      result.output.hasPrefix(
        """
        vitrine: why did the network say that?

        Examples
          vitrine demo
              explain a network made on the spot; needs no files
        """))
    for verb in ["methods", "describe", "inspect", "predict", "explain", "compare", "demo"] {
      #expect(result.output.contains("\n  \(verb) "))
    }
  }

  @Test(
    "every verb has a page that starts with its usage and examples",
    arguments: ["methods", "describe", "inspect", "predict", "explain", "compare", "demo"])
  func pages(verb: String) {
    let result = workspace.run(["help", verb])
    #expect(result.code == .success)
    #expect(result.output.hasPrefix("vitrine \(verb): "))
    #expect(result.output.contains("\nUsage\n  vitrine \(verb)"))
    #expect(result.output.contains("\nExamples\n  vitrine \(verb)"))
    #expect(workspace.run([verb, "--help"]).output == result.output)
    #expect(result.output.split(separator: "\n").allSatisfy { $0.count <= 100 })
  }

  @Test("a flag's entry names its values and its default")
  func entries() {
    let page = workspace.run(["help", "explain"]).output
    #expect(
      page.contains(
        """
          --score logit|probability
              Explain the number before or after the final softmax. (default: logit)
        """))
    #expect(page.contains("  --output, -o OUT.png|FOLDER\n"))
    #expect(page.contains("  --preprocess imagenet|cifar10|unit|signed|byte|caffe|gcn\n"))
  }

  @Test("the version is one line", arguments: ["--version", "-V"])
  func version(flag: String) {
    #expect(workspace.run([flag]).output == "vitrine \(Command.version)\n")
  }
}
