import VitrineTensor

/// How the numbers of a parameter are chosen before training.
///
/// Bounds and deviations of the scaled ones depend on the numbers of connections into (`fanIn`) and out
/// of (`fanOut`) a unit. The same seed and parameter name give the same numbers on every platform.
public enum Initializer: Sendable, Hashable {
  /// Every element is 0.
  case zeros
  /// Every element is 1.
  case ones
  /// Every element has this value.
  case constant(Double)
  /// Uniform in `-bound..<bound`.
  case uniform(Double)
  /// Normal with mean 0.
  case normal(standardDeviation: Double)
  /// Uniform within ±√(6 / (fanIn + fanOut)).
  ///
  /// Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
  /// networks" (2010), equation 16.
  case glorotUniform
  /// Normal with variance 2 / (fanIn + fanOut).
  case glorotNormal
  /// Uniform within ±√(6 / fanIn), for layers before a rectifier.
  ///
  /// Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers" (2015), equation 10.
  case heUniform
  /// Normal with variance 2 / fanIn.
  case heNormal
  /// Uniform within ±1 / √fanIn, as PyTorch's Linear and Conv layers have it for weights and biases.
  case fanInUniform
  /// Rows, or columns if there are fewer, orthogonal and of length `gain`.
  ///
  /// Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
  /// linear neural networks" (2014).
  case orthogonal(gain: Double)

  /// Returns the numbers of a parameter.
  ///
  /// - Parameters:
  ///   - rows: For ``orthogonal(gain:)``: how many rows the parameter has as a matrix.
  func tensor(
    _ shape: Shape, fanIn: Int, fanOut: Int, rows: Int, _ random: inout RandomGenerator
  ) throws(TensorError) -> Tensor {
    let (fanIn, fanOut) = (Double(max(1, fanIn)), Double(max(1, fanOut)))
    switch self {
    case .zeros: return Tensor(zeros: shape)
    case .ones: return Tensor(repeating: Float(1), shape: shape)
    case .constant(let value): return Tensor(repeating: Float(value), shape: shape)
    case .uniform(let bound): return Self.uniform(bound, shape, &random)
    case .normal(let deviation):
      return try random.normalTensor(shape, standardDeviation: deviation)
    case .glorotUniform: return Self.uniform((6 / (fanIn + fanOut)).squareRoot(), shape, &random)
    case .glorotNormal:
      return try random.normalTensor(
        shape, standardDeviation: (2 / (fanIn + fanOut)).squareRoot())
    case .heUniform: return Self.uniform((6 / fanIn).squareRoot(), shape, &random)
    case .heNormal:
      return try random.normalTensor(shape, standardDeviation: (2 / fanIn).squareRoot())
    case .fanInUniform: return Self.uniform((1 / fanIn).squareRoot(), shape, &random)
    case .orthogonal(let gain):
      return try Self.orthogonal(gain, shape, rows: max(1, rows), &random)
    }
  }

  private static func uniform(
    _ bound: Double, _ shape: Shape, _ random: inout RandomGenerator
  ) -> Tensor {
    Tensor(uninitialized: shape, of: Float.self) { elements in
      for i in elements.indices {
        elements[i] = Float((2 * random.uniformDouble() - 1) * bound)
      }
    }
  }

  /// Orthogonalises normal vectors one after the other, each twice so that rounding leaves no rest.
  private static func orthogonal(
    _ gain: Double, _ shape: Shape, rows: Int, _ random: inout RandomGenerator
  ) throws(TensorError) -> Tensor {
    let columns = shape.count / rows
    let isWide = columns >= rows
    let (count, length) = isWide ? (rows, columns) : (columns, rows)
    var vectors: [[Double]] = []
    while vectors.count < count {
      var vector = (0..<length).map { _ in random.normalDouble() }
      for _ in 0..<2 {
        for other in vectors {
          let product = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for k in 0..<length { vector[k] -= product * other[k] }
        }
      }
      let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      // A vector inside the others' span has no direction of its own: take the next.
      guard norm > 1e-6 else { continue }
      vectors.append(vector.map { $0 / norm })
    }
    var elements = [Float](repeating: 0, count: shape.count)
    for (i, vector) in vectors.enumerated() {
      for (k, value) in vector.enumerated() {
        elements[isWide ? i * columns + k : k * columns + i] = Float(gain * value)
      }
    }
    return try Tensor(elements, shape: shape.dimensions)
  }
}
