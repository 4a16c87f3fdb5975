/// How a camera was held, from the EXIF data of a JPEG.
enum EXIFOrientation {
  /// Returns the orientation, 1...8, in the body of an `APP1` segment; nil if there is none.
  ///
  /// Looks only at the first directory and follows no further offset, so nothing can loop.
  static func read(_ body: ArraySlice<UInt8>) -> Int? {
    guard body.starts(with: [0x45, 0x78, 0x69, 0x66, 0, 0]) else { return nil }
    let tiff = Array(body.dropFirst(6))
    guard tiff.count >= 8 else { return nil }
    let isLittleEndian = tiff.starts(with: [0x49, 0x49, 42, 0])
    guard isLittleEndian || tiff.starts(with: [0x4D, 0x4D, 0, 42]) else { return nil }
    func number(_ start: Int, _ count: Int) -> Int? {
      guard start >= 0, start <= tiff.count - count else { return nil }
      let bytes = tiff[start..<(start + count)]
      return isLittleEndian
        ? bytes.reversed().reduce(0) { $0 << 8 | Int($1) } : bytes.reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
    for entry in 0..<count {
      let start = directory + 2 + 12 * entry
      guard let tag = number(start, 2) else { return nil }
      let orientationTag = 0x0112
      let shortType = 3
      if tag == orientationTag {
        guard number(start + 2, 2) == shortType, let value = number(start + 8, 2),
          (1...8).contains(value)
        else { return nil }
        return value
      }
    }
    return nil
  }
}

extension Image {
  /// Returns the picture as it should be seen, given its EXIF orientation.
  func oriented(_ orientation: Int) -> Image {
    // The eight symmetries of a rectangle: swap the axes, then mirror columns, rows or both.
    let swaps = orientation >= 5
    let flipsColumns = [2, 3, 7, 8].contains(orientation)
    let flipsRows = [3, 4, 6, 7].contains(orientation)
    if !swaps, !flipsColumns, !flipsRows { return self }
    let (newWidth, newHeight) = swaps ? (height, width) : (width, height)
    var turned = [UInt8](repeating: 0, count: pixels.count)
    for y in 0..<newHeight {
      for x in 0..<newWidth {
        let (u, v) = swaps ? (y, x) : (x, y)
        let column = flipsColumns ? width - 1 - u : u
        let row = flipsRows ? height - 1 - v : v
        let source = (row * width + column) * channels
        let target = (y * newWidth + x) * channels
        for channel in 0..<channels { turned[target + channel] = pixels[source + channel] }
      }
    }
    return Image(checkedWidth: newWidth, height: newHeight, channels: channels, pixels: turned)
  }
}
