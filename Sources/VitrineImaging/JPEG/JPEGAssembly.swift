/// How the components of a JPEG make a colour.
enum JPEGColorSpace {
  case gray
  case rgb
  case yCbCr
  case cmyk
  case ycck

  /// Decides by libjpeg's rules: number of components, then JFIF, Adobe's marker, component names.
  init(_ frame: JPEGFrame, sawJFIF: Bool, adobe: UInt8?) {
    switch frame.components.count {
    case 1: self = .gray
    case 4: self = adobe == 2 ? .ycck : .cmyk
    default:
      if sawJFIF {
        self = .yCbCr
      } else if let adobe {
        self = adobe == 0 ? .rgb : .yCbCr
      } else {
        self = frame.components.map(\.id) == Array("RGB".utf8) ? .rgb : .yCbCr
      }
    }
  }
}

/// Puts the decoded components together, row by row.
struct JPEGAssembly {
  let frame: JPEGFrame
  let space: JPEGColorSpace

  /// Returns the picture, gray or RGB.
  func image() -> Image {
    let channels = space == .gray ? 1 : 3
    var pixels = [UInt8](repeating: 0, count: frame.width * frame.height * channels)
    var lines = frame.components.map { _ in [UInt8](repeating: 0, count: frame.width) }
    for row in 0..<frame.height {
      for index in lines.indices {
        let component = frame.components[index]
        component.upsample(
          row: row, horizontally: frame.maxHorizontal / component.horizontal,
          vertically: frame.maxVertical / component.vertical, into: &lines[index])
      }
      let start = row * frame.width * channels
      for column in 0..<frame.width {
        let target = start + column * channels
        switch space {
        case .gray:
          pixels[target] = lines[0][column]
        case .rgb:
          for color in 0..<3 { pixels[target + color] = lines[color][column] }
        case .yCbCr:
          let color = Self.rgb(lines[0][column], lines[1][column], lines[2][column])
          pixels[target] = color.red
          pixels[target + 1] = color.green
          pixels[target + 2] = color.blue
        case .cmyk:
          // Adobe stores 255 less the ink, so the samples already are how much light passes.
          for color in 0..<3 {
            pixels[target + color] = Self.product(lines[color][column], lines[3][column])
          }
        case .ycck:
          // The first three are the inks' complement; stored inverted, they are ink again.
          let ink = Self.rgb(lines[0][column], lines[1][column], lines[2][column])
          let light = lines[3][column]
          pixels[target] = Self.product(255 - ink.red, light)
          pixels[target + 1] = Self.product(255 - ink.green, light)
          pixels[target + 2] = Self.product(255 - ink.blue, light)
        }
      }
    }
    return Image(
      checkedWidth: frame.width, height: frame.height, channels: channels, pixels: pixels)
  }

  /// ITU-R BT.601 full range, in libjpeg's 16-bit fixed point.
  private static func rgb(_ luma: UInt8, _ blueness: UInt8, _ redness: UInt8) -> Color {
    let y = Int32(luma)
    let cb = Int32(blueness) - 128
    let cr = Int32(redness) - 128
    return Color(
      red: UInt8(clamping: y + (91881 * cr + 32768) >> 16),
      green: UInt8(clamping: y + (-22554 * cb - 46802 * cr + 32768) >> 16),
      blue: UInt8(clamping: y + (116130 * cb + 32768) >> 16))
  }

  private static func product(_ first: UInt8, _ second: UInt8) -> UInt8 {
    UInt8(truncatingIfNeeded: (Int(first) * Int(second) + 127) / 255)
  }
}

// MARK: - Upsampling

extension JPEGComponent {
  /// Writes one full-resolution row.
  ///
  /// Factors of two are interpolated with a triangle filter, centres of the samples kept in place
  /// (weights 3/4 and 1/4); other factors replicate. Rounding alternates as in libjpeg so that no
  /// bias builds up.
  func upsample(row: Int, horizontally: Int, vertically: Int, into line: inout [UInt8]) {
    switch (horizontally, vertically) {
    case (1, 1):
      let start = row * stride
      for column in line.indices { line[column] = samples[start + column] }
    case (2, 1) where width > 2:
      upsampleTwiceHorizontally(row: row, into: &line)
    case (1, 2):
      let (near, far) = nearAndFar(row)
      let bias = row % 2 == 0 ? 1 : 2
      for column in line.indices {
        let sum = 3 * Int(samples[near + column]) + Int(samples[far + column]) + bias
        line[column] = UInt8(truncatingIfNeeded: sum >> 2)
      }
    case (2, 2) where width > 2:
      upsampleTwiceBothWays(row: row, into: &line)
    default:
      let start = row / vertically * stride
      for column in line.indices { line[column] = samples[start + column / horizontally] }
    }
  }

  /// Starts of the component's row that holds the picture's row, and of the next nearest.
  private func nearAndFar(_ row: Int) -> (near: Int, far: Int) {
    let near = row / 2
    let far = row % 2 == 0 ? max(near - 1, 0) : min(near + 1, height - 1)
    return (near * stride, far * stride)
  }

  private func upsampleTwiceHorizontally(row: Int, into line: inout [UInt8]) {
    let start = row * stride
    for column in line.indices {
      let center = column / 2
      let isLeftHalf = column % 2 == 0
      let neighbor = isLeftHalf ? center - 1 : center + 1
      if neighbor < 0 || neighbor >= width {
        line[column] = samples[start + center]
      } else {
        let sum =
          3 * Int(samples[start + center]) + Int(samples[start + neighbor]) + (isLeftHalf ? 1 : 2)
        line[column] = UInt8(truncatingIfNeeded: sum >> 2)
      }
    }
  }

  private func upsampleTwiceBothWays(row: Int, into line: inout [UInt8]) {
    let (near, far) = nearAndFar(row)
    func blended(_ column: Int) -> Int {
      3 * Int(samples[near + column]) + Int(samples[far + column])
    }
    for column in line.indices {
      let center = column / 2
      let isLeftHalf = column % 2 == 0
      let neighbor = min(max(isLeftHalf ? center - 1 : center + 1, 0), width - 1)
      let sum = 3 * blended(center) + blended(neighbor) + (isLeftHalf ? 8 : 7)
      line[column] = UInt8(truncatingIfNeeded: sum >> 4)
    }
  }
}
