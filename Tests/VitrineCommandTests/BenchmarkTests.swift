import Foundation
import Testing
import VitrineCommand
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("vitrine benchmark")
struct BenchmarkTests {
  let workspace: Workspace

  init() throws {
    workspace = try Workspace()
    try workspace.addLinearModel()
  }

  @Test("its JSON has the figures that scripts read")
  func figures() throws {
    let object = try workspace.json([
      "benchmark", "@linear.onnx", "--batch", "2", "--threads", "1", "--json",
    ])
    #expect(object["schema"] as? Int == 1)
    #expect(object["task"] as? String == "forward")
    #expect(object["seed"] as? Int == 0)
    let median = try #require(object["median"] as? Double)
    let fastest = try #require(object["min"] as? Double)
    #expect(fastest > 0 && median >= fastest)
    #expect(try #require(object["peak_rss_bytes"] as? Int) > 1 << 20)
    #expect(try #require(object["working_bytes"] as? Int) > 0)
    #expect(try #require(object["repeats"] as? Int) >= 5)
  }

  @Test(
    "tasks with a layer, a channel or all outputs run as peers are asked",
    arguments: [
      "smoothgrad --set samples=2", "guided-grad-cam --layer maps", "jacobian",
      "filter-visualization --layer maps --set channel=0 --set steps=2",
      "gradient-magnitude --layer maps",
    ])
  func tasks(_ task: String) throws {
    try workspace.addConvolutionModel()
    let words = task.split(separator: " ").map(String.init)
    let result = workspace.run(["benchmark", "@convolution.onnx", "--task"] + words)
    #expect(result.code == .success, "\(result.errors)")
    #expect(result.output.hasPrefix("\(words[0]) of convolution.onnx, batch 1: median "))
  }

  @Test("the layers of a task are listed in order, with time, speed and kernels")
  func layers() throws {
    try workspace.addConvolutionModel()
    let object = try workspace.json([
      "benchmark", "@convolution.onnx", "--task", "gradient-magnitude", "--layers", "--json",
    ])
    let layers = try #require(object["layers"] as? [String: Any])
    let list = try #require(layers["list"] as? [[String: Any]])
    let forward = list.filter { $0["backward"] as? Bool == false }
    #expect(forward.compactMap { $0["what"] as? String }.starts(with: ["Conv+Relu"]))
    #expect(
      list.contains { $0["backward"] as? Bool == true && $0["what"] as? String == "Conv+Relu" })
    let convolution = try #require(forward.first)
    // 3 channels of 3x3 taps for each of 4 x 8 x 8 outputs.
    #expect(convolution["multiply_adds"] as? Int == 27 * 256)
    #expect((convolution["flops"] as? Double ?? 0) > 0)
    let seconds = list.compactMap { $0["seconds"] as? Double }
    #expect(seconds.count == list.count && seconds.allSatisfy { $0 >= 0 })
    let total = try #require(layers["seconds_in_layers"] as? Double)
    #expect(abs(seconds.reduce(0, +) - total) < 1e-12)
    #expect((layers["peak_flops"] as? Double ?? 0) > 1e8)
  }

  @Test("a network in double precision has no plan whose layers could be timed")
  func doublePrecision() {
    let result = workspace.run([
      "benchmark", "@linear.onnx", "--layers", "--precision", "double",
    ])
    #expect(result.code == .usage)
    #expect(result.errors.contains("leave --precision double out"))
  }

  @Test("training takes no option of methods, and no more memory than is allowed")
  func training() throws {
    let words = ["benchmark", "@linear.onnx", "--task", "train"]
    for extra in [["--layer", "dense"], ["--set", "steps=2"], ["--target", "1"], ["--layers"]] {
      let result = workspace.run(words + extra)
      #expect(result.code == .usage)
      #expect(result.errors.contains("--task train takes no \(extra[0])"))
    }
    let result = workspace.run(words + ["--memory-limit", "1K"])
    #expect(result.code == .usage)
    #expect(result.errors.contains("train generates 60,000 samples of "))
  }

  @Test("what does not go together is refused")
  func refusals() {
    for words in [["@linear.onnx", "--machine"], ["--machine", "--layers"], []] {
      #expect(workspace.run(["benchmark"] + words).code == .usage)
    }
  }
}
