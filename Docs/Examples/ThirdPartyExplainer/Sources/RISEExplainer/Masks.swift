import VitrineCore
import VitrineTensor

/// A repeatable sequence of random masks over the places of one input: 1 leaves a place as it is, 0 hides
/// it, and what lies between fades it.
///
/// Along height, width and positions a mask is smooth: a coarse grid of zeros and ones, enlarged by linear
/// interpolation to one cell more than it has, and cut to size at a random offset of less than a cell
/// (section 3.2 of the paper), so that its edges say nothing about the grid. A table has no neighbours:
/// there each column is hidden or not.
struct Masks {
  /// The axes of the input that masks run over; they are constant along the others.
  let axes: [Int]
  /// Extents of the input along ``axes``.
  let extents: [Int]
  /// Cells of the grid along ``axes``.
  let cells: [Int]
  private let isSmooth: Bool
  private let keep: Double
  private let seed: UInt64

  /// - Parameters:
  ///   - shape: Of the input.
  ///   - grid: Cells along each smooth axis; at most one for each element.
  ///   - keep: Probability of a one.
  ///   - seed: Equal seeds give equal sequences.
  init(over shape: Shape, at port: Port, grid: Int, keep: Double, seed: UInt64) {
    let smooth = port.axes.indices.filter {
      [.height, .width, .position].contains(port.axes[$0])
    }
    isSmooth = !smooth.isEmpty
    axes = isSmooth ? smooth : port.axes.indices.filter { port.axes[$0] != .batch }
    extents = axes.map { shape[$0] }
    cells = isSmooth ? extents.map { max(min(grid, $0), 1) } : extents
    self.keep = keep
    self.seed = seed
  }

  /// How many places there are.
  var count: Int { extents.reduce(1, *) }

  /// Returns one mask of the sequence, last axis fastest.
  ///
  /// - Complexity: O(``count``), whatever the index: masks are made when they are needed, not kept.
  func mask(_ index: Int) -> [Float] {
    var generator = RandomGenerator(seed: seed &+ UInt64(index))
    var values = (0..<cells.reduce(1, *)).map { _ in
      generator.uniformDouble() < keep ? 1 : 0 as Float
    }
    guard isSmooth else { return values }
    for (axis, extent) in extents.enumerated() {
      let inner = cells[(axis + 1)...].reduce(1, *)
      values = enlarged(
        values, from: cells[axis], to: extent, inner: inner, using: &generator)
    }
    return values
  }

  /// Returns values enlarged along one axis, at a random offset.
  ///
  /// - Parameters:
  ///   - values: Any number of blocks of `cells` rows of `inner` numbers.
  ///   - cells: Rows of each block.
  ///   - extent: Rows of each block of the result.
  private func enlarged(
    _ values: [Float], from cells: Int, to extent: Int, inner: Int,
    using generator: inout RandomGenerator
  ) -> [Float] {
    let cellSize = (extent + cells - 1) / max(cells, 1)
    let offset = generator.index(below: max(cellSize, 1))
    let scale = Double(cells) / Double((cells + 1) * max(cellSize, 1))
    let outer = values.count / max(cells * inner, 1)
    var result = [Float](repeating: 0, count: outer * extent * inner)
    for position in 0..<extent {
      // Centres of cells and elements, not their corners, lie on one another.
      let place = (Double(position + offset) + 0.5) * scale - 0.5
      let clamped = min(max(place, 0), Double(cells - 1))
      let low = Int(clamped)
      let high = min(low + 1, cells - 1)
      let share = Float(clamped - Double(low))
      for block in 0..<outer {
        let target = (block * extent + position) * inner
        let first = (block * cells + low) * inner
        let second = (block * cells + high) * inner
        for i in 0..<inner {
          result[target + i] = values[first + i] + share * (values[second + i] - values[first + i])
        }
      }
    }
    return result
  }
}
