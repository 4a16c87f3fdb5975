import VitrineCore
import VitrineTensor

/// An input as planes `[sample, channel, height, width]` in double precision, whatever the order of its
/// axes.
///
/// An input without positions, such as a row of a table, is one plane of height 1 for each sample.
struct Planes: Sendable {
  private(set) var samples: Int
  let channels: Int
  let height: Int
  let width: Int
  /// Whether neighbours along height or width are neighbours in space.
  let isSpatial: Bool
  var values: [Double]
  /// The input's axes in the order of the planes, and its shape in that order.
  private let order: [Int]
  private let orderedShape: [Int]

  /// Takes the input apart.
  init(_ tensor: Tensor, at port: Port) throws {
    let axes = port.axes
    let spatial = axes.indices.filter { [.height, .width, .position].contains(axes[$0]) }
    let batch = axes.firstIndex(of: .batch)
    let channel = axes.firstIndex(of: .channel)
    let known = [batch, channel].compactMap(\.self) + spatial
    isSpatial =
      axes.count == tensor.rank && known.count == tensor.rank && (1...2).contains(spatial.count)
    order = isSpatial ? known : Array(0..<tensor.rank)
    let shape = tensor.shape.dimensions
    orderedShape = order.map { shape[$0] }
    samples = batch.map { $0 < shape.count ? shape[$0] : 1 } ?? 1
    channels = isSpatial ? channel.map { shape[$0] } ?? 1 : 1
    height = isSpatial && spatial.count == 2 ? shape[spatial[0]] : 1
    width =
      isSpatial ? shape[spatial[spatial.count - 1]] : tensor.count / Swift.max(samples, 1)
    values = try tensor.converted(to: .float64).transposed(axes: order).elements(of: Double.self)
  }

  /// Elements of one sample.
  var sampleCount: Int { channels * height * width }

  /// Where the elements of each sample are.
  var sampleRanges: [Range<Int>] { (0..<samples).map(range) }

  /// Returns where the elements of a sample are; an input without samples of its own belongs to all.
  func range(of sample: Int) -> Range<Int> {
    let row = samples == 1 ? 0 : sample
    return row < samples ? row * sampleCount..<(row + 1) * sampleCount : 0..<0
  }

  /// Elements of one plane.
  var planeCount: Int { height * width }

  /// Returns values in the planes' order as a tensor with the input's axes.
  func tensor(_ values: [Double], _ dataType: DataType) throws -> Tensor {
    try Tensor(values, shape: orderedShape).transposed(axes: inverseOrder).converted(to: dataType)
  }

  /// Returns a tensor of the input's shape in the planes' order.
  func ordered(_ tensor: Tensor) throws -> [Double] {
    try tensor.converted(to: .float64).transposed(axes: order).elements(of: Double.self)
  }

  private var inverseOrder: [Int] {
    order.indices.map { axis in order.firstIndex(of: axis) ?? axis }
  }

  /// Returns planes of the same size for one sample.
  func oneSample(_ values: [Double]) -> Planes {
    var one = self
    one.samples = 1
    one.values = values
    return one
  }

  /// Calls `body` with the first element of every plane.
  func forEachPlane(_ body: (_ start: Int) -> Void) {
    for start in stride(from: 0, to: values.count, by: Swift.max(planeCount, 1)) { body(start) }
  }
}
