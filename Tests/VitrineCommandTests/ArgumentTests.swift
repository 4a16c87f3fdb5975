import Testing
import VitrineCommand

@Suite("Arguments")
struct ArgumentTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
    try workspace.addPicture()
  }

  @Test(
    "a mistake is one line that says what to do, and exits with 64",
    arguments: [
      (["explan"], "unknown verb 'explan'; did you mean 'explain'?"),
      (["--quiet"], "expected a verb before --quiet"),
      (["predict"], "predict needs MODEL"),
      (["predict", "@linear.onnx"], "predict needs INPUT"),
      (["inspect", "a", "b"], "inspect does not take 'b'"),
      (["methods", "--jsno"], "methods has no flag --jsno; did you mean '--json'?"),
      (["methods", "-z"], "methods has no flag -z"),
      (["methods", "--json=1"], "--json takes no value"),
      (["predict", "m", "i", "--top"], "--top needs a value"),
      (
        ["predict", "m", "i", "--top", "0"], "--top: expected an integer in 1...1000000, found '0'"
      ),
      (["predict", "m", "i", "--top", "1", "--top=2"], "--top is given twice"),
      (["predict", "m", "i", "--threads", "two"], "--threads: expected an integer in 1...1024"),
      (["predict", "m", "i", "--seed", "-1"], "--seed: expected an integer of at least 0"),
      (["predict", "m", "i", "--memory-limit", "lots"], "--memory-limit: expected a size such as"),
      (["predict", "m", "i", "--precision", "duble"], "did you mean 'double'?"),
      (["predict", "m", "i", "--preprocess", "imagnet"], "did you mean 'imagenet'?"),
      (["predict", "m", "i", "--mean", "1,2"], "--mean: expected one number or three"),
      (["predict", "m", "i", "--std", "1,0,1"], "--std: expected no zero"),
      (["explain", "m", "i"], "explain needs --method NAME, one of gradient-magnitude"),
      (["explain", "m", "i", "--method", "saliancy"], "unknown method 'saliancy'; did you mean"),
      (["explain", "m", "i", "-m", "jacobian", "--set", "timing"], "expected option=value"),
      (
        ["explain", "m", "i", "-m", "jacobian", "--set", "timming=true"],
        "unknown option of jacobian 'timming'; did you mean 'timing'?"
      ),
      (
        ["explain", "m", "i", "-m", "jacobian", "--set", "timing=perhaps"],
        "option 'timing' of jacobian: expected true or false, found 'perhaps'"
      ),
      (["explain", "m", "i", "-m", "jacobian", "--layer", "x"], "jacobian looks at no layer"),
      (
        ["explain", "m", "i", "-m", "activations", "--target", "1"], "activations explains no score"
      ),
      (["explain", "m", "i", "-m", "jacobian", "--raw", "x", "-o", "x"], "expected two files"),
      (["explain", "m", "i", "-m", "jacobian", "--raw", "m"], "found an input of this command"),
      (["explain", "m", "a", "b", "-m", "saliency", "-o", "x.png"], "give a folder"),
    ])
  func mistakes(words: [String], message: String) {
    let result = workspace.run(words)
    #expect(result.code == .usage)
    #expect(result.output.isEmpty)
    #expect(result.errors.contains(message), "\(result.errors)")
    #expect(result.errors.hasPrefix("vitrine: error: "))
    #expect(result.errors.count { $0 == "\n" } == 1)
  }

  @Test("values may follow a space, an equals sign or a short flag")
  func spellings() {
    let expected = workspace.run(["predict", "@linear.onnx", "@picture.png", "--top", "1"])
    #expect(expected.code == .success)
    for words in [
      ["predict", "@linear.onnx", "@picture.png", "--top=1"],
      ["predict", "--top", "1", "@linear.onnx", "@picture.png"],
      ["predict", "--top=1", "--", "@linear.onnx", "@picture.png"],
    ] {
      #expect(workspace.run(words).output == expected.output)
    }
    let out = workspace.path("a.png")
    for words in [["-o", out], ["-o" + out], ["--output=" + out], ["-qo", out]] {
      let result = workspace.run(
        ["explain", "@linear.onnx", "@picture.png", "-m", "saliency"] + words)
      #expect(result.code == .success, "\(result.errors)")
    }
  }

  @Test("after -- a word that looks like a flag is an input")
  func separator() throws {
    let result = workspace.run(["predict", "@linear.onnx", "--", "--top"])
    #expect(result.code == .noInput)
    #expect(result.errors.contains("cannot open input --top"))
  }

  @Test("with --json an error is an object on standard output too")
  func jsonError() throws {
    let object = try workspace.json(["explain", "m", "i", "--method", "nothing", "--json"])
    #expect(object["schema"] as? Int == 1)
    let error = object["error"] as? [String: Any]
    #expect(error?["code"] as? String == "unknown-method")
    #expect(error?["exit_code"] as? Int == 64)
    #expect((error?["message"] as? String)?.contains("'nothing'") == true)
  }

  @Test("an error is coloured on a terminal only, and not if asked")
  func color() {
    func errors(_ words: [String], environment: [String: String] = [:]) -> String {
      workspace.run(
        words, console: RecordingConsole(reportsToTerminal: true), environment: environment
      ).errors
    }
    #expect(errors(["x"]).contains("\u{1B}[1;31merror:\u{1B}[0m"))
    #expect(!errors(["methods", "x", "--no-color"]).contains("\u{1B}[1;31m"))
    #expect(!errors(["x"], environment: ["NO_COLOR": "1"]).contains("\u{1B}[1;31m"))
  }

  @Test("long command lines are taken")
  func manyArguments() {
    let inputs = [String](repeating: "@picture.png", count: 2000)
    #expect(workspace.run(["predict", "@linear.onnx"] + inputs).code == .success)
  }

  @Test("no words whatever crash the parser, and all of them end in a documented way")
  func randomWords() {
    let words = [
      "explain", "predict", "inspect", "methods", "describe", "demoo", "help", "--", "-", "--set",
      "--set=", "--set=a=b", "-m", "jacobian", "saliency", "--top", "-1", "9999999999999999999",
      "--json", "-t", "--=", "=", "", "\u{0}", "\u{202E}", "@linear.onnx", "@picture.png", "-qh",
      "--mean", ",,", "nan,nan,nan", "--resize", "65536", "--threads=0", "--labels", "/",
    ]
    var state: UInt64 = 1
    for _ in 0..<3000 {
      var line: [String] = []
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      for position in 0..<(state >> 60) {
        line.append(words[Int((state >> (position % 8 * 7)) % UInt64(words.count))])
        state = state &* 6_364_136_223_846_793_005 &+ 1
      }
      // An explanation without --json would leave its picture in the current folder.
      if line.contains("saliency") || line.contains("jacobian") { line.append("--json") }
      let result = workspace.run(line)
      #expect(result.code != .internalError)
      #expect(result.code == .success || !result.errors.isEmpty)
    }
  }
}
