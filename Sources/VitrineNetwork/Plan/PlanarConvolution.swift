internal import CVitrineKernels
internal import VitrineTensor

/// A convolution over planes with constant weights, as the kernels run it.
struct PlanarConvolution {
  let node: Int
  let groups: Int
  let inputs: Int
  let outputs: Int
  let rows: Window
  let columns: Window
  /// `[output channel, input channel / groups, row, column]`, batch normalisation folded in.
  let weights: Tensor
  /// One for each output channel.
  let bias: [Float]?

  var taps: Int { rows.kernel * columns.kernel }
  var inputsPerGroup: Int { inputs / groups }

  /// Whether every output channel has a filter for one input channel only, and filtering channel by
  /// channel costs less than full convolution.
  var isDepthwise: Bool { groups == inputs && (inputs > 1 || taps >= 64) }

  /// Output channels for each input channel of a depthwise convolution.
  var multiplier: Int { outputs / inputs }

  /// What the forward pass reads around the input.
  var halo: Halo {
    Halo(
      top: max(0, rows.padBefore), left: max(0, columns.padBefore), bottom: reach(rows),
      right: reach(columns))
  }

  /// What the backward pass reads around the output's cotangent.
  var cotangentHalo: Halo {
    var halo = Halo()
    for phase in phases(rows) where !phase.taps.isEmpty {
      halo.top = max(halo.top, -(phase.taps.map(\.shift).min() ?? 0))
      halo.bottom = max(
        halo.bottom, phase.count - 1 + (phase.taps.map(\.shift).max() ?? 0) - (rows.output - 1))
    }
    for phase in phases(columns) where !phase.taps.isEmpty {
      halo.left = max(halo.left, -(phase.taps.map(\.shift).min() ?? 0))
      halo.right = max(
        halo.right,
        phase.count - 1 + (phase.taps.map(\.shift).max() ?? 0) - (columns.output - 1))
    }
    return halo
  }

  /// How far the last window reaches past the input.
  private func reach(_ window: Window) -> Int {
    let last = (window.output - 1) * window.stride - window.padBefore
    return max(0, last + (window.kernel - 1) * window.dilation - (window.input - 1))
  }

  /// Every `stride`-th input position, and the taps through which it reaches an output.
  ///
  /// The cotangent of input `stride · j + start` is the sum over the taps of weight times the cotangent
  /// of output `j + shift`: a convolution without gaps, so that no multiplication by an inserted zero is
  /// ever done.
  struct Phase {
    let start: Int
    let count: Int
    let taps: [(index: Int, shift: Int)]
  }

  func phases(_ window: Window) -> [Phase] {
    (0..<min(window.stride, window.input)).map { start in
      var taps: [(index: Int, shift: Int)] = []
      // Backwards, so that shifts ascend: the depthwise kernel then shares what it loads.
      for tap in (0..<window.kernel).reversed() {
        let distance = start + window.padBefore - tap * window.dilation
        if distance % window.stride == 0 {
          taps.append((tap, distance / window.stride))
        }
      }
      return Phase(
        start: start, count: (window.input - start + window.stride - 1) / window.stride,
        taps: taps)
    }
  }
}

// MARK: - Packing

extension PlanarConvolution {
  /// Output channels of one kernel group, and the input blocks they read.
  struct Slice {
    let block: Int
    let blocks: Int
    let inputBlocks: Range<Int>
  }

  /// Returns the groups of up to 32 outputs of the forward pass, or of the backward pass, where
  /// inputs and outputs have changed places.
  func slices(backward: Bool) -> [Slice] {
    let (from, to) = backward ? (outputs, inputs) : (inputs, outputs)
    let (fromPerGroup, toPerGroup) = (from / groups, to / groups)
    let blocks = (to + 15) / 16
    return stride(from: 0, to: blocks, by: 2).map { block in
      let count = min(2, blocks - block)
      let first = block * 16 / toPerGroup
      let last = (min(to, (block + count) * 16) - 1) / toPerGroup
      return Slice(
        block: block, blocks: count,
        inputBlocks: first * fromPerGroup / 16..<((last + 1) * fromPerGroup + 15) / 16)
    }
  }

