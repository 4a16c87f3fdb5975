import Foundation
import Testing
import VitrineCommand
import VitrineCore
import VitrineImaging
import VitrineTensor

@Suite("explain")
struct ExplainTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
    try workspace.addPicture()
  }

  @Test("the Jacobian of a linear model is its weights")
  func jacobian() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "--method", "jacobian", "--raw", "@j.npy",
    ])
    #expect(result.code == .success)
    let tensor = try Tensor(npy: try workspace.bytes("j.npy"))
    #expect(tensor.shape.dimensions == [1, 3, 1, 3, 4])
    #expect(try tensor.elements(of: Float.self) == Workspace.weights)
    #expect(result.output.contains("forward time"))
    #expect(result.output.contains("jacobian to forward ratio"))
  }

  @Test("a Jacobian is one picture for each output, named and titled after it")
  func jacobianPictures() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "--method", "jacobian", "--output", "@maps",
    ])
    #expect(result.code == .success)
    #expect(
      workspace.contents.filter { $0.hasPrefix("maps/") }
        == (0..<3).map { "maps/d_pred_\($0)d_image.png" })
    let picture = try DecodedImage(decoding: try workspace.bytes("maps/d_pred_1d_image.png"))
    let entries = Dictionary(picture.text.map { ($0.keyword, $0.text) }) { first, _ in first }
    #expect(entries["Title"] == "d prediction[1] / d input")
    #expect(entries["Vitrine-Method"] == "jacobian")
    // Row 1 of the weights has one entry, -1, and still the scale is symmetric about zero: at the
    // 99th percentile of twelve magnitudes, 0.89 of the way from the last but one to the last.
    #expect(entries["Vitrine-Scale-Minimum"].flatMap(Float.init) == -0.89)
    #expect(entries["Vitrine-Scale-Maximum"].flatMap(Float.init) == 0.89)
    #expect(entries["Vitrine-Model-SHA256"]?.count == 64)
  }

  @Test("a target chosen by index, label or rank is explained and named")
  func targets() throws {
    try workspace.write("one\ntwo\nthree\n", as: "labels.txt")
    for (words, index) in [
      (["--target", "2"], 2), (["--target", "two"], 1), (["-t", "top"], 0), ([], 0),
    ] {
      let object = try workspace.json(
        [
          "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--json", "--labels",
          "@labels.txt",
        ] + words)
      let target = try #require(object["target"] as? [String: Any])
      #expect(target["index"] as? Int == index)
      #expect(target["label"] as? String == ["one", "two", "three"][index])
      #expect(abs((object["values"] as? [Double] ?? [])[0] - Workspace.logits[index]) < 1e-5)
    }
  }

  @Test("the answer says which score was explained and where it was read")
  func scores() throws {
    try workspace.addLinearModel(named: "softmax.onnx", output: "p", softmax: true)
    for (score, site, skipped) in [("logit", "scores", true), ("probability", "p", false)] {
      let object = try workspace.json([
        "explain", "@softmax.onnx", "@picture.png", "-m", "saliency", "--json", "--score", score,
      ])
      let found = try #require(object["score"] as? [String: Any])
      #expect(found["kind"] as? String == score)
      #expect(found["site"] as? String == site)
      #expect(found["skipped_softmax"] as? Bool == skipped)
    }
    let refused = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--score", "probability",
    ])
    #expect(refused.code == .usage)
    #expect(refused.errors.contains("has no probability"))
  }

  @Test("the map lies beside the picture, with title and scale")
  func overlay() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "-t", "0", "-o", "@why.png",
    ])
    #expect(result.code == .success)
    #expect(result.output.contains("wrote \(workspace.path("why.png"))"))
    // |w| grows along the picture: the last pixel is the strongest.
    #expect(result.output.contains("2, 3"))
    let picture = try DecodedImage(decoding: try workspace.bytes("why.png"))
    #expect(picture.image.width > 800 && picture.image.height > 300)
    #expect(picture.text.contains { $0.keyword == "Vitrine-Target" && $0.text == "0" })
  }

  @Test("layers are shown as grids, chosen by --layer")
  func activations() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "activations", "--layer", "dense,picture",
      "-o", "@layers",
    ])
    #expect(result.code == .success, "\(result.errors)")
    // The dense layer has no height and width.
    #expect(workspace.contents.contains("layers/picture.png"))
    #expect(result.output.contains("dense [1, 3]: -1 to 46"))
  }

  @Test("rows of a table are ranked, and asking for a picture of them is an error")
  func table() throws {
    try workspace.addTableModel()
    try workspace.write(Tensor([3, 1, 0, 0.25] as [Float]).npyBytes(), as: "row.npy")
    let result = workspace.run(["explain", "@table.onnx", "@row.npy", "-m", "jacobian"])
    #expect(result.code == .success)
    #expect(
      result.output.contains(
        """
          feature  d prediction[0]  d prediction[1]
                3                0                2
                0                1                0
                1               -1                0
                2                0                0
        """))
    let refused = workspace.run([
      "explain", "@table.onnx", "@row.npy", "-m", "jacobian", "-o", "@x",
    ])
    #expect(refused.code == .usage)
    #expect(refused.errors.contains("no picture"))
  }

  @Test("a batch in one array gives one result for each sample")
  func batch() throws {
    try workspace.addTableModel()
    let rows = try Tensor([3, 1, 0, 0.25, 1, 1, 1, 1] as [Float], shape: [2, 4])
    try workspace.write(rows.npyBytes(), as: "rows.npy")
    let object = try workspace.json([
      "explain", "@table.onnx", "@rows.npy", "-m", "saliency", "-t", "1", "--json",
    ])
    let results = try #require(object["results"] as? [[String: Any]])
    #expect(results.compactMap { $0["input"] as? String } == ["rows.npy[0]", "rows.npy[1]"])
    #expect(results.compactMap { ($0["values"] as? [Double])?.first } == [0.5, 2])
  }

  @Test("samples of one array get pictures of their own, and are not drawn over one another")
  func samplePictures() throws {
    let samples = try Tensor((0..<24).map(Float.init), shape: [2, 1, 3, 4])
    try workspace.write(samples.npyBytes(), as: "samples.npy")
    let before = workspace.contents
    let refused = workspace.run([
      "explain", "@linear.onnx", "@samples.npy", "-m", "saliency", "-o", "@why.png",
    ])
    #expect(refused.code == .usage && workspace.contents == before)
    #expect(
      refused.errors.contains("2 samples make several pictures; give a folder"),
      "\(refused.errors)")
    for method in ["saliency", "jacobian"] {
      let result = workspace.run([
        "explain", "@linear.onnx", "@samples.npy", "-m", method, "-o", "@out",
      ])
      #expect(result.code == .success)
    }
    let pictures = workspace.contents.filter { $0.hasPrefix("out/") && $0.hasSuffix(".png") }
    let rows = (0..<3).map { "d_pred_\($0)d_image.png" }
    #expect(
      pictures == [
        "out/samples-0-gradient-magnitude.png"
      ] + rows.map { "out/samples-0-jacobian/" + $0 } + ["out/samples-1-gradient-magnitude.png"]
        + rows.map { "out/samples-1-jacobian/" + $0 })
  }

  @Test("inputs of one name get files of different names")
  func sameNames() throws {
    try FileManager.default.createDirectory(
      atPath: workspace.path("other"), withIntermediateDirectories: true)
    try workspace.addPicture(named: "other/picture.png")
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "@other/picture.png", "-m", "saliency", "-o",
      "@out",
    ])
    #expect(result.code == .success)
    #expect(
      workspace.contents.filter { $0.hasPrefix("out/") } == [
        "out/picture-2-gradient-magnitude.png", "out/picture-gradient-magnitude.png",
      ])
  }

  @Test("equal commands write equal bytes, whatever the threads")
  func determinism() throws {
    var files: [[UInt8]] = []
    var texts: [String] = []
    for threads in ["1", "2", "8"] {
      let result = workspace.run([
        "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--threads", threads, "-o",
        "@same.png",
      ])
      texts.append(result.output)
      files.append(try workspace.bytes("same.png"))
    }
    #expect(Set(texts).count == 1)
    #expect(files.allSatisfy { $0 == files[0] })
  }

  @Test("the options used, with defaults, are part of the answer")
  func provenance() throws {
    let object = try workspace.json([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--set", "channels=max",
      "--seed", "7", "--json",
    ])
    let provenance = try #require(object["provenance"] as? [String: Any])
    #expect(
      provenance["options"] as? [String: String] == [
        "channels": "max", "signed": "false", "sign": "all", "reduce": "sum",
        "layer-norms": "false",
      ])
    #expect(provenance["seed"] as? Int == 7)
    #expect(provenance["vitrine"] as? String == Command.version)
    #expect((provenance["model"] as? [String: Any])?["file"] as? String == "linear.onnx")
  }
}
