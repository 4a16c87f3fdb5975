internal import CVitrineKernels
internal import VitrineTensor

/// How the tiles of a convolution by minimal filtering are divided.
///
/// None of it changes results: each output is one fixed sequence of operations.
package struct WinogradSchedule: Equatable {
  /// Outputs along a side of a tile: 4, or 2 with fewer weights to read.
  package let tileSide: Int
  /// Tiles transformed together.
  package let tilesAtOnce: Int
  /// Whether threads share transformed tiles and divide the outputs, instead of dividing tiles.
  package let splitsOutputs: Bool

  /// Returns the points at which a tile and its surroundings are evaluated.
  static func points(tileSide: Int) -> Int { (tileSide + 2) * (tileSide + 2) }

  /// Returns the tiles that cover one plane.
  package static func tiles(height: Int, width: Int, side: Int = 4) -> Int {
    ((height + side - 1) / side) * ((width + side - 1) / side)
  }

  /// - Parameters:
  ///   - tiles: Of all images.
  ///   - inputs: Input channels.
  ///   - outputs: Output channels.
  package init(tiles: Int, inputs: Int, outputs: Int, threads: Int, tileSide: Int = 4) {
    self.tileSide = tileSide
    let bytesPerTile = Self.points(tileSide: tileSide) * ((inputs + 15) / 16 * 16) * 4
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
      let most = max(14, min(56, (128 << 10) / bytesPerTile / 14 * 14))
      let pieces = (tiles + most - 1) / most
      // No thread waits for another one's last piece; none is more than half as large again.
      let fewer = pieces / threads * threads
      let evenPieces = 2 * pieces <= 3 * fewer ? fewer : fewer + threads
      tilesAtOnce = (tiles + evenPieces - 1) / evenPieces
    }
  }
}

extension PlanBuilder {
  /// Returns the side of the tiles by which minimal filtering computes a convolution, or its input
  /// gradient, whose result has this shape; `nil` if it is computed directly.
  ///
  /// Asks nothing about the batch: a sample gets the same answer alone and in company. A map of few
  /// tiles does not repay weights four times as large, unless many variants of a sample share them or they
  /// stay in the second-level cache.
  func winogradTileSide(_ convolution: PlanarConvolution, output: PlaneShape) -> Int? {
    guard !isExact, convolution.groups == 1,
      [convolution.rows, convolution.columns].allSatisfy({
        $0.kernel == 3 && $0.stride == 1 && $0.dilation == 1
      })
    else { return nil }
    let tiles = WinogradSchedule.tiles(height: output.height, width: output.width)
    guard tiles >= 4 else { return nil }
    let weightBytes =
      WinogradSchedule.points(tileSide: 4) * 4 * convolution.inputs * convolution.outputs
    return covering == nil && weightBytes > 768 << 10 && tiles < 9 ? 2 : 4
  }

  /// Emits a convolution, or its input gradient, by minimal filtering; of the convolution's outputs only the
  /// blocks with channels that matter.
  ///
  /// - Parameter key: Distinguishes the weights of one node under different fusions.
  func emitWinograd(
    _ whole: PlanarConvolution, tileSide: Int, from given: Planes, to target: Planes,
    backward: Bool, epilogue: Epilogue, _ key: [Int]
  ) throws {
    let channels = neededOutputs(of: whole)
    let convolution = try whole.outputs(channels)
    let source = backward ? given.channels(channels.count, from: channels.lowerBound) : given
    let output = backward ? target : target.channels(channels.count, from: channels.lowerBound)
    let epilogue =
      backward ? epilogue : epilogue.channels(channels.count, from: channels.lowerBound)
    let weights = try constants.constant(
      .init(
        node: convolution.node, use: backward ? "winograd backward" : "winograd forward",
        variant: key + [tileSide, channels.lowerBound, channels.upperBound])
    ) {
      try convolution.packedForWinograd(tileSide: tileSide, backward: backward, threads: threads)
    }
    let schedule = WinogradSchedule(
      tiles: output.shape.images
        * WinogradSchedule.tiles(
          height: output.shape.height, width: output.shape.width, side: tileSide),
      inputs: source.shape.channels, outputs: output.shape.channels, threads: threads,
      tileSide: tileSide)
    // The cotangent of input i reaches outputs from i + pad - 2 to i + pad.
    let corner = [convolution.rows.padBefore, convolution.columns.padBefore].map {
      backward ? $0 - 2 : -$0
    }
    var winograd = vk_winograd()
    winograd.weights = hold(weights)
    winograd.tile = Int32(tileSide)
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
  fileprivate func packedForWinograd(
    tileSide: Int, backward: Bool, threads: Int
  ) throws -> PackedConstant {
    let (from, to) = backward ? (outputs, inputs) : (inputs, outputs)
    let (fromStride, toStride) = backward ? (inputs * 9, 9) : (9, inputs * 9)
    let floatsPerOutput = WinogradSchedule.points(tileSide: tileSide) * ((from + 15) / 16) * 16
    return try scaledWeights().withElements(of: Float.self) { weights in
      PackedConstant(count: floatsPerOutput * ((to + 15) / 16) * 16) { packed in
        guard let weights = weights.baseAddress else { return }
        let pieces = stride(from: 0, to: to, by: 32).map { first in
          var piece = vk_packing()
          piece.kind = VK_PACK_WINOGRAD
          piece.rotated = backward ? 1 : 0
          piece.tile = Int32(tileSide)
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
