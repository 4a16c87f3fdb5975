extension PNG {
  /// Decodes a PNG; any damage is an error.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - limits: Largest picture accepted.
  /// - Returns: Gray, gray with alpha, RGB or RGBA as the file has it; palettes become RGB, and
  ///   transparency given by `tRNS` becomes an alpha channel.
  /// - Throws: ``ImagingError`` with the byte offset of the damage.
  /// - Complexity: O(`bytes.count` + samples).
  public static func decode(
    _ bytes: [UInt8], limits: ImageLimits = ImageLimits()
  ) throws(ImagingError) -> DecodedImage {
    try limits.checkFile(bytes.count)
    guard bytes.starts(with: signature) else {
      throw damage(0, "the PNG signature is missing")
    }
    let file = try PNGFile(bytes, limits: limits)
    let rows = try file.unfilteredRows()
    return DecodedImage(
      image: try file.image(from: rows), format: .png, text: file.text)
  }
}

/// The chunks of a PNG, checked and sorted out.
private struct PNGFile {
  private(set) var header = PNGHeader()
  private(set) var text: [TextEntry] = []
  private var palette: [UInt8] = []
  private var transparency: [UInt8] = []
  private var compressed: [UInt8] = []
  private var dataOffset = 0

  private static let longestText = 1 << 16

  init(_ bytes: [UInt8], limits: ImageLimits) throws(ImagingError) {
    var position = PNG.signature.count
    var chunkCount = 0
    var sawHeader = false
    var sawPalette = false
    var dataEnded = false
    while true {
      guard bytes.count - position >= 12 else {
        throw PNG.damage(bytes.count, "the file ends before its IEND chunk")
      }
      let start = position
      let length = PNG.bigEndian(bytes, start)
      guard length <= 0x7FFF_FFFF, length <= bytes.count - start - 12 else {
        throw PNG.damage(start, "a chunk declares \(length) bytes, more than the file holds")
      }
      chunkCount += 1
      try limits.check("maximumChunks", chunkCount, limits.maximumChunks)
      let type = bytes[(start + 4)..<(start + 8)]
      let body = bytes[(start + 8)..<(start + 8 + length)]
      position = start + 12 + length
      guard type.allSatisfy({ (65...90).contains($0) || (97...122).contains($0) }) else {
        throw PNG.damage(start + 4, "a chunk type is not four letters")
      }
      let name = String(decoding: type, as: UTF8.self)
      let checksum = CRC32.checksum(of: bytes[(start + 4)..<(start + 8 + length)])
      guard Int(checksum) == PNG.bigEndian(bytes, start + 8 + length) else {
        throw PNG.damage(start + 8 + length, "the checksum of chunk \(name) does not match")
      }
      guard sawHeader || name == "IHDR" else {
        throw PNG.damage(start, "the first chunk is \(name) instead of IHDR")
      }
      if !compressed.isEmpty, name != "IDAT" { dataEnded = true }
      switch name {
      case "IHDR":
        guard !sawHeader else { throw PNG.damage(start, "a second IHDR chunk") }
        header = try PNGHeader(body, offset: start + 8, limits: limits)
        sawHeader = true
      case "PLTE":
        guard !sawPalette, compressed.isEmpty, header.colorType != .gray,
          header.colorType != .grayAlpha
        else { throw PNG.damage(start, "a PLTE chunk is not allowed here") }
        guard length > 0, length % 3 == 0, length <= 768 else {
          throw PNG.damage(start, "a palette of \(length) bytes")
        }
        sawPalette = true
        palette = Array(body)
      case "tRNS":
        guard transparency.isEmpty, compressed.isEmpty else {
          throw PNG.damage(start, "a tRNS chunk is not allowed here")
        }
        transparency = Array(body)
        try checkTransparency(offset: start)
      case "IDAT":
        guard !dataEnded else { throw PNG.damage(start, "IDAT chunks are not consecutive") }
        if compressed.isEmpty { dataOffset = start + 8 }
        compressed.append(contentsOf: body)
      case "tEXt", "iTXt":
        if length <= Self.longestText, let entry = TextEntry(chunk: name, body) {
          text.append(entry)
        }
      case "IEND":
        guard !compressed.isEmpty else { throw PNG.damage(start, "there is no IDAT chunk") }
        guard header.colorType != .palette || sawPalette else {
          throw PNG.damage(start, "the PLTE chunk is missing")
        }
        return
      default:
        // Bit 5 of the first letter clear: needed to understand the picture.
        guard bytes[start + 4] & 0x20 != 0 else {
          throw .unsupported(format: "PNG", feature: "the critical chunk \(name)")
        }
      }
    }
  }

  private func checkTransparency(offset: Int) throws(ImagingError) {
    let isValid: Bool
    switch header.colorType {
    case .gray: isValid = transparency.count == 2
    case .rgb: isValid = transparency.count == 6
    case .palette:
      isValid = !palette.isEmpty && (1...(palette.count / 3)).contains(transparency.count)
    case .grayAlpha, .rgba: isValid = false
    }
    guard isValid else {
      throw PNG.damage(offset, "a tRNS chunk of \(transparency.count) bytes does not fit here")
    }
  }
}

