extension PNG {
  /// Encodes a picture as an 8-bit PNG; equal pictures give equal bytes.
  ///
  /// Each row takes the filter with the smallest sum of absolute differences, the heuristic of the
  /// PNG specification, section 12.7.
  ///
  /// - Parameters:
  ///   - image: Gray, gray with alpha, RGB or RGBA; the file has the same channels.
  ///   - text: Entries stored before the pixels, `tEXt` if Latin-1 suffices, else `iTXt`.
  /// - Returns: The whole file.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if a keyword is not allowed in a PNG, or a side
  ///   does not fit 31 bits.
  /// - Complexity: O(samples).
  public static func encode(
    _ image: Image, text: [TextEntry] = []
  ) throws(ImagingError) -> [UInt8] {
    var file = try header(of: image, text: text)
    for piece in compressedPieces(of: image) { append("IDAT", piece, to: &file) }
    append("IEND", [], to: &file)
    return file
  }

  /// Returns what comes before the pixels.
  static func header(of image: Image, text: [TextEntry]) throws(ImagingError) -> [UInt8] {
    guard image.width <= 0x7FFF_FFFF, image.height <= 0x7FFF_FFFF else {
      throw .invalidArgument("a PNG cannot be \(image.width)x\(image.height) pixels")
    }
    let colorTypes: [ColorType] = [.gray, .grayAlpha, .rgb, .rgba]
    var file = signature
    append(
      "IHDR",
      fourBytes(image.width) + fourBytes(image.height)
        + [8, colorTypes[image.channels - 1].rawValue, 0, 0, 0], to: &file)
    for entry in text {
      let (type, body) = try entry.chunk()
      append(type, body, to: &file)
    }
    return file
  }

  /// Returns the compressed pixels in pieces that fit a chunk, which holds less than 2^31 bytes.
  static func compressedPieces(of image: Image) -> [[UInt8]] {
    let compressed = Deflate.zlib(filteredRows(of: image))
    return stride(from: 0, to: compressed.count, by: 1 << 30).map {
      Array(compressed[$0..<min($0 + 1 << 30, compressed.count)])
    }
  }

  static func append(_ type: String, _ body: [UInt8], to file: inout [UInt8]) {
    file.append(contentsOf: fourBytes(body.count))
    let start = file.count
    file.append(contentsOf: type.utf8)
    file.append(contentsOf: body)
    file.append(contentsOf: fourBytes(Int(CRC32.checksum(of: file[start...]))))
  }

  static func fourBytes(_ value: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }

  /// Returns every row after the number of its filter.
  private static func filteredRows(of image: Image) -> [UInt8] {
    let parts = (image.height + rowsAtOnce - 1) / rowsAtOnce
    return concurrentPieces(parts) {
      filteredRows($0 * rowsAtOnce..<min(($0 + 1) * rowsAtOnce, image.height), of: image)
    }
  }

  /// Rows that one thread filters at a time.
  private static let rowsAtOnce = 64

  private static func filteredRows(_ range: Range<Int>, of image: Image) -> [UInt8] {
    let step = image.channels
    let length = image.width * step
    var rows: [UInt8] = []
    rows.reserveCapacity((length + 1) * range.count)
    var best = [UInt8](repeating: 0, count: length)
    var trial = best
    let nothing = best
    for row in range {
      let pixels = image.pixels[row * length..<(row + 1) * length]
      let above = row == 0 ? nothing[...] : image.pixels[(row - 1) * length..<row * length]
      var bestFilter = Filter.none
      var bestCost = Int.max
      for filter in Filter.allCases {
        let cost = pixels.withUnsafeBufferPointer { pixels in
          above.withUnsafeBufferPointer { above in
            trial.withUnsafeMutableBufferPointer {
              apply(filter, to: pixels, under: above, step: step, into: $0)
            }
          }
        }
        if cost < bestCost {
          (bestFilter, bestCost) = (filter, cost)
          swap(&best, &trial)
        }
      }
      rows.append(bestFilter.rawValue)
      rows.append(contentsOf: best)
    }
    return rows
  }

  /// Filters one row and returns its cost.
  private static func apply(
    _ filter: Filter, to pixels: UnsafeBufferPointer<UInt8>,
    under above: UnsafeBufferPointer<UInt8>,
    step: Int, into result: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    // One loop for each filter, without branches: the compiler runs most of them many bytes at a time.
    @inline(__always)
    func subtract(_ prediction: (_ left: UInt8, _ above: UInt8, _ aboveLeft: UInt8) -> UInt8) -> Int
    {
      for i in 0..<min(step, pixels.count) {
        result[i] = pixels[i] &- prediction(0, above[i], 0)
      }
      for i in step..<max(step, pixels.count) {
        result[i] = pixels[i] &- prediction(pixels[i - step], above[i], above[i - step])
      }
      return result.reduce(0) { $0 + Int(Int8(bitPattern: $1).magnitude) }
    }
    return switch filter {
    case .none: subtract { _, _, _ in 0 }
    case .sub: subtract { left, _, _ in left }
    case .up: subtract { _, above, _ in above }
    case .average:
      subtract { left, above, _ in UInt8(truncatingIfNeeded: (UInt16(left) + UInt16(above)) >> 1) }
    case .paeth: subtract(paeth)
    }
  }
}
