internal import CVitrineKernels
internal import VitrineTensor

/// How the tiles of a convolution by minimal filtering are divided.
///
/// None of it changes results: each output is one fixed sequence of operations.
package struct WinogradSchedule: Equatable {
  /// Tiles of 4 × 4 outputs transformed together.
  package let tilesAtOnce: Int
  /// Whether threads share transformed tiles and divide the outputs, instead of dividing tiles.
  package let splitsOutputs: Bool

  static let tileSide = 4
  /// Points at which a tile of 6 × 6 inputs is evaluated.
  static let points = 36

  /// Returns the tiles that cover one plane.
  package static func tiles(height: Int, width: Int) -> Int {
    ((height + tileSide - 1) / tileSide) * ((width + tileSide - 1) / tileSide)
  }

  /// - Parameters:
  ///   - tiles: Of all images.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  package init(tiles: Int, inputs: Int, outputs: Int, threads: Int) {
    let bytesPerTile = Self.points * ((inputs + 15) / 16 * 16) * 4
    let weightBytes = bytesPerTile * outputs
    // Every piece of tiles reads all weights: from the second-level cache or, with little loss, the
    // third. Weights that do not stay there are read once by dividing outputs. So are they where
    // threads would have too few tiles to be busy.
    splitsOutputs = weightBytes > 6 << 20 || tiles < 14 * threads
    if splitsOutputs {
      tilesAtOnce = max(14, (8 << 20) / bytesPerTile)
    } else {
      // The tiles and their sums stay in the second-level cache; few tiles suffice to hide the
      // weights behind arithmetic unless there are few channels.
      tilesAtOnce = max(14, min(56, (128 << 10) / bytesPerTile / 14 * 14))
    }
  }
}

extension PlanBuilder {
  /// Returns whether minimal filtering computes a convolution, or its input gradient, whose result
  /// has this shape.
  ///
  /// Asks nothing about the batch: a sample gets the same answer alone and in company. A map of few
  /// tiles does not repay weights four times as large, unless many variants of a sample share them or they
  /// stay in the second-level cache.
  func suitsWinograd(_ convolution: PlanarConvolution, output: PlaneShape) -> Bool {
    let weightBytes =
      WinogradSchedule.points * 4 * convolution.inputs * convolution.outputs
    return !isExact && convolution.groups == 1
      && [convolution.rows, convolution.columns].allSatisfy {
        $0.kernel == 3 && $0.stride == 1 && $0.dilation == 1
      }
      && WinogradSchedule.tiles(height: output.height, width: output.width)
        >= (covering == nil && weightBytes > 768 << 10 ? 9 : 4)
  }

  /// Emits a convolution, or its input gradient, by minimal filtering.
  ///
  /// - Parameter key: Distinguishes the weights of one node under different fusions.
  func emitWinograd(
    _ convolution: PlanarConvolution, from source: Planes, to output: Planes, backward: Bool,
    epilogue: Epilogue, _ key: [Int]
  ) throws {
    let weights = try constants.constant(
      .init(
        node: convolution.node, use: backward ? "winograd backward" : "winograd forward",
        variant: key)
    ) { try convolution.packedForWinograd(backward: backward, threads: threads) }
    let schedule = WinogradSchedule(
      tiles: output.shape.images
        * WinogradSchedule.tiles(height: output.shape.height, width: output.shape.width),
      inputs: source.shape.channels, outputs: output.shape.channels, threads: threads)
    // The cotangent of input i reaches outputs from i + pad - 2 to i + pad.
    let corner = [convolution.rows.padBefore, convolution.columns.padBefore].map {
      backward ? $0 - 2 : -$0
    }
    var winograd = vk_winograd()
    winograd.weights = hold(weights)
    winograd.images = Int32(output.shape.images)
    winograd.input_blocks = Int32(source.shape.blocks)
    winograd.output_blocks = Int32(output.shape.blocks)
    winograd.height = Int32(output.shape.height)
    winograd.width = Int32(output.shape.width)
    winograd.tiles_at_once = Int32(schedule.tilesAtOnce)
    winograd.splits_outputs = schedule.splitsOutputs ? 1 : 0
    // Maxima over flat regions choose the first of equal values.
    winograd.levels = backward ? 0 : 1
    winograd.scratch_buffer = 0
    let scratch = newBuffer(
      byteCount: Int(vk_winograd_scratch(&winograd, Int32(threads))) * 4, images: nil)
    emit([source.buffer, output.buffer, scratch] + epilogue.buffers) { [winograd] layout in
      var op = vk_op()
      op.kind = VK_WINOGRAD
      op.as.winograd = winograd
      op.as.winograd.images = layout.images(output.shape.images)
      op.as.winograd.input = layout.map(source, row: corner[0], column: corner[1])
      op.as.winograd.output = layout.map(output)
      op.as.winograd.scratch_offset = Int64(layout.offsets[scratch] / 4)
      op.as.winograd.epilogue = epilogue.resolved(layout)
      return op
    }
  }
}

extension PlanarConvolution {
  /// Returns the transformed weights of all outputs, or of all inputs for the input gradient.
  fileprivate func packedForWinograd(backward: Bool, threads: Int) throws -> PackedConstant {
    let (from, to) = backward ? (outputs, inputs) : (inputs, outputs)
    let (fromStride, toStride) = backward ? (inputs * 9, 9) : (9, inputs * 9)
    let floatsPerOutput = WinogradSchedule.points * ((from + 15) / 16) * 16
    return try weights.withElements(of: Float.self) { weights in
      PackedConstant(count: floatsPerOutput * ((to + 15) / 16) * 16) { packed in
        guard let weights = weights.baseAddress else { return }
        let pieces = stride(from: 0, to: to, by: 32).map { first in
          var piece = vk_packing()
          piece.kind = VK_PACK_WINOGRAD
          piece.rotated = backward ? 1 : 0
          piece.packed = packed + floatsPerOutput * first
          piece.source = weights + first * toStride
          piece.inputs = Int64(from)
          piece.outputs = Int64(min(32, to - first))
          piece.width = (piece.outputs + 15) / 16 * 16
          piece.input_stride = Int64(fromStride)
          piece.output_stride = Int64(toStride)
          return piece
        }
        vk_pack(pieces, pieces.count, Int32(threads))
      }
    }
  }
}
