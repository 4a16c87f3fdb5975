import Foundation
import Testing
import VitrineCommand
import VitrineCore
import VitrineImaging

@Suite("Failures")
struct FailureTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
    try workspace.addTableModel()
    try workspace.addPicture()
    try workspace.write("this is no picture", as: "text.png")
    try workspace.write("this is no model", as: "text.onnx")
    try workspace.write("\u{93}NUMPY", as: "cut.npy")
    try workspace.write("one\ntwo\n", as: "two.txt")
    try workspace.write([0x61, 0xFF, 0x0A], as: "latin.txt")
    try workspace.write("", as: "empty.txt")
    let large = try Image(width: 9, height: 5, channels: 1, pixels: .init(repeating: 1, count: 45))
    try workspace.write(try PNG.encode(large), as: "large.png")
  }

  @Test(
    "what is wrong decides the exit code, and the message says what to do",
    arguments: [
      (["inspect", "@none.onnx"], ExitCode.noInput, "no such file"),
      (["inspect", "@text.onnx"], .badData, "not a valid ONNX model"),
      (["predict", "@linear.onnx", "@none.png"], .noInput, "cannot open input"),
      (["predict", "@linear.onnx", "@"], .badData, "expected a file, found a directory"),
      (["predict", "@linear.onnx", "@text.png"], .badData, "expected a PNG or JPEG picture"),
      (["predict", "@linear.onnx", "@cut.npy"], .badData, "cut.npy: "),
      (
        ["predict", "@linear.onnx", "@large.png"], .badData, "large.png is 9x5 pixels, the model's"
      ),
      (["predict", "@linear.onnx", "@large.png"], .badData, "is 4x3 ([N, 1, 3, 4]); fit it with"),
      (["predict", "@table.onnx", "@picture.png"], .badData, "which is no picture; give a .npy"),
      (["predict", "@linear.onnx", "@picture.png", "--labels", "@none.txt"], .noInput, "labels"),
      (
        ["predict", "@linear.onnx", "@picture.png", "--labels", "@two.txt"], .usage,
        "the model has 3 outputs"
      ),
      (["predict", "@linear.onnx", "@picture.png", "--labels", "@latin.txt"], .badData, "UTF-8"),
      (["predict", "@linear.onnx", "@picture.png", "--labels", "@empty.txt"], .badData, "none"),
      (["predict", "@linear.onnx", "@picture.png", "--crop", "9"], .usage, "cannot crop 9x9"),
      (
        ["predict", "@linear.onnx", "@picture.png", "--preprocess", "caffe"], .usage,
        "the model's input has 1 and the channel order is bgr"
      ),
      (
        ["explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-t", "3"], .usage,
        "index 3 is out of range: 'logits' has 3 elements, 0...2"
      ),
      (["explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-t", "-1"], .usage, "-1"),
      (
        ["explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-t", "cat"], .usage,
        "label 'cat' cannot be looked up: give the class names with --labels"
      ),
      (
        ["explain", "@linear.onnx", "@picture.png", "-m", "activations", "--layer", "dens"],
        .usage, "did you mean 'dense'?"
      ),
      (
        ["explain", "@linear.onnx", "@picture.png", "-m", "jacobian", "-o", "@x.png"], .usage,
        "jacobian makes 3 pictures; give a folder"
      ),
    ])
  func codes(words: [String], code: ExitCode, message: String) {
    let before = workspace.contents
    let result = workspace.run(words + ["--quiet"])
    #expect(result.code == code)
    #expect(result.errors.contains(message), "\(result.errors)")
    #expect(result.errors.count { $0 == "\n" } == 1)
    #expect(result.output.isEmpty)
    #expect(workspace.contents == before)
  }

  @Test(
    "a place that cannot be written leaves nothing behind",
    arguments: [
      ("@text.png/why.png", ExitCode.cannotCreate), ("@none/why.png", .cannotCreate),
      ("@text.png/maps/", .cannotCreate),
    ])
  func unwritable(output: String, code: ExitCode) {
    let before = workspace.contents
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-o", output,
      "--raw", "@raw.npy", "--quiet",
    ])
    #expect(result.code == code)
    #expect(result.output.isEmpty)
    #expect(workspace.contents == before)
  }

  @Test(
    "a full disk is an error, and the other files of the command do not appear",
    .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
  func fullDisk() {
    let before = workspace.contents
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-o", "@why.png", "--raw",
      "/dev/full", "--quiet",
    ])
    #expect(result.code == .inputOutput)
    #expect(result.errors.contains("no space left on device"))
    #expect(workspace.contents == before)
  }

  @Test("standard output that cannot be written is an error")
  func fullOutput() {
    for words in [["methods"], ["methods", "--json"], ["--help"], ["--version"]] {
      let result = workspace.run(words, console: RecordingConsole(isOutputFull: true))
      #expect(result.code == .inputOutput)
    }
  }

  @Test("a damaged second input takes back what was made of the first")
  func secondInput() {
    let before = workspace.contents
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "@text.png", "-m", "saliency", "-o", "@out",
      "--quiet",
    ])
    #expect(result.code == .badData)
    #expect(workspace.contents == before)
  }

  @Test("a cancelled command exits with 130 and leaves nothing behind")
  func cancelled() {
    let cancellation = Cancellation()
    cancellation.cancel()
    let before = workspace.contents
    for words in [
      ["explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-o", "@out"],
      ["predict", "@linear.onnx", "@picture.png", "--raw", "@out.npy"],
      ["demo", "--output", "@demo"],
    ] {
      let result = workspace.run(words, cancellation: cancellation)
      #expect(result.code == .interrupted)
      #expect(workspace.contents == before)
    }
  }

  @Test("an output that is a symbolic link is replaced, not followed")
  func symbolicLink() throws {
    try workspace.write("precious", as: "precious.txt")
    try FileManager.default.createSymbolicLink(
      atPath: workspace.path("why.png"), withDestinationPath: workspace.path("precious.txt"))
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-o", "@why.png",
    ])
    #expect(result.code == .success)
    #expect(try workspace.bytes("precious.txt") == Array("precious".utf8))
    #expect(try workspace.bytes("why.png").starts(with: [0x89, 0x50]))
  }

  @Test("names with escape sequences and line ends are shown, never obeyed")
  func hostileNames() throws {
    let missing = workspace.run(["predict", "@linear.onnx", "no\u{1B}[2J\nsuch\u{202E}file"])
    #expect(missing.errors.contains("no\\u{1B}[2J\\u{A}such\\u{202E}file"))
    #expect(missing.errors.count { $0 == "\n" } == 1)

    try workspace.addPicture(named: "a\u{1B}[31m\n.png")
    try workspace.write("x\u{1B}]0;y\u{7}\ntwo\nthree", as: "labels.txt")
    let result = workspace.run([
      "explain", "@linear.onnx", "@a\u{1B}[31m\n.png", "-m", "saliency", "--labels", "@labels.txt",
      "-o", "@out",
    ])
    #expect(result.code == .success)
    #expect(!result.output.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    #expect(workspace.contents.contains("out/a_31m_-gradient-magnitude.png"))
    let object = try workspace.json([
      "predict", "@linear.onnx", "@a\u{1B}[31m\n.png", "--labels", "@labels.txt", "--json",
    ])
    #expect(object["input"] as? String == "a\u{1B}[31m\n.png")
  }
}
