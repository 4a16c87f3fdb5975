internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

/// What a plan computes.
struct PlanRequest: Hashable, Sendable {
  /// Values to return.
  let targets: [Int]
  /// The value whose cotangents are given; `nil` for a forward pass only.
  var source: Int?
  /// Values whose cotangents are returned.
  var sites: [Int] = []
  var rules: RuleTable?
  /// Cotangents for each sample.
  var cotangents = 0
  /// Whether the backward pass is repeated with other cotangents after one forward pass.
  var repeatsBackward = false
  /// The channels of `source`, or of the only target, that matter; `nil` for all. The others may hold
  /// anything.
  var channels: Set<Int>?
  /// Values that are not computed but given as points of straight lines.
  var lines: [Int] = []
  /// Values whose cotangents are summed over the batch, and over repetitions of the plan.
  var sums: [Int] = []
  /// Those of them whose sums are returned in double precision, as they are computed.
  var preciseSums: Set<Int> = []
}

/// Turns a specialised graph into a ``Plan`` for one request.
///
/// Data flows one way: fuse nodes, choose how each is run, emit the forward steps, emit the backward
/// steps, place the buffers, write the kernels' operations. Values live in the kernels' blocked
/// layout where kernels use them, and in row-major *slots* where reference operators, inputs and
/// results do; each conversion is emitted once, when first needed.
final class PlanBuilder {
  let specialization: Specialization
  let request: PlanRequest
  let constants: PackedConstants
  let isExact: Bool
  let threads: Int
  private let memoryLimit: Int
  private let cacheBytes: Int
  private let arenas: ArenaPool
  let path: DifferentiationPath
  let nodes: [FusedNode]
  let lowerings: [Lowering]
  var wiring: Wiring { specialization.wiring }
  var types: [ValueType] { specialization.types }

  // Forward state, by value.
  var planes: [Int: Planes] = [:]
  var slots: [Int: Int] = [:]
  var halos: [Int: Halo] = [:]
  /// A value that is stored as some channels of a concatenation.
  var parents: [Int: (whole: Int, channel: Int)] = [:]
  /// For a concatenation the one that is stored as its first pieces, and how many these are.
  var continued: [Int: (value: Int, pieces: Int)] = [:]
  /// Where a rectifier left its mask, and the rule of its node.
  var masks: [Int: (mask: Mask, rule: BackwardRule)] = [:]
  /// Masks of concatenations, of which those of the parts are parts.
  var wholeMasks: [Int: Mask] = [:]
  /// Values whose cotangents are masked as part of a concatenation's, or under another name.
  var isMaskedElsewhere: Set<Int> = []
  /// Indices of maxima, by fused node, and how many images they are for.
  var indices: [Int: (buffer: Int, images: Int)] = [:]

  // Backward state, by value.
  var cotangentHalos: [Int: Halo] = [:]
  var cotangents: [Int: Planes] = [:]
  var cotangentSlots: [Int: Int] = [:]
  var remainingContributions: [Int: Int] = [:]
  /// Concatenations whose cotangents are those of their pieces, to which others have contributed before.
  var continuesPieces: Set<Int> = []
  /// Where the ends of lines, and weighted sums, are kept from one repetition to the next.
  var averaging = Averaging()
  /// For some convolutions, by node, the output channels that matter.
  private(set) var neededChannels: [Int: Set<Int>] = [:]
  /// What is covered of an input; `nil` if the plan computes everything.
  var covering: Covering?
  /// The slot in which the source's cotangents come, `[cotangents · batch, …]`: after the inputs.
  let seedSlot: Int

  /// The index of the fused node that stores a value.
  let producers: [Int: Int]
  private(set) var buffers: [ArenaPlanner.Buffer] = []
  private var drafts: [Draft] = []
  /// Bytes of constants that have been held for the next operation.
  private var nextWeightBytes = 0
  /// What each draft is for, and what the next one will be.
  private var purposes: [OperationPurpose] = []
  var purpose = OperationPurpose.transfer
  private(set) var slotCount: Int
  /// Bytes of the row-major tensors whose shapes are known.
  private var slotBytes = 0
  private var tables: [UnsafeMutableRawPointer] = []
  private var heldConstants: [PackedConstant] = []

  private enum Draft {
    case native(Native)
    case host((ArenaLayout) -> @Sendable (inout Plan.Frame) throws -> Void)
  }

  private struct Native {
    let buffers: [Int]
    let slots: [Int]
    let weightBytes: Int
    let make: (ArenaLayout) -> vk_op
  }