  /// Returns the packed weights of one slice for some taps.
  ///
  /// - Parameter taps: `row · kernel width + column` of each.
  func packed(_ slice: Slice, taps: [Int], backward: Bool) throws -> PackedConstant {
    let (from, to) = backward ? (outputs, inputs) : (inputs, outputs)
    let width = slice.blocks * 16
    let lanes = min(width, to - slice.block * 16)
    let kernel = self.taps
    let inputStride = backward ? inputsPerGroup * kernel : kernel
    let outputStride = backward ? kernel : inputsPerGroup * kernel
    return try weights.withElements(of: Float.self) { weights in
      PackedConstant(count: slice.inputBlocks.count * taps.count * 16 * width) { packed in
        guard groups > 1 else {
          var sources: [Int64] = []
          var counts: [Int32] = []
          for block in slice.inputBlocks {
            for tap in taps {
              sources.append(
                Int64(block * 16 * inputStride + slice.block * 16 * outputStride + tap))
              counts.append(Int32(min(16, from - block * 16)))
            }
          }
          vk_pack_group(
            packed, weights.baseAddress, sources, counts, sources.count, 16, Int64(inputStride),
            Int64(outputStride), lanes, width, nil)
          return
        }
        // Channels of other groups inside the same blocks get weight zero.
        for (t, (block, tap)) in pairs(slice.inputBlocks, taps).enumerated() {
          for lane in 0..<min(16, from - block * 16) {
            let source = block * 16 + lane
            for target in 0..<lanes {
              let (o, i) =
                backward
                ? (source, slice.block * 16 + target) : (slice.block * 16 + target, source)
              let group = o / (outputs / groups)
              guard i / inputsPerGroup == group else { continue }
              packed[(t * 16 + lane) * width + target] =
                weights[(o * inputsPerGroup + i % inputsPerGroup) * kernel + tap]
            }
          }
        }
      }
    }
  }

  /// Returns the weights of a convolution that reads row-major planes: one lane for each tap and
  /// channel, channel by channel.
  func packedForPlainInput(_ slice: Slice) throws -> PackedConstant {
    let width = slice.blocks * 16
    let lanes = min(width, outputs - slice.block * 16)
    return try weights.withElements(of: Float.self) { weights in
      PackedConstant(count: inputs * taps * width) { packed in
        let perOutput = inputs * taps
        let sources = (0..<perOutput).map { Int64(slice.block * 16 * perOutput + $0) }
        vk_pack_group(
          packed, weights.baseAddress, sources, [Int32](repeating: 1, count: perOutput), perOutput,
          1, 0, Int64(perOutput), lanes, width, nil)
      }
    }
  }

  /// Returns depthwise weights, `[block][tap][lane]`.
  func packedDepthwise(taps: [Int]) throws -> PackedConstant {
    let blocks = (outputs + 15) / 16
    return try weights.withElements(of: Float.self) { weights in
      PackedConstant(count: blocks * taps.count * 16) { packed in
        for channel in 0..<outputs {
          for (t, tap) in taps.enumerated() {
            packed[(channel / 16 * taps.count + t) * 16 + channel % 16] =
              weights[channel * self.taps + tap]
          }
        }
      }
    }
  }

  /// The 1×1 convolution that repeats each input channel ``multiplier`` times.
  func repeater() throws -> PlanarConvolution {
    var ones = [Float](repeating: 0, count: outputs * inputs)
    for output in 0..<outputs { ones[output * inputs + output / multiplier] = 1 }
    return PlanarConvolution(
      node: node, groups: 1, inputs: inputs, outputs: outputs, rows: .identity(rows.input),
      columns: .identity(columns.input),
      weights: try Tensor(ones, shape: [outputs, inputs, 1, 1]), bias: nil)
  }

  private func pairs(_ blocks: Range<Int>, _ taps: [Int]) -> [(Int, Int)] {
    blocks.flatMap { block in taps.map { (block, $0) } }
  }
}
