import Foundation
import Testing
import VitrineCore
import VitrineLayers
import VitrineNetwork
import VitrineONNX
import VitrineTensor
import VitrineTestSupport

@Suite("Layers")
struct LayerTests {
  /// Σ output · weight with weights that depend on the place only.
  private func probe(_ tensor: Tensor) throws -> Double {
    let numbers = try tensor.converted(to: .float64).elements(of: Double.self)
    return numbers.enumerated().reduce(0) { sum, element in
      sum + element.element * Double(element.offset * 37 % 101 - 50) / 50
    }
  }

  /// Docs/Development/check_onnx.py prints the probes.
  @Test(
    "outputs are those of onnxruntime, in single and double precision", arguments: LayerExample.all)
  func onnxruntime(_ example: LayerExample) throws {
    let expected = try #require(onnxruntimeProbes[example.testDescription])
    for precision in [Network.Precision.single, .double] {
      let network = try example.network(precision: precision)
      let output = try network.evaluate(
        Inputs(example.input(samples: 3), for: network),
        observing: [.output(network.signature.outputs[0].name)])[0]
      #expect(abs(try probe(output) - expected) < 2e-5 * max(1, abs(expected)), "\(precision)")
    }
  }

  @Test(
    "a network written as ONNX and read back computes the same bits", arguments: LayerExample.all)
  func roundTrip(_ example: LayerExample) throws {
    let network = try example.network()
    let folder = NSTemporaryDirectory() + "vitrine-layers-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try ONNX.write(network, to: folder + "/network.onnx")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["network.onnx"])
    let read = try Network(ONNX.graph(contentsOf: folder + "/network.onnx"))
    #expect(read.layers.map(\.name) == network.layers.map(\.name))
    #expect(read.graph.constants == network.graph.constants)
    #expect(read.signature.inputs[0].dimensions.first == .some(nil))
    for samples in [1, 3] {
      let x = try example.input(samples: samples)
      let outputs = try [network, read].map {
        try $0.evaluate(
          Inputs(x, for: $0), observing: [.output($0.signature.outputs[0].name)])[0]
      }
      #expect(outputs[0] == outputs[1])
      #expect(outputs[0].shape[0] == samples)
    }
  }

  @Test("a sample's result does not depend on the batch it is in", arguments: LayerExample.all)
  func batches(_ example: LayerExample) throws {
    let network = try example.network()
    let site = Site.output(network.signature.outputs[0].name)
    let x = try example.input(samples: 3)
    let together = try network.evaluate(Inputs(x, for: network), observing: [site])[0]
    for sample in 0..<3 {
      let one = try x.sliced(axis: 0, sample..<sample + 1)
      let alone = try network.evaluate(Inputs(one, for: network), observing: [site])[0]
      let row = try together.sliced(axis: 0, sample..<sample + 1)
      #expect(try relativeDistance(alone, row) < 1e-6)
    }
  }

  @Test("the gradient is that of central differences", arguments: LayerExample.all)
  func gradient(_ example: LayerExample) throws {
    guard example.dataType == .float32 else { return }
    let network = try example.network(precision: .double)
    let x = try example.input(samples: 1).converted(to: .float64)
    let inputs = try Inputs(x, for: network)
    let site = Site.output(network.signature.outputs[0].name)
    let output = try network.evaluate(inputs, observing: [site])[0]
    let cotangent = try Tensor.random(output.shape.dimensions, seed: 5, .float64)
    let objective = Objective(site, .cotangent(cotangent))
    let found = try network.gradients(
      of: objective, withRespectTo: [.input("input")], at: inputs, rules: .gradient)
    let expected = try network.centralDifferences(
      of: objective, withRespectTo: "input", at: inputs)
    #expect(try relativeDistance(found.tensors[0], expected) < 1e-6)
  }

  /// The files that Docs/Development/check_onnx.py runs in onnxruntime.
  @Test(
    "files for onnxruntime are written where VITRINE_LAYER_FILES says",
    .enabled(if: ProcessInfo.processInfo.environment["VITRINE_LAYER_FILES"] != nil))
  func files() throws {
    let folder = try #require(ProcessInfo.processInfo.environment["VITRINE_LAYER_FILES"])
    for example in LayerExample.all {
      let network = try example.network()
      let x = try example.input(samples: 3)
      let output = try network.evaluate(
        Inputs(x, for: network), observing: [.output(network.signature.outputs[0].name)])[0]
      let path = folder + "/" + example.testDescription
      try ONNX.write(network, to: path + ".onnx")
      try Data(x.npyBytes()).write(to: URL(fileURLWithPath: path + ".input.npy"))
      try Data(output.npyBytes()).write(to: URL(fileURLWithPath: path + ".output.npy"))
    }
  }
}