  init(
    _ specialization: Specialization, _ request: PlanRequest, constants: PackedConstants,
    arenas: ArenaPool, isExact: Bool, threads: Int, memoryLimit: Int, cacheBytes: Int
  ) throws {
    self.cacheBytes = cacheBytes
    self.threads = threads
    self.memoryLimit = memoryLimit
    self.arenas = arenas
    self.specialization = specialization
    self.request = request
    self.constants = constants
    self.isExact = isExact
    let wiring = specialization.wiring
    path =
      request.source.map {
        DifferentiationPath(wiring, from: request.sites + request.sums, to: $0)
      } ?? DifferentiationPath(wiring, from: [], to: 0)
    let kept = Set(
      request.targets + request.sites + (request.source.map { [$0] } ?? [])
        + Self.unfusible(request.sums, specialization))
    let needed = wiring.nodesNeeded(
      for: Array(kept).sorted(),
      known: { specialization.isConstant($0) || request.lines.contains($0) })
    let isActive =
      request.source == nil
      ? [Bool](repeating: false, count: wiring.values.count) : path.isActive
    nodes = try Fusion(specialization, needed: needed, kept: kept, isActive: isActive)
      .nodes(needed: needed)
    lowerings = try nodes.map { try Fusion.lowering(of: $0, specialization) }
    producers = Dictionary(
      nodes.enumerated().map { ($1.output, $0) }, uniquingKeysWith: { first, _ in first })
    seedSlot = wiring.inputs.count
    slotCount = wiring.inputs.count + (request.source == nil ? 0 : 1)
    averaging.reserveSlots(for: request, &slotCount)
    for (slot, value) in wiring.inputs.enumerated() { slots[value] = slot }
    if let channels = request.channels { neededChannels = convolutions(leadingTo: channels) }
  }

  /// Returns the plan and, for each target and then each site, the slot that will hold it.
  func plan() throws -> (plan: Plan, results: [Int]) {
    chooseHalosAndParents()
    emitAveragingStart()
    emitCoveringStart()
    var firstRepeated = drafts.count
    for index in nodes.indices {
      purpose = .forward(index)
      try covering == nil ? emitForward(index) : emitCovered(index)
    }
    purpose = .transfer
    for target in request.targets { makeWhole(target) }
    var results = request.targets.map { slot(of: $0) }
    if request.repeatsBackward { firstRepeated = drafts.count }
    if let source = request.source {
      try emitBackward(from: source)
      purpose = .transfer
      results += request.sites.map { cotangentSlot(of: $0) }
    }
    let lastRepeated = drafts.count
    results += request.sums.map { emitSumResult(of: $0) }
    keepAcrossRepetitions(firstRepeated..<lastRepeated)
    let samples = samplesKeptApart
    let stages = BatchSchedule(
      movements, samples: samples, stops: [firstRepeated, lastRepeated],
      cacheBytes: cacheBytes
    ).stages
    let isPart = adaptBuffers(to: stages)
    let (offsets, byteCount) = ArenaPlanner.place(buffers)
    guard byteCount <= memoryLimit - min(memoryLimit, slotBytes) else {
      throw NetworkError.memoryLimit(
        needed: byteCount + slotBytes, limit: memoryLimit,
        what: request.source == nil ? "a forward pass" : "a backward pass")
    }
    var operations: [vk_op] = []
    var steps: [Plan.Step] = []
    var labels: [OperationPurpose] = []
    var repeated = 0..<0
    for (index, images) in Self.order(stages, samples: samples) {
      // Steps that are repeated are not joined with those that are not.
      let begins = (images?.lowerBound ?? 0) == 0
      let opensStage = begins && (index == firstRepeated || index == lastRepeated)
      if begins, index == firstRepeated { repeated = steps.count..<steps.count }
      if begins, index == lastRepeated { repeated = repeated.lowerBound..<steps.count }
      let layout = ArenaLayout(
        offsets: offsets,
        part: images.map { .init(images: $0, of: samples, holdsPart: isPart) })
      switch drafts[index] {
      case .host(let make): steps.append(.host(make(layout), for: purposes[index]))
      case .native(let native):
        operations.append(native.make(layout))
        labels.append(purposes[index])
        if !opensStage, case .native(let range, let others)? = steps.last {
          steps[steps.count - 1] = .native(
            range.lowerBound..<operations.count, slots: Array(Set(others + native.slots)).sorted())
        } else {
          steps.append(.native(operations.count - 1..<operations.count, slots: native.slots))
        }
      }
    }
    if lastRepeated == drafts.count { repeated = repeated.lowerBound..<steps.count }
    let list = OperationList(operations, tables: tables, constants: heldConstants)
    return (
      Plan(
        steps: steps, stages: Plan.Stages(repeated: repeated), operations: list, purposes: labels,
        layers: plannedLayers, arenas: arenas,
        arenaByteCount: byteCount, slotCount: slotCount, threads: threads), results
    )
  }

