import CVitrineKernels

/// The shape of a blocked plane stack with a halo, and where its elements are.
struct BlockedPlanes {
  var images: Int
  var channels: Int
  var height: Int
  var width: Int
  var top = 0
  var left = 0
  var bottom = 0
  var right = 0

  init(_ images: Int, _ channels: Int, _ height: Int, _ width: Int, halo: Int = 0) {
    (self.images, self.channels, self.height, self.width) = (images, channels, height, width)
    (top, left, bottom, right) = (halo, halo, halo, halo)
  }

  var blocks: Int { (channels + 15) / 16 }
  var rowStride: Int { (left + width + right) * 16 }
  var blockStride: Int { (top + height + bottom) * rowStride }
  var imageStride: Int { blocks * blockStride }
  var count: Int { images * imageStride }
  var origin: Int { top * rowStride + left * 16 }

  func index(_ image: Int, _ channel: Int, _ y: Int, _ x: Int) -> Int {
    origin + image * imageStride + channel / 16 * blockStride + y * rowStride + x * 16
      + channel % 16
  }

  /// A map that visits every `step`-th pixel and row.
  func map(buffer: Int32, step: Int = 1) -> vk_map {
    vk_map(
      buffer: buffer, pixel_stride: Int32(16 * step), offset: Int64(origin),
      image_stride: Int64(imageStride), block_stride: Int64(blockStride),
      row_stride: Int64(step * rowStride))
  }

  /// A dense mask over these planes.
  func mask(buffer: Int32) -> vk_mask {
    vk_mask(
      buffer: buffer, images: Int32(images), pixel_stride: 1, offset: 0,
      image_stride: Int64(blocks * height * width), block_stride: Int64(height * width),
      row_stride: Int64(width))
  }

  func maskIndex(_ image: Int, _ channel: Int, _ y: Int, _ x: Int) -> Int {
    ((image * blocks + channel / 16) * height + y) * width + x
  }

  var maskCount: Int { images * blocks * height * width }

  /// Whether element `index` of the buffer lies inside a plane, not in a halo.
  func contains(_ index: Int) -> Bool {
    let inBlock = index % blockStride
    let (row, pixel) = (inBlock / rowStride, inBlock % rowStride / 16)
    return row >= top && row < top + height && pixel >= left && pixel < left + width
  }

  /// Calls `body` for every element of the real channels.
  func forEachElement(_ body: (_ image: Int, _ channel: Int, _ y: Int, _ x: Int) throws -> Void)
    rethrows
  {
    for image in 0..<images {
      for channel in 0..<channels {
        for y in 0..<height {
          for x in 0..<width { try body(image, channel, y, x) }
        }
      }
    }
  }

  /// Adds a buffer with these planes: whole numbers inside, zeros in halo and padding lanes.
  func addWholeNumbers(to workspace: Workspace, seed: UInt64) -> Int32 {
    var numbers = WholeNumbers(seed: seed)
    let buffer = workspace.addFloats(count, value: 0)
    let floats = workspace.floats(buffer)
    forEachElement { floats[index($0, $1, $2, $3)] = numbers.next() }
    return buffer
  }

  /// Adds a buffer with these planes: fractions inside, zeros in halo and padding lanes.
  func addFractions(to workspace: Workspace, seed: UInt64) -> Int32 {
    var numbers = WholeNumbers(seed: seed)
    let buffer = workspace.addFloats(count, value: 0)
    let floats = workspace.floats(buffer)
    forEachElement { floats[index($0, $1, $2, $3)] = numbers.fraction() }
    return buffer
  }
}

extension vk_map {
  static var absent: vk_map {
    vk_map(
      buffer: -1, pixel_stride: 0, offset: 0, image_stride: 0, block_stride: 0, row_stride: 0)
  }
}

extension vk_mask {
  static var absent: vk_mask {
    vk_mask(
      buffer: -1, images: 0, pixel_stride: 0, offset: 0, image_stride: 0, block_stride: 0,
      row_stride: 0)
  }
}
