import VitrineCore
import VitrineTensor

/// One input under its masks.
struct Cover {
  /// Of the input.
  let name: String
  let masks: Masks
  private let input: Tensor
  private let fill: Tensor
  private let isBatch: Bool
  /// The shape of a mask as a tensor: extent 1 where it is constant.
  private let maskShape: [Int]

  /// - Parameters:
  ///   - input: Batch axis first, if it has one.
  ///   - fill: What hidden parts show, shape and type of `input`.
  /// - Throws: `CoreError.notApplicable(_:)` for an input whose samples are not along the first axis.
  init(_ input: Tensor, at port: Port, fill: Tensor, masks: Masks) throws {
    guard port.batchAxis ?? 0 == 0, input.rank == port.axes.count else {
      throw CoreError.notApplicable(
        "input '\(port.name)' has shape \(input.shape): expected \(port.shapeDescription), samples "
          + "along the first axis")
    }
    name = port.name
    self.masks = masks
    self.input = input
    self.fill = fill
    isBatch = port.batchAxis == 0
    var shape = input.shape.dimensions.map { _ in 1 }
    for (axis, extent) in zip(masks.axes, masks.extents) { shape[axis] = extent }
    maskShape = shape
  }

  /// Returns some of the samples under one mask: x ⊙ M + fill ⊙ (1 − M).
  func masked(_ index: Int, samples: Range<Int>) throws -> Tensor {
    let mask = try Tensor(masks.mask(index), shape: maskShape).converted(to: input.dataType)
    let hidden = try mask.negated().adding(1)
    let input = isBatch ? try input.sliced(axis: 0, samples) : input
    let fill = isBatch ? try fill.sliced(axis: 0, samples) : fill
    return try input.multiplied(by: mask).adding(fill.multiplied(by: hidden))
  }

  /// Returns the mean of the masks, weighted with their scores and divided by p.
  ///
  /// - Parameter scores: For each sample one for each mask.
  /// - Returns: The map, `float64`, shape of the input, and for each sample the root of the mean square of
  ///   its standard error.
  func map(
    of scores: [[Double]], keep: Double, _ context: Context
  ) throws -> (tensor: Tensor, standardErrors: [Double]) {
    let places = masks.count
    let samples = scores.count
    let total = scores.first?.count ?? 0
    var sums = [Double](repeating: 0, count: samples * places)
    var squares = [Double](repeating: 0, count: samples)
    for index in 0..<total {
      if index % 64 == 0 { try context.checkCancellation() }
      let mask = masks.mask(index)
      for sample in 0..<samples {
        let score = scores[sample][index]
        var square = 0.0
        for place in 0..<places {
          let part = score * Double(mask[place])
          sums[sample * places + place] += part
          square += part * part
        }
        squares[sample] += square
      }
    }
    let count = Double(max(total, 1))
    let errors = (0..<samples).map { sample in
      let means = sums[sample * places..<(sample + 1) * places].reduce(0) {
        $0 + ($1 / count) * ($1 / count)
      }
      let variance = max(squares[sample] / count - means, 0) / Double(max(places, 1))
      return (variance / count).squareRoot() / keep
    }
    var shape = maskShape
    if isBatch { shape[0] = samples }
    let map = try Tensor(sums.map { $0 / (keep * count) }, shape: shape)
    return (try map.broadcast(to: input.shape.dimensions), errors)
  }
}
