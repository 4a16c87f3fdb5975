import VitrineCore
import VitrineTensor

/// The strongest pixels of each sample: exactly as many as asked for.
///
/// A pixel is as strong as the largest magnitude among its channels. Of equally strong pixels the one with
/// the lowest index, row by row, is selected.
struct PixelMask {
  private let tensor: Tensor
  private let axes: [Axis]
  /// First row, first column, last row, last column of each sample's selection; `nil` for inputs without
  /// rows and columns.
  let boxes: [Int]?
  private let zeros: Int
  private let count: Int

  /// - Throws: `CoreError.notApplicable(_:)` if a sample has fewer pixels.
  init(of attribution: Attribution, keeping count: Int) throws {
    let tensor = attribution.tensor
    var dimensions = tensor.shape.dimensions
    axes = attribution.axes
    self.count = count
    let channel = axes.firstIndex(of: .channel)
    let batch = axes.firstIndex(of: .batch)
    let extent = channel.map { dimensions[$0] } ?? 1
    // Batch and channel first, so that the pixels of a sample follow one another.
    let order =
      [batch, channel].compactMap(\.self)
      + axes.indices.filter { $0 != batch && $0 != channel }
    let values = try tensor.converted(to: .float64).transposed(axes: order)
      .elements(of: Double.self)
    let samples = batch.map { dimensions[$0] } ?? 1
    let pixels = samples * extent > 0 ? values.count / (samples * extent) : 0
    guard count <= pixels else {
      throw CoreError.notApplicable(
        "option 'top': expected at most the \(pixels) pixels of '\(attribution.name)', found \(count)"
      )
    }
    if let channel { dimensions[channel] = 1 }

    let row = axes.firstIndex(of: .height)
    let column = axes.firstIndex(of: .width)
    let isPicture = row.flatMap { r in column.map { r < $0 } } ?? false
    let width = column.map { dimensions[$0] } ?? 1
    var mask = [Double](repeating: 0, count: samples * pixels)
    var boxes: [Int] = []
    var zeros = 0
    for n in 0..<samples {
      let start = n * extent * pixels
      let strength = (0..<pixels).map { pixel in
        (0..<extent).reduce(0.0) { Swift.max($0, values[start + $1 * pixels + pixel].magnitude) }
      }
      let selected = strength.indices.sorted {
        strength[$0] == strength[$1] ? $0 < $1 : strength[$0] > strength[$1]
      }.prefix(count)
      for pixel in selected {
        mask[n * pixels + pixel] = 1
        if strength[pixel] == 0 { zeros += 1 }
      }
      let rows = selected.map { $0 / width }
      let columns = selected.map { $0 % width }
      boxes += [rows.min() ?? 0, columns.min() ?? 0, rows.max() ?? 0, columns.max() ?? 0]
    }
    self.boxes = isPicture ? boxes : nil
    self.zeros = zeros
    let inverse = order.indices.map { axis in order.firstIndex(of: axis) ?? axis }
    self.tensor = try Tensor(mask, shape: order.map { dimensions[$0] }).transposed(axes: inverse)
      .converted(to: .float32)
  }

  func attribution(named name: String) -> Attribution {
    Attribution(name: name, tensor: tensor, axes: axes, range: .mask)
  }

  var warnings: [String] {
    zeros == 0
      ? []
      : ["\(zeros) of the selected pixels have a gradient of zero: fewer than \(count) matter."]
  }
}
