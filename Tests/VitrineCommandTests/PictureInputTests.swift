import Testing
import Vitrine
import VitrineCommand
import VitrineImaging
import VitrineNetwork
import VitrineTensor

/// Models that return their input show what a picture becomes.
@Suite("Pictures as inputs")
struct PictureInputTests {
  let workspace: Workspace
  /// Two rows, three columns, RGB: sample = 40 row + 10 column + channel.
  let samples: [UInt8]

  init() throws {
    workspace = try Workspace()
    var samples: [UInt8] = []
    for position in 0..<6 {
      for channel in 0..<3 {
        samples.append(UInt8(40 * (position / 3) + 10 * (position % 3) + channel))
      }
    }
    self.samples = samples
    let image = try Image(width: 3, height: 2, channels: 3, pixels: samples)
    try workspace.write(try PNG.encode(image), as: "picture.png")
  }

  /// Returns what a model with an input of this shape is fed.
  private func fed(_ shape: [Int?], _ words: [String]) throws -> Tensor {
    let dimensions = shape.map { $0.map { Graph.Dimension.fixed($0) } ?? .dynamic("N") }
    let graph = Graph(
      opset: 17,
      inputs: [Graph.Port(name: "picture", dataType: .float32, dimensions: dimensions)],
      outputs: [Graph.Port(name: "same", dataType: .float32, dimensions: dimensions)],
      nodes: [Graph.Node(name: "id", kind: "Identity", inputs: ["picture"], outputs: ["same"])])
    try workspace.write(ONNX.bytes(of: graph), as: "identity.onnx")
    let result = workspace.run(
      ["predict", "@identity.onnx", "@picture.png", "--raw", "@fed.npy", "--preprocess", "byte"]
        + words)
    #expect(result.code == .success, "\(result.errors)")
    return try Tensor(npy: try workspace.bytes("fed.npy"))
  }

  private func planes(_ order: [Int]) -> [Float] {
    order.flatMap { channel in (0..<6).map { Float(samples[$0 * 3 + channel]) } }
  }

  @Test("channels come first where the model has them first")
  func channelsFirst() throws {
    let tensor = try fed([nil, 3, 2, 3], [])
    #expect(tensor.shape.dimensions == [1, 3, 2, 3])
    #expect(try tensor.elements(of: Float.self) == planes([0, 1, 2]))
  }

  @Test("channels come last where the model has them last")
  func channelsLast() throws {
    let wide = try Image(width: 3, height: 2, channels: 3, pixels: samples)
      .resized(width: 5, height: 2, interpolation: .nearest)
    try workspace.write(try PNG.encode(wide), as: "picture.png")
    let tensor = try fed([nil, 2, 5, 3], [])
    #expect(tensor.shape.dimensions == [1, 2, 5, 3])
    #expect(try tensor.elements(of: Float.self) == wide.pixels.map { Float($0) })
  }

  @Test("blue comes first if asked")
  func bgr() throws {
    let tensor = try fed([nil, 3, 2, 3], ["--channels", "bgr"])
    #expect(try tensor.elements(of: Float.self) == planes([2, 1, 0]))
  }

  @Test("a model without a channel axis is fed gray rows and columns")
  func noChannelAxis() throws {
    let tensor = try fed([nil, 2, 3], [])
    #expect(tensor.shape.dimensions == [1, 2, 3])
    // Luma of nearly gray colours is the green sample, the middle one.
    #expect(
      try tensor.elements(of: Float.self) == (0..<6).map { Float(samples[$0 * 3 + 1]) })
  }

  @Test("mean and standard deviation apply to each channel in the model's order")
  func normalisation() throws {
    let tensor = try fed([nil, 3, 2, 3], ["--mean", "0,1,2", "--std", "1,2,4"])
    let values = try tensor.elements(of: Float.self)
    for channel in 0..<3 {
      for position in 0..<6 {
        let sample = Float(samples[position * 3 + channel])
        #expect(
          values[channel * 6 + position] == (sample - Float(channel)) / Float(1 << channel))
      }
    }
  }

  @Test("a picture of an exact multiple is reduced, and that is noted")
  func multiple() throws {
    let large = try Image(width: 3, height: 2, channels: 3, pixels: samples).magnified(by: 4)
    try workspace.write(try PNG.encode(large), as: "picture.png")
    let tensor = try fed([nil, 3, 2, 3], [])
    #expect(try tensor.elements(of: Float.self) == planes([0, 1, 2]))
  }
}
