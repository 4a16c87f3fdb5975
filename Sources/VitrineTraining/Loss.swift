public import VitrineTensor

/// How far outputs are from their targets, as one number to make small.
public protocol Loss: Sendable {
  /// Name and settings, such as `huber(threshold: 1.0)`; a checkpoint is only resumed with the same.
  var identifier: String { get }

  /// Whether the loss takes logits: of a network that ends in a softmax it then reads the value before
  /// it.
  var readsLogits: Bool { get }

  /// Returns the mean loss of a batch and its derivative.
  ///
  /// - Parameters:
  ///   - outputs: Of the network, real, `[sample, …]`.
  ///   - targets: `[sample, …]`.
  /// - Throws: ``TrainingError/invalidData(what:expected:found:)`` if they do not fit.
  func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue
}

/// A loss and its derivative.
public struct LossValue: Sendable {
  /// Mean over the batch.
  public let value: Double
  /// Derivative of ``value`` with respect to the outputs, of their shape and type.
  public let gradient: Tensor

  /// Creates a result.
  public init(value: Double, gradient: Tensor) {
    self.value = value
    self.gradient = gradient
  }
}

extension Loss {
  public var readsLogits: Bool { false }
}