  /// Keeps what comes from before the repeated steps until they have run for the last time.
  private func keepAcrossRepetitions(_ repeated: Range<Int>) {
    for index in buffers.indices
    where buffers[index].firstStep < repeated.lowerBound
      && buffers[index].lastStep >= repeated.lowerBound
    {
      buffers[index].lastStep = max(buffers[index].lastStep, repeated.upperBound - 1)
    }
  }

  // MARK: - Parts of a batch

  /// The number of samples where every operation over as many images takes them one by one; 1 where there
  /// are several cotangents for each, or pieces of images.
  private var samplesKeptApart: Int {
    guard covering == nil, request.cotangents <= 1 else { return 1 }
    let samples = Set(wiring.inputs.map { types[$0].shape.dimensions.first ?? 1 })
    return samples.count == 1 ? samples.first ?? 1 : 1
  }

  /// What each draft moves.
  private var movements: [BatchSchedule.Operation] {
    let samples = samplesKeptApart
    var carried = [Int](repeating: 0, count: drafts.count + 1)
    for buffer in buffers where buffer.images == samples && buffer.firstStep < buffer.lastStep {
      carried[buffer.firstStep + 1] += buffer.byteCount / samples
      carried[buffer.lastStep + 1] -= buffer.byteCount / samples
    }
    for place in carried.indices.dropFirst() { carried[place] += carried[place - 1] }
    return drafts.enumerated().map { index, draft in
      guard case .native(let native) = draft else {
        return .init(weightBytes: 0, valueBytes: 0, splits: false, carriedBytes: carried[index])
      }
      return .init(
        weightBytes: native.weightBytes,
        valueBytes: native.buffers.reduce(0) {
          $0 + (buffers[$1].images == samples ? buffers[$1].byteCount / samples : 0)
        },
        splits: native.buffers.allSatisfy {
          buffers[$0].images == samples || buffers[$0].images == nil || buffers[$0].images == 1
        }, carriedBytes: carried[index])
    }
  }

  /// Lets buffers that live within a stage hold only the samples that are there at once, and others live
  /// until the stage has seen all samples.
  ///
  /// - Returns: For each buffer whether it holds a part of the batch.
  private func adaptBuffers(to stages: [BatchSchedule.Stage]) -> [Bool] {
    let samples = samplesKeptApart
    var isPart = [Bool](repeating: false, count: buffers.count)
    for stage in stages where stage.samplesAtOnce < samples {
      for index in buffers.indices where buffers[index].lastStep >= 0 {
        let buffer = buffers[index]
        let begins = stage.operations.contains(buffer.firstStep)
        let ends = stage.operations.contains(buffer.lastStep)
        if begins, ends, buffer.images == samples {
          isPart[index] = true
          buffers[index].byteCount = buffer.byteCount / samples * stage.samplesAtOnce
        } else if begins, !ends {
          buffers[index].firstStep = stage.operations.lowerBound
        } else if ends, !begins {
          buffers[index].lastStep = stage.operations.upperBound - 1
        }
      }
    }
    return isPart
  }

  /// Returns the drafts in the order in which they run, with the samples if they are not all.
  private static func order(
    _ stages: [BatchSchedule.Stage], samples: Int
  ) -> [(draft: Int, images: Range<Int>?)] {
    stages.flatMap { stage -> [(draft: Int, images: Range<Int>?)] in
      guard stage.samplesAtOnce < samples else { return stage.operations.map { ($0, nil) } }
      return stride(from: 0, to: samples, by: stage.samplesAtOnce).flatMap { first in
        stage.operations.map { ($0, first..<min(first + stage.samplesAtOnce, samples)) }
      }
    }
  }

  // MARK: - Emitting

  /// Adds a kernel operation.
  ///
  /// - Parameters:
  ///   - buffers: Every buffer it touches.
  ///   - slots: Every slot it touches; slot `s` is the kernels' buffer `s + 1`.
  func emit(_ buffers: [Int], slots: [Int] = [], _ make: @escaping (ArenaLayout) -> vk_op) {
    touch(buffers)
    drafts.append(
      .native(
        Native(buffers: Array(Set(buffers)), slots: slots, weightBytes: nextWeightBytes, make: make)
      ))
    nextWeightBytes = 0
    purposes.append(purpose)
  }

  /// Adds a step in Swift.
  func emitHost(
    _ buffers: [Int] = [],
    _ make: @escaping (ArenaLayout) -> @Sendable (inout Plan.Frame) throws -> Void
  ) {
    touch(buffers)
    drafts.append(.host(make))
    purposes.append(purpose)
  }

