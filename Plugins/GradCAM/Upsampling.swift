import VitrineTensor

extension Tensor {
  /// Returns maps at another size, by bilinear interpolation between the centres of cells.
  ///
  /// Half-pixel centres, edges clamped: PyTorch's `interpolate` with `align_corners=False`.
  ///
  /// - Precondition: The tensor holds `float64` maps, `[batch, 1, height, width]`.
  /// - Returns: `[batch, 1, height, width]` of the size asked for; zeros if there are no cells.
  func upsampled(height: Int, width: Int) throws -> Tensor {
    let (oldHeight, oldWidth) = (shape[2], shape[3])
    if (oldHeight, oldWidth) == (height, width) { return self }
    let result = try Shape([shape[0], 1, height, width])
    guard oldHeight > 0, oldWidth > 0 else { return Tensor(zeros: result, .float64) }
    let rows = Neighbors.all(from: oldHeight, to: height)
    let columns = Neighbors.all(from: oldWidth, to: width)
    return try withElements(of: Double.self) { cells in
      Tensor(uninitialized: result, of: Double.self) { target in
        var i = 0
        for n in 0..<shape[0] {
          let start = n * oldHeight * oldWidth
          for row in rows {
            let above = start + row.first * oldWidth
            let below = start + row.second * oldWidth
            for column in columns {
              let top = column.mix(cells[above + column.first], cells[above + column.second])
              let bottom = column.mix(cells[below + column.first], cells[below + column.second])
              target[i] = row.mix(top, bottom)
              i += 1
            }
          }
        }
      }
    }
  }
}

extension Tensor {
  /// Returns maps at another size whose cells each show the old cell they begin in: PyTorch's `interpolate`
  /// with `mode="nearest"`.
  ///
  /// - Precondition: The tensor holds `float64` maps, `[batch, 1, height, width]`.
  /// - Returns: `[batch, 1, height, width]` of the size asked for; zeros if there are no cells.
  func repeated(height: Int, width: Int) throws -> Tensor {
    let (oldHeight, oldWidth) = (shape[2], shape[3])
    let result = try Shape([shape[0], 1, height, width])
    guard oldHeight > 0, oldWidth > 0 else { return Tensor(zeros: result, .float64) }
    return try withElements(of: Double.self) { cells in
      Tensor(uninitialized: result, of: Double.self) { target in
        for i in target.indices {
          let (row, column) = (i / width % height, i % width)
          let plane = i / (height * width) * oldHeight * oldWidth
          target[i] = cells[plane + row * oldHeight / height * oldWidth + column * oldWidth / width]
        }
      }
    }
  }
}

/// The two old cells around the centre of a new one.
private struct Neighbors {
  let first: Int
  let second: Int
  /// How far the centre is from the first towards the second, 0...1.
  let fraction: Double

  static func all(from old: Int, to new: Int) -> [Neighbors] {
    (0..<new).map { index in
      let center = max(0, (Double(index) + 0.5) * Double(old) / Double(new) - 0.5)
      let first = min(Int(center), old - 1)
      return Neighbors(
        first: first, second: min(first + 1, old - 1),
        fraction: min(1, center - Double(first)))
    }
  }

  func mix(_ a: Double, _ b: Double) -> Double { a + (b - a) * fraction }
}
