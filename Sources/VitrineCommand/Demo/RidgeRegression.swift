/// A linear map fitted by least squares with a penalty on its weights, in closed form.
///
/// W minimises Σ_n |y_n − W x_n − b|² + λ n |W|² for standardised features; its normal equations
/// (XᵀX + λ n I) W = XᵀY are solved by Cholesky factorisation. Source: Hoerl, Kennard, "Ridge
/// Regression" (Technometrics 1970).
package struct RidgeRegression {
  /// `[output][feature]`, for features as they are.
  package let weights: [[Double]]
  /// One for each output.
  package let biases: [Double]

  /// Fits the map.
  ///
  /// - Parameters:
  ///   - features: One row for each sample; at least one.
  ///   - targets: One row for each sample.
  ///   - penalty: λ, positive.
  /// - Complexity: O(samples × features² + features³).
  package init(features: [[Double]], targets: [[Double]], penalty: Double) {
    let samples = Double(features.count)
    let width = features.first?.count ?? 0
    let outputs = targets.first?.count ?? 0
    let means = (0..<width).map { column in
      features.reduce(0) { $0 + $1[column] } / samples
    }
    let deviations = (0..<width).map { column in
      let variance = features.reduce(0) { sum, row in
        sum + (row[column] - means[column]) * (row[column] - means[column])
      }
      return (variance / samples).squareRoot() + 1e-9
    }
    let targetMeans = (0..<outputs).map { column in
      targets.reduce(0) { $0 + $1[column] } / samples
    }
    let standardized = features.map { row in
      row.indices.map { (row[$0] - means[$0]) / deviations[$0] }
    }
    var normal = [[Double]](repeating: [Double](repeating: 0, count: width), count: width)
    var right = [[Double]](repeating: [Double](repeating: 0, count: width), count: outputs)
    for (row, target) in zip(standardized, targets) {
      for i in 0..<width {
        for j in 0...i { normal[i][j] += row[i] * row[j] }
        for output in 0..<outputs {
          right[output][i] += row[i] * (target[output] - targetMeans[output])
        }
      }
    }
    for i in 0..<width { normal[i][i] += penalty * samples }
    Self.factorize(&normal)
    let solutions = right.map { Self.solve(normal, $0) }
    let weights = solutions.map { solution in
      solution.indices.map { solution[$0] / deviations[$0] }
    }
    self.weights = weights
    biases = (0..<outputs).map { output in
      targetMeans[output] - zip(weights[output], means).reduce(0) { $0 + $1.0 * $1.1 }
    }
  }

  /// Replaces the lower triangle of a positive definite matrix A by L with L Lᵀ = A.
  private static func factorize(_ matrix: inout [[Double]]) {
    for i in matrix.indices {
      for j in 0...i {
        var sum = matrix[i][j]
        for k in 0..<j { sum -= matrix[i][k] * matrix[j][k] }
        matrix[i][j] = i == j ? sum.squareRoot() : sum / matrix[j][j]
      }
    }
  }

  /// Returns x with L Lᵀ x = b.
  private static func solve(_ factor: [[Double]], _ right: [Double]) -> [Double] {
    var x = right
    for i in x.indices {
      for k in 0..<i { x[i] -= factor[i][k] * x[k] }
      x[i] /= factor[i][i]
    }
    for i in x.indices.reversed() {
      for k in (i + 1)..<max(x.count, i + 1) { x[i] -= factor[k][i] * x[k] }
      x[i] /= factor[i][i]
    }
    return x
  }
}
