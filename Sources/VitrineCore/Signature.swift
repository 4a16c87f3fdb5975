public import VitrineTensor

/// What an axis of an input, output or attribution means.
public enum Axis: String, Sendable, Hashable {
  /// A sample.
  case batch
  /// A colour or feature map.
  case channel
  /// A row of pixels.
  case height
  /// A column of pixels.
  case width
  /// A position in a sequence, or along a one-dimensional signal.
  case position
  /// A column of a table, or a unit of a dense layer.
  case feature
  /// One of the outputs that a Jacobian differentiates.
  case output
  /// A moment of an iteration, earliest first.
  case step
}

/// A named input or output of a model.
public struct Port: Sendable, Hashable {
  /// Unique among the inputs, or among the outputs.
  public let name: String
  /// Type of the elements.
  public let dataType: DataType
  /// Extent along each axis, batch included; `nil` where the caller chooses.
  public let dimensions: [Int?]
  /// What each axis means, one entry per dimension.
  public let axes: [Axis]

  /// Creates a port from `dimensions` and the meaning of each of them.
  public init(name: String, dataType: DataType, dimensions: [Int?], axes: [Axis]) {
    self.name = name
    self.dataType = dataType
    self.dimensions = dimensions
    self.axes = axes
  }

  /// Which axis counts samples; `nil` if the model takes one sample without a batch axis.
  public var batchAxis: Int? { axes.firstIndex(of: .batch) }

  /// The dimensions as people write them, with `N` for the batch and `?` for other free extents.
  public var shapeDescription: String {
    let parts = zip(dimensions, axes).map { dimension, axis in
      dimension.map(String.init) ?? (axis == .batch ? "N" : "?")
    }
    return "[" + parts.joined(separator: ", ") + "]"
  }
}

/// The inputs and outputs of a model, in order.
public struct Signature: Sendable, Hashable {
  /// What the model takes.
  public let inputs: [Port]
  /// What it gives; the first is explained unless another is named.
  public let outputs: [Port]

  /// Creates a signature.
  public init(inputs: [Port], outputs: [Port]) {
    self.inputs = inputs
    self.outputs = outputs
  }
}

/// An addressable place inside a model: the value that one operation writes.
public struct Layer: Sendable, Hashable {
  /// Unique within the model.
  public let name: String
  /// The operation, such as `Conv` or `Relu`.
  public let kind: String
  /// Other names by which ``Site/layer(_:)`` finds it, such as that of its output tensor.
  public let aliases: [String]
  /// Extent along each axis for a batch of one, batch axis included; `nil` where it is not known before
  /// the model is called, empty if not even the rank is known.
  public let dimensions: [Int?]

  /// Creates a layer.
  public init(name: String, kind: String, aliases: [String] = [], dimensions: [Int?]) {
    self.name = name
    self.kind = kind
    self.aliases = aliases
    self.dimensions = dimensions
  }

  /// Whether the value is a stack of feature maps `[batch, channel, height, width]` with more than
  /// one position.
  public var isSpatial: Bool {
    guard dimensions.count == 4, let height = dimensions[2], let width = dimensions[3] else {
      return false
    }
    return height * width > 1
  }
}

/// A value of a model that can be observed, explained, or differentiated with respect to.
///
/// ``Model/site(named:)`` finds the site for a name that a person typed.
public enum Site: Sendable, Hashable, CustomStringConvertible {
  /// A model's input, by its name in the signature.
  case input(String)
  /// A model's output, by its name in the signature.
  case output(String)
  /// The value written by a layer, by its name or one of its aliases.
  case layer(String)

  /// The name of the input, output or layer.
  public var name: String {
    switch self {
    case .input(let name), .output(let name), .layer(let name): name
    }
  }

  public var description: String {
    switch self {
    case .input(let name): "input '\(name)'"
    case .output(let name): "output '\(name)'"
    case .layer(let name): "layer '\(name)'"
    }
  }
}

/// The tensors a model is called with, by input name.
public struct Inputs: Sendable {
  /// In the order of ``Signature/inputs``.
  public let tensors: [(name: String, value: Tensor)]

  /// Binds tensors to input names; the model checks names and shapes when it is called.
  public init(_ tensors: [(name: String, value: Tensor)]) { self.tensors = tensors }

  /// Binds one tensor to the model's only input.
  ///
  /// - Throws: ``CoreError/inputCount(expected:found:)`` if the model has several.
  public init(_ tensor: Tensor, for model: any Model) throws {
    let ports = model.signature.inputs
    guard ports.count == 1 else {
      throw CoreError.inputCount(expected: ports.map(\.name), found: 1)
    }
    tensors = [(ports[0].name, tensor)]
  }

  /// The tensor bound to an input, or `nil` if there is none of that name.
  public subscript(_ name: String) -> Tensor? { tensors.first { $0.name == name }?.value }

  /// Returns the same inputs with one tensor replaced, or added at the end if it is new.
  public func replacing(_ name: String, with value: Tensor) -> Inputs {
    var result = tensors
    if let index = result.firstIndex(where: { $0.name == name }) {
      result[index].value = value
    } else {
      result.append((name, value))
    }
    return Inputs(result)
  }
}
