import VitrineCore
import VitrineTensor

/// Noise on the real inputs of a batch: the same draw for every member, scaled for each.
struct GaussianNoise {
  /// σ of each real input, for each member of the batch.
  let deviations: [[Double]]
  /// One sentence for each input that stays as it is.
  let warnings: [String]
  private let ports: [Port]
  private let seed: UInt64
  private var generator: RandomGenerator
  /// Standard normal numbers of the latest draw, for one member, one tensor for each input.
  private var latest: (draw: Int, tensors: [Tensor])?

  init(_ method: SmoothGrad, on inputs: Inputs, _ real: RealInputs, seed: UInt64) throws {
    ports = real.ports
    self.seed = seed
    generator = RandomGenerator(seed: seed)
    var warnings: [String] = []
    deviations = try real.ports.map { port in
      guard let tensor = inputs[port.name] else {
        throw CoreError.inputCount(expected: real.ports.map(\.name), found: inputs.tensors.count)
      }
      guard port.batchAxis ?? 0 == 0, tensor.rank == port.axes.count, tensor.count > 0 else {
        throw CoreError.notApplicable(
          "input '\(port.name)' has shape \(tensor.shape): expected \(port.shapeDescription), samples "
            + "along the first axis")
      }
      try tensor.requireFinite("input '\(port.name)'")
      let members = port.batchAxis == nil ? 1 : tensor.shape[0]
      guard method.noiseScale == .range else {
        return Array(repeating: method.noise, count: members)
      }
      let axes = tensor.shape.dimensions.indices.filter { $0 != port.batchAxis }
      let numbers = tensor.converted(to: .float64)
      let largest = try numbers.max(axes: Array(axes)).elements(of: Double.self)
      let smallest = try numbers.min(axes: Array(axes)).elements(of: Double.self)
      let deviations = zip(largest, smallest).map { method.noise * ($0 - $1) }
      if method.noise > 0, deviations.contains(0) {
        warnings.append(
          "Input '\(port.name)' has no range to take a share of: it stays without noise. "
            + "Set noise-scale=absolute.")
      }
      return deviations
    }
    self.warnings = warnings
  }

  /// Returns members of the batch with noise on them.
  ///
  /// - Parameters:
  ///   - inputs: Those of the members alone.
  ///   - members: Their range in the batch.
  ///   - draw: Which noise: the same as in the call before, the next, or 0 for the first.
  mutating func added(to inputs: Inputs, _ members: Range<Int>, draw: Int) throws -> Inputs {
    let tensors: [Tensor]
    if let latest, latest.draw == draw {
      tensors = latest.tensors
    } else {
      if draw == 0 { generator = RandomGenerator(seed: seed) }
      tensors = try ports.map { port in
        let shape = inputs[port.name]?.shape.dimensions ?? []
        return try generator.normalTensor(
          Shape(port.batchAxis == nil ? shape : Array(shape.dropFirst())), .float64)
      }
      latest = (draw, tensors)
    }
    var result = inputs
    for ((port, noise), deviations) in zip(zip(ports, tensors), deviations) {
      guard let tensor = inputs[port.name] else { continue }
      let deviations = port.batchAxis == nil ? deviations : Array(deviations[members])
      result = result.replacing(
        port.name,
        with: tensor.dataType == .float64
          ? try sum(Double.self, tensor, noise, deviations)
          : try sum(Float.self, tensor.converted(to: .float32), noise, deviations))
    }
    return result
  }

  /// Returns x + σ ε, rounded once.
  private func sum<T: Scalar & BinaryFloatingPoint>(
    _ type: T.Type, _ tensor: Tensor, _ noise: Tensor, _ deviations: [Double]
  ) throws -> Tensor {
    try tensor.withElements(of: T.self) { source in
      try noise.withElements(of: Double.self) { noise in
        Tensor(uninitialized: tensor.shape, of: T.self) { target in
          for (member, deviation) in deviations.enumerated() {
            let start = member * noise.count
            for i in noise.indices {
              target[start + i] = T(Double(source[start + i]) + deviation * noise[i])
            }
          }
        }
      }
    }
  }
}
