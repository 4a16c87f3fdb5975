import VitrineTensor

/// One step of an ``AnalyticModel``: a function of one sample with its derivative, written by hand.
public struct AnalyticFunction: Sendable {
  /// Name of the layer that the step is.
  public let name: String
  /// The operation, as `Layer.kind` spells it: `Gemm`, `Relu`, `Conv`…
  public let kind: String
  /// Extents of its value without the batch axis.
  public let dimensions: [Int]
  let value: @Sendable (_ input: [Double]) -> [Double]
  let pullback: @Sendable (_ input: [Double], _ cotangent: [Double]) -> [Double]

  /// Creates a step.
  ///
  /// - Parameters:
  ///   - name: Of the layer that it is.
  ///   - kind: Of that layer.
  ///   - dimensions: Extents of the value without the batch axis.
  ///   - value: Returns as many numbers as `dimensions` says, for any input of the right count.
  ///   - pullback: Returns the cotangent of the input, Jᵀg, with as many numbers as the input has.
  public init(
    name: String, kind: String, dimensions: [Int],
    value: @escaping @Sendable (_ input: [Double]) -> [Double],
    pullback: @escaping @Sendable (_ input: [Double], _ cotangent: [Double]) -> [Double]
  ) {
    self.name = name
    self.kind = kind
    self.dimensions = dimensions
    self.value = value
    self.pullback = pullback
  }

  /// Wx + b.
  ///
  /// - Parameters:
  ///   - name: Of the layer that it is.
  ///   - kind: Of that layer.
  ///   - weights: One row for each output.
  ///   - bias: One number for each output.
  ///   - dimensions: Extents of the output; one axis if not given.
  public static func affine(
    _ name: String, kind: String = "Gemm", weights: [[Double]], bias: [Double],
    dimensions: [Int]? = nil
  ) -> AnalyticFunction {
    precondition(bias.count == weights.count, "one number of the bias for each row of weights")
    return AnalyticFunction(
      name: name, kind: kind, dimensions: dimensions ?? [weights.count],
      // Loops, because chains of closures make most of a debug test's time.
      value: { x in
        var y = bias
        for k in 0..<weights.count {
          let row = weights[k]
          var sum = y[k]
          for i in 0..<x.count { sum += row[i] * x[i] }
          y[k] = sum
        }
        return y
      },
      pullback: { x, g in
        var result = [Double](repeating: 0, count: x.count)
        for k in 0..<g.count where g[k] != 0 {
          let row = weights[k]
          for i in 0..<x.count { result[i] += row[i] * g[k] }
        }
        return result
      })
  }

  /// x² of each element.
  public static func square(_ name: String, dimensions: [Int]) -> AnalyticFunction {
    AnalyticFunction(
      name: name, kind: "Pow", dimensions: dimensions, value: { $0.map { $0 * $0 } },
      pullback: { x, g in zip(x, g).map { 2 * $0 * $1 } })
  }

  /// max(x, 0) of each element; the derivative at 0 is 0.
  public static func rectifier(_ name: String, dimensions: [Int]) -> AnalyticFunction {
    AnalyticFunction(
      name: name, kind: "Relu", dimensions: dimensions, value: { $0.map { max($0, 0) } },
      pullback: { x, g in zip(x, g).map { $0 > 0 ? $1 : 0 } })
  }

  /// e^x / Σ e^x.
  public static func softmax(_ name: String, count: Int) -> AnalyticFunction {
    @Sendable func shares(_ x: [Double]) -> [Double] {
      let largest = x.max() ?? 0
      let powers = x.map { Double.exp($0 - largest) }
      let sum = powers.reduce(0, +)
      return powers.map { $0 / sum }
    }
    return AnalyticFunction(
      name: name, kind: "Softmax", dimensions: [count], value: shares,
      pullback: { x, g in
        let y = shares(x)
        let mean = zip(y, g).reduce(0) { $0 + $1.0 * $1.1 }
        return zip(y, g).map { $0 * ($1 - mean) }
      })
  }

  /// A convolution with a 3×3 kernel, stride 1, and a border of zeros that keeps height and width.
  ///
  /// - Parameters:
  ///   - name: Of the layer that it is.
  ///   - channels: Of the input and of the output.
  ///   - height: Of input and output.
  ///   - width: Of input and output.
  ///   - bias: One number for each output channel.
  ///   - kernel: Returns the weight for an output channel, input channel, row and column of 0...2.
  public static func convolution(
    _ name: String, channels: (input: Int, output: Int), height: Int, width: Int,
    bias: [Double], kernel: (_ output: Int, _ input: Int, _ row: Int, _ column: Int) -> Double
  ) -> AnalyticFunction {
    let area = height * width
    var weights = [[Double]](
      repeating: [Double](repeating: 0, count: channels.input * area),
      count: channels.output * area)
    for output in 0..<channels.output {
      for input in 0..<channels.input {
        for (y, x) in (0..<area).map({ $0.quotientAndRemainder(dividingBy: width) }) {
          for (row, column) in (0..<9).map({ $0.quotientAndRemainder(dividingBy: 3) }) {
            let (sourceY, sourceX) = (y + row - 1, x + column - 1)
            guard (0..<height).contains(sourceY), (0..<width).contains(sourceX) else { continue }
            weights[output * area + y * width + x][input * area + sourceY * width + sourceX] =
              kernel(output, input, row, column)
          }
        }
      }
    }
    return .affine(
      name, kind: "Conv", weights: weights,
      bias: bias.flatMap { Array(repeating: $0, count: area) },
      dimensions: [channels.output, height, width])
  }

  /// The mean of each channel over its positions.
  public static func globalAverage(
    _ name: String, channels: Int, positions: Int
  ) -> AnalyticFunction {
    .affine(
      name, kind: "GlobalAveragePool",
      weights: (0..<channels).map { channel in
        (0..<channels * positions).map { $0 / positions == channel ? 1 / Double(positions) : 0 }
      },
      bias: Array(repeating: 0, count: channels))
  }
}
