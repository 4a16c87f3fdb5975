package import VitrineCore
package import VitrineImaging
import VitrineTensor

/// One sample of an attribution as maps over a picture, whatever the order of the model's axes.
package struct FeatureMaps: Sendable {
  /// Number of outputs that a Jacobian differentiates; 1 for everything else.
  package let rows: Int
  package let channels: Int
  package let height: Int
  package let width: Int
  package let range: Attribution.Range
  /// `[row, channel, height, width]`
  package let values: [Float]
  /// Whether all channels hold the same map, as where a window covers them together: it counts once.
  private let areChannelsEqual: Bool

  /// Creates the maps of a sample; `nil` if the attribution has no height and width.
  package init?(_ attribution: Attribution, sample: Int) throws {
    let order: [Axis] = [.batch, .output, .channel, .height, .width]
    let positions = order.map { attribution.axes.firstIndex(of: $0) }
    guard positions[3] != nil, positions[4] != nil,
      attribution.axes.allSatisfy({ order.contains($0) }),
      attribution.axes.count == attribution.tensor.rank
    else { return nil }
    var tensor = attribution.tensor.converted(to: .float32)
    if let batch = positions[0] {
      tensor = try tensor.sliced(axis: batch, sample..<sample + 1)
    }
    let present = positions.compactMap { $0 }
    let shape = tensor.shape
    tensor = try tensor.transposed(axes: present)
    func extent(_ index: Int) -> Int { positions[index].map { shape[$0] } ?? 1 }
    rows = extent(1)
    channels = extent(2)
    height = extent(3)
    width = extent(4)
    range = attribution.range
    let values = try tensor.elements(of: Float.self)
    self.values = values
    let plane = max(height * width, 1)
    let row = plane * max(channels, 1)
    areChannelsEqual = values.indices.allSatisfy {
      values[$0] == values[$0 / row * row + $0 % plane]
    }
  }

  /// How the channels of a map become one number for each pixel, in words; empty if there is one.
  package var reduction: String {
    if channels == 1 || range == .input { return "" }
    if areChannelsEqual { return "the same in every channel" }
    return range == .signed ? "sum over channels" : "largest over channels"
  }

  /// Returns one number for each pixel: the sum over channels of signed values, so that what cancels
  /// cancels; the largest of magnitudes; the value itself where it is the same in every channel.
  package func heatMap(row: Int) throws -> HeatMap {
    let plane = height * width
    var map = [Float](repeating: 0, count: plane)
    for channel in 0..<(areChannelsEqual ? 1 : channels) {
      let start = (row * channels + channel) * plane
      for i in 0..<plane {
        let value = values[start + i]
        map[i] = range == .signed ? map[i] + value : max(map[i], value)
      }
    }
    return try HeatMap(width: width, height: height, values: map)
  }

  /// Returns the channels of one row, `[channel, height, width]`.
  package func planes(row: Int) -> [Float] {
    let count = channels * height * width
    return Array(values[row * count..<(row + 1) * count])
  }
}

/// Where a map's evidence lies, in numbers.
package struct MapStatistics: Sendable {
  package struct Pixel: Sendable {
    package let row: Int
    package let column: Int
    package let value: Float
  }

  /// The pixels of largest magnitude, strongest first; earlier rows and columns first on ties.
  package let strongest: [Pixel]
  /// The smallest share of pixels that holds half of the summed magnitude, 0...1.
  package let halfMassShare: Double
  /// Share of pixels whose value is exactly zero: changing them a little changes nothing.
  package let zeroShare: Double
  package let minimum: Float
  package let maximum: Float

  /// - Complexity: O(n) for n pixels.
  package init(_ map: HeatMap) {
    let magnitudes = map.values.map(\.magnitude)
    // Bit patterns of positive numbers are in their order; inverted, the largest come first.
    let order = RadixSort.ascendingOrder(of: magnitudes.map { ~$0.bitPattern })
    strongest = order.prefix(5).map {
      Pixel(row: $0 / map.width, column: $0 % map.width, value: map.values[$0])
    }
    let total = magnitudes.reduce(0.0) { $0 + Double($1) }
    var sum = 0.0
    var count = 0
    for index in order where sum < total / 2 {
      sum += Double(magnitudes[index])
      count += 1
    }
    let pixels = Double(max(1, magnitudes.count))
    halfMassShare = Double(count) / pixels
    zeroShare = Double(magnitudes.count { $0 == 0 }) / pixels
    minimum = map.values.min() ?? .nan
    maximum = map.values.max() ?? .nan
  }
}