// MARK: - Header

/// The `IHDR` chunk.
private struct PNGHeader {
  var width = 1
  var height = 1
  var bitDepth = 8
  var colorType = PNG.ColorType.gray
  var isInterlaced = false

  init() {}

  init(_ body: ArraySlice<UInt8>, offset: Int, limits: ImageLimits) throws(ImagingError) {
    guard body.count == 13 else { throw PNG.damage(offset, "an IHDR of \(body.count) bytes") }
    let body = Array(body)
    width = PNG.bigEndian(body, 0)
    height = PNG.bigEndian(body, 4)
    guard width > 0, height > 0, width <= 0x7FFF_FFFF, height <= 0x7FFF_FFFF else {
      throw PNG.damage(offset, "a picture of \(width)x\(height) pixels")
    }
    guard let type = PNG.ColorType(rawValue: body[9]), type.bitDepths.contains(body[8]) else {
      throw PNG.damage(offset + 8, "colour type \(body[9]) with bit depth \(body[8])")
    }
    colorType = type
    bitDepth = Int(body[8])
    guard body[10] == 0, body[11] == 0, body[12] <= 1 else {
      throw PNG.damage(
        offset + 10,
        "compression \(body[10]), filter \(body[11]), interlace \(body[12]); only 0, 0, 0 or 1 exist"
      )
    }
    isInterlaced = body[12] == 1
    // A tRNS chunk may add an alpha channel.
    let channels = type == .palette ? 4 : min(4, type.samples + 1)
    try limits.check(width: width, height: height, channels: channels)
  }

  /// Bits per pixel as stored.
  var pixelBits: Int { bitDepth * colorType.samples }

  /// Distance in bytes to the pixel on the left, for filters.
  var filterStep: Int { max(1, pixelBits / 8) }

  /// Passes over the picture: one, or the seven of Adam7; empty passes left out.
  var passes: [PNGPass] {
    let all =
      isInterlaced
      ? [
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
        (0, 1, 1, 2),
      ]
      : [(0, 0, 1, 1)]
    return all.compactMap { x, y, stepX, stepY in
      guard width > x, height > y else { return nil }
      let columns = (width - x + stepX - 1) / stepX
      let rows = (height - y + stepY - 1) / stepY
      return PNGPass(
        x: x, y: y, stepX: stepX, stepY: stepY, columns: columns, rows: rows,
        rowBytes: (columns * pixelBits + 7) / 8)
    }
  }
}

/// One of the reduced pictures of an interlaced PNG, or the whole.
private struct PNGPass {
  let x, y, stepX, stepY, columns, rows, rowBytes: Int
}

// MARK: - Pixels

extension PNGFile {
  /// Returns the sample rows of all passes, one filter byte before each row, filters undone.
  func unfilteredRows() throws(ImagingError) -> [UInt8] {
    let expected = header.passes.reduce(0) { $0 + $1.rows * ($1.rowBytes + 1) }
    // Deflate cannot shrink below 1/1032: a shorter stream is incomplete, so reserve nothing.
    guard expected / 1032 <= compressed.count else {
      throw PNG.damage(
        dataOffset,
        "\(compressed.count) bytes of image data are too few for "
          + "\(header.width)x\(header.height) pixels")
    }
    var rows: [UInt8]
    do {
      rows = try Inflate.zlib(compressed, maxOutput: expected)
    } catch .malformed(_, let offset, let reason) {
      throw PNG.damage(
        dataOffset, "in the image data, \(offset) bytes after the start of IDAT, \(reason)")
    }
    guard rows.count == expected else {
      throw PNG.damage(
        dataOffset, "the image data hold \(rows.count) bytes instead of \(expected)")
    }
    var position = 0
    for pass in header.passes {
      for row in 0..<pass.rows {
        try unfilter(
          &rows, at: position, length: pass.rowBytes, isFirst: row == 0)
        position += pass.rowBytes + 1
      }
    }
    return rows
  }

  /// Undoes the filter of the row at `start`; the row before it is already done.
  private func unfilter(
    _ rows: inout [UInt8], at start: Int, length: Int, isFirst: Bool
  ) throws(ImagingError) {
    guard let filter = PNG.Filter(rawValue: rows[start]) else {
      throw PNG.damage(dataOffset, "row filter \(rows[start]) does not exist")
    }
    let step = header.filterStep
    let first = start + 1
    let end = first + length
    let stride = length + 1
    switch filter {
    case .none:
      return
    case .sub:
      guard length > step else { return }
      for index in (first + step)..<end { rows[index] &+= rows[index - step] }
    case .up:
      if isFirst { return }
      for index in first..<end { rows[index] &+= rows[index - stride] }
    case .average:
      for index in first..<end {
        let left = index - first >= step ? UInt16(rows[index - step]) : 0
        let above = isFirst ? 0 : UInt16(rows[index - stride])
        rows[index] &+= UInt8(truncatingIfNeeded: (left + above) >> 1)
      }
    case .paeth:
      for index in first..<end {
        let hasLeft = index - first >= step
        let left = hasLeft ? rows[index - step] : 0
        let above = isFirst ? 0 : rows[index - stride]
        let aboveLeft = hasLeft && !isFirst ? rows[index - stride - step] : 0
        rows[index] &+= PNG.paeth(left, above, aboveLeft)
      }
    }
  }

