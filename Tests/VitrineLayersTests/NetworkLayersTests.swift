import Testing
import VitrineCore
import VitrineLayers
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

@Suite("Networks from layers")
struct NetworkLayersTests {
  static func lenet(seed: UInt64 = 0) throws -> Network {
    try Network(input: [1, 28, 28], seed: seed) {
      Conv2D(6, kernel: 5, activation: .relu)
      MaxPool2D(2)
      Conv2D(16, kernel: 5, activation: .relu)
      MaxPool2D(2)
      Flatten()
      Dense(120, activation: .relu)
      Dense(84, activation: .relu)
      Dense(10)
    }
  }

  @Test("LeNet-5 has 44,426 parameters")
  func parameterCount() throws {
    #expect(try Self.lenet().parameterCount == 44_426)
  }

  @Test("multiply-adds count every weight once for each place it is used")
  func multiplyAdds() throws {
    // 24² · 150 + 8² · 2,400 + 30,720 + 10,080 + 840
    #expect(try Self.lenet().multiplyAdds() == 86_400 + 153_600 + 41_640)
    // 5 steps · 4 gates · 6 units · (3 inputs + 6 units)
    #expect(try Network(input: [5, 3]) { LSTM(6) }.multiplyAdds() == 1080)
  }

  @Test("layers are sites under automatic names that count by kind")
  func names() throws {
    let network = try Self.lenet()
    #expect(
      network.layers.map(\.name) == [
        "conv1", "relu1", "maxpool1", "conv2", "relu2", "maxpool2", "flatten1", "dense1", "relu3",
        "dense2", "relu4", "dense3",
      ])
    #expect(network.layers[0].dimensions == [1, 6, 24, 24])
    #expect(network.signature.inputs[0].dimensions == [nil, 1, 28, 28])
    #expect(network.signature.outputs[0].name == "dense3")
    #expect(
      network.graph.constants.keys.sorted() == [
        "conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight", "dense1.bias",
        "dense1.weight", "dense2.bias", "dense2.weight", "dense3.bias", "dense3.weight",
      ])
  }

  @Test("given names hold, and named blocks prefix the names inside them")
  func givenNames() throws {
    let network = try Network(input: [2, 4, 4], output: "logits") {
      Conv2D(4, kernel: 1, name: "stem")
      Residual("block") {
        Conv2D(4, kernel: 3, padding: .same, activation: .relu)
        Conv2D(4, kernel: 3, padding: .same)
      }
      Residual { Activation(.tanh) }
      GlobalAveragePool()
      Dense(3, name: "head")
    }
    #expect(
      network.layers.map(\.name) == [
        "stem", "block.conv1", "block.relu1", "block.conv2", "block.add1", "tanh1", "add1",
        "globalaveragepool1/globalaveragepool", "globalaveragepool1", "head",
      ])
    #expect(network.signature.outputs[0].name == "logits")
    #expect(network.graph.constants["block.conv2.weight"] != nil)
    #expect(throws: LayerError.repeatedName("a")) {
      try Network(input: [2]) {
        Dense(2, name: "a")
        Dense(2, name: "a")
      }
    }
  }

  @Test("loops and conditions build blocks")
  func controlFlow() throws {
    let isDeep = true
    let network = try Network(input: [4]) {
      for units in [8, 6] { Dense(units, activation: .relu) }
      if isDeep { Dense(5) } else { Dense(4) }
      if !isDeep { Dense(3) }
    }
    #expect(network.layers.last?.dimensions == [1, 5])
  }

  @Test("the same seed gives the same parameters, another seed others")
  func seeds() throws {
    let (a, b, c) = (
      try Self.lenet(seed: 3).graph, try Self.lenet(seed: 3).graph, try Self.lenet(seed: 4).graph
    )
    #expect(a.constants == b.constants)
    #expect(a.constants["dense1.weight"] != c.constants["dense1.weight"])
    #expect(a.constants["dense1.bias"] == c.constants["dense1.bias"])
    // Layers that come before do not change a layer's numbers.
    let short = try Network(input: [84], seed: 3) { Dense(10, name: "dense3") }
    #expect(short.graph.constants["dense3.weight"] == a.constants["dense3.weight"])
  }

  @Test("a layer that does not fit is named, with what was expected and found")
  func misfits() throws {
    func message(
      _ shape: [Int], _ type: DataType = .float32, @BlockBuilder _ layers: () -> [any Block]
    ) -> String {
      do {
        _ = try Network(input: shape, of: type, layers: layers)
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      message([3, 8, 8]) {
        Conv2D(4, kernel: 3)
        Flatten()
        Conv2D(4, kernel: 3)
      } == "layer 'conv2': expected input [channel, height, width], found [144]")
    #expect(
      message([3, 4, 4]) { MaxPool2D(5) }
        == "layer 'maxpool1': a window of extent 5 does not fit into input [3, 4, 4]")
    #expect(
      message([3, 4, 4]) { Conv2D(4, kernel: 1, groups: 2) }
        == "layer 'conv1': expected groups that divide 3 channels and 4 filters, found 2")
    #expect(
      message([2, 4, 4]) { Residual { Conv2D(3, kernel: 1) } }
        == "layer 'add1': expected blocks and shortcut of one shape, found [3, 4, 4] and [2, 4, 4]")
    #expect(
      message([2, 4, 4]) {
        Concatenate {
          Conv2D(3, kernel: 1)
          Conv2D(3, kernel: 2)
        }
      }
        == "layer 'concatenate1': expected branches alike except along axis 0, found [3, 4, 4] and "
        + "[3, 3, 3]")
    #expect(
      message([5]) { Embedding(10, features: 3) }
        == "layer 'embedding1': expected integers, found float32: give the network's input the "
        + "type int64")
    #expect(
      message([5, 6]) { MultiHeadAttention(heads: 4) }
        == "layer 'attention1': expected a number of heads that divides 6 features, found 4")
    #expect(
      message([12]) { Reshape([5, -1]) }
        == "layer 'reshape1': expected extents of 12 elements as in the input [12], found [5, -1]")
    #expect(
      message([12]) { LSTM(3) }
        == "layer 'lstm1': expected real input [step, feature], found float32 [12]")
    #expect(message([12]) { Dense(0) } == "layer 'dense1': expected at least 1 unit, found 0")
    #expect(
      message([12]) { Dropout(1) }
        == "layer 'dropout1': expected a rate of at least 0 and below 1, found 1.0")
    #expect(message([12]) {} == "a network needs at least one layer")
    #expect(
      message([0]) { Dense(1) } == "layer 'input': expected extents of at least 1, found [0]")
  }
}
