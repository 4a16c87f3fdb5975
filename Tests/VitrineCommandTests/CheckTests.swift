import Testing
import Vitrine
import VitrineCommand
import VitrineLayers
import VitrineNetwork
import VitrineONNX
import VitrineSafetensors
import VitrineTensor

@Suite("vitrine check")
struct CheckTests {
  private let workspace: Workspace
  private let network: Network

  init() throws {
    workspace = try Workspace()
    network = try Network(input: [3], seed: 5) {
      Dense(4, activation: .relu)
      Dense(2)
    }
    try ONNX.write(network, to: workspace.folder + "/a.onnx")
    try network.writeParameters(to: workspace.folder + "/a.safetensors")
  }

  @Test("models with the same parameters agree, in either format")
  func same() {
    for (a, b) in [("a.onnx", "a.onnx"), ("a.onnx", "a.safetensors"), ("a.safetensors", "a.onnx")] {
      let result = workspace.run(["check", "@" + a, "@" + b])
      #expect(result.code == .success)
      #expect(
        result.output
          == "\(a) and \(b) agree: 26 parameters in 4 tensors, largest absolute difference 0\n")
    }
  }

  @Test("a changed weight is named, with its difference")
  func changed() throws {
    var parameters = network.parameters
    try parameters["dense1.weight"]?.withMutableElements(of: Float.self) { $0[5] += 0.25 }
    try Safetensors.write(parameters, to: workspace.folder + "/b.safetensors")
    let result = workspace.run(["check", "@a.onnx", "@b.safetensors"])
    #expect(result.code == .different)
    #expect(
      result.errors.contains(
        "parameter 'dense1.weight' differs: largest absolute difference 0.25, allowed 0"))
    let json = workspace.run(["check", "@a.onnx", "@b.safetensors", "--json"])
    #expect(json.code == .different)
    #expect(json.output.contains("\"same\": false"))
    #expect(json.output.contains("\"largest_difference_in\": \"dense1.weight\""))
    let tolerated = workspace.run(["check", "@a.onnx", "@b.safetensors", "--tolerance", "0.26"])
    #expect(tolerated.code == .success)
  }

  @Test("other numbers of parameters, names and shapes are told")
  func others() throws {
    var parameters = network.parameters
    parameters["dense2.bias"] = nil
    try Safetensors.write(parameters, to: workspace.folder + "/b.safetensors")
    let fewer = workspace.run(["check", "@a.onnx", "@b.safetensors"])
    #expect(fewer.code == .different)
    #expect(
      fewer.errors.contains(
        "a.onnx has 26, b.safetensors 24; 'dense2.bias' is in a.onnx only, not in b.safetensors"))
    parameters["dense2.bias"] = Tensor([Float(0)])
    try Safetensors.write(parameters, to: workspace.folder + "/c.safetensors")
    let shorter = workspace.run(["check", "@a.onnx", "@c.safetensors"])
    #expect(shorter.code == .different)
    #expect(
      shorter.errors.contains(
        "parameter 'dense2.bias' differs: shape [2] in a.onnx, [1] in c.safetensors"))
  }

  @Test("files that are not there or damaged, and senseless tolerances, have their own exit codes")
  func failures() throws {
    #expect(workspace.run(["check", "@a.onnx", "@no.onnx"]).code == .noInput)
    try workspace.write([1, 2, 3], as: "bad.safetensors")
    #expect(workspace.run(["check", "@a.onnx", "@bad.safetensors"]).code == .badData)
    #expect(workspace.run(["check", "@a.onnx"]).code == .usage)
    #expect(workspace.run(["check", "@a.onnx", "@a.onnx", "--tolerance", "-1"]).code == .usage)
  }
}
