/// A view of the planes that is moved and scaled: a linear map with its adjoint.
///
/// A position p of the result shows position (p − centre)/scale + centre of the source, edges clamped,
/// interpolated between the four neighbours; then everything is moved in a circle.
struct Warp: Sendable {
  /// Rows and columns by which the view is moved to the bottom and right.
  let shift: (rows: Int, columns: Int)
  /// Above 1 magnifies.
  let scale: Double

  var isIdentity: Bool { shift.rows == 0 && shift.columns == 0 && scale == 1 }

  /// Returns what the view shows.
  func apply(to planes: Planes) -> [Double] {
    if isIdentity { return planes.values }
    let (rows, columns) = taps(of: planes)
    let source = planes.values
    var result = source
    planes.forEachPlane { start in
      var i = start
      for row in rows {
        let (above, below) = (start + row.first * planes.width, start + row.second * planes.width)
        for column in columns {
          let (left, right) = (column.first, column.second)
          let top = source[above + left] * (1 - column.part) + source[above + right] * column.part
          let bottom =
            source[below + left] * (1 - column.part) + source[below + right] * column.part
          result[i] = top * (1 - row.part) + bottom * row.part
          i += 1
        }
      }
    }
    return result
  }

  /// Returns the gradient of the source for the gradient of the view.
  func pullBack(_ gradient: [Double], to planes: Planes) -> [Double] {
    if isIdentity { return gradient }
    let (rows, columns) = taps(of: planes)
    var result = [Double](repeating: 0, count: gradient.count)
    planes.forEachPlane { start in
      var i = start
      for row in rows {
        let (above, below) = (start + row.first * planes.width, start + row.second * planes.width)
        for column in columns {
          let (top, bottom) = (gradient[i] * (1 - row.part), gradient[i] * row.part)
          result[above + column.first] += top * (1 - column.part)
          result[above + column.second] += top * column.part
          result[below + column.first] += bottom * (1 - column.part)
          result[below + column.second] += bottom * column.part
          i += 1
        }
      }
    }
    return result
  }

  private typealias Tap = (first: Int, second: Int, part: Double)

  private func taps(of planes: Planes) -> (rows: [Tap], columns: [Tap]) {
    (taps(planes.height, shift.rows), taps(planes.width, shift.columns))
  }

  private func taps(_ extent: Int, _ shift: Int) -> [Tap] {
    let center = Double(extent - 1) / 2
    return (0..<extent).map { index in
      let moved = ((index - shift) % extent + extent) % extent
      let position = (Double(moved) - center) / scale + center
      let clamped = Swift.min(Swift.max(position, 0), Double(extent - 1))
      let first = Swift.min(Int(clamped), extent - 1)
      return (first, Swift.min(first + 1, extent - 1), clamped - Double(first))
    }
  }
}
