import VitrineCore
import VitrineData
import VitrineNetwork
import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A small convolutional network for ``ShapeScene``, made in a second without gradient descent.
///
/// Edges in eight directions, then parts of shapes, then their mean over the picture, then a linear
/// layer. The edge filters are written down; the filters for parts are pieces of edge maps picked at
/// random from the training pictures (Coates, Ng, "Learning Feature Representations with K-Means",
/// 2012, §4: patches alone do nearly as well); the linear layer is solved by ridge regression.
struct ShapeNetwork {
  private static let edgeCount = 8
  private static let edgeSize = 5
  private static let partCount = 64
  private static let partSize = 7
  /// Pixels of each side of the edge maps.
  private static let mapSide = ShapeScene.side / 2
  /// Turns regression scores, which spread over about 1, into logits.
  private static let sharpness = 8.0

  let graph: Graph
  let network: Network

  /// Makes a network from labelled pictures.
  ///
  /// - Parameter batches: Called between batches of pictures; throw to stop.
  static func trained(
    on scenes: [ShapeScene], configuration: Network.Configuration,
    generator: inout RandomGenerator, between batches: () throws -> Void
  ) throws -> ShapeNetwork {
    func values(_ layer: String, of scenes: ArraySlice<ShapeScene>, _ network: Network) throws
      -> [Tensor]
    {
      try stride(from: scenes.startIndex, to: scenes.endIndex, by: 40).map { start in
        try batches()
        let batch = Array(scenes[start..<min(start + 40, scenes.endIndex)])
        return try network.evaluate(
          Inputs(ShapeScene.tensor(of: batch), for: network), observing: [.layer(layer)])[0]
      }
    }
    var parts = Convolution(
      weights: [Float](
        repeating: 0, count: partCount * edgeCount * partSize * partSize),
      biases: [Float](repeating: 0, count: partCount))
    var head = RidgeRegression.Layer(outputs: ShapeScene.Shape.allCases.count, inputs: partCount)
    func network() throws -> Network {
      try Network(makeGraph(parts: parts, head: head), configuration: configuration)
    }

    // Parts are looked for in some of the pictures only; others would look alike.
    let sample = scenes.prefix(120)
    let edgeMaps = try values("edges.pool", of: sample, network())
    parts.weights = try patches(from: edgeMaps, using: &generator)
    let largest = try channelMaxima(of: values("parts", of: sample, network()))
    // A part counts where it matches clearly: from a fifth of its best match on.
    parts.biases = largest.map { -0.2 * $0 }

    let features = try values("average", of: scenes[...], network()).flatMap(Self.rows)
    let targets = scenes.map { scene in
      ShapeScene.Shape.allCases.map { $0 == scene.shape ? 1.0 : 0.0 }
    }
    head = RidgeRegression(features: features, targets: targets, penalty: 1e-3)
      .layer(scaledBy: sharpness)
    let graph = makeGraph(parts: parts, head: head)
    return ShapeNetwork(
      graph: graph, network: try Network(graph, configuration: configuration))
  }

  /// The weights of a convolution, `[output, input, height, width]`.
  private struct Convolution {
    var weights: [Float]
    var biases: [Float]
  }

  // MARK: - The graph

  private static func makeGraph(parts: Convolution, head: RidgeRegression.Layer) -> Graph {
    let side = ShapeScene.side
    func convolution(_ name: String, _ input: String, size: Int) -> Graph.Node {
      let margin = Int64(size / 2)
      return Graph.Node(
        name: name, kind: "Conv", inputs: [input, name + ".weight", name + ".bias"],
        outputs: [name],
        attributes: [
          "kernel_shape": .integers([Int64(size), Int64(size)]),
          "pads": .integers([margin, margin, margin, margin]),
        ])
    }
    func unary(
      _ name: String, _ kind: String, _ input: String,
      _ attributes: [String: Graph.Attribute] = [:]
    ) -> Graph.Node {
      Graph.Node(name: name, kind: kind, inputs: [input], outputs: [name], attributes: attributes)
    }
    return Graph(
      name: "shapes", opset: 17,
      inputs: [
        Graph.Port(
          name: "picture", dataType: .float32,
          dimensions: [.dynamic("batch"), .fixed(3), .fixed(side), .fixed(side)])
      ],
      outputs: [
        Graph.Port(
          name: "probabilities", dataType: .float32,
          dimensions: [.dynamic("batch"), .fixed(head.biases.count)])
      ],
      nodes: [
        convolution("edges", "picture", size: edgeSize),
        unary("edges.relu", "Relu", "edges"),
        unary(
          "edges.pool", "MaxPool", "edges.relu",
          ["kernel_shape": .integers([2, 2]), "strides": .integers([2, 2])]),
        convolution("parts", "edges.pool", size: partSize),
        unary("parts.relu", "Relu", "parts"),
        unary("average", "GlobalAveragePool", "parts.relu"),
        unary("features", "Flatten", "average"),
        Graph.Node(
          name: "logits", kind: "Gemm", inputs: ["features", "head.weight", "head.bias"],
          outputs: ["logits"], attributes: ["transB": .integer(1)]),
        unary("probabilities", "Softmax", "logits", ["axis": .integer(1)]),
      ],
      constants: [
        "edges.weight": tensor(edgeFilters, [edgeCount, 3, edgeSize, edgeSize]),
        "edges.bias": Tensor([Float](repeating: -0.1, count: edgeCount)),
        "parts.weight": tensor(parts.weights, [partCount, edgeCount, partSize, partSize]),
        "parts.bias": Tensor(parts.biases),
        "head.weight": tensor(head.weights, [head.biases.count, partCount]),
        "head.bias": Tensor(head.biases),
      ])
  }

