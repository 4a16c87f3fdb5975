import VitrineNetwork
import VitrineTensor

/// The greatest element of each window over `[channel, height, width]`; padding never wins.
///
/// Output `[channel, height', width']` with `height' = ⌊(height + padding − size) / stride⌋ + 1`.
public struct MaxPool2D: Block {
  public let name: String?
  private let windows: Windows

  public var kind: String { "maxpool" }

  /// - Parameters:
  ///   - size: Extent of the window, in elements, along each axis.
  ///   - stride: The window's own extent if `nil`.
  ///   - padding: What lies beyond the border.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ size: Int, stride: Int? = nil, padding: Padding = .valid, name: String? = nil) {
    self.name = name
    windows = Windows(size, stride, padding, axes: 2)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try builder.node(
      "MaxPool", [input],
      windows.attributes(for: input, builder, axes: "[channel, height, width]"))
  }
}

/// The mean of each window over `[channel, height, width]`; padding does not count.
///
/// Output as that of ``MaxPool2D``.
public struct AveragePool2D: Block {
  public let name: String?
  private let windows: Windows

  public var kind: String { "averagepool" }

  /// - Parameters:
  ///   - size: Extent of the window, in elements, along each axis.
  ///   - stride: The window's own extent if `nil`.
  ///   - padding: What lies beyond the border.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ size: Int, stride: Int? = nil, padding: Padding = .valid, name: String? = nil) {
    self.name = name
    windows = Windows(size, stride, padding, axes: 2)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try builder.node(
      "AveragePool", [input],
      windows.attributes(for: input, builder, axes: "[channel, height, width]"))
  }
}

/// The greatest element of each window over `[channel, position]`; padding never wins.
///
/// Output `[channel, position']` with `position' = ⌊(position + padding − size) / stride⌋ + 1`.
public struct MaxPool1D: Block {
  public let name: String?
  private let windows: Windows

  public var kind: String { "maxpool" }

  /// - Parameters:
  ///   - size: Extent of the window, in elements, along each axis.
  ///   - stride: The window's own extent if `nil`.
  ///   - padding: What lies beyond the border.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ size: Int, stride: Int? = nil, padding: Padding = .valid, name: String? = nil) {
    self.name = name
    windows = Windows(size, stride, padding, axes: 1)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try builder.node(
      "MaxPool", [input], windows.attributes(for: input, builder, axes: "[channel, position]"))
  }
}

/// The mean of each window over `[channel, position]`; padding does not count.
///
/// Output as that of ``MaxPool1D``.
public struct AveragePool1D: Block {
  public let name: String?
  private let windows: Windows

  public var kind: String { "averagepool" }

  /// - Parameters:
  ///   - size: Extent of the window, in elements, along each axis.
  ///   - stride: The window's own extent if `nil`.
  ///   - padding: What lies beyond the border.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ size: Int, stride: Int? = nil, padding: Padding = .valid, name: String? = nil) {
    self.name = name
    windows = Windows(size, stride, padding, axes: 1)
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try builder.node(
      "AveragePool", [input], windows.attributes(for: input, builder, axes: "[channel, position]"))
  }
}

/// The mean of each channel: `[channel, …]` becomes `[channel]`.
///
/// Source: Lin, Chen, Yan, "Network in Network" (2014), section 3.2.
public struct GlobalAveragePool: Block {
  public let name: String?

  public var kind: String { "globalaveragepool" }

  /// - Parameter name: The layer's name; numbered by its kind if `nil`.
  public init(name: String? = nil) { self.name = name }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.shape.count >= 2 else {
      throw builder.invalid("expected input [channel, …], found \(input.shape)")
    }
    return try builder.node(
      "Flatten", [builder.node("GlobalAveragePool", [input])], ["axis": .integer(1)])
  }
}

/// The mean over the steps of a sequence: `[step, feature]` becomes `[feature]`.
public struct MeanOverSteps: Block {
  public let name: String?

  public var kind: String { "meanoversteps" }

  /// - Parameter name: The layer's name; numbered by its kind if `nil`.
  public init(name: String? = nil) { self.name = name }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.shape.count == 2 else {
      throw builder.invalid("expected input [step, feature], found \(input.shape)")
    }
    let axes = try builder.constant("axes", Tensor([Int64(1)]))
    return try builder.node("ReduceMean", [input, axes], ["keepdims": .integer(0)])
  }
}

extension Windows {
  fileprivate init(_ size: Int, _ stride: Int?, _ padding: Padding, axes: Int) {
    self.init(
      kernel: Array(repeating: size, count: axes),
      strides: Array(repeating: stride ?? size, count: axes),
      dilations: Array(repeating: 1, count: axes), padding: padding)
  }
}
