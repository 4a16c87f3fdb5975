internal import VitrineTensor

// Often one class of a thousand is explained. Where a convolution leads to the classes channel by channel,
// as in fully convolutional networks, only the blocks with channels of that class are computed, and only from
// them do cotangents come back.
extension PlanBuilder {
  /// Returns the convolution that leads to the source or target channel by channel, by its node, with the
  /// output channels that `channels` depend on; nothing if there is none.
  func convolutions(leadingTo channels: Set<Int>) -> [Int: Set<Int>] {
    guard var value = request.source ?? request.targets.first, types[value].shape.rank > 1
    else { return [:] }
    let whole = Set(request.targets + request.sites + request.sums)
    while let index = producers[value] {
      let fused = nodes[index]
      let input = fused.input
      let isOnlyReader = nodes.reduce(0) { $0 + reads($1).filter { $0 == input }.count } == 1
      switch lowerings[index] {
      case .convolution(let convolution):
        // Who splits long sums splits them elsewhere if they begin later: the bits would depend on company.
        guard !convolution.isDepthwise, convolution.groups == 1, fused.residual == nil,
          !isExact || convolution.taps == 1
        else { return [:] }
        return [convolution.node: channels]
      case .alias, .reshape:
        // One pixel for each channel, before and after.
        guard types[input].shape.rank > 1, isOnlyReader,
          types[input].shape[1] == types[value].shape[1],
          types[input].shape.count == types[value].shape.count,
          types[input].shape[0] * types[input].shape[1] == types[input].shape.count
        else { return [:] }
      case .globalAverage, .function:
        guard isOnlyReader else { return [:] }
      default: return [:]
      }
      guard !whole.contains(input) else { return [:] }
      value = input
    }
    return [:]
  }

  /// Returns the outputs of a convolution from the first to the last block with channels that matter.
  func neededOutputs(of convolution: PlanarConvolution) -> Range<Int> {
    guard let channels = neededChannels[convolution.node], let first = channels.min(),
      let last = channels.max(), first >= 0, last < convolution.outputs
    else { return 0..<convolution.outputs }
    return first / 16 * 16..<min((last / 16 + 1) * 16, convolution.outputs)
  }

  /// Returns the slices of a forward pass that compute channels that matter, or such as lie between them.
  func needed(
    _ slices: [PlanarConvolution.Slice], of convolution: PlanarConvolution
  ) -> [PlanarConvolution.Slice] {
    let channels = neededOutputs(of: convolution)
    return slices.filter {
      channels.overlaps($0.block * 16..<($0.block + $0.blocks) * 16)
    }
  }
}

extension PlanarConvolution {
  /// Returns the convolution that computes some of the outputs.
  func outputs(_ channels: Range<Int>) throws -> PlanarConvolution {
    if channels.count == outputs { return self }
    return PlanarConvolution(
      node: node, groups: groups, inputs: inputs, outputs: channels.count, rows: rows,
      columns: columns, weights: try weights.sliced(axis: 0, channels),
      bias: bias.map { Array($0[channels]) }, inputScale: inputScale)
  }
}

extension Epilogue {
  /// Returns what is done to some of the channels, starting at a whole block.
  func channels(_ channels: Int, from start: Int) -> Epilogue {
    var result = self
    result.bias = bias.map { $0 + start }
    result.residual = residual?.channels(channels, from: start)
    result.readMask = readMask?.channels(channels, from: start)
    result.writeMask = writeMask?.channels(channels, from: start)
    return result
  }
}

extension PlanarConvolution.Slice {
  /// Returns the slice of a backward pass that reads only blocks with channels that matter.
  func reading(_ channels: Set<Int>?) -> PlanarConvolution.Slice {
    guard let blocks = channels.map({ $0.map { $0 / 16 } }), let first = blocks.min(),
      let last = blocks.max()
    else { return self }
    return PlanarConvolution.Slice(
      block: block, blocks: self.blocks, inputBlocks: inputBlocks.clamped(to: first..<last + 1))
  }
}
