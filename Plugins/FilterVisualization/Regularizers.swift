import VitrineTensor

extension Planes {
  /// Returns the gradient of the total variation Σ √(Δx² + Δy² + ε), ε = 1e-8·mean square of the
  /// differences, with respect to each element: between −4 and 4, whatever the input's units.
  ///
  /// Source: Mahendran, Vedaldi, "Understanding Deep Image Representations by Inverting Them" (CVPR
  /// 2015), eq. 4 with β = 1.
  func totalVariationGradient() -> [Double] {
    var gradient = [Double](repeating: 0, count: values.count)
    var squares = 0.0
    for pass in 0..<2 {
      let floor = 1e-8 * squares / Double(Swift.max(values.count, 1)) + .leastNormalMagnitude
      forEachPlane { start in
        for row in 0..<height {
          for column in 0..<width {
            let i = start + row * width + column
            let right = column + 1 < width ? values[i + 1] - values[i] : 0
            let below = row + 1 < height ? values[i + width] - values[i] : 0
            let square = right * right + below * below
            guard pass == 1 else {
              squares += square
              continue
            }
            let length = (square + floor).squareRoot()
            gradient[i] -= (right + below) / length
            if column + 1 < width { gradient[i + 1] += right / length }
            if row + 1 < height { gradient[i + width] += below / length }
          }
        }
      }
    }
    return gradient
  }

  /// Blurs each plane with a Gaussian, edges clamped.
  ///
  /// - Parameter deviation: In pixels, above 0.
  mutating func blur(deviation: Double) {
    let radius = Int((3 * deviation).rounded(.up))
    var weights = (-radius...radius).map {
      Double.exp(-Double($0 * $0) / (2 * deviation * deviation))
    }
    let sum = weights.reduce(0, +)
    for i in weights.indices { weights[i] /= sum }
    convolve(weights, extent: width, stride: 1)
    convolve(weights, extent: height, stride: width)
  }

  private mutating func convolve(_ weights: [Double], extent: Int, stride: Int) {
    guard extent > 1 else { return }
    let radius = weights.count / 2
    let source = values
    for i in source.indices {
      let position = i / stride % extent
      var sum = 0.0
      for (k, weight) in weights.enumerated() {
        let other = Swift.min(Swift.max(position + k - radius, 0), extent - 1)
        sum += weight * source[i + (other - position) * stride]
      }
      values[i] = sum
    }
  }
}
