import Foundation
import Testing
import VitrineCommand
import VitrineImaging
import VitrineTensor

@Suite("Pictures that methods make")
struct PictureTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
    try workspace.addPicture()
  }

  private func image(_ name: String) throws -> Image {
    try Image(decoding: try workspace.bytes(name))
  }

  @Test("gradient ascent needs no input, and the seed decides what it finds")
  func ascentFromNoise() throws {
    func raw(_ seed: String) throws -> Tensor {
      let result = workspace.run([
        "explain", "@linear.onnx", "--method", "filter-visualization", "--target", "1", "--seed",
        seed, "--raw", "@raw.npy", "--set", "steps=2",
      ])
      #expect(result.code == .success, "\(result.errors)")
      return try Tensor(npy: try workspace.bytes("raw.npy"))
    }
    let first = try raw("1")
    #expect(first.shape.dimensions == [1, 1, 3, 4])
    #expect(try raw("1") == first)
    #expect(try raw("2") != first)
    let needy = workspace.run(["explain", "@linear.onnx", "--method", "saliency"])
    #expect(needy.code == .usage && needy.errors.contains("explain needs INPUT"))
  }

  @Test("the way of an ascent is an animation beside its picture")
  func animation() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "filter-visualization", "-t", "0", "--set",
      "snapshots=4", "--output", "@x.png",
    ])
    #expect(result.code == .success, "\(result.errors)")
    #expect(workspace.contents.filter { $0.hasPrefix("x") } == ["x-animation.png", "x.png"])
    let file = try workspace.bytes("x-animation.png")
    #expect(file.firstRange(of: Array("acTL".utf8) + [0, 0, 0, 4]) != nil)
    _ = try image("x-animation.png")
  }

  @Test("a mask has exactly so many black pixels, in the size of the input")
  func mask() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "gradient-magnitude", "--target", "0",
      "--set", "top=5", "--output", "@why.png",
    ])
    #expect(result.code == .success, "\(result.errors)")
    let mask = try image("why-mask.png")
    #expect(mask.width == 4 && mask.height == 3)
    // Row 0 of the weights grows from 1 to 12: the last five pixels.
    #expect(mask.pixels == [UInt8](repeating: 255, count: 7) + [UInt8](repeating: 0, count: 5))
    #expect(result.output.contains("mask box"))
  }

  @Test("several classes can be weighed against one another")
  func weightedTarget() throws {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--set", "signed=true",
      "--target", "0:1,1:-2", "--raw", "@raw.npy",
    ])
    #expect(result.code == .success, "\(result.errors)")
    let values = try Tensor(npy: try workspace.bytes("raw.npy")).elements(of: Float.self)
    #expect(values == (0..<12).map { Workspace.weights[$0] - 2 * Workspace.weights[12 + $0] })
    #expect(
      result.output.contains("gradient-magnitude of class 0 - 2 * class 1, logit"),
      "\(result.output)")
    let object = try workspace.json([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--target", "0:1,1:-2", "--json",
    ])
    let weights = (object["target"] as? [String: Any])?["weights"] as? [[String: Any]] ?? []
    #expect(weights.compactMap { $0["index"] as? Int } == [0, 1])
    #expect(weights.compactMap { $0["weight"] as? Double } == [1, -2])
  }

  @Test("a layer explained instead of a score is named")
  func layer() {
    let result = workspace.run([
      "explain", "@linear.onnx", "@picture.png", "-m", "saliency", "--layer", "flatten", "-o",
      "@why.png",
    ])
    #expect(
      result.output.contains("gradient-magnitude of layer 'flatten'"), "\(result.output)")
  }

  @Test("compare puts methods side by side, in a strip and on a page")
  func compare() throws {
    let result = workspace.run([
      "compare", "@linear.onnx", "@picture.png", "--methods", "saliency,jacobian", "--target", "0",
      "--set", "saliency.signed=true", "--set", "timing=no", "--output", "@strip.png", "--report",
      "@page.html",
    ])
    // A target chooses one row of the Jacobian.
    #expect(result.code == .success, "\(result.errors)")
    let strip = try image("strip.png")
    #expect(strip.width > 2 * strip.height)
    let page = String(decoding: try workspace.bytes("page.html"), as: UTF8.self)
    #expect(page.contains("signed=true") && page.contains("d prediction[0] / d input"))
    #expect(page.components(separatedBy: "<img").count == 3)
  }

  @Test(
    "compare refuses what no method takes",
    arguments: [
      ([], "compare needs --methods"), (["-m", "saliency,nothing"], "unknown method 'nothing'"),
      (["-m", "saliency", "--set", "jacobian.timing=no"], "none of saliency has this option"),
      (["-m", "jacobian", "--layer", "dense"], "none of jacobian looks at a layer"),
      (["-m", "activations", "--target", "0"], "none of activations explains a score"),
      (["-m", "saliency", "--set", "saliency.signed"], "expected option=value"),
    ])
  func mistakes(_ words: [String], _ message: String) {
    let result = workspace.run(["compare", "@linear.onnx", "@picture.png"] + words)
    #expect(result.code == .usage && result.errors.contains(message), "\(result.errors)")
  }
}
