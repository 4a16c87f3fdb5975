import VitrineTensor

/// The metric in which the ascent is steepest, for a picture written as x = A θ.
///
/// An ascent of θ moves x along A Aᵀ g, so that no θ has to be kept: the parameterisation is a
/// preconditioner of the gradient g. With θ the Fourier coefficients of decorrelated colours,
/// A = C · F⁻¹ · W: each frequency f (in cycles per pixel) is weighted by 1 / max(f, 1/side), as natural
/// pictures are, and colours are mixed by the square root C of their correlation.
///
/// Source: Olah, Mordvintsev, Schubert, "Feature Visualization" (Distill, 2017), section "Preconditioning
/// and Parameterization"; the numbers of C and the weights from its code, lucid
/// `optvis/param/color.py` and `spatial.py`. Unlike there no sigmoid bounds the picture, since a
/// model's input has no common range.
struct Preconditioner: Sendable {
  /// Square root of the correlation of colours in ImageNet, rows R, G, B; C Cᵀ is their correlation.
  static let colorCorrelationRoot = [
    [0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03],
  ]

  private let rows: FourierTransform
  private let columns: FourierTransform
  /// Weights W of each frequency `[height, width]`; largest 1.
  private let weights: [Double]
  /// C, channels × components; empty where channels are independent.
  private let mixing: [[Double]]
  private let height: Int
  private let width: Int

  init(_ planes: Planes, colors: FilterVisualization.Colors) {
    height = planes.height
    width = planes.width
    rows = FourierTransform(count: width)
    columns = FourierTransform(count: height)
    let least = 1 / Double(max(height, width))
    var weights: [Double] = []
    for row in 0..<height {
      for column in 0..<width {
        let vertical = Double(min(row, height - row)) / Double(height)
        let horizontal = Double(min(column, width - column)) / Double(width)
        let frequency = (vertical * vertical + horizontal * horizontal).squareRoot()
        weights.append(least / max(frequency, least))
      }
    }
    self.weights = weights
    mixing =
      planes.channels != 3 || colors == .independent
      ? [] : colors == .rgb ? Self.colorCorrelationRoot : Self.colorCorrelationRoot.reversed()
  }

  /// Returns A Aᵀ g: the direction of steepest ascent.
  func direction(_ gradient: [Double], _ planes: Planes) -> [Double] {
    var result = mixed(gradient, planes) { first, second in
      mixing[first].indices.reduce(0) { $0 + mixing[first][$1] * mixing[second][$1] }
    }
    filter(&result, planes, power: 2)
    return result
  }

  /// Returns A θ for white noise θ: noise with the spectrum and the colours of natural pictures.
  func image(_ noise: [Double], _ planes: Planes) -> [Double] {
    var result = mixed(noise, planes) { mixing[$0][$1] }
    filter(&result, planes, power: 1)
    return result
  }

  private func mixed(
    _ values: [Double], _ planes: Planes, _ weight: (Int, Int) -> Double
  ) -> [Double] {
    guard !mixing.isEmpty else { return values }
    let plane = planes.planeCount
    let matrix = (0..<3).map { first in (0..<3).map { weight(first, $0) } }
    var result = values
    for sample in 0..<planes.samples {
      let start = sample * 3 * plane
      for i in start..<start + plane {
        let (a, b, c) = (values[i], values[i + plane], values[i + 2 * plane])
        for channel in 0..<3 {
          let row = matrix[channel]
          result[i + channel * plane] = row[0] * a + row[1] * b + row[2] * c
        }
      }
    }
    return result
  }

  /// Multiplies the spectrum of each plane by the weights, `power` times.
  private func filter(_ values: inout [Double], _ planes: Planes, power: Int) {
    let plane = planes.planeCount
    let gain = weights.map { power == 2 ? $0 * $0 : $0 }
    var real = [Double](repeating: 0, count: plane)
    var imaginary = real
    // The weights are real and symmetric, so that two planes can travel as one complex one.
    for start in stride(from: 0, to: values.count, by: 2 * plane) {
      let second = start + plane < values.count ? start + plane : nil
      for i in 0..<plane {
        real[i] = values[start + i]
        imaginary[i] = second.map { values[$0 + i] } ?? 0
      }
      transform(&real, &imaginary)
      // The inverse is the conjugate of the transform of the conjugate.
      for i in 0..<plane {
        real[i] *= gain[i]
        imaginary[i] *= -gain[i]
      }
      transform(&real, &imaginary)
      for i in 0..<plane { values[start + i] = real[i] / Double(plane) }
      if let second {
        for i in 0..<plane { values[second + i] = -imaginary[i] / Double(plane) }
      }
    }
  }

  private func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
    for row in 0..<height { rows.transform(&real, &imaginary, start: row * width, stride: 1) }
    for column in 0..<width {
      columns.transform(&real, &imaginary, start: column, stride: width)
    }
  }
}
