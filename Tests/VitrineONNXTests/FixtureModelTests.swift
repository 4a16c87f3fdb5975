import Testing
import VitrineNetwork
import VitrineONNX
import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The folder of trained models, if it is there.
private let modelFolder: String? = {
  let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  let configured = getenv("VITRINE_FIXTURES").map { String(cString: $0) }
  let folder = (configured ?? "/" + root + "/../shared/fixtures") + "/models"
  return access(folder, R_OK) == 0 ? folder : nil
}()

@Suite("Trained models", .enabled(if: modelFolder != nil, "the fixtures are not there"))
struct FixtureModelTests {
  struct Model: Sendable, CustomTestStringConvertible {
    let name: String
    let opset: Int
    let nodes: Int
    let constants: Int
    let parameters: Int
    let input: String
    let output: String

    var testDescription: String { name }
  }

  // Counted with onnx 1.23.2: nodes, initializers, and the elements of all initializers.
  static let models = [
    Model("augnet", 17, 32, 30, 318105, "geometry", "dense_3"),
    Model("captum_cifar_cnn", 17, 12, 10, 62006, "image", "logits"),
    Model("iris_mlp", 17, 7, 8, 411, "features", "logits"),
    Model("lenet_mnist", 17, 12, 10, 44426, "image", "logits"),
    Model("mnist_lstm", 17, 19, 5, 15466, "image", "logits"),
    Model("mnist_vit", 17, 171, 32, 19658, "image", "logits"),
    Model("resnet20_cifar10", 17, 130, 97, 271098, "image", "logits"),
    Model("resnet20_cifar10_folded", 17, 111, 40, 269034, "image", "logits"),
    Model("squeezenet_imagenet", 7, 66, 52, 1_235_496, "data_0", "softmaxout_1"),
    Model("squeezenet_imagenet_fp16weights", 9, 118, 52, 1_235_496, "data_0", "softmaxout_1"),
    Model("titanic_quantus", 17, 6, 6, 278, "features", "probs"),
  ]

  @Test("are read as the onnx package reads them", arguments: models)
  func reads(model: Model) throws {
    let graph = try ONNX.graph(contentsOf: "\(modelFolder ?? "")/\(model.name).onnx")
    #expect(graph.opset == model.opset)
    #expect(graph.nodes.count == model.nodes)
    #expect(graph.constants.count == model.constants)
    #expect(graph.constants.values.reduce(0) { $0 + $1.count } == model.parameters)
    #expect(graph.inputs.map(\.name) == [model.input])
    #expect(graph.outputs.map(\.name) == [model.output])
    let hasHalves = model.name == "squeezenet_imagenet_fp16weights"
    #expect(graph.notes.count == (hasHalves ? 1 : 0))
  }

  @Test("have the same weights in half precision as widened by others")
  func halves() throws {
    let folder = try #require(modelFolder)
    let widened = try ONNX.graph(contentsOf: folder + "/squeezenet_imagenet.onnx").constants
    let halves = try ONNX.graph(contentsOf: folder + "/squeezenet_imagenet_fp16weights.onnx")
      .constants
    let tensors = { (constants: [String: Tensor]) in
      constants.values.filter { $0.dataType == .float32 }.map { tensor in
        tensor.withBytes { $0.reduce(into: UInt64(tensor.count)) { $0 = $0 &* 31 &+ UInt64($1) } }
      }.sorted()
    }
    #expect(tensors(widened) == tensors(halves))
  }

  @Test("survive being written and read back", arguments: ["mnist_vit", "iris_mlp", "mnist_lstm"])
  func roundTrip(name: String) throws {
    let graph = try ONNX.graph(contentsOf: "\(modelFolder ?? "")/\(name).onnx")
    let copy = try ONNX.graph(bytes: ONNX.bytes(of: graph), folder: nil)
    #expect(copy.constants == graph.constants)
    #expect(copy.nodes.map(\.inputs) == graph.nodes.map(\.inputs))
    #expect(copy.inputs == graph.inputs && copy.outputs == graph.outputs)
  }
}

extension FixtureModelTests.Model {
  fileprivate init(
    _ name: String, _ opset: Int, _ nodes: Int, _ constants: Int, _ parameters: Int,
    _ input: String, _ output: String
  ) {
    self.init(
      name: name, opset: opset, nodes: nodes, constants: constants, parameters: parameters,
      input: input, output: output)
  }
}