  private func touch(_ used: [Int]) {
    for buffer in used {
      buffers[buffer].firstStep = min(buffers[buffer].firstStep, drafts.count)
      buffers[buffer].lastStep = max(buffers[buffer].lastStep, drafts.count)
    }
  }

  /// Returns a fresh buffer.
  ///
  /// - Parameter images: How many equal parts it holds, one for each image; `nil` for other uses within one
  ///   operation.
  func newBuffer(byteCount: Int, images: Int?) -> Int {
    buffers.append(
      .init(byteCount: byteCount, images: images, firstStep: .max, lastStep: -1))
    return buffers.count - 1
  }

  /// Counts bytes of a tensor that a step will make.
  func reserve(_ bytes: Int) { slotBytes += bytes }

  func newSlot() -> Int {
    slotCount += 1
    return slotCount - 1
  }

  /// Returns fresh planes whose halo is zero; every pixel is still to be written.
  func newPlanes(_ shape: PlaneShape, halo: Halo) -> Planes {
    let size = Planes(buffer: 0, shape: shape, halo: halo).byteCount
    let planes = Planes(
      buffer: newBuffer(byteCount: size, images: shape.images), shape: shape,
      halo: halo)
    if !halo.isEmpty { emitFill(planes, interior: false) }
    return planes
  }

  func newMask(_ shape: PlaneShape) -> Mask {
    let size = Mask(buffer: 0, shape: shape).byteCount
    return Mask(buffer: newBuffer(byteCount: size, images: shape.images), shape: shape)
  }

  func hold(_ constant: PackedConstant) -> UnsafePointer<Float> {
    heldConstants.append(constant)
    nextWeightBytes += constant.byteCount
    return constant.floats
  }