  private static func tensor(_ elements: [Float], _ shape: [Int]) -> Tensor {
    guard let tensor = try? Tensor(elements, shape: shape) else {
      preconditionFailure("the weights of the demonstration fill their shape")
    }
    return tensor
  }

  // MARK: - Filters

  /// Derivatives of a Gaussian in eight directions, of the brightness (ITU-R BT.601) of the picture.
  private static var edgeFilters: [Float] {
    let reach = edgeSize / 2
    var filters: [Float] = []
    for direction in 0..<edgeCount {
      let angle = 2 * Double.pi * Double(direction) / Double(edgeCount)
      var filter: [Double] = []
      for y in -reach...reach {
        for x in -reach...reach {
          let along = Double(x) * cos(angle) + Double(y) * sin(angle)
          filter.append(along * exp(-Double(x * x + y * y) / (2 * 1.2 * 1.2)))
        }
      }
      let scale = filter.reduce(0) { $0 + abs($1) } / 2
      for weight in [0.299, 0.587, 0.114] {
        filters += filter.map { Float($0 / scale * weight) }
      }
    }
    return filters
  }

  /// Returns pieces of edge maps with mean 0 and length 1, `[part, edge, height, width]`; places with
  /// hardly an edge are passed over.
  private static func patches(
    from maps: [Tensor], using generator: inout RandomGenerator
  ) throws -> [Float] {
    let batches = try maps.map { try $0.converted(to: .float32).elements(of: Float.self) }
    let plane = mapSide * mapSide
    let perPicture = edgeCount * plane
    let pictures = batches.reduce(0) { $0 + $1.count / perPicture }
    let all = batches.flatMap { $0 }
    var filters: [Float] = []
    var best: (length: Double, patch: [Double])?
    var attempts = 0
    while filters.count < partCount * edgeCount * partSize * partSize {
      let picture = generator.index(below: pictures)
      let row = generator.index(below: mapSide - partSize + 1)
      let column = generator.index(below: mapSide - partSize + 1)
      var patch: [Double] = []
      for edge in 0..<edgeCount {
        for y in 0..<partSize {
          let start = picture * perPicture + edge * plane + (row + y) * mapSide + column
          patch += all[start..<start + partSize].map(Double.init)
        }
      }
      let mean = patch.reduce(0, +) / Double(patch.count)
      let length = patch.reduce(0) { $0 + $1 * $1 }.squareRoot()
      attempts += 1
      if length > best?.length ?? -1 { best = (length, patch.map { $0 - mean }) }
      // After many flat places in a row the best of them has to do.
      guard let found = best, length >= 0.5 || attempts >= 100 else { continue }
      let scale = found.patch.reduce(0) { $0 + $1 * $1 }.squareRoot() + 1e-9
      filters += found.patch.map { Float($0 / scale) }
      best = nil
      attempts = 0
    }
    return filters
  }

  private static func channelMaxima(of maps: [Tensor]) throws -> [Float] {
    var largest = [Float](repeating: 0, count: partCount)
    for batch in maps {
      let values = try batch.converted(to: .float32).elements(of: Float.self)
      let plane = mapSide * mapSide
      for start in stride(from: 0, to: values.count, by: plane) {
        let channel = start / plane % partCount
        for value in values[start..<start + plane] where value > largest[channel] {
          largest[channel] = value
        }
      }
    }
    return largest
  }

  private static func rows(_ batch: Tensor) throws -> [[Double]] {
    let values = try batch.converted(to: .float64).elements(of: Double.self)
    return stride(from: 0, to: values.count, by: partCount).map {
      Array(values[$0..<$0 + partCount])
    }
  }
}

extension RidgeRegression {
  /// The map as the constants of a Gemm.
  struct Layer {
    /// `[output, input]`
    let weights: [Float]
    let biases: [Float]

    /// Creates a layer of zeros.
    init(outputs: Int, inputs: Int) {
      weights = [Float](repeating: 0, count: outputs * inputs)
      biases = [Float](repeating: 0, count: outputs)
    }

    fileprivate init(weights: [Float], biases: [Float]) {
      self.weights = weights
      self.biases = biases
    }
  }

  /// Returns the map with its outputs multiplied by a number.
  func layer(scaledBy factor: Double) -> Layer {
    Layer(
      weights: weights.flatMap { $0.map { Float($0 * factor) } },
      biases: biases.map { Float($0 * factor) })
  }
}
