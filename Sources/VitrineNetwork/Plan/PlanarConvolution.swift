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
  /// Numbers by which the weights of each input channel are multiplied when they are packed.
  var inputScale: [Float]?

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
    let (vertical, horizontal) = (shifts(rows), shifts(columns))
    return Halo(
      top: max(0, -vertical.lowerBound), left: max(0, -horizontal.lowerBound),
      bottom: max(0, phases(rows)[0].count + vertical.upperBound - rows.output),
      right: max(0, phases(columns)[0].count + horizontal.upperBound - columns.output))
  }

  /// From the first to the last output that an input of any phase reaches, relative to its own.
  private func shifts(_ window: Window) -> ClosedRange<Int> {
    let all = phases(window).flatMap { $0.taps.map(\.shift) }
    guard let first = all.min(), let last = all.max() else { return 0...0 }
    return first...last
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

  /// Whether some inputs reach no output.
  var hasEmptyPhase: Bool {
    [rows, columns].contains { phases($0).contains { $0.taps.isEmpty } }
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

// MARK: - Neighbouring pixels together

extension PlanarConvolution {
  /// The input gradient as one convolution over the cotangent whose outputs are the channels of `side` × `side`
  /// neighbouring inputs: lane `(row · side + column) · inputs + channel`. The side is the stride, or 2 where
  /// that is 1.
  ///
  /// A few input channels would leave most of a vector's lanes idle if each pixel were computed by
  /// itself. `nil` unless strides are equal and there are few channels; for stride 1 also if extents are odd,
  /// windows have gaps, or the convolution is depthwise.
  func inputGradientInSquares() throws -> (convolution: PlanarConvolution, side: Int)? {
    // Input `side · j + r` reaches output `step · j + r / stride + shift`.
    let stride = rows.stride
    let step = stride == 1 ? 2 : 1
    let side = step * stride
    guard groups == 1, columns.stride == stride, inputs * side * side <= 64, inputs <= 4,
      rows.input >= side, columns.input >= side
    else { return nil }
    // Odd extents would read past the halo, windows with gaps get more of them, and large filters of one channel
    // have a better way.
    guard
      step == 1
        || !isDepthwise
          && [rows, columns].allSatisfy({ $0.input.isMultiple(of: 2) && $0.dilation == 1 })
    else { return nil }
    let extra = step - 1
    let (vertical, horizontal) = (shifts(rows), shifts(columns))
    let height = vertical.count + extra
    let width = horizontal.count + extra
    func window(_ window: Window, _ shifts: ClosedRange<Int>) -> Window {
      Window(
        input: window.output, kernel: shifts.count + extra, stride: step, dilation: 1,
        padBefore: -shifts.lowerBound, padAfter: 0,
        output: (window.input + side - 1) / side)
    }
    let lanes = inputs * side * side
    var together = [Float](repeating: 0, count: lanes * outputs * height * width)
    let (yPhases, xPhases) = (phases(rows), phases(columns))
    try weights.withElements(of: Float.self) { weights in
      for dy in 0..<side {
        for dx in 0..<side {
          let (yTaps, xTaps) = (yPhases[dy % stride].taps, xPhases[dx % stride].taps)
          for (yTap, xTap) in yTaps.flatMap({ yTap in xTaps.map { (yTap, $0) } }) {
            for channel in 0..<inputs {
              let lane = (dy * side + dx) * inputs + channel
              for output in 0..<outputs {
                let source = (output * inputs + channel) * taps + yTap.index * columns.kernel
                let row =
                  (lane * outputs + output) * height + dy / stride + yTap.shift
                  - vertical.lowerBound
                together[row * width + dx / stride + xTap.shift - horizontal.lowerBound] =
                  weights[source + xTap.index]
              }
            }
          }
        }
      }
    }
    let convolution = PlanarConvolution(
      node: node, groups: 1, inputs: outputs, outputs: lanes, rows: window(rows, vertical),
      columns: window(columns, horizontal),
      weights: try Tensor(together, shape: [lanes, outputs, height, width]), bias: nil)
    return (convolution, side)
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

  /// Returns the floats of each slice's packed weights for some taps.
  func packedCounts(_ slices: [Slice], taps: Int) -> [Int] {
    slices.map { $0.inputBlocks.count * taps * 16 * $0.blocks * 16 }
  }

  /// Returns the packed weights of all slices for some taps, one slice after the other.
  ///
  /// - Parameter taps: `row · kernel width + column` of each.
  func packed(
    _ slices: [Slice], taps: [Int], backward: Bool, threads: Int
  ) throws -> PackedConstant {
    let counts = packedCounts(slices, taps: taps.count)
    let (from, to) = backward ? (outputs, inputs) : (inputs, outputs)
    let tapNumbers = taps.map(Int32.init)
    return try scaledWeights().withElements(of: Float.self) { weights in
      PackedConstant(count: counts.reduce(0, +)) { packed in
        guard let source = weights.baseAddress else { return }
        tapNumbers.withUnsafeBufferPointer { taps in
          var next = packed
          var pieces: [vk_packing] = []
          for (slice, count) in zip(slices, counts) {
            if groups > 1 {
              packGroups(slice, taps: tapNumbers, backward: backward, from: weights, into: next)
            } else {
              var piece = vk_packing()
              piece.kind = VK_PACK_WINDOWS
              piece.packed = next
              piece.input_stride = Int64(backward ? inputs * self.taps : self.taps)
              piece.output_stride = Int64(backward ? self.taps : inputs * self.taps)
              let firstInput = slice.inputBlocks.lowerBound * 16
              piece.source =
                source + slice.block * 16 * Int(piece.output_stride)
                + firstInput * Int(piece.input_stride)
              piece.taps = taps.baseAddress
              piece.tap_count = Int32(taps.count)
              piece.kernel = Int32(self.taps)
              piece.inputs = Int64(min(from, slice.inputBlocks.upperBound * 16) - firstInput)
              piece.width = Int64(slice.blocks * 16)
              piece.outputs = min(piece.width, Int64(to - slice.block * 16))
              pieces.append(piece)
            }
            next += count
          }
          vk_pack(pieces, pieces.count, Int32(threads))
        }
      }
    }
  }

  /// Packs one slice of a grouped convolution: channels of other groups inside the same blocks get
  /// weight zero.
  private func packGroups(
    _ slice: Slice, taps: [Int32], backward: Bool, from weights: UnsafeBufferPointer<Float>,
    into packed: UnsafeMutablePointer<Float>
  ) {
    let (from, to) = backward ? (outputs, inputs) : (inputs, outputs)
    let width = slice.blocks * 16
    for (b, block) in slice.inputBlocks.enumerated() {
      for (t, tap) in taps.enumerated() {
        for lane in 0..<min(16, from - block * 16) {
          let source = block * 16 + lane
          for target in 0..<min(width, to - slice.block * 16) {
            let (o, i) =
              backward
              ? (source, slice.block * 16 + target) : (slice.block * 16 + target, source)
            guard i / inputsPerGroup == o / (outputs / groups) else { continue }
            packed[((b * taps.count + t) * 16 + lane) * width + target] =
              weights[(o * inputsPerGroup + i % inputsPerGroup) * self.taps + Int(tap)]
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

  /// Returns the weights with ``inputScale``.
  func scaledWeights() throws -> Tensor {
    guard let inputScale else { return weights }
    var scaled = weights
    try scaled.withMutableElements(of: Float.self) { elements in
      var next = 0
      for output in 0..<outputs {
        let first = output / (outputs / groups) * inputsPerGroup
        for input in first..<first + inputsPerGroup {
          for _ in 0..<taps {
            elements[next] *= inputScale[input]
            next += 1
          }
        }
      }
    }
    return scaled
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
}
