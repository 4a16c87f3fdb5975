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
  /// What each draft is for, and what the next one will be.
  private var purposes: [OperationPurpose] = []
  var purpose = OperationPurpose.transfer
  private(set) var slotCount: Int
  /// Bytes of the row-major tensors whose shapes are known.
  private var slotBytes = 0
  private var tables: [UnsafeMutableRawPointer] = []
  private var heldConstants: [PackedConstant] = []

  private enum Draft {
    case native(slots: [Int], make: (ArenaLayout) -> vk_op)
    case host((ArenaLayout) -> @Sendable (inout Plan.Frame) throws -> Void)
  }

  init(
    _ specialization: Specialization, _ request: PlanRequest, constants: PackedConstants,
    arenas: ArenaPool, isExact: Bool, threads: Int, memoryLimit: Int
  ) throws {
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
    let (offsets, byteCount) = ArenaPlanner.place(buffers)
    guard byteCount <= memoryLimit - min(memoryLimit, slotBytes) else {
      throw NetworkError.memoryLimit(
        needed: byteCount + slotBytes, limit: memoryLimit,
        what: request.source == nil ? "a forward pass" : "a backward pass")
    }
    let layout = ArenaLayout(offsets: offsets)
    var operations: [vk_op] = []
    var steps: [Plan.Step] = []
    var labels: [OperationPurpose] = []
    var stages = 0..<0
    for (index, (draft, purpose)) in zip(drafts, purposes).enumerated() {
      // Steps that are repeated are not joined with those that are not.
      let opensStage = index == firstRepeated || index == lastRepeated
      if index == firstRepeated { stages = steps.count..<steps.count }
      if index == lastRepeated { stages = stages.lowerBound..<steps.count }
      switch draft {
      case .host(let make): steps.append(.host(make(layout), for: purpose))
      case .native(let slots, let make):
        operations.append(make(layout))
        labels.append(purpose)
        if !opensStage, case .native(let range, let others)? = steps.last {
          steps[steps.count - 1] = .native(
            range.lowerBound..<operations.count, slots: Array(Set(others + slots)).sorted())
        } else {
          steps.append(.native(operations.count - 1..<operations.count, slots: slots))
        }
      }
    }
    if lastRepeated == drafts.count { stages = stages.lowerBound..<steps.count }
    let list = OperationList(operations, tables: tables, constants: heldConstants)
    return (
      Plan(
        steps: steps, stages: Plan.Stages(repeated: stages), operations: list, purposes: labels,
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

  // MARK: - Emitting

  /// Adds a kernel operation.
  ///
  /// - Parameters:
  ///   - buffers: Every buffer it touches.
  ///   - slots: Every slot it touches; slot `s` is the kernels' buffer `s + 1`.
  func emit(_ buffers: [Int], slots: [Int] = [], _ make: @escaping (ArenaLayout) -> vk_op) {
    touch(buffers)
    drafts.append(.native(slots: slots, make: make))
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

  func newBuffer(byteCount: Int) -> Int {
    buffers.append(.init(byteCount: byteCount, firstStep: .max, lastStep: -1))
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
    let planes = Planes(buffer: newBuffer(byteCount: size), shape: shape, halo: halo)
    if !halo.isEmpty { emitFill(planes, interior: false) }
    return planes
  }

  func newMask(_ shape: PlaneShape) -> Mask {
    let size = Mask(buffer: 0, shape: shape).byteCount
    return Mask(buffer: newBuffer(byteCount: size), shape: shape)
  }

  func hold(_ constant: PackedConstant) -> UnsafePointer<Float> {
    heldConstants.append(constant)
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
      changeLayout(
        VK_PACK, layout.map(result), shape, plainBuffer: slot + 1, offset: 0,
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
      var op = changeLayout(
        VK_UNPACK, layout.map(planes), whole, plainBuffer: slot + 1, offset: 0,
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
      op.as.fill.images = Int32(planes.shape.images)
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
      op.as.elementwise.images = Int32(output.shape.images)
      op.as.elementwise.blocks = Int32(output.shape.blocks)
      op.as.elementwise.height = Int32(output.shape.height)
      op.as.elementwise.width = Int32(output.shape.width)
      op.as.elementwise.second_images = Int32(second?.shape.images ?? 1)
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
    switch rule {
    case .guided: result.rule = VK_BACKWARD_GUIDED
    case .deconvnet: result.rule = VK_BACKWARD_DECONVNET
    default: result.rule = VK_BACKWARD_GRADIENT
    }
    return result
  }
}

/// Returns a conversion between planes and row-major memory.
func changeLayout(
  _ kind: vk_kind, _ map: vk_map, _ shape: PlaneShape, plainBuffer: Int, offset: Int,
  imageStride: Int
) -> vk_op {
  var op = vk_op()
  op.kind = kind
  op.as.layout.map = map
  op.as.layout.plain_buffer = Int32(plainBuffer)
  op.as.layout.images = Int32(shape.images)
  op.as.layout.channels = Int32(shape.channels)
  op.as.layout.height = Int32(shape.height)
  op.as.layout.width = Int32(shape.width)
  op.as.layout.plain_offset = Int64(offset)
  op.as.layout.plain_image_stride = Int64(imageStride)
  return op
}
