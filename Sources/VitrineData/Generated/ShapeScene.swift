public import VitrineImaging
public import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A generated picture: one shape on a textured ground, and where the shape is.
///
/// Whoever trains a network on such scenes knows where its evidence must lie: a ground truth for
/// explanations.
public struct ShapeScene: Sendable {
  /// The classes.
  public enum Shape: Int, CaseIterable, Sendable {
    /// A disc.
    case circle
    /// Four equal sides.
    case square
    /// Three equal sides.
    case triangle
    /// Two bars that cross.
    case cross
    /// Five points.
    case star

    /// In words, such as `circle`.
    public var name: String { String(describing: self) }

    /// Whether a point lies inside, with the shape's centre at the origin and its size about 1.
    func contains(_ u: Double, _ v: Double) -> Bool {
      switch self {
      case .circle: u * u + v * v < 0.85 * 0.85
      case .square: max(abs(u), abs(v)) < 0.75
      case .triangle: v < 0.5 && 3.0.squareRoot() * abs(u) - v < 1
      case .cross: min(abs(u), abs(v)) < 0.27 && max(abs(u), abs(v)) < 0.95
      case .star: Self.starContains(u, v)
      }
    }

    /// Five points of radius 1.05, one of them up, between notches of radius 0.42.
    private static func starContains(_ u: Double, _ v: Double) -> Bool {
      let tenth = Double.pi / 5
      var angle = atan2(u, -v).truncatingRemainder(dividingBy: 2 * tenth)
      if angle < 0 { angle += 2 * tenth }
      // By symmetry one edge is enough: from a point on the axis to the notch at `tenth`.
      let fromPoint = tenth - abs(angle - tenth)
      let radius = (u * u + v * v).squareRoot()
      let (x, y) = (radius * cos(fromPoint), radius * sin(fromPoint))
      let (notchX, notchY) = (0.42 * cos(tenth), 0.42 * sin(tenth))
      return (notchX - 1.05) * y - notchY * (x - 1.05) > 0
    }
  }

  /// Pixels of each side.
  public static let side = 48

  /// What is drawn: the class.
  public let shape: Shape
  /// In colour, `side` × `side` pixels.
  public let image: Image
  /// Whether each pixel belongs to the shape, row by row.
  public let mask: [Bool]

  /// Draws a scene: position, size, tilt, colours and ground by the generator.
  public init(_ shape: Shape, using generator: inout RandomGenerator) throws {
    func uniform(_ low: Double, _ high: Double) -> Double {
      low + (high - low) * generator.uniformDouble()
    }
    let side = Self.side
    let size = uniform(10, 16)
    let centerX = uniform(size + 2, Double(side) - size - 2)
    let centerY = uniform(size + 2, Double(side) - size - 2)
    let tilt = uniform(-0.35, 0.35)
    let isLight = uniform(0, 1) < 0.5
    let ground = (0..<3).map { _ in uniform(0, 0.25) + (isLight ? 0.1 : 0.55) }
    let color = (0..<3).map { _ in uniform(0, 0.3) + (isLight ? 0.65 : 0.05) }
    // A coarse lattice between whose random values the ground changes smoothly.
    let lattice = (0..<3).map { _ in (0..<36).map { _ in uniform(-0.125, 0.125) } }

    let cosine = cos(tilt)
    let sine = sin(tilt)
    var pixels: [UInt8] = []
    var mask: [Bool] = []
    for row in 0..<side {
      for column in 0..<side {
        var inside = 0.0
        for part in 0..<9 {
          let x = Double(column) + (Double(part % 3) + 0.5) / 3 - centerX
          let y = Double(row) + (Double(part / 3) + 0.5) / 3 - centerY
          if shape.contains((x * cosine + y * sine) / size, (y * cosine - x * sine) / size) {
            inside += 1.0 / 9
          }
        }
        mask.append(inside >= 0.5)
        let grain = uniform(-0.05, 0.05)
        for channel in 0..<3 {
          let wave = Self.interpolated(lattice[channel], row, column)
          let behind = ground[channel] + wave + grain
          let value = behind * (1 - inside) + (color[channel] + grain) * inside
          pixels.append(UInt8((max(0, min(1, value)) * 255).rounded()))
        }
      }
    }
    self.shape = shape
    self.mask = mask
    image = try Image(width: side, height: side, channels: 3, pixels: pixels)
  }

  /// Draws `count` scenes, the classes in turn.
  public static func scenes(_ count: Int, using generator: inout RandomGenerator) throws
    -> [ShapeScene]
  {
    let shapes = Shape.allCases
    return try (0..<count).map { index in
      try ShapeScene(shapes[index % shapes.count], using: &generator)
    }
  }

  /// Returns scenes as the network's input, samples in 0...1, `[batch, channel, height, width]`.
  public static func tensor(of scenes: [ShapeScene]) throws -> Tensor {
    var values: [Float] = []
    values.reserveCapacity(scenes.count * 3 * side * side)
    for scene in scenes {
      values += try Preprocessing.unit.apply(
        to: scene.image, channels: 3, width: side, height: side
      ).values
    }
    return try Tensor(values, shape: [scenes.count, 3, side, side])
  }

  /// Returns scenes as samples: pictures `[sample, 3, 48, 48]` in 0...1 with their classes.
  ///
  /// - Throws: ``DataError/invalidArgument(_:)`` if there are none.
  public static func dataSet(of scenes: [ShapeScene]) throws -> LabeledData {
    try LabeledData(
      inputs: tensor(of: scenes), targets: Tensor(scenes.map { Int64($0.shape.rawValue) }),
      classes: Shape.allCases.map(\.name))
  }

  /// Returns the shape with a rim of `margin` pixels around it, row by row: where a method that sees
  /// edges should look.
  public func mask(margin: Int) -> [Bool] {
    let side = Self.side
    return mask.indices.map { index in
      let (row, column) = (index / side, index % side)
      for y in max(0, row - margin)...min(side - 1, row + margin) {
        for x in max(0, column - margin)...min(side - 1, column + margin)
        where mask[y * side + x] { return true }
      }
      return false
    }
  }

  private static func interpolated(_ lattice: [Double], _ row: Int, _ column: Int) -> Double {
    let scale = 5.0 / Double(side)
    let (y, x) = (Double(row) * scale, Double(column) * scale)
    let (top, left) = (Int(y), Int(x))
    let (fy, fx) = (y - Double(top), x - Double(left))
    func at(_ row: Int, _ column: Int) -> Double { lattice[row * 6 + column] }
    let above = at(top, left) * (1 - fx) + at(top, left + 1) * fx
    let below = at(top + 1, left) * (1 - fx) + at(top + 1, left + 1) * fx
    return above * (1 - fy) + below * fy
  }
}
