internal import CVitrineKernels
internal import VitrineTensor

/// Extents of the tiles in which a depthwise convolution with large filters is done in the frequency domain.
struct SpectralTiling: Hashable, Sendable {
  let pointsY: Int
  let pointsX: Int

  /// The lengths the kernels transform.
  static let lengths = [16, 32, 48, 64, 96]

  /// Direct multiply–adds in the time in which the kernels transform one point, there and back: measured.
  static let tapsPerPoint = 44.0

  /// Returns the length whose tiles have the fewest points in all, and how many points that is.
  static func length(for kernel: Int, outputs: Int) -> (length: Int, points: Int)? {
    lengths.filter { $0 > kernel }.map { length in
      let valid = length - kernel + 1
      return (length, (outputs + valid - 1) / valid * length)
    }.min { ($0.1, $0.0) < ($1.1, $1.0) }
  }
}

extension PlanarConvolution {
  /// The cheapest tiling in the frequency domain, or `nil` where tap by tap costs less.
  var spectralTiling: SpectralTiling? {
    guard isDepthwise, rows.stride == 1, columns.stride == 1, multiplier <= 16,
      let y = SpectralTiling.length(for: rows.extent, outputs: max(rows.output, rows.input)),
      let x = SpectralTiling.length(
        for: columns.extent, outputs: max(columns.output, columns.input))
    else { return nil }
    let blocks = Double((outputs + 15) / 16)
    let sources = Double((inputs + 15) / 16)
    let spectral =
      (blocks + sources) / 2 * Double(y.points * x.points) * SpectralTiling.tapsPerPoint
    let direct = blocks * Double(rows.output * columns.output * taps)
    return spectral < direct ? SpectralTiling(pointsY: y.length, pointsX: x.length) : nil
  }

  /// Returns the spectra of the filters, for both directions.
  func packedSpectra(_ tiling: SpectralTiling) throws -> PackedConstant {
    let blocks = (outputs + 15) / 16
    return try weights.withElements(of: Float.self) { weights in
      PackedConstant(count: blocks * tiling.pointsY * (tiling.pointsX / 2 + 1) * 32) { packed in
        vk_pack_spectra(
          packed, weights.baseAddress, outputs, Int32(rows.kernel), Int32(columns.kernel),
          Int32(rows.dilation), Int32(columns.dilation), Int32(tiling.pointsY),
          Int32(tiling.pointsX))
      }
    }
  }
}

extension PlanBuilder {
  /// How the backward pass of a depthwise convolution is done in the frequency domain; `nil`: tap by tap.
  ///
  /// The forward pass never is: over an even ground its values must be equal to the last bit, or rounding
  /// decides which of them max pooling takes, and with it where the gradient goes.
  func backwardTiling(of convolution: PlanarConvolution) -> SpectralTiling? {
    isExact ? nil : convolution.spectralTiling
  }

  /// Emits the backward pass of a depthwise convolution in the frequency domain.
  func emitSpectral(
    _ convolution: PlanarConvolution, _ fused: FusedNode, _ tiling: SpectralTiling,
    from source: Planes, to output: Planes, epilogue: Epilogue
  ) throws {
    let spectra = hold(
      try constants.constant(
        .init(
          node: fused.node, use: "spectra",
          variant: [fused.batchNormalization ?? -1, tiling.pointsY, tiling.pointsX])
      ) { try convolution.packedSpectra(tiling) })
    let scratch = newBuffer(
      byteCount: 4
        * Int(vk_spectral_scratch(Int32(tiling.pointsY), Int32(tiling.pointsX), Int32(threads))),
      images: nil)
    emit([source.buffer, output.buffer, scratch] + epilogue.buffers) { layout in
      var op = vk_op()
      op.kind = VK_SPECTRAL
      op.as.spectral.input = layout.map(source)
      op.as.spectral.output = layout.map(output)
      op.as.spectral.spectra = spectra
      op.as.spectral.images = layout.images(output.shape.images)
      op.as.spectral.filters = Int32(convolution.outputs)
      op.as.spectral.multiplier = Int32(convolution.multiplier)
      op.as.spectral.transposed = 1
      op.as.spectral.input_height = Int32(source.shape.height)
      op.as.spectral.input_width = Int32(source.shape.width)
      op.as.spectral.height = Int32(output.shape.height)
      op.as.spectral.width = Int32(output.shape.width)
      op.as.spectral.kernel_y = Int32(convolution.rows.extent)
      op.as.spectral.kernel_x = Int32(convolution.columns.extent)
      op.as.spectral.pad_top = Int32(convolution.rows.padBefore)
      op.as.spectral.pad_left = Int32(convolution.columns.padBefore)
      op.as.spectral.points_y = Int32(tiling.pointsY)
      op.as.spectral.points_x = Int32(tiling.pointsX)
      op.as.spectral.scratch_offset = Int64(layout.offsets[scratch] / 4)
      op.as.spectral.epilogue = epilogue.resolved(layout)
      return op
    }
  }

  /// Emits planes as rows with the channels of each pixel side by side, or the way back.
  func emitChannelsLast(
    _ planes: Planes, rows: Planes, backward: Bool = false, epilogue: Epilogue = Epilogue()
  ) {
    emit([planes.buffer, rows.buffer] + epilogue.buffers) { layout in
      let blocked = layout.map(planes)
      var interleaved = layout.map(rows)
      interleaved.pixel_stride = Int32(planes.shape.channels)
      interleaved.row_stride = Int64(planes.shape.channels * planes.shape.width)
      interleaved.block_stride = 16
      var op = vk_op()
      op.kind = VK_COPY
      op.as.elementwise.input = backward ? interleaved : blocked
      op.as.elementwise.second = layout.map(nil)
      op.as.elementwise.output = backward ? blocked : interleaved
      op.as.elementwise.images = layout.images(planes.shape.images)
      op.as.elementwise.blocks = Int32(planes.shape.blocks)
      op.as.elementwise.height = Int32(planes.shape.height)
      op.as.elementwise.width = Int32(planes.shape.width)
      op.as.elementwise.second_images = 1
      op.as.elementwise.epilogue = epilogue.resolved(layout)
      return op
    }
  }
}
