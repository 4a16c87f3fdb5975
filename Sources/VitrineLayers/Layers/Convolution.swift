import VitrineNetwork
import VitrineTensor

/// What surrounds the input of a window that moves over it.
public enum Padding: Sendable, Hashable {
  /// Nothing: the output is smaller than the input.
  case valid
  /// As much as an output of `ceil(input / stride)` needs; an odd one has its larger half behind.
  case same
  /// So many zeros on every side.
  case number(Int)
}

/// Convolution over sequences `[channel, position]`, without flipping the window (a cross-correlation).
///
/// Output `[filter, position']` with
/// `position' = ⌊(position + padding − (kernel − 1) · dilation − 1) / stride⌋ + 1`.
/// Parameters `weight` `[filter, channel / groups, tap]` and `bias` `[filter]`.
public struct Conv1D: Block {
  public let name: String?
  private let convolution: ConvolutionSettings

  public var kind: String { "conv" }

  /// - Parameters:
  ///   - filters: Channels of the output.
  ///   - kernel: Taps of the window.
  ///   - stride: Distance between windows.
  ///   - padding: What lies beyond the border.
  ///   - dilation: Distance between taps.
  ///   - groups: Parts of the channels that do not see each other; divides channels and filters.
  ///   - activation: Applied behind the layer, as a layer of its own.
  ///   - hasBias: Whether a bias is added.
  ///   - weights: How the weights start.
  ///   - bias: How the bias starts.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ filters: Int, kernel: Int, stride: Int = 1, padding: Padding = .valid, dilation: Int = 1,
    groups: Int = 1, activation: ActivationFunction? = nil, hasBias: Bool = true,
    weights: Initializer = .glorotUniform, bias: Initializer = .zeros, name: String? = nil
  ) {
    self.name = name
    convolution = ConvolutionSettings(
      filters: filters, kernel: [kernel], strides: [stride], padding: padding,
      dilations: [dilation], groups: groups, activation: activation, hasBias: hasBias,
      weights: weights, bias: bias)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try convolution.connect(input, &builder, axes: "[channel, position]")
  }
}

/// Convolution over pictures `[channel, height, width]`, without flipping the window (a cross-correlation).
///
/// Output `[filter, height', width']`, each as ``Conv1D`` has its positions.
/// Parameters `weight` `[filter, channel / groups, row, column]` and `bias` `[filter]`.
public struct Conv2D: Block {
  public let name: String?
  private let convolution: ConvolutionSettings

  public var kind: String { "conv" }

  /// - Parameters:
  ///   - filters: Channels of the output.
  ///   - kernel: Rows and columns of the window.
  ///   - stride: Distance between windows.
  ///   - padding: What lies beyond the border.
  ///   - dilation: Distance between taps.
  ///   - groups: Parts of the channels that do not see each other; as many as channels for a
  ///     depthwise convolution.
  ///   - activation: Applied behind the layer, as a layer of its own.
  ///   - hasBias: Whether a bias is added.
  ///   - weights: How the weights start.
  ///   - bias: How the bias starts.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(
    _ filters: Int, kernel: Int, stride: Int = 1, padding: Padding = .valid, dilation: Int = 1,
    groups: Int = 1, activation: ActivationFunction? = nil, hasBias: Bool = true,
    weights: Initializer = .glorotUniform, bias: Initializer = .zeros, name: String? = nil
  ) {
    self.init(
      filters, kernel: (kernel, kernel), stride: (stride, stride), padding: padding,
      dilation: (dilation, dilation), groups: groups, activation: activation, hasBias: hasBias,
      weights: weights, bias: bias, name: name)
  }

  /// Creates a layer whose windows need not be square: rows first.
  public init(
    _ filters: Int, kernel: (Int, Int), stride: (Int, Int) = (1, 1), padding: Padding = .valid,
    dilation: (Int, Int) = (1, 1), groups: Int = 1, activation: ActivationFunction? = nil,
    hasBias: Bool = true, weights: Initializer = .glorotUniform, bias: Initializer = .zeros,
    name: String? = nil
  ) {
    self.name = name
    convolution = ConvolutionSettings(
      filters: filters, kernel: [kernel.0, kernel.1], strides: [stride.0, stride.1],
      padding: padding, dilations: [dilation.0, dilation.1], groups: groups,
      activation: activation, hasBias: hasBias, weights: weights, bias: bias)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try convolution.connect(input, &builder, axes: "[channel, height, width]")
  }
}

