/// How a kernel moves along one spatial axis.
package struct Window: Sendable, Hashable {
  /// Number of positions along the input.
  package let input: Int
  /// Number of taps.
  package let kernel: Int
  /// Distance of successive outputs, at least 1.
  package let stride: Int
  /// Distance of successive taps, at least 1.
  package let dilation: Int
  package let padBefore: Int
  package let padAfter: Int
  /// Number of positions along the output, at least 1.
  package let output: Int

  package init(
    input: Int, kernel: Int, stride: Int, dilation: Int, padBefore: Int, padAfter: Int, output: Int
  ) {
    self.input = input
    self.kernel = kernel
    self.stride = stride
    self.dilation = dilation
    self.padBefore = padBefore
    self.padAfter = padAfter
    self.output = output
  }

  /// The window that copies its axis.
  static func identity(_ input: Int) -> Window {
    Window(
      input: input, kernel: 1, stride: 1, dilation: 1, padBefore: 0, padAfter: 0, output: input)
  }

  var isIdentity: Bool { self == .identity(input) }

  /// Positions from the first to the last tap.
  var extent: Int { (kernel - 1) * dilation + 1 }

  /// Returns the input position of a tap, which is in the padding if it is not in `0..<input`.
  func position(output: Int, tap: Int) -> Int {
    output * stride - padBefore + tap * dilation
  }

  /// Returns the taps that read the input, not the padding, at an output; may be empty.
  func taps(output: Int) -> Range<Int> {
    let origin = position(output: output, tap: 0)
    return Self.multiples(of: dilation, from: origin, below: input).clamped(to: 0..<kernel)
  }

  /// Returns the outputs at which a tap reads the input; may be empty.
  func outputs(tap: Int) -> Range<Int> {
    let origin = position(output: 0, tap: tap)
    return Self.multiples(of: stride, from: origin, below: input).clamped(to: 0..<output)
  }

  /// Returns all `i >= 0` with `0 <= origin + i · step < limit`.
  private static func multiples(of step: Int, from origin: Int, below limit: Int) -> Range<Int> {
    let first = origin >= 0 ? 0 : (step - 1 - origin) / step
    let end = origin >= limit ? 0 : (limit - origin + step - 1) / step
    return first..<max(first, end)
  }
}

/// The attributes that convolution and pooling share; they become windows once shapes are known.
struct WindowAttributes: Sendable {
  enum Padding: Sendable, Equatable {
    /// All axes' pads before, then all axes' pads after.
    case explicit([Int])
    /// `ceil(input / stride)` outputs; an odd pad has its larger half after the input.
    case sameUpper
    /// The same with the larger half before the input.
    case sameLower
  }

  /// Keeps every position and product of two of them within an `Int`.
  static let limit = Int(Int32.max)

  /// `nil` where the file leaves it to the weights.
  let kernel: [Int]?
  /// `nil` where all are 1, as for ``dilations``.
  let strides: [Int]?
  let dilations: [Int]?
  let padding: Padding
  /// Whether a last window may reach beyond the padded input.
  let roundsUp: Bool

  init(_ node: NodeReader) throws {
    func factors(_ name: String) throws -> [Int]? {
      guard let values = try node.integers(name), !values.isEmpty else { return nil }
      try Self.check(name, values, in: 1...Self.limit)
      return values
    }
    kernel = try factors("kernel_shape")
    strides = try factors("strides")
    dilations = try factors("dilations")
    roundsUp = try node.flag("ceil_mode", default: false)
    switch try node.string("auto_pad", default: "NOTSET") {
    case "NOTSET":
      let pads = try node.integers("pads") ?? []
      try Self.check("pads", pads, in: 0...Self.limit)
      padding = .explicit(pads)
    case "VALID": padding = .explicit([])
    case "SAME_UPPER": padding = .sameUpper
    case "SAME_LOWER": padding = .sameLower
    case let other:
      throw OperatorError(
        "auto_pad: expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, found '\(other)'")
    }
  }

  /// Returns one window per spatial axis.
  func resolved(inputSpatial: [Int], kernelSpatial: [Int]) throws -> [Window] {
    let rank = inputSpatial.count
    try Self.check("kernel shape", kernelSpatial, in: 1...Self.limit)
    try Self.check("spatial extents", inputSpatial, in: 0...Self.limit)
    for (name, values) in [
      ("kernel_shape", kernelSpatial), ("strides", strides), ("dilations", dilations),
    ] {
      guard let values, values.count != rank else { continue }
      throw OperatorError(
        "\(name): expected \(rank) values for \(rank) spatial axes, found \(values.count)")
    }
    if case .explicit(let pads) = padding, !pads.isEmpty, pads.count != 2 * rank {
      throw OperatorError(
        "pads: expected \(2 * rank) values for \(rank) spatial axes, found \(pads.count)")
    }
    return try (0..<rank).map { axis in
      try window(axis, of: rank, input: inputSpatial[axis], kernel: kernelSpatial[axis])
    }
  }

  private func window(_ axis: Int, of rank: Int, input: Int, kernel: Int) throws -> Window {
    let stride = strides?[axis] ?? 1
    let dilation = dilations?[axis] ?? 1
    let extent = (kernel - 1) * dilation + 1
    var padBefore = 0
    var padAfter = 0
    var output: Int
    switch padding {
    case .explicit(let pads):
      if !pads.isEmpty {
        padBefore = pads[axis]
        padAfter = pads[rank + axis]
      }
      let room = input + padBefore + padAfter - extent
      guard room >= 0 else {
        throw OperatorError(
          "spatial axis \(axis): a kernel of extent \(extent) does not fit into "
            + "\(padBefore) + \(input) + \(padAfter) positions")
      }
      output = room / stride + 1
      // A window that would start in the padding after the input is left out.
      if roundsUp, room % stride != 0, output * stride < input + padBefore { output += 1 }
    case .sameUpper, .sameLower:
      guard input > 0 else {
        throw OperatorError("spatial axis \(axis): expected at least 1 position, found 0")
      }
      output = (input - 1) / stride + 1
      let total = max(0, (output - 1) * stride + extent - input)
      let half = total / 2
      padBefore = padding == .sameUpper ? half : total - half
      padAfter = total - padBefore
    }
    return Window(
      input: input, kernel: kernel, stride: stride, dilation: dilation, padBefore: padBefore,
      padAfter: padAfter, output: output)
  }

  private static func check(_ name: String, _ values: [Int], in range: ClosedRange<Int>) throws {
    guard let wrong = values.first(where: { !range.contains($0) }) else { return }
    throw OperatorError(
      "\(name): expected values from \(range.lowerBound) to \(range.upperBound), found \(wrong)")
  }
}
