/// Points in a plane with axes: two quantities against each other, in groups of one colour each.
public struct ScatterPlot: Sendable {
  /// Points that share a colour and a name.
  public struct Group: Sendable {
    /// Stands in the legend.
    public let name: String
    /// Of its points.
    public let color: Color
    /// In units of the axes.
    public let points: [(x: Double, y: Double)]

    /// Creates a group of points.
    public init(name: String, color: Color, points: [(x: Double, y: Double)]) {
      self.name = name
      self.color = color
      self.points = points
    }
  }

  /// Stands above the plot.
  public let title: String
  /// Stands below the plot.
  public let xLabel: String
  /// Stands beside the plot.
  public let yLabel: String
  /// Drawn in order, the last on top.
  public let groups: [Group]

  /// Creates a plot.
  public init(title: String, xLabel: String, yLabel: String, groups: [Group]) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.groups = groups
  }

  /// Returns the plot, later groups over earlier ones, with the diagonal on which both quantities are
  /// equal.
  ///
  /// - Parameter side: Of the plotting area in pixels, 64...4,096.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` for another side,
  ///   ``ImagingError/noFiniteValues(count:)`` without a finite point.
  /// - Complexity: O(points + side²).
  public func image(side: Int = 420) throws(ImagingError) -> Image {
    guard (64...4096).contains(side) else {
      throw .invalidArgument("expected a side of 64 to 4096 pixels, found \(side)")
    }
    let finite = groups.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    guard !finite.isEmpty else {
      throw .noFiniteValues(count: groups.reduce(0) { $0 + $1.points.count })
    }
    let x = Scale(finite.map(\.x), pixels: side)
    let y = Scale(finite.map(\.y), pixels: side)
    let (left, top, bottom) = (64, 30, 52)
    var canvas = Canvas(width: left + side + 12, height: top + side + bottom, background: .white)
    canvas.write(title, x: left, y: 8)
    for tick in x.ticks {
      let column = left + x.position(of: tick)
      canvas.fill(x: column, y: top, width: 1, height: side, Self.grid)
      let text = NumberText.short(Float(tick))
      canvas.write(
        text, x: column - text.count * BitmapFont.advance / 2, y: top + side + 6)
    }
    for tick in y.ticks {
      let row = top + side - 1 - y.position(of: tick)
      canvas.fill(x: left, y: row, width: side, height: 1, Self.grid)
      let text = NumberText.short(Float(tick))
      canvas.write(
        text, x: left - 6 - text.count * BitmapFont.advance, y: row - BitmapFont.glyphHeight / 2)
    }
    for column in 0..<side {
      let row = y.position(of: x.value(at: column))
      guard (0..<side).contains(row) else { continue }
      canvas.fill(x: left + column, y: top + side - 1 - row, width: 1, height: 1, .gray)
    }
    for group in groups {
      for point in group.points where point.x.isFinite && point.y.isFinite {
        canvas.fill(
          x: left + x.position(of: point.x) - 1, y: top + side - 2 - y.position(of: point.y),
          width: 2, height: 2, group.color)
      }
    }
    canvas.write(
      "across: \(xLabel)   up: \(yLabel)", x: left, y: top + side + 6 + BitmapFont.lineHeight)
    var place = left
    for group in groups {
      let row = top + side + 8 + 2 * BitmapFont.lineHeight
      canvas.fill(x: place, y: row, width: 7, height: 7, group.color)
      canvas.write(group.name, x: place + 11, y: row)
      place += 11 + (group.name.count + 2) * BitmapFont.advance
    }
    return canvas.image
  }

  private static let grid = Color(red: 228, green: 228, blue: 224)

  /// Which value lies at which pixel along an axis.
  private struct Scale {
    private let low: Double
    private let high: Double
    private let pixels: Int

    init(_ values: [Double], pixels: Int) {
      let smallest = values.min() ?? 0
      let largest = values.max() ?? 0
      let margin = max((largest - smallest) * 0.05, abs(largest) * 1e-9, 1e-12)
      low = smallest - margin
      high = largest + margin
      self.pixels = pixels
    }

    func position(of value: Double) -> Int {
      Int(max(-1e6, min(1e6, (value - low) / (high - low) * Double(pixels - 1))))
    }

    func value(at pixel: Int) -> Double { low + (high - low) * Double(pixel) / Double(pixels - 1) }

    /// Multiples of 1, 2 or 5 times a power of ten: four to ten of them.
    var ticks: [Double] {
      var step = 1.0
      while step > (high - low) / 4 { step /= 10 }
      while step * 10 <= (high - low) / 4 { step *= 10 }
      for factor in [5.0, 2] where step * factor <= (high - low) / 4 {
        step *= factor
        break
      }
      let first = (low / step).rounded(.up)
      let count = Int((high / step).rounded(.down) - first)
      return count < 0 || count > 100 ? [] : (0...count).map { (first + Double($0)) * step }
    }
  }
}
