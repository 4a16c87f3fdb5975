/// The picture a JPEG declares in its frame header.
struct JPEGFrame {
  let width: Int
  let height: Int
  let isProgressive: Bool
  /// Largest sampling factors of all components.
  let maxHorizontal: Int
  let maxVertical: Int
  /// Minimum coded units per row and column when components are interleaved.
  let unitsWide: Int
  let unitsHigh: Int
  var components: [JPEGComponent]

  /// Reads a frame header (`SOF0`, `SOF1`, `SOF2`) and refuses sizes above the limits.
  init(
    _ body: ArraySlice<UInt8>, isProgressive: Bool, fileSize: Int, limits: ImageLimits
  ) throws(ImagingError) {
    let offset = body.startIndex
    let body = Array(body)
    guard body.count >= 6 else { throw JPEG.damage(offset, "the frame header is too short") }
    guard body[0] == 8 else {
      throw .unsupported(format: "JPEG", feature: "\(body[0])-bit samples")
    }
    let height = Int(body[1]) << 8 | Int(body[2])
    let width = Int(body[3]) << 8 | Int(body[4])
    let count = Int(body[5])
    guard width > 0, height > 0 else {
      throw JPEG.damage(offset, "a picture of \(width)x\(height) pixels")
    }
    guard count == 1 || count == 3 || count == 4 else {
      throw .unsupported(format: "JPEG", feature: "\(count) colour components instead of 1, 3 or 4")
    }
    guard body.count == 6 + 3 * count else {
      throw JPEG.damage(offset, "the frame header's length does not fit \(count) components")
    }
    try limits.check(width: width, height: height, channels: count == 1 ? 1 : 3)

    var factors: [(id: UInt8, horizontal: Int, vertical: Int, table: Int)] = []
    for index in 0..<count {
      let start = 6 + 3 * index
      let sampling = body[start + 1]
      let factor = (
        id: body[start], horizontal: Int(sampling >> 4), vertical: Int(sampling & 15),
        table: Int(body[start + 2])
      )
      guard (1...4).contains(factor.horizontal), (1...4).contains(factor.vertical),
        factor.table < 4
      else {
        throw JPEG.damage(
          offset + start,
          "sampling \(factor.horizontal)x\(factor.vertical) with "
            + "quantisation table \(factor.table)")
      }
      guard !factors.contains(where: { $0.id == factor.id }) else {
        throw JPEG.damage(offset + start, "two components named \(factor.id)")
      }
      factors.append(factor)
    }
    let maxHorizontal = factors.map(\.horizontal).max() ?? 1
    let maxVertical = factors.map(\.vertical).max() ?? 1
    guard
      factors.allSatisfy({
        maxHorizontal % $0.horizontal == 0 && maxVertical % $0.vertical == 0
      })
    else { throw .unsupported(format: "JPEG", feature: "fractional chroma sampling") }

    func divideUp(_ value: Int, _ divisor: Int) -> Int { (value + divisor - 1) / divisor }
    let unitsWide = divideUp(width, 8 * maxHorizontal)
    let unitsHigh = divideUp(height, 8 * maxVertical)
    self.width = width
    self.height = height
    self.isProgressive = isProgressive
    self.maxHorizontal = maxHorizontal
    self.maxVertical = maxVertical
    self.unitsWide = unitsWide
    self.unitsHigh = unitsHigh
    components = factors.map { factor in
      JPEGComponent(
        id: factor.id, horizontal: factor.horizontal, vertical: factor.vertical,
        tableIndex: factor.table,
        width: divideUp(width * factor.horizontal, maxHorizontal),
        height: divideUp(height * factor.vertical, maxVertical),
        storedBlocksWide: unitsWide * factor.horizontal,
        storedBlocksHigh: unitsHigh * factor.vertical)
    }
    try checkMemory(offset: offset, fileSize: fileSize, limits: limits)
  }

  /// Refuses files too short to hold even one bit per block, unless the picture is small enough to
  /// be salvaged: a header alone must not claim hundreds of megabytes.
  private func checkMemory(
    offset: Int, fileSize: Int, limits: ImageLimits
  ) throws(ImagingError) {
    let samples = components.reduce(0) { $0 + $1.storedBlocksWide * $1.storedBlocksHigh * 64 }
    if isProgressive {
      try limits.check("maximumDecodedBytes", 2 * samples, limits.maximumDecodedBytes)
    }
    let salvageable = 16 << 20
    guard samples <= salvageable || samples / 512 <= fileSize else {
      throw JPEG.damage(
        offset, "\(fileSize) bytes cannot hold a picture of \(width)x\(height) pixels")
    }
  }
}

/// One colour component: its place in the frame and what has been decoded of it.
struct JPEGComponent {
  let id: UInt8
  /// Sampling factors.
  let horizontal: Int
  let vertical: Int
  let tableIndex: Int
  /// Size in samples, without the padding to whole blocks.
  let width: Int
  let height: Int
  /// Size in blocks, padded to whole coded units.
  let storedBlocksWide: Int
  let storedBlocksHigh: Int
  /// Quantisation steps in natural order, taken when the first scan of the component begins.
  var quantization: [UInt16] = []
  /// Progressive only: 64 coefficients per block in natural order.
  var coefficients: [Int16] = []
  /// `storedBlocksHigh * 8` rows of `storedBlocksWide * 8` samples; gray until decoded.
  var samples: [UInt8] = []

  init(
    id: UInt8, horizontal: Int, vertical: Int, tableIndex: Int, width: Int, height: Int,
    storedBlocksWide: Int, storedBlocksHigh: Int
  ) {
    self.id = id
    self.horizontal = horizontal
    self.vertical = vertical
    self.tableIndex = tableIndex
    self.width = width
    self.height = height
    self.storedBlocksWide = storedBlocksWide
    self.storedBlocksHigh = storedBlocksHigh
  }

  /// Size in blocks when the component is alone in a scan.
  var blocksWide: Int { (width + 7) / 8 }
  var blocksHigh: Int { (height + 7) / 8 }

  var stride: Int { storedBlocksWide * 8 }

  /// Reserves what decoding writes to.
  mutating func prepare(isProgressive: Bool) {
    let count = storedBlocksWide * storedBlocksHigh * 64
    if isProgressive, coefficients.isEmpty {
      coefficients = [Int16](repeating: 0, count: count)
    } else if !isProgressive, samples.isEmpty {
      samples = [UInt8](repeating: 128, count: count)
    }
  }

  /// Turns the collected coefficients of a progressive component into samples.
  mutating func reconstruct() {
    samples = [UInt8](repeating: 128, count: storedBlocksWide * storedBlocksHigh * 64)
    if quantization.isEmpty { return }
    var transform = InverseDCT()
    for row in 0..<storedBlocksHigh {
      for column in 0..<storedBlocksWide {
        let start = (row * storedBlocksWide + column) * 64
        transform.run(
          coefficients[start..<(start + 64)], quantization: quantization, into: &samples,
          at: row * 8 * stride + column * 8, stride: stride)
      }
    }
    coefficients = []
  }
}
