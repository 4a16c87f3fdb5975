public import VitrineTensor

/// Samples with what they should give: the first axis of both tensors counts samples.
public struct DataSet: Sendable {
  /// `[sample, …]`, `float32`: `[sample, channel, height, width]` for pictures, pixels in 0...1,
  /// `[sample, feature]` for tables.
  public let inputs: Tensor
  /// Class numbers `[sample]`, `int64`, or wanted outputs `[sample, output]`, `float32`.
  public let targets: Tensor
  /// Names of the classes in the order of their numbers; empty where targets are no classes or the
  /// files do not name them.
  public let classes: [String]

  /// Puts samples together.
  ///
  /// - Throws: ``DataError/invalidArgument(_:)`` if inputs and targets differ in number or there are none.
  public init(inputs: Tensor, targets: Tensor, classes: [String] = []) throws(DataError) {
    guard let count = inputs.shape.dimensions.first, count > 0,
      targets.shape.dimensions.first == count
    else {
      throw .invalidArgument(
        "expected as many targets as inputs and at least one, found inputs of shape \(inputs.shape) "
          + "and targets of shape \(targets.shape)")
    }
    self.inputs = inputs
    self.targets = targets
    self.classes = classes
  }

  /// Number of samples.
  public var count: Int { inputs.shape[0] }

  /// Returns consecutive samples.
  ///
  /// - Throws: When the range leaves `0..<count` or is empty.
  public func samples(_ range: Range<Int>) throws -> DataSet {
    try DataSet(
      inputs: inputs.sliced(axis: 0, range), targets: targets.sliced(axis: 0, range),
      classes: classes)
  }

  /// Returns the first `count` samples and the rest.
  ///
  /// - Throws: When one of the parts would be empty.
  public func split(at count: Int) throws -> (first: DataSet, rest: DataSet) {
    (try samples(0..<count), try samples(count..<self.count))
  }
}
