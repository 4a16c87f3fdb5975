import Foundation
import Testing
import VitrineCommand
import VitrineTensor

@Suite("predict")
struct PredictTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
    try workspace.addPicture()
  }

  @Test("logits become probabilities by a softmax, and the text says so")
  func logits() throws {
    try workspace.write("one\ntwo\nthree\n", as: "labels.txt")
    let result = workspace.run([
      "predict", "@linear.onnx", "@picture.png", "--preprocess", "unit", "--labels", "@labels.txt",
    ])
    #expect(result.code == .success)
    #expect(
      result.output
        == """
        picture.png: about a 100.000% chance of one (class 0, probability 1.000)
          (the model gives logits; these are their softmax)
          class  probability   logit  label
              0     100.000%  46.000  one
              2       0.000%  -0.200  three
              1       0.000%  -1.000  two

        """)
  }

  @Test("JSON holds every value, equal to the closed form")
  func json() throws {
    let object = try workspace.json([
      "predict", "@linear.onnx", "@picture.png", "--json", "--top", "3", "--precision", "double",
    ])
    #expect(object["schema"] as? Int == 1)
    let outputs = try #require(object["outputs"] as? [[String: Any]])
    #expect(outputs[0]["kind"] as? String == "softmax-of-logits")
    let top = try #require(outputs[0]["top"] as? [[String: Any]])
    #expect(top.compactMap { $0["index"] as? Int } == [0, 2, 1])
    let logits = top.sorted { ($0["index"] as? Int ?? 0) < ($1["index"] as? Int ?? 0) }
      .compactMap { $0["logit"] as? Double }
    for (found, expected) in zip(logits, Workspace.logits) {
      // Pixels are rounded to float32 once: 46 to 24 bits.
      #expect(abs(found - expected) < 4e-6)
    }
  }

  @Test("a model that ends in a softmax gives its own probabilities")
  func softmax() throws {
    try workspace.addLinearModel(named: "softmax.onnx", output: "p", softmax: true)
    let object = try workspace.json(["predict", "@softmax.onnx", "@picture.png", "--json"])
    let outputs = try #require(object["outputs"] as? [[String: Any]])
    #expect(outputs[0]["kind"] as? String == "probability")
    let top = try #require(outputs[0]["top"] as? [[String: Any]])
    #expect(abs((top[0]["logit"] as? Double ?? 0) - Workspace.logits[0]) < 1e-4)
  }

  @Test("numbers that are no scores stay numbers")
  func regression() throws {
    try workspace.addTableModel()
    try workspace.write(
      Tensor([3, 1, 0, 0.25] as [Float]).npyBytes(), as: "row.npy")
    let result = workspace.run(["predict", "@table.onnx", "@row.npy"])
    #expect(
      result.output
        == """
        row.npy: 2 numbers
          index  value
              0      2
              1    0.5

        """)
  }

  @Test("--raw holds the first output of all inputs, batch axis first")
  func raw() throws {
    let result = workspace.run([
      "predict", "@linear.onnx", "@picture.png", "@picture.png", "--raw", "@out.npy",
    ])
    #expect(result.code == .success)
    let tensor = try Tensor(npy: try workspace.bytes("out.npy"))
    #expect(tensor.shape.dimensions == [2, 3])
    let values = try tensor.elements(of: Float.self)
    for (index, value) in values.enumerated() {
      #expect(abs(Double(value) - Workspace.logits[index % 3]) < 1e-5)
    }
  }

  @Test("several inputs give one result each, in order")
  func several() throws {
    try workspace.addPicture(named: "other.png")
    let object = try workspace.json([
      "predict", "@linear.onnx", "@picture.png", "@other.png", "--json",
    ])
    let results = try #require(object["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["input"] as? String } == ["picture.png", "other.png"])
  }

  @Test("an assumption about pixels is told once, and not if a preprocessing is named")
  func assumption() {
    let told = workspace.run(["predict", "@linear.onnx", "@picture.png", "@picture.png"]).errors
    #expect(told == "vitrine: pixels scaled to 0...1, as no --preprocess is given\n")
    for words in [["--preprocess", "byte"], ["--quiet"]] {
      #expect(workspace.run(["predict", "@linear.onnx", "@picture.png"] + words).errors.isEmpty)
    }
  }

  @Test("labels may have a byte order mark, any line ends and blank lines at the end")
  func labels() throws {
    try workspace.write("\u{FEFF}eins\r\nzwei\rdrei\n\n", as: "labels.txt")
    let result = workspace.run([
      "predict", "@linear.onnx", "@picture.png", "--labels", "@labels.txt",
    ])
    #expect(result.output.contains("chance of eins (class 0"))
    #expect(result.output.contains("  drei\n"))
  }
}
