internal import CVitrineKernels

/// Zeros stored around each plane, in pixels.
struct Halo: Hashable, Sendable {
  var top = 0
  var left = 0
  var bottom = 0
  var right = 0

  func union(_ other: Halo) -> Halo {
    Halo(
      top: max(top, other.top), left: max(left, other.left), bottom: max(bottom, other.bottom),
      right: max(right, other.right))
  }

  var isEmpty: Bool { self == Halo() }
}

/// Extents of a value in the kernels' blocked layout. Rank 2 is one pixel, rank 3 one row.
struct PlaneShape: Hashable, Sendable {
  let images: Int
  let channels: Int
  let height: Int
  let width: Int

  var blocks: Int { (channels + 15) / 16 }

  /// Returns `nil` for ranks that have no such layout.
  init?(_ dimensions: [Int]) {
    switch dimensions.count {
    case 2: self.init(dimensions[0], dimensions[1], 1, 1)
    case 3: self.init(dimensions[0], dimensions[1], 1, dimensions[2])
    case 4: self.init(dimensions[0], dimensions[1], dimensions[2], dimensions[3])
    default: return nil
    }
  }

  init(_ images: Int, _ channels: Int, _ height: Int, _ width: Int) {
    self.images = images
    self.channels = channels
    self.height = height
    self.width = width
  }

  func with(images: Int) -> PlaneShape { PlaneShape(images, channels, height, width) }
}

/// Blocked planes inside a buffer of the arena: the whole buffer, or some of its channel blocks.
///
/// Strides are in floats.
struct Planes: Hashable, Sendable {
  let buffer: Int
  let shape: PlaneShape
  let halo: Halo
  let firstBlock: Int
  let bufferBlocks: Int

  init(buffer: Int, shape: PlaneShape, halo: Halo) {
    self.init(
      buffer: buffer, shape: shape, halo: halo, firstBlock: 0, bufferBlocks: shape.blocks)
  }

  init(buffer: Int, shape: PlaneShape, halo: Halo, firstBlock: Int, bufferBlocks: Int) {
    self.buffer = buffer
    self.shape = shape
    self.halo = halo
    self.firstBlock = firstBlock
    self.bufferBlocks = bufferBlocks
  }

  /// Some channels of these planes, starting at a whole block.
  func channels(_ channels: Int, from start: Int) -> Planes {
    Planes(
      buffer: buffer, shape: PlaneShape(shape.images, channels, shape.height, shape.width),
      halo: halo, firstBlock: firstBlock + start / 16, bufferBlocks: bufferBlocks)
  }

  var rowStride: Int { (halo.left + shape.width + halo.right) * 16 }
  var blockStride: Int { (halo.top + shape.height + halo.bottom) * rowStride }
  var imageStride: Int { bufferBlocks * blockStride }
  var origin: Int { firstBlock * blockStride + halo.top * rowStride + halo.left * 16 }
  var byteCount: Int { shape.images * imageStride * 4 }
}

/// One bit for each element of blocked planes: a dense buffer, or some of its blocks.
struct Mask: Sendable {
  let buffer: Int
  let shape: PlaneShape
  let firstBlock: Int
  let bufferBlocks: Int

  init(buffer: Int, shape: PlaneShape) {
    self.init(buffer: buffer, shape: shape, firstBlock: 0, bufferBlocks: shape.blocks)
  }

  private init(buffer: Int, shape: PlaneShape, firstBlock: Int, bufferBlocks: Int) {
    self.buffer = buffer
    self.shape = shape
    self.firstBlock = firstBlock
    self.bufferBlocks = bufferBlocks
  }

  /// The mask of some channels, starting at a whole block.
  func channels(_ channels: Int, from start: Int) -> Mask {
    Mask(
      buffer: buffer, shape: PlaneShape(shape.images, channels, shape.height, shape.width),
      firstBlock: firstBlock + start / 16, bufferBlocks: bufferBlocks)
  }

  var byteCount: Int { shape.images * shape.blocks * shape.height * shape.width * 2 }
}

/// Byte offsets of the buffers inside the arena.
struct ArenaLayout {
  let offsets: [Int]
  /// Which images of a batch an operation is for; `nil` for all.
  var part: Part?

