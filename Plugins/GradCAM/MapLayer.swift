import VitrineCore
import VitrineTensor

/// Where a value of four axes has its channels, height and width.
enum MapAxes: String, Sendable, CustomStringConvertible {
  /// `[batch, channel, height, width]`
  case channelsFirst = "channels-first"
  /// `[batch, height, width, channel]`
  case channelsLast = "channels-last"

  var description: String { rawValue }

  var channel: Int { self == .channelsFirst ? 1 : 3 }
  var height: Int { self == .channelsFirst ? 2 : 1 }
  var width: Int { self == .channelsFirst ? 3 : 2 }
}

/// A layer whose value is a stack of feature maps.
struct MapLayer: Sendable {
  /// As the caller or the model spells it.
  let name: String
  let site: Site
  let axes: MapAxes

  /// Returns Σ_k α_k A_k with α_k the mean over positions of the gradient at map k.
  ///
  /// - Parameters:
  ///   - activation: A, the layer's value.
  ///   - gradient: Of the score, in the shape of `activation`.
  ///   - masked: Whether the gradient counts only where it and `activation` are positive.
  /// - Returns: `[batch, 1, height, width]` in double precision, signed.
  /// - Complexity: O(`activation.count`).
  func map(of activation: Tensor, gradient: Tensor, masked: Bool) throws -> Tensor {
    guard activation.rank == 4 else {
      throw CoreError.notApplicable(
        "\(site) is of shape \(activation.shape); Grad-CAM needs four axes (\(axes))")
    }
    guard gradient.shape == activation.shape, gradient.dataType == activation.dataType else {
      throw CoreError.shapeMismatch(
        what: "gradient of \(site)", expected: activation.shape.dimensions,
        found: gradient.shape.dimensions)
    }
    return activation.dataType == .float32
      ? try map(of: activation, gradient, masked: masked, Float.self)
      : try map(of: activation, gradient, masked: masked, Double.self)
  }

  private func map<T: RealScalar>(
    of activation: Tensor, _ gradient: Tensor, masked: Bool, _ type: T.Type
  ) throws -> Tensor {
    let shape = activation.shape
    let (samples, channels) = (shape[0], shape[axes.channel])
    let positions = shape[axes.height] * shape[axes.width]
    let channelStride = axes == .channelsFirst ? positions : 1
    let positionStride = axes == .channelsFirst ? 1 : channels
    let result = try Shape([samples, 1, shape[axes.height], shape[axes.width]])
    return try activation.withElements(of: T.self) { values in
      try gradient.withElements(of: T.self) { slopes in
        Tensor(uninitialized: result, of: Double.self) { map in
          for i in map.indices { map[i] = 0 }
          for n in 0..<samples {
            for k in 0..<channels {
              let start = n * channels * positions + k * channelStride
              var sum = 0.0
              for p in 0..<positions {
                let i = start + p * positionStride
                if !masked || (values[i] > 0 && slopes[i] > 0) { sum += Double(slopes[i]) }
              }
              let weight = sum / Double(positions)
              // A map that does not matter must not spoil the sum with an infinity.
              if weight == 0 { continue }
              for p in 0..<positions {
                map[n * positions + p] += weight * Double(values[start + p * positionStride])
              }
            }
          }
        }
      }
    }
  }
}
