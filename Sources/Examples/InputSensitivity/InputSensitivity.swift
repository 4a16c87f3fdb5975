// Which pixels matter? Influence of pixels on a class or on a layer, as masks of the strongest.
//
//     swift run -c release InputSensitivity                          on a wide residual network and generated pictures
//     swift run -c release InputSensitivity MODEL.onnx [PICTURE…]    on a trained CIFAR-10 network; asks for pictures
//                                                                    until STOP if none is named
//
// The questions of input-sensitivity (wide residual networks on CIFAR-10), with the answers it wanted: the
// final logit's gradient is finite, and how well masks point at objects is measured.

import Foundation
import Vitrine

@main
struct InputSensitivity {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard let model = arguments.first else {
      let network = try wideResidualNetwork()
      print("WRN-16-4: \(network.parameterCount) parameters, \(network.layers.count) layers")
      var generator = RandomGenerator(seed: 2)
      try profile(network, Inputs(generator.normalTensor(Shape([1, 3, 32, 32])), for: network))
      try pointingGame()
      return
    }
    let network = try Network(ONNX.graph(contentsOf: model))
    if arguments.count > 1 {
      var inputs: Inputs?
      for path in arguments.dropFirst() { inputs = try explain(path, network) }
      if let inputs { try profile(network, inputs) }
    } else {
      print("path of a picture, or STOP:")
      while let line = readLine(), line != "STOP" {
        do {
          _ = try explain(line, network)
        } catch {
          print(error)
        }
        print("path of a picture, or STOP:")
      }
    }
  }

  // MARK: - A picture

  /// Prints what the network sees, and draws the picture, what the network gets of it, and the mask of the
  /// hundred pixels with the most influence.
  ///
  /// - Returns: What the network gets.
  private static func explain(_ path: String, _ network: Network) throws -> Inputs {
    let picture = try Image(contentsOf: path)
    let pixels = try Preprocessing.cifar10.apply(to: picture, channels: 3, width: 32, height: 32)
    let inputs = try Inputs(Tensor(pixels.values, shape: [1, 3, 32, 32]), for: network)

    let output = Site.output(network.signature.outputs[0].name)
    let logits = try network.evaluate(inputs, observing: [output])[0].elements(of: Float.self)
    let probabilities = softmax(logits.map(Double.init))
    let best = probabilities.indices.max { probabilities[$0] < probabilities[$1] } ?? 0
    print(
      "There's about a \(percent(probabilities[best])) chance that there is at least one "
        + "\(CIFAR.classes[best]) in the image")
    for (name, probability) in zip(CIFAR.classes, probabilities) {
      print("  \(percent(probability)) \(name)")
    }

    // |Σ_c ∂y/∂x_c|: channels are added, then the sign is dropped, as the source does.
    let explanation = try MethodCatalog.standard.explainer(
      named: "gradient-magnitude", options: ["channels": "sum-then-abs", "top": "100"]
    ).explain(
      network, at: inputs, target: .top, context: Context(labels: CIFAR.classes))
    guard let mask = explanation.attributions.first(where: { $0.range == .mask }) else {
      return inputs
    }
    let chosen = try mask.tensor.converted(to: .float32).elements(of: Float.self)
    let strip = try Image.strip(
      [
        picture.resized(width: 224, height: 224, interpolation: .bilinear),
        picture.resized(width: 32, height: 32, interpolation: .bilinear).magnified(by: 7),
        Image(width: 32, height: 32, channels: 1, pixels: chosen.map { $0 > 0 ? 0 : 255 })
          .magnified(by: 7),
      ], gap: 6)
    let name = path.split(separator: "/").last?.split(separator: ".").first ?? "picture"
    try strip.write(to: "\(name)-mask.png")
    print("wrote \(name)-mask.png: \(chosen.count { $0 > 0 }) pixels of 1,024\n")
    return inputs
  }

  private static func percent(_ probability: Double) -> String {
    let thousandths = Int((probability * 100_000).rounded())
    let fraction = String(thousandths % 1000)
    return "\(thousandths / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)%"
  }

  private static func softmax(_ logits: [Double]) -> [Double] {
    let largest = logits.max() ?? 0
    let powers = logits.map { exp($0 - largest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  // MARK: - A wide residual network

  /// WRN-16-4: 16 layers, four times as wide as a residual network.
  ///
  /// Source: Zagoruyko, Komodakis, "Wide Residual Networks" (BMVC 2016), table 1.
  private static func wideResidualNetwork() throws -> Network {
    func convolution(_ filters: Int, stride: Int = 1, kernel: Int = 3) -> Conv2D {
      Conv2D(
        filters, kernel: kernel, stride: stride, padding: .number(kernel / 2), hasBias: false,
        weights: .heNormal)
    }
    func block(_ name: String, _ filters: Int, stride: Int, widens: Bool) -> any Block {
      widens
        ? Sequential(name) {
          BatchNorm()
          Activation(.relu)
          Residual {
            convolution(filters, stride: stride)
            BatchNorm()
            Activation(.relu)
            convolution(filters)
          } shortcut: {
            convolution(filters, stride: stride, kernel: 1)
          }
        }
        : Residual(name) {
          BatchNorm()
          Activation(.relu)
          convolution(filters)
          BatchNorm()
          Activation(.relu)
          convolution(filters)
        }
    }
    return try Network(input: [3, 32, 32], name: "image", output: "logits", seed: 1) {
      convolution(16)
      for (group, filters) in [64, 128, 256].enumerated() {
        block("block\(group + 1).1", filters, stride: group == 0 ? 1 : 2, widens: true)
        block("block\(group + 1).2", filters, stride: 1, widens: false)
      }
      BatchNorm()
      Activation(.relu)
      GlobalAveragePool()
      Flatten()
      Dense(10)
    }
  }

  // MARK: - From layer to layer

  /// Prints for every rectifier how long the gradient of the top logit is there, finite in inference mode,
  /// and how strongly the sum of its own outputs reacts to the pixels.
  private static func profile(_ network: Network, _ inputs: Inputs) throws {
    func magnitude(_ options: [String: String]) throws -> Explanation {
      try MethodCatalog.standard.explainer(named: "gradient-magnitude", options: options)
        .explain(network, at: inputs, target: .top, context: Context())
    }
    let diagnostics = try magnitude(["layer-norms": "true"]).diagnostics
    guard case .texts(let names)? = diagnostics.first(where: { $0.name == "layers" })?.value,
      case .numbers(let norms)? = diagnostics.first(where: { $0.name == "layer-gradient-norms" })?
        .value
    else { return }
    let lengths = Dictionary(uniqueKeysWithValues: zip(names, norms))
    let layers = network.layers.filter { $0.kind == "Relu" && lengths[$0.name] != nil }
    let width = layers.map(\.name.count).max() ?? 0
    func column(_ text: String) -> String {
      "  " + text.padding(toLength: width, withPad: " ", startingAt: 0)
    }
    print(column("layer") + "  gradient of the logit  reaction to a pixel")
    for layer in layers {
      let map = try magnitude(["layer": layer.name, "channels": "sum-then-abs"])
        .attribution.tensor.elements(of: Float.self)
      let mean = map.reduce(0) { $0 + Double($1) } / Double(map.count)
      print(
        column(layer.name)
          + String(format: "  %21.5f  %19.2f", lengths[layer.name] ?? .nan, mean))
    }
  }

  // MARK: - How well does it point?

  /// Trains a small network on generated pictures with known masks, and counts how often the strongest
  /// pixel lies on the shape; a random map is the control.
  private static func pointingGame() throws {
    var generator = RandomGenerator(seed: 3)
    let scenes = try ShapeScene.scenes(1200, using: &generator)
    let (training, test) = try ShapeScene.dataSet(of: scenes).split(at: 1000)
    let untrained = try Network(input: [3, ShapeScene.side, ShapeScene.side], seed: 3) {
      for filters in [16, 32, 48] {
        Conv2D(filters, kernel: 3, padding: .same, hasBias: false)
        BatchNorm()
        Activation(.relu)
        MaxPool2D(2)
      }
      Conv2D(64, kernel: 3, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu)
      GlobalAveragePool()
      Dense(5)
    }
    var trainer = try Trainer(
      untrained, loss: .crossEntropy(), optimizer: .adam(learningRate: 4e-3),
      metrics: [.accuracy], seed: 3)
    trainer.schedule = .cosine(epochs: 10)
    try trainer.fit(training, epochs: 10, batchSize: 32, callbacks: [.progressBar()])
    let network = trainer.network
    print(
      "\npointing game on \(test.count) pictures of shapes, accuracy \(try trainer.evaluate(test).metrics[.accuracy] ?? 0)"
    )

    let maps = try MethodCatalog.standard.explainer(
      named: "gradient-magnitude", options: ["channels": "sum-then-abs"]
    ).explain(network, at: Inputs(test.inputs, for: network), target: .top, context: Context())
      .attribution.tensor.elements(of: Float.self)
    let pixels = ShapeScene.side * ShapeScene.side
    func hits(_ map: (Int) -> [Float]) -> Int {
      (0..<test.count).count { sample in
        MaskAgreement(map: map(sample), mask: scenes[1000 + sample].mask(margin: 2))?.isHit == true
      }
    }
    print(
      "  gradient  \(hits { Array(maps[$0 * pixels..<($0 + 1) * pixels]) }) of \(test.count) on the shape or its rim"
    )
    print(
      "  random    \(hits { _ in (0..<pixels).map { _ in generator.uniformFloat() } }) of \(test.count)"
    )
  }
}