  /// Some images of a batch.
  struct Part {
    let images: Range<Int>
    let total: Int
    /// For each buffer whether it holds only these images, not the batch.
    let holdsPart: [Bool]

    init(images: Range<Int>, of total: Int, holdsPart: [Bool]) {
      self.images = images
      self.total = total
      self.holdsPart = holdsPart
    }
  }

  /// Returns how many of `count` images an operation is for.
  func images(_ count: Int) -> Int32 {
    guard let part, count == part.total else { return Int32(count) }
    return Int32(part.images.count)
  }

  /// Returns the first image that an operation is for: in a buffer, or, if `nil`, in a slot.
  func firstImage(of count: Int, in buffer: Int? = nil) -> Int {
    guard let part, count == part.total else { return 0 }
    if let buffer, part.holdsPart[buffer] { return 0 }
    return part.images.lowerBound
  }

  /// Returns where row-major images begin in a buffer, in floats.
  func plainOffset(of buffer: Int, images: Int, imageStride: Int) -> Int {
    offsets[buffer] / 4 + firstImage(of: images, in: buffer) * imageStride
  }

  /// Returns a conversion between planes and row-major memory in a slot.
  ///
  /// - Parameter shape: Of the images, if it is not that of the planes.
  func change(
    _ kind: vk_kind, _ planes: Planes, as shape: PlaneShape, inSlot slot: Int, imageStride: Int
  ) -> vk_op {
    var op = change(
      kind, planes, as: shape, at: firstImage(of: shape.images) * imageStride,
      imageStride: imageStride)
    op.as.layout.plain_buffer = Int32(slot + 1)
    return op
  }

  /// Returns a conversion between planes and row-major memory in the arena.
  ///
  /// - Parameter offset: Of the first image converted, in floats.
  func change(
    _ kind: vk_kind, _ planes: Planes, as shape: PlaneShape, at offset: Int, imageStride: Int
  ) -> vk_op {
    var op = vk_op()
    op.kind = kind
    op.as.layout.map = map(planes)
    op.as.layout.plain_buffer = 0
    op.as.layout.images = images(shape.images)
    op.as.layout.channels = Int32(shape.channels)
    op.as.layout.height = Int32(shape.height)
    op.as.layout.width = Int32(shape.width)
    op.as.layout.plain_offset = Int64(offset)
    op.as.layout.plain_image_stride = Int64(imageStride)
    return op
  }

  /// Returns the kernels' view of some planes, visiting every `step`-th pixel from `(row, column)`.
  func map(
    _ planes: Planes?, stepY: Int = 1, stepX: Int = 1, row: Int = 0, column: Int = 0
  ) -> vk_map {
    var map = vk_map()
    map.buffer = -1
    guard let planes else { return map }
    map.buffer = 0
    map.pixel_stride = Int32(16 * stepX)
    map.offset = Int64(
      offsets[planes.buffer] / 4 + planes.origin + row * planes.rowStride + column * 16
        + firstImage(of: planes.shape.images, in: planes.buffer) * planes.imageStride)
    map.image_stride = Int64(planes.imageStride)
    map.block_stride = Int64(planes.blockStride)
    map.row_stride = Int64(planes.rowStride * stepY)
    return map
  }

  /// Returns the kernels' view of a mask, visiting every `step`-th pixel from `(row, column)`.
  func mask(
    _ mask: Mask?, stepY: Int = 1, stepX: Int = 1, row: Int = 0, column: Int = 0
  ) -> vk_mask {
    var result = vk_mask()
    result.buffer = -1
    guard let mask else { return result }
    let area = mask.shape.width * mask.shape.height
    result.buffer = 0
    result.images = images(mask.shape.images)
    result.pixel_stride = Int32(stepX)
    result.offset = Int64(
      offsets[mask.buffer] / 2 + mask.firstBlock * area + row * mask.shape.width + column
        + firstImage(of: mask.shape.images, in: mask.buffer) * area * mask.bufferBlocks)
    result.row_stride = Int64(mask.shape.width * stepY)
    result.block_stride = Int64(area)
    result.image_stride = Int64(area * mask.bufferBlocks)
    return result
  }
}