private struct ConvolutionSettings: Sendable {
  let filters: Int
  let kernel: [Int]
  let strides: [Int]
  let padding: Padding
  let dilations: [Int]
  let groups: Int
  let activation: ActivationFunction?
  let hasBias: Bool
  let weights: Initializer
  let bias: Initializer

  func connect(_ input: Signal, _ builder: inout NetworkBuilder, axes: String) throws -> Signal {
    let windows = Windows(kernel: kernel, strides: strides, dilations: dilations, padding: padding)
    let attributes = try windows.attributes(for: input, builder, axes: axes)
    guard filters >= 1 else {
      throw builder.invalid("expected at least 1 filter, found \(filters)")
    }
    let channels = input.shape[0]
    guard groups >= 1, channels % groups == 0, filters % groups == 0 else {
      throw builder.invalid(
        "expected groups that divide \(channels) channels and \(filters) filters, found \(groups)")
    }
    let taps = kernel.reduce(1, *)
    let (fanIn, fanOut) = (channels / groups * taps, filters / groups * taps)
    var inputs = [
      input,
      try builder.parameter(
        "weight", [filters, channels / groups] + kernel, weights, fanIn: fanIn, fanOut: fanOut),
    ]
    if hasBias {
      inputs.append(
        try builder.parameter("bias", [filters], bias, fanIn: fanIn, fanOut: fanOut))
    }
    var all = attributes
    all["dilations"] = .integers(dilations.map(Int64.init))
    all["group"] = .integer(Int64(groups))
    return try builder.activated(builder.node("Conv", inputs, all), activation)
  }
}

/// A window that moves over the spatial axes.
struct Windows: Sendable {
  let kernel: [Int]
  let strides: [Int]
  let dilations: [Int]
  let padding: Padding

  /// Checks the input and returns the attributes that convolution and pooling share.
  func attributes(
    for input: Signal, _ builder: NetworkBuilder, axes: String
  ) throws -> [String: Graph.Attribute] {
    guard input.shape.count == kernel.count + 1, input.dataType == .float32 else {
      throw builder.invalid(
        "expected input \(axes), found \(input.dataType == .float32 ? "" : "\(input.dataType) ")"
          + "\(input.shape)")
    }
    let limit = 1 << 20
    for (what, values) in [("kernel", kernel), ("stride", strides), ("dilation", dilations)] {
      guard let wrong = values.first(where: { !(1...limit).contains($0) }) else { continue }
      throw builder.invalid("\(what): expected 1...\(limit), found \(wrong)")
    }
    var before = kernel.map { _ in 0 }
    var after = before
    for axis in kernel.indices {
      let extent = (kernel[axis] - 1) * dilations[axis] + 1
      let length = input.shape[axis + 1]
      switch padding {
      case .valid: break
      case .same:
        let total = max(0, (length - 1) / strides[axis] * strides[axis] + extent - length)
        (before[axis], after[axis]) = (total / 2, total - total / 2)
      case .number(let number):
        guard (0...limit).contains(number) else {
          throw builder.invalid("padding: expected 0...\(limit), found \(number)")
        }
        (before[axis], after[axis]) = (number, number)
      }
      guard before[axis] + length + after[axis] >= extent else {
        throw builder.invalid(
          "a window of extent \(extent) does not fit into input \(input.shape)")
      }
    }
    return [
      "kernel_shape": .integers(kernel.map(Int64.init)),
      "strides": .integers(strides.map(Int64.init)),
      "pads": .integers((before + after).map(Int64.init)),
    ]
  }
}
