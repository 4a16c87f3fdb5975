// The Jacobian of a network: which inputs move which outputs?
//
//     swift run -c release AugNet                          builds, trains and saves a network, then asks
//     swift run -c release AugNet MODEL.onnx PICTURE [DIR] asks a trained one about a picture
//
// The two modes of aug-net (github.com/nima-siboni/aug-net), here without any model code for the second.

import Foundation
import Vitrine

@main
struct AugNet {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.count >= 2 {
      try explain(
        model: arguments[0], picture: arguments[1],
        folder: arguments.count > 2 ? arguments[2] : "derivatives")
    } else {
      try buildTrainExplain(epochs: arguments.first.flatMap { Int($0) } ?? 1000)
    }
  }

  // MARK: - Mode 1: a new model

  /// Learns y = (sin(x₁x₂), cos(x₃x₄)) and compares the network's Jacobian with two others.
  private static func buildTrainExplain(epochs: Int) throws {
    var generator = RandomGenerator(seed: 1)
    let data = try SineCosine.dataSet(count: 1000, using: &generator)
    let untrained = try Network(
      input: [4], name: "x", output: "y", seed: 1, configuration: .init(precision: .double)
    ) {
      Dense(64, activation: .sigmoid)
      Dense(32, activation: .sigmoid)
      Dense(16, activation: .sigmoid)
      Dense(2)
    }
    var trainer = try Trainer(
      untrained, loss: .meanSquaredError, optimizer: .adam(learningRate: 1e-4), seed: 1)
    let before = try trainer.evaluate(data).loss
    try trainer.fit(data, epochs: epochs, batchSize: 32, callbacks: [.progressBar()])
    print("mean squared error \(before) before, \(try trainer.evaluate(data).loss) after training")

    // Saved and loaded, it is the same network: no model code is needed to load it.
    let network = trainer.network
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("augnet.onnx").path
    try ONNX.write(network, to: path)
    let loaded = try Network(
      ONNX.graph(contentsOf: path), configuration: .init(precision: .double))
    let point = try Inputs(
      Tensor([0.5, -0.25, 0.75, 0.5], shape: [1, 4]), for: network)
    let prediction = try network.evaluate(point, observing: [.output("y")])[0]
    let again = try loaded.evaluate(point, observing: [.output("y")])[0]
    print(
      "prediction \(try prediction.elements(of: Double.self)), after loading the same: \(prediction == again)"
    )

    // dY/dX three ways: backwards through the network, by central differences, and in closed form.
    let automatic = try jacobian(of: loaded, at: point, ["mode": "reverse"])
    let differences = try jacobian(
      of: loaded, at: point, ["mode": "finite-difference", "epsilon": "1e-5"])
    let truth = SineCosine.jacobian(at: [0.5, -0.25, 0.75, 0.5]).flatMap { $0 }
    print("\n  output input   automatic differentiation   central difference      of the function")
    for index in automatic.indices {
      print(
        "  \(index / 4)      \(index % 4)       \(automatic[index])   \(differences[index])   \(truth[index])"
      )
    }
    let error = zip(automatic, differences).map { abs($0 - $1) }.max() ?? 0
    print("largest difference between the first two: \(error)")
  }

  private static func jacobian(
    of network: Network, at point: Inputs, _ options: [String: String]
  ) throws -> [Double] {
    try MethodCatalog.standard.explainer(named: "jacobian", options: options)
      .explain(network, at: point, target: .top, context: Context())
      .attribution.tensor.elements(of: Double.self)
  }

  // MARK: - Mode 2: a trained model

  /// Writes the derivative of every output by every pixel as a picture of its own.
  private static func explain(model: String, picture: String, folder: String) throws {
    let network = try Network(ONNX.graph(contentsOf: model))
    let port = network.signature.inputs[0]
    let extents = port.dimensions.dropFirst().map { $0 ?? 224 }
    let isGray = extents.count == 2 || extents[0] == 1
    let photo = try Image(contentsOf: picture)
    var preprocessing = Preprocessing.unit
    preprocessing.fitting = .squareThenScale
    preprocessing.interpolation = .nearest
    let pixels = try preprocessing.apply(
      to: photo, channels: isGray ? 1 : 3, width: extents[extents.count - 1],
      height: extents[extents.count - 2])
    let inputs = try Inputs(Tensor(pixels.values, shape: [1] + extents), for: network)

    let explanation = try MethodCatalog.standard.explainer(named: "jacobian")
      .explain(network, at: inputs, target: .top, context: Context())
    for (name, value) in explanation.diagnostics {
      switch value {
      case .number(let number): print("\(name): \(number)")
      case .text(let text): print("\(name): \(text)")
      case .texts(let lines): print("\(name):\n  " + lines.prefix(13).joined(separator: "\n  "))
      case .numbers: break
      }
    }

    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let shape = explanation.attribution.tensor.shape.dimensions
    for output in 0..<shape[1] {
      let row = try explanation.attribution.tensor.select(axis: 1, index: output)
      let map = try HeatMap(
        width: shape[shape.count - 1], height: shape[shape.count - 2],
        values: Array(row.elements(of: Float.self).prefix(shape.suffix(2).reduce(1, *))))
      try map.rendered().titled("d prediction[\(output)] / d input")
        .write(to: folder + "/d_pred_\(output)d_image.png")
    }
    print("wrote \(shape[1]) pictures to \(folder)")
  }
}