  /// Returns a copy of a table that lives as long as the plan.
  func table<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
    let memory = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, elements.count * MemoryLayout<Element>.stride), alignment: 64)
    let pointer = memory.bindMemory(to: Element.self, capacity: elements.count)
    pointer.initialize(from: elements, count: elements.count)
    tables.append(memory)
    return pointer
  }

  func perChannel(_ numbers: [Float], _ key: PackedConstants.Key) -> UnsafePointer<Float> {
    hold(
      constants.constant(key) {
        PackedConstant(count: (numbers.count + 15) / 16 * 16) { memory in
          for (i, number) in numbers.enumerated() { memory[i] = number }
        }
      })
  }

  // MARK: - Values

  /// Returns where a value's planes are, converting it from its slot if needed.
  func planes(of value: Int) -> Planes {
    if let found = planes[value] { return found }
    let result = destination(of: value)
    if request.lines.contains(value) {
      emitLine(value, to: result)
      return result
    }
    let slot = slot(of: value)
    let shape = result.shape
    emit([result.buffer], slots: [slot]) { layout in
      layout.change(
        VK_PACK, result, as: shape, inSlot: slot,
        imageStride: shape.channels * shape.height * shape.width)
    }
    return result
  }

  /// Returns the planes into which a value is to be written.
  func destination(of value: Int) -> Planes {
    if let found = planes[value] { return found }
    let result: Planes
    if let (whole, channel) = parents[value] {
      result = destination(of: whole).channels(types[value].shape[1], from: channel)
    } else {
      result = newPlanes(planeShape(of: value), halo: halos[value] ?? Halo())
    }
    planes[value] = result
    return result
  }

  func planeShape(of value: Int) -> PlaneShape {
    guard let shape = PlaneShape(types[value].shape.dimensions) else {
      preconditionFailure("only values of rank 2 to 4 are lowered to kernels")
    }
    return shape
  }

  /// Returns the slot that holds a value row-major, converting it from planes if needed.
  func slot(of value: Int) -> Int {
    if let found = slots[value] { return found }
    if request.lines.contains(value) { _ = planes(of: value) }
    let slot = newSlot()
    slots[value] = slot
    if let constant = types[value].constant {
      emitHost { _ in { frame in frame.slots[slot] = constant } }
    } else if let planes = planes[value] {
      unpack(planes, into: slot, shape: types[value].shape)
    }
    return slot
  }

  /// Emits the conversion of planes to a fresh row-major tensor.
  ///
  /// - Parameters:
  ///   - whole: The tensor's extents, if its pixels are `spread` × `spread` for each of the planes.
  func unpack(
    _ planes: Planes, into slot: Int, shape: Shape, as whole: PlaneShape? = nil, spread: Int = 0
  ) {
    reserve(shape.count * 4)
    emitHost { _ in
      { frame in
        // Without a spread the conversion that follows writes every element.
        frame.slots[slot] =
          spread > 0
          ? Tensor(zeros: shape) : Tensor(uninitialized: shape, of: Float.self) { _ in }
      }
    }
    let whole = whole ?? planes.shape
    emit([planes.buffer], slots: [slot]) { layout in
      var op = layout.change(
        VK_UNPACK, planes, as: whole, inSlot: slot,
        imageStride: whole.channels * whole.height * whole.width)
      op.as.layout.spread = Int32(spread)
      return op
    }
  }

  // MARK: - Small operations

  func emitFill(_ planes: Planes, interior: Bool) {
    emit([planes.buffer]) { layout in
      var op = vk_op()
      op.kind = VK_FILL
      op.as.fill.map = layout.map(planes)
      op.as.fill.images = layout.images(planes.shape.images)
      op.as.fill.blocks = Int32(planes.shape.blocks)
      op.as.fill.height = Int32(planes.shape.height)
      op.as.fill.width = Int32(planes.shape.width)
      op.as.fill.top = Int32(planes.halo.top)
      op.as.fill.left = Int32(planes.halo.left)
      op.as.fill.bottom = Int32(planes.halo.bottom)
      op.as.fill.right = Int32(planes.halo.right)
      op.as.fill.interior = interior ? 1 : 0
      return op
    }
  }

  /// Emits an elementwise operation over the planes of `output`.
  ///
  /// - Parameter spreadsSecond: Whether `second` is one pixel for each plane.
  func emitElementwise(
    _ kind: vk_kind, _ input: Planes, second: Planes? = nil, spreadsSecond: Bool = false,
    to output: Planes,
    epilogue: Epilogue = Epilogue(), function: KernelFunction? = nil,
    scale: UnsafePointer<Float>? = nil, shift: UnsafePointer<Float>? = nil
  ) {
    let buffers = [input.buffer, output.buffer] + (second.map { [$0.buffer] } ?? [])
    emit(buffers + epilogue.buffers) { layout in
      var op = vk_op()
      op.kind = kind
      op.as.elementwise.input = layout.map(input)
      op.as.elementwise.second = layout.map(second)
      if spreadsSecond {
        op.as.elementwise.second.pixel_stride = 0
        op.as.elementwise.second.row_stride = 0
      }
      op.as.elementwise.output = layout.map(output)
      op.as.elementwise.images = layout.images(output.shape.images)
      op.as.elementwise.blocks = Int32(output.shape.blocks)
      op.as.elementwise.height = Int32(output.shape.height)
      op.as.elementwise.width = Int32(output.shape.width)
      op.as.elementwise.second_images = layout.images(second?.shape.images ?? 1)
      op.as.elementwise.scale = scale
      op.as.elementwise.shift = shift
      op.as.elementwise.function = function?.function ?? VK_IDENTITY
      op.as.elementwise.alpha = function?.alpha ?? 0
      op.as.elementwise.beta = function?.beta ?? 0
      op.as.elementwise.epilogue = epilogue.resolved(layout)
      return op
    }
  }
}

/// What is done to a kernel's result before it is stored; see `vk_epilogue`.
struct Epilogue {
  var bias: UnsafePointer<Float>?
  var residual: Planes?
  var readMask: Mask?
  var rule = BackwardRule.gradient
  /// Whether the mask is applied before the residual is added.
  var masksFirst = false
  var writeMask: Mask?
  var function: KernelFunction?
  /// Visits every `step`-th pixel of ``residual`` and ``readMask``, as the output does.
  var stepY = 1
  var stepX = 1
  var row = 0
  var column = 0

  var buffers: [Int] {
    [residual?.buffer, readMask?.buffer, writeMask?.buffer].compactMap { $0 }
  }

  func resolved(_ layout: ArenaLayout) -> vk_epilogue {
    var result = vk_epilogue()
    result.bias = bias
    result.residual = layout.map(residual, stepY: stepY, stepX: stepX, row: row, column: column)
    result.read_mask = layout.mask(
      readMask, stepY: stepY, stepX: stepX, row: row, column: column)
    result.write_mask = layout.mask(writeMask)
    result.function = function?.function ?? VK_IDENTITY
    result.alpha = function?.alpha ?? 0
    result.beta = function?.beta ?? 0
    result.masks_first = masksFirst ? 1 : 0
    switch rule {
    case .guided: result.rule = VK_BACKWARD_GUIDED
    case .deconvnet: result.rule = VK_BACKWARD_DECONVNET
    default: result.rule = VK_BACKWARD_GRADIENT
    }
    return result
  }
}
