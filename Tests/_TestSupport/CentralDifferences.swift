public import VitrineCore
public import VitrineTensor

extension Model {
  /// Returns the gradient of an objective with respect to an input, from (F(x + h) − F(x − h)) / 2h.
  ///
  /// - Parameters:
  ///   - input: Name of the input; all its samples are moved at once, since they are independent.
  ///   - inputs: In `float64`, or the differences drown in rounding.
  ///   - step: h; the error is of order h² from curvature and 1e-16/h from rounding.
  /// - Returns: A `float64` tensor of the input's shape.
  /// - Complexity: Two forward passes for each element of one sample.
  public func centralDifferences(
    of objective: Objective, withRespectTo input: String, at inputs: Inputs, step: Double = 1e-5
  ) throws -> Tensor {
    guard let center = inputs[input] else {
      throw CoreError.inputCount(expected: [input], found: 0)
    }
    let numbers = try center.converted(to: .float64).elements(of: Double.self)
    let samples = center.rank > 0 ? center.shape[0] : 1
    let perSample = samples > 0 ? center.count / samples : 0
    var gradient = numbers

    func values(_ i: Int, moved by: Double) throws -> [Double] {
      var moved = numbers
      for n in 0..<samples { moved[n * perSample + i] += by }
      let tensor = try Tensor(moved, shape: center.shape.dimensions).converted(to: center.dataType)
      let value = try evaluate(
        inputs.replacing(input, with: tensor), observing: [objective.site])[0]
      return try objective.values(of: value)
    }
    for i in 0..<perSample {
      let above = try values(i, moved: step)
      let below = try values(i, moved: -step)
      for n in 0..<samples {
        gradient[n * perSample + i] = (above[n] - below[n]) / (2 * step)
      }
    }
    return try Tensor(gradient, shape: center.shape.dimensions)
  }
}
