public import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A small regression with a Jacobian in closed form: y = (sin(x₁x₂), cos(x₃x₄)), x ~ U(−1, 1).
///
/// It is the first example of aug-net (capability row A2).
public enum SineCosine {
  /// Draws samples: inputs `[count, 4]`, targets `[count, 2]`.
  ///
  /// - Throws: ``DataError/invalidArgument(_:)`` for a count below 1.
  public static func dataSet(
    count: Int, using generator: inout RandomGenerator
  ) throws -> LabeledData {
    guard count >= 1 else {
      throw DataError.invalidArgument("expected a sample or more, found \(count)")
    }
    var inputs: [Float] = []
    var targets: [Float] = []
    for _ in 0..<count {
      let x = (0..<4).map { _ in generator.uniformDouble() * 2 - 1 }
      inputs += x.map(Float.init)
      targets += values(at: x).map(Float.init)
    }
    return try LabeledData(
      inputs: Tensor(inputs, shape: [count, 4]), targets: Tensor(targets, shape: [count, 2]))
  }

  /// Returns y at a point of four coordinates.
  public static func values(at x: [Double]) -> [Double] {
    precondition(x.count == 4, "the function takes four coordinates")
    return [sin(x[0] * x[1]), cos(x[2] * x[3])]
  }

  /// Returns the derivatives at a point, `[output][input]`.
  public static func jacobian(at x: [Double]) -> [[Double]] {
    precondition(x.count == 4, "the function takes four coordinates")
    let slope = cos(x[0] * x[1])
    let fall = -sin(x[2] * x[3])
    return [[x[1] * slope, x[0] * slope, 0, 0], [0, 0, x[3] * fall, x[2] * fall]]
  }
}
