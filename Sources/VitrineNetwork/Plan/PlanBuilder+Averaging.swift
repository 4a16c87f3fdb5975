internal import CVitrineKernels
internal import VitrineTensor

/// Where a plan that averages gradients keeps what its repetitions share.
struct Averaging {
  /// For each line the slots of its ends: start, and distance to the other end, one sample each.
  private(set) var lineSlots: [Int: (start: Int, direction: Int)] = [:]
  /// The slot with one `float32` fraction for each sample of the batch.
  private(set) var fractionSlot: Int?
  /// The slot with one `float64` weight for each sample of the batch.
  private(set) var weightSlot: Int?
  /// Planes of one image, by line.
  fileprivate var ends: [Int: (start: Planes, direction: Planes)] = [:]
  /// Double-precision sums, by value.
  fileprivate var sums: [Int: Int] = [:]

  /// Numbers the slots that follow the inputs and the seed: start and direction of each line,
  /// fractions, weights.
  mutating func reserveSlots(for request: PlanRequest, _ count: inout Int) {
    for line in request.lines {
      lineSlots[line] = (count, count + 1)
      count += 2
    }
    if !request.lines.isEmpty {
      fractionSlot = count
      count += 1
    }
    if !request.sums.isEmpty {
      weightSlot = count
      count += 1
    }
  }
}

// Averages of gradients: points of lines are computed where the first nonlinear operator reads them,
// and cotangents are summed in double precision, sample after sample, where they arrive.
extension PlanBuilder {
  /// Emits what runs before the first repetition.
  func emitAveragingStart() {
    for line in request.lines {
      guard let slots = averaging.lineSlots[line] else { continue }
      averaging.ends[line] = (pack(slots.start, of: line), pack(slots.direction, of: line))
      // The row-major copies are not needed again.
      emitHost { _ in
        { frame in
          frame.slots[slots.start] = nil
          frame.slots[slots.direction] = nil
        }
      }
    }
    for value in request.sums {
      let sum = sumPlanes(of: value)
      averaging.sums[value] = sum.buffer
      emitFill(sum, interior: true)
    }
  }

  /// Returns planes with one sample of a value that is in a slot.
  func pack(_ slot: Int, of value: Int) -> Planes {
    let planes = newPlanes(planeShape(of: value).with(images: 1), halo: Halo())
    emit([planes.buffer], slots: [slot]) { layout in
      layout.change(VK_PACK, planes, as: planes.shape, inSlot: slot, imageStride: 0)
    }
    return planes
  }

  /// Returns a fresh buffer of doubles as planes of twice as many floats.
  private func sumPlanes(of value: Int) -> Planes {
    let shape = planeShape(of: value)
    let doubled = PlaneShape(1, shape.channels, shape.height, shape.width * 2)
    let size = Planes(buffer: 0, shape: doubled, halo: Halo()).byteCount
    return Planes(buffer: newBuffer(byteCount: size, images: 1), shape: doubled, halo: Halo())
  }

  /// Emits the points of a line, one for each sample.
  func emitLine(_ value: Int, to output: Planes, epilogue: Epilogue = Epilogue()) {
    guard let (start, direction) = averaging.ends[value], let slot = averaging.fractionSlot else {
      preconditionFailure("the ends of a line are packed before its points are computed")
    }
    let buffers = [start.buffer, direction.buffer, output.buffer]
    emit(buffers + epilogue.buffers, slots: [slot]) { layout in
      var op = vk_op()
      op.kind = VK_LINE
      op.as.line.start = layout.map(start)
      op.as.line.direction = layout.map(direction)
      op.as.line.output = layout.map(output)
      op.as.line.images = layout.images(output.shape.images)
      op.as.line.blocks = Int32(output.shape.blocks)
      op.as.line.height = Int32(output.shape.height)
      op.as.line.width = Int32(output.shape.width)
      op.as.line.fraction_buffer = Int32(slot + 1)
      op.as.line.fraction_offset = Int64(layout.firstImage(of: output.shape.images))
      op.as.line.epilogue = epilogue.resolved(layout)
      return op
    }
  }

  /// Emits the addition of a batch of cotangents to a value's sum.
  func emitSum(_ value: Int, _ cotangents: Planes) {
    guard let sum = averaging.sums[value], let slot = averaging.weightSlot else { return }
    emit([cotangents.buffer, sum], slots: [slot]) { layout in
      var op = vk_op()
      op.kind = VK_WEIGHTED_SUM
      op.as.weighted_sum.input = layout.map(cotangents)
      op.as.weighted_sum.images = layout.images(cotangents.shape.images)
      op.as.weighted_sum.blocks = Int32(cotangents.shape.blocks)
      op.as.weighted_sum.height = Int32(cotangents.shape.height)
      op.as.weighted_sum.width = Int32(cotangents.shape.width)
      op.as.weighted_sum.sum_offset = Int64(layout.offsets[sum] / 8)
      op.as.weighted_sum.weight_buffer = Int32(slot + 1)
      op.as.weighted_sum.weight_offset = Int64(
        layout.firstImage(of: cotangents.shape.images))
      return op
    }
  }

  /// Emits what makes a tensor of one sample of a sum, and returns its slot.
  func emitSumResult(of value: Int) -> Int {
    let slot = newSlot()
    let planes = planeShape(of: value)
    let dimensions = [1] + types[value].shape.dimensions.dropFirst()
    guard let sum = averaging.sums[value], let shape = try? Shape(dimensions) else { return slot }
    let isPrecise = request.preciseSums.contains(value)
    reserve(shape.count * (isPrecise ? 8 : 4))
    let area = planes.height * planes.width
    emitHost([sum]) { layout in
      let offset = layout.offsets[sum]
      return { frame in
        let sums = (frame.arena + offset).assumingMemoryBound(to: Double.self)
        @inline(__always)
        func forEachElement(_ body: (_ index: Int, _ sum: Double) -> Void) {
          for channel in 0..<planes.channels {
            let source = sums + channel / 16 * area * 16 + channel % 16
            for pixel in 0..<area { body(channel * area + pixel, source[pixel * 16]) }
          }
        }
        frame.slots[slot] =
          isPrecise
          ? Tensor(uninitialized: shape, of: Double.self) { target in
            forEachElement { target[$0] = $1 }
          }
          : Tensor(uninitialized: shape, of: Float.self) { target in
            forEachElement { target[$0] = Float($1) }
          }
      }
    }
    return slot
  }

  /// The value under the rectifier at the end of a fused node, if it is not stored by itself.
  func rectified(by fused: FusedNode) -> Int? {
    fused.activation.flatMap { wiring.nodes[$0.node].inputs.first.flatMap { $0 } }
  }

  /// Returns the values whose cotangents are not those of a rectifier's input, so that the values must
  /// exist by themselves.
  static func unfusible(_ values: [Int], _ specialization: Specialization) -> [Int] {
    let nodes = specialization.wiring.nodes
    return values.filter { value in
      let readers = nodes.filter { $0.inputs.contains(value) }
      guard readers.count == 1, readers[0].inputs.first == value,
        let function = KernelFunction(readers[0], types: specialization.types)
      else { return true }
      return !function.hasMask
    }
  }
}
