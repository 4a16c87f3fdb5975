internal import VitrineTensor

// Slices and paddings only choose elements: convolutions of one tap whose weights are 0 and 1.
extension Fusion {
  /// Returns a slice or a padding with zeros as a convolution; `nil` if it is more than that.
  static func selection(
    _ fused: FusedNode, _ specialization: Specialization
  ) throws -> PlanarConvolution? {
    let node = specialization.wiring.nodes[fused.node]
    let types = specialization.types
    let shape = types[fused.input].shape
    guard let output = node.outputs[0], types[fused.input].constant == nil,
      shape.rank == 3 || shape.rank == 4
    else { return nil }
    let arguments = node.inputs.map { $0.map { types[$0] } }
    var starts: [Int]
    var steps = [Int](repeating: 1, count: shape.rank)
    switch node.operation {
    case let slice as Slice:
      let view = try slice.view(arguments).view
      starts = zip(zip(shape.strides, shape.dimensions), view.extents).map { axis, _ in
        view.offset / axis.0 % axis.1
      }
      steps = zip(view.strides, shape.strides).map { $0 / $1 }
    case let pad as Pad:
      guard let zeros = try pad.addedZeros(arguments) else { return nil }
      starts = zeros.map { -$0.before }
    default: return nil
    }
    let result = types[output].shape
    guard result.rank == shape.rank, result[0] == shape[0], starts[0] == 0,
      steps.allSatisfy({ $0 > 0 })
    else { return nil }

    func window(_ axis: Int) -> Window {
      Window(
        input: shape[axis], kernel: 1, stride: steps[axis], dilation: 1, padBefore: -starts[axis],
        padAfter: 0, output: result[axis])
    }
    let rows = shape.rank == 4 ? window(2) : .identity(1)
    let columns = window(shape.rank - 1)
    // Distances that a halo of zeros would have to cover are left to the reference.
    guard
      [rows, columns].allSatisfy({ $0.padBefore <= 64 && ($0.output - 1) * $0.stride < 1 << 24 })
    else { return nil }
    let (inputs, outputs) = (shape[1], result[1])
    let keepsChannels = inputs == outputs && starts[1] == 0 && steps[1] == 1
    guard keepsChannels || inputs * outputs <= 1 << 18 else { return nil }
    var weights = [Float](
      repeating: keepsChannels ? 1 : 0, count: keepsChannels ? inputs : inputs * outputs)
    if !keepsChannels {
      for channel in 0..<outputs {
        let source = starts[1] + channel * steps[1]
        if (0..<inputs).contains(source) { weights[channel * inputs + source] = 1 }
      }
    }
    return PlanarConvolution(
      node: fused.node, groups: keepsChannels ? inputs : 1, inputs: inputs, outputs: outputs,
      rows: rows, columns: columns,
      weights: try Tensor(weights, shape: [outputs, keepsChannels ? 1 : inputs, 1, 1]), bias: nil)
  }

  /// Returns a convolution's windows over what a padding pads; `nil` if the padding is not one with zeros
  /// around the planes.
  static func unpadded(
    _ windows: [Window], _ padding: Int?, _ specialization: Specialization
  ) throws -> [Window]? {
    guard let padding else { return windows }
    let node = specialization.wiring.nodes[padding]
    guard let pad = node.operation as? Pad,
      let zeros = try pad.addedZeros(node.inputs.map { $0.map { specialization.types[$0] } }),
      zeros.count == windows.count + 2,
      zeros.prefix(2).allSatisfy({ $0.before == 0 && $0.after == 0 })
    else { return nil }
    return zip(windows, zeros.dropFirst(2)).map { window, zeros in
      Window(
        input: window.input - zeros.before - zeros.after, kernel: window.kernel,
        stride: window.stride, dilation: window.dilation,
        padBefore: window.padBefore + zeros.before, padAfter: window.padAfter + zeros.after,
        output: window.output)
    }
  }
}