  /// Spreads the sample rows over the picture.
  func image(from rows: [UInt8]) throws(ImagingError) -> Image {
    let writer = PixelWriter(
      colorType: header.colorType, bitDepth: header.bitDepth, palette: palette,
      transparency: transparency)
    let channels = writer.channels
    if !header.isInterlaced, header.bitDepth == 8, channels == header.colorType.samples {
      return Image(
        checkedWidth: header.width, height: header.height, channels: channels,
        pixels: withoutFilterBytes(rows))
    }
    var pixels = [UInt8](repeating: 0, count: header.width * header.height * channels)
    var position = 0
    for pass in header.passes {
      for row in 0..<pass.rows {
        let y = pass.y + row * pass.stepY
        for column in 0..<pass.columns {
          let x = pass.x + column * pass.stepX
          let isKnown = writer.write(
            rows, row: position + 1, column: column, to: &pixels,
            at: (y * header.width + x) * channels)
          guard isKnown else {
            throw PNG.damage(
              dataOffset,
              "the pixel at (\(x), \(y)) is outside the palette of "
                + "\(palette.count / 3) colours")
          }
        }
        position += pass.rowBytes + 1
      }
    }
    return Image(
      checkedWidth: header.width, height: header.height, channels: channels, pixels: pixels)
  }

  private func withoutFilterBytes(_ rows: [UInt8]) -> [UInt8] {
    let rowBytes = header.width * header.colorType.samples
    var pixels: [UInt8] = []
    pixels.reserveCapacity(rowBytes * header.height)
    for row in 0..<header.height {
      let start = row * (rowBytes + 1) + 1
      pixels.append(contentsOf: rows[start..<(start + rowBytes)])
    }
    return pixels
  }
}

/// Turns stored samples into 8-bit pixels.
private struct PixelWriter {
  let colorType: PNG.ColorType
  let bitDepth: Int
  let palette: [UInt8]
  let transparency: [UInt8]
  /// Samples per pixel of the result.
  let channels: Int
  /// The stored samples that mean transparent, from `tRNS`.
  private let transparentSamples: [Int]

  init(colorType: PNG.ColorType, bitDepth: Int, palette: [UInt8], transparency: [UInt8]) {
    self.colorType = colorType
    self.bitDepth = bitDepth
    self.palette = palette
    self.transparency = transparency
    channels = (colorType == .palette ? 3 : colorType.samples) + (transparency.isEmpty ? 0 : 1)
    let mask = 1 << bitDepth - 1
    transparentSamples =
      colorType == .palette
      ? []
      : stride(from: 0, to: transparency.count - 1, by: 2).map {
        (Int(transparency[$0]) << 8 | Int(transparency[$0 + 1])) & mask
      }
  }

  /// Writes one pixel; returns false if its palette index does not exist.
  func write(
    _ rows: [UInt8], row: Int, column: Int, to pixels: inout [UInt8], at target: Int
  ) -> Bool {
    if colorType == .palette {
      let index = sample(rows, row, column)
      guard index * 3 + 2 < palette.count else { return false }
      for color in 0..<3 { pixels[target + color] = palette[index * 3 + color] }
      if channels == 4 {
        pixels[target + 3] = index < transparency.count ? transparency[index] : 255
      }
      return true
    }
    let samples = colorType.samples
    var isTransparent = !transparentSamples.isEmpty
    for offset in 0..<samples {
      let value = sample(rows, row, column * samples + offset)
      if isTransparent, value != transparentSamples[offset] { isTransparent = false }
      pixels[target + offset] = eightBits(value)
    }
    if channels > samples { pixels[target + samples] = isTransparent ? 0 : 255 }
    return true
  }

  private func sample(_ rows: [UInt8], _ row: Int, _ index: Int) -> Int {
    switch bitDepth {
    case 8: return Int(rows[row + index])
    case 16: return Int(rows[row + 2 * index]) << 8 | Int(rows[row + 2 * index + 1])
    default:
      let bit = index * bitDepth
      let shift = 8 - bitDepth - bit % 8
      return Int(rows[row + bit / 8]) >> shift & (1 << bitDepth - 1)
    }
  }

  private func eightBits(_ value: Int) -> UInt8 {
    switch bitDepth {
    case 1: UInt8(truncatingIfNeeded: value * 255)
    case 2: UInt8(truncatingIfNeeded: value * 85)
    case 4: UInt8(truncatingIfNeeded: value * 17)
    case 16: UInt8(truncatingIfNeeded: value >> 8)
    default: UInt8(truncatingIfNeeded: value)
    }
  }
}

extension PNG {
  /// The unsigned number in the four bytes at `start`, which the caller has checked to exist.
  fileprivate static func bigEndian(_ bytes: [UInt8], _ start: Int) -> Int {
    bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
  }
}
