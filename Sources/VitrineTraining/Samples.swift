public import VitrineTensor

/// Something that has samples to train with: pictures in memory, files read when they are needed.
public protocol Dataset: Sendable {
  /// Number of samples.
  var count: Int { get }

  /// Returns some of the samples, in the order of `indices`.
  ///
  /// - Parameter indices: In `0..<count`, in any order; the same one may come twice.
  /// - Throws: What reading them throws; it ends the run.
  func samples(at indices: [Int]) throws -> Samples
}

/// Inputs with the outputs that they should have.
public struct Samples: Dataset {
  /// One per input of the network, samples along the first axis: `[sample, …]`.
  public let inputs: [Tensor]
  /// What the loss compares outputs with, samples along the first axis: numbers `[sample, …]`, or
  /// `int64` classes `[sample]`.
  public let targets: Tensor

  /// Number of samples.
  public var count: Int { targets.shape[0] }

  /// Puts together samples for a network with one input.
  ///
  /// - Throws: ``TrainingError/invalidData(what:expected:found:)`` if the numbers of samples differ.
  public init(inputs: Tensor, targets: Tensor) throws {
    try self.init(inputs: [inputs], targets: targets)
  }

  /// Puts together samples for a network with several inputs.
  ///
  /// - Throws: ``TrainingError/invalidData(what:expected:found:)`` if the numbers of samples differ.
  public init(inputs: [Tensor], targets: Tensor) throws {
    guard let count = targets.shape.dimensions.first else {
      throw TrainingError.invalidData(
        what: "targets", expected: "samples along the first axis", found: "a single number")
    }
    guard !inputs.isEmpty else {
      throw TrainingError.invalidData(what: "inputs", expected: "a tensor or more", found: "none")
    }
    for input in inputs where input.shape.dimensions.first != count {
      throw TrainingError.invalidData(
        what: "inputs", expected: "\(count) samples, as there are targets",
        found: "shape \(input.shape)")
    }
    self.inputs = inputs
    self.targets = targets
  }

  public func samples(at indices: [Int]) throws -> Samples {
    try Samples(
      inputs: inputs.map { try $0.rows(indices) }, targets: targets.rows(indices))
  }

  /// Returns the samples at a range of positions.
  ///
  /// - Throws: `TensorError` when the range leaves `0..<count`.
  public func samples(in range: Range<Int>) throws -> Samples {
    try Samples(
      inputs: inputs.map { try $0.sliced(axis: 0, range) },
      targets: targets.sliced(axis: 0, range))
  }

  /// Returns the samples in two parts, drawn at random.
  ///
  /// - Parameters:
  ///   - fraction: Share of the samples that the second part gets, in 0...1, rounded down.
  ///   - seed: The same seed draws the same samples.
  public func split(
    validation fraction: Double, seed: UInt64 = 0
  ) throws -> (training: Samples, validation: Samples) {
    guard fraction >= 0, fraction <= 1 else {
      throw TrainingError.invalidSetting(
        name: "validation fraction", expected: "a number in 0...1", found: "\(fraction)")
    }
    var generator = RandomGenerator(seed: seed)
    let order = generator.shuffledIndices(count)
    let rest = count - Int(Double(count) * fraction)
    return (try samples(at: Array(order[..<rest])), try samples(at: Array(order[rest...])))
  }
}

extension Tensor {
  /// Returns the slices along the first axis at `indices`.
  func rows(_ indices: [Int]) throws -> Tensor {
    let extent = shape[0]
    let bytes = extent == 0 ? 0 : count / extent * dataType.byteCount
    guard let wrong = indices.first(where: { $0 < 0 || $0 >= extent }) else {
      let shape = try Shape([indices.count] + shape.dimensions.dropFirst())
      var result = Tensor(zeros: shape, dataType)
      result.withMutableBytes { target in
        withBytes { source in
          guard let to = target.baseAddress, let from = source.baseAddress else { return }
          for (place, index) in indices.enumerated() {
            (to + place * bytes).copyMemory(from: from + index * bytes, byteCount: bytes)
          }
        }
      }
      return result
    }
    throw TrainingError.invalidData(
      what: "sample index", expected: "0..<\(extent)", found: "\(wrong)")
  }
}
