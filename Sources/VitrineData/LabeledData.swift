public import VitrineTensor
public import VitrineTraining

/// Samples for networks with one input, ready to train with, and what their classes are called.
public struct LabeledData: Dataset {
  /// Inputs with their targets.
  public let samples: Samples
  /// Names of the classes in the order of their numbers; empty where targets are no classes or the
  /// files do not name them.
  public let classes: [String]

  /// Puts samples together.
  ///
  /// - Parameters:
  ///   - inputs: `[sample, …]`, `float32`: `[sample, channel, height, width]` for pictures, pixels in
  ///     0...1, `[sample, feature]` for tables.
  ///   - targets: Class numbers `[sample]`, `int64`, or wanted outputs `[sample, output]`, `float32`.
  ///   - classes: Names of the classes; may be empty.
  /// - Throws: `TrainingError` if inputs and targets differ in number.
  public init(inputs: Tensor, targets: Tensor, classes: [String] = []) throws {
    samples = try Samples(inputs: inputs, targets: targets)
    self.classes = classes
  }

  private init(_ samples: Samples, classes: [String]) {
    self.samples = samples
    self.classes = classes
  }

  public var count: Int { samples.count }

  /// `[sample, …]`, `float32`.
  public var inputs: Tensor { samples.inputs[0] }

  /// Class numbers `[sample]`, `int64`, or wanted outputs `[sample, output]`, `float32`.
  public var targets: Tensor { samples.targets }

  public func samples(at indices: [Int]) throws -> Samples { try samples.samples(at: indices) }

  /// Returns consecutive samples.
  ///
  /// - Throws: `TensorError` when the range leaves `0..<count`.
  public func part(_ range: Range<Int>) throws -> LabeledData {
    LabeledData(try samples.samples(in: range), classes: classes)
  }

  /// Returns the first `count` samples and the rest.
  ///
  /// - Throws: `TensorError` when `count` is not in `0...self.count`.
  public func split(at count: Int) throws -> (first: LabeledData, rest: LabeledData) {
    (try part(0..<count), try part(count..<self.count))
  }

  /// Returns the samples in two parts, drawn at random.
  ///
  /// - Parameters:
  ///   - fraction: Share of the samples that the second part gets, in 0...1, rounded down.
  ///   - seed: The same seed draws the same samples.
  public func split(
    validation fraction: Double, seed: UInt64 = 0
  ) throws -> (training: LabeledData, validation: LabeledData) {
    let parts = try samples.split(validation: fraction, seed: seed)
    return (
      LabeledData(parts.training, classes: classes), LabeledData(parts.validation, classes: classes)
    )
  }
}
