import VitrineCore

extension AnalyticModel {
  /// F(x) = Wx + b, 4 inputs, 3 outputs: every attribution that is exact for linear models is known.
  public static let linear = AnalyticModel(
    dimensions: [4], axes: [.feature],
    functions: [
      .affine(
        "logits", weights: [[0.5, -1, 2, 0], [1.5, 0.25, -0.75, 1], [-2, 0.5, 1, -1]],
        bias: [0.1, -0.2, 0.3])
    ])

  /// F_k(x) = Σ_i W_ki x_i², 4 inputs, 2 outputs: the gradient is 2 W_ki x_i.
  public static let quadratic = AnalyticModel(
    dimensions: [4], axes: [.feature],
    functions: [
      .square("squares", dimensions: [4]),
      .affine("logits", weights: [[1, 2, -3, 0.5], [-1, 0.5, 1, 2]], bias: [0, 0]),
    ])

  /// Two dense layers with a rectifier between them: piecewise linear.
  public static let rectifier = AnalyticModel(
    dimensions: [4], axes: [.feature],
    functions: [
      .affine(
        "hidden",
        weights: (0..<6).map { j in (0..<4).map { i in spread(7 * j + i) } },
        bias: [0.1, -0.1, 0.2, -0.2, 0.05, -0.05]),
      .rectifier("relu", dimensions: [6]),
      .affine(
        "logits", weights: (0..<3).map { k in (0..<6).map { j in spread(100 + 5 * k + j) } },
        bias: [0, 0.1, -0.1]),
    ])

  /// A dense layer and a softmax: a model with both logits and probabilities.
  public static let classifier = AnalyticModel(
    dimensions: [4], axes: [.feature],
    functions: [
      .affine(
        "logits", weights: (0..<3).map { k in (0..<4).map { i in 2 * spread(50 + 11 * k + i) } },
        bias: [0.2, 0, -0.2]),
      .softmax("softmax", count: 3),
    ])

  /// Images of 2 channels, 5 rows and 4 columns through a convolution, a rectifier, the mean over
  /// positions and a dense layer: a spatial layer inside, and height that differs from width.
  public static let image = AnalyticModel(
    dimensions: [2, 5, 4], axes: [.channel, .height, .width],
    functions: [
      .convolution(
        "conv", channels: (input: 2, output: 3), height: 5, width: 4, bias: [0.1, -0.05, 0]
      ) { output, input, row, column in spread(200 + 18 * output + 9 * input + 3 * row + column) },
      .rectifier("relu", dimensions: [3, 5, 4]),
      .globalAverage("pool", channels: 3, positions: 20),
      .affine("logits", weights: [[1, -0.5, 2], [-1, 1.5, 0.5]], bias: [0.1, -0.1]),
    ])
}

/// Returns the i-th of a sequence of numbers that fill -1...1 evenly and in no simple order: multiples
/// of the golden ratio, modulo 1.
func spread(_ i: Int) -> Double {
  let x = Double(i + 1) * 0.618_033_988_749_894_9
  return 2 * (x - x.rounded(.down)) - 1
}
