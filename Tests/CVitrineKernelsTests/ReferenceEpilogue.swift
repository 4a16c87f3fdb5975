import CVitrineKernels

/// An epilogue for a kernel, together with what it must do to one element, in double precision.
struct ReferenceEpilogue {
  var hasBias = false
  var hasResidual = false
  var readsMask = false
  var writesMask = false
  var function = VK_IDENTITY
  var rule = VK_BACKWARD_GRADIENT
  var alpha: Float = 0
  var beta: Float = 0
  /// Images of the mask that is read; 0: as many as the output has.
  var maskImages = 0
  /// Whether the mask is applied before the residual is added.
  var masksFirst = false

  /// What the kernel gets, and the buffers it reads and writes.
  struct Prepared {
    var epilogue: vk_epilogue
    var bias: [Float]
    var residual: Int32
    var readMask: Int32
    var readPlanes: BlockedPlanes
    var writeMask: Int32
  }

  func prepare(_ output: BlockedPlanes, in workspace: Workspace, seed: UInt64) -> Prepared {
    var numbers = WholeNumbers(seed: seed)
    var bias = [Float](repeating: 0, count: output.blocks * 16)
    if hasBias {
      for channel in 0..<output.channels { bias[channel] = numbers.next() }
    }
    var readPlanes = output
    if maskImages > 0 { readPlanes.images = maskImages }
    let residual = hasResidual ? output.addWholeNumbers(to: workspace, seed: seed + 1) : -1
    let readMask = readsMask ? workspace.addWords(readPlanes.maskCount) : -1
    if readsMask {
      for i in 0..<readPlanes.maskCount {
        workspace.words(readMask)[i] = UInt16(truncatingIfNeeded: numbers.bits())
      }
    }
    let writeMask = writesMask ? workspace.addWords(output.maskCount) : -1
    return Prepared(
      epilogue: vk_epilogue(
        bias: hasBias ? workspace.keep(bias) : nil,
        residual: hasResidual ? output.map(buffer: residual) : .absent,
        read_mask: readsMask ? readPlanes.mask(buffer: readMask) : .absent,
        write_mask: writesMask ? output.mask(buffer: writeMask) : .absent,
        function: function, rule: rule, alpha: alpha, beta: beta,
        masks_first: masksFirst ? 1 : 0),
      bias: bias, residual: residual, readMask: readMask, readPlanes: readPlanes,
      writeMask: writeMask)
  }

  /// What must be stored for `sum`, the mask bit, and how far from changing that bit is.
  func finish(
    _ sum: Double, _ prepared: Prepared, _ output: BlockedPlanes, in workspace: Workspace,
    _ image: Int, _ channel: Int, _ y: Int, _ x: Int
  ) -> (value: Double, bit: Bool, margin: Double) {
    var value = sum + Double(prepared.bias[channel])
    let residual =
      hasResidual
      ? Double(workspace.floats(prepared.residual)[output.index(image, channel, y, x)]) : 0
    if !masksFirst { value += residual }
    if readsMask {
      let planes = prepared.readPlanes
      let word = workspace.words(prepared.readMask)[
        planes.maskIndex(image % planes.images, channel, y, x)]
      let open = word >> UInt16(channel % 16) & 1 == 1
      switch rule {
      case VK_BACKWARD_GUIDED: value = open && value > 0 ? value : 0
      case VK_BACKWARD_DECONVNET: value = value > 0 ? value : 0
      default: value = open ? value : 0
      }
    }
    if masksFirst { value += residual }
    let low = Double(alpha)
    let high = Double(beta)
    let bit = function == VK_CLIP ? low < value && value < high : value > 0
    let margin = function == VK_CLIP ? min(abs(value - low), abs(value - high)) : abs(value)
    switch function {
    case VK_RELU: value = max(value, 0)
    case VK_CLIP: value = min(max(value, low), high)
    case VK_LEAKY_RELU: value = value > 0 ? value : low * value
    default: break
    }
    return (value, bit, margin)
  }

  /// One of each kind, alone and together.
  static let all: [ReferenceEpilogue] = [
    ReferenceEpilogue(),
    ReferenceEpilogue(hasBias: true, function: VK_RELU),
    ReferenceEpilogue(hasBias: true, hasResidual: true, writesMask: true, function: VK_RELU),
    ReferenceEpilogue(hasBias: true, writesMask: true, function: VK_CLIP, alpha: -3, beta: 6),
    ReferenceEpilogue(hasResidual: true, function: VK_LEAKY_RELU, alpha: 0.25),
    ReferenceEpilogue(readsMask: true),
    ReferenceEpilogue(hasResidual: true, readsMask: true, rule: VK_BACKWARD_GUIDED),
    ReferenceEpilogue(readsMask: true, rule: VK_BACKWARD_DECONVNET),
    ReferenceEpilogue(readsMask: true, writesMask: true, maskImages: 1),
    ReferenceEpilogue(hasBias: true, hasResidual: true, readsMask: true, masksFirst: true),
  ]
}

/// The first element that differs by more than `tolerance` from what the epilogue must make of the
/// sum, or nil.
func firstMismatch(
  _ output: BlockedPlanes, buffer: Int32, _ reference: ReferenceEpilogue,
  _ prepared: ReferenceEpilogue.Prepared, in workspace: Workspace,
  tolerance: Double = 0, sum: (_ image: Int, _ channel: Int, _ y: Int, _ x: Int) -> Double
) -> String? {
  var mismatch: String?
  output.forEachElement { image, channel, y, x in
    guard mismatch == nil else { return }
    let expected = reference.finish(
      sum(image, channel, y, x), prepared, output, in: workspace, image, channel, y, x)
    let found = workspace.floats(buffer)[output.index(image, channel, y, x)]
    // False for NaN.
    let isClose =
      tolerance == 0
      ? found == Float(expected.value) : abs(Double(found) - expected.value) <= tolerance
    if !isClose {
      mismatch = "\((image, channel, y, x)): \(found), expected \(expected.value)"
    }
    if reference.writesMask, tolerance == 0 || expected.margin > tolerance {
      let word = workspace.words(prepared.writeMask)[output.maskIndex(image, channel, y, x)]
      if (word >> UInt16(channel % 16) & 1 == 1) != expected.bit {
        mismatch = "mask at \((image, channel, y, x)), expected \(expected.bit)"
      }
    }
  }
  return mismatch
}
