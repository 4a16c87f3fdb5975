public import VitrineTensor

extension Tensor {
  /// Returns a tensor of numbers that are uniform in `range`, the same for the same seed.
  public static func random(
    _ dimensions: [Int], in range: ClosedRange<Double> = -1...1, seed: UInt64,
    _ dataType: DataType = .float32
  ) throws -> Tensor {
    var generator = RandomGenerator(seed: seed)
    let shape = try Shape(dimensions)
    let width = range.upperBound - range.lowerBound
    return Tensor(uninitialized: shape, of: Double.self) { elements in
      for i in elements.indices {
        elements[i] = range.lowerBound + width * generator.uniformDouble()
      }
    }.converted(to: dataType)
  }
}
