/// Global contrast normalisation: a picture minus its mean, divided by its contrast.
///
/// Source: Goodfellow, Bengio, Courville, "Deep Learning" (2016), eq. 12.3:
/// `s (x - mean) / max(ε, sqrt(λ + mean((x - mean)²)))`, over all samples of all channels, 0...255.
public struct ContrastNormalization: Sendable, Equatable {
  /// Contrast of the result, s.
  public var scale: Double
  /// Added to the variance so that flat pictures are not blown up, λ.
  public var regularizer: Double
  /// Smallest divisor, ε.
  public var floor: Double

  /// Creates a normalisation.
  public init(scale: Double, regularizer: Double, floor: Double) {
    self.scale = scale
    self.regularizer = regularizer
    self.floor = floor
  }

  /// Returns what is subtracted from each sample and what the difference is multiplied by.
  func statistics(of image: Image) -> (mean: Double, factor: Double) {
    // Integer sums are exact: 2^40 samples of at most 255² stay below 2^56.
    var sum = 0
    var squares = 0
    for sample in image.pixels {
      sum += Int(sample)
      squares += Int(sample) * Int(sample)
    }
    let count = Double(image.pixels.count)
    let mean = Double(sum) / count
    let variance = max(0, Double(squares) / count - mean * mean)
    return (mean, scale / max(floor, (max(0, regularizer + variance)).squareRoot()))
  }
}
