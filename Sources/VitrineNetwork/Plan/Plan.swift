internal import CVitrineKernels
internal import VitrineTensor

/// A list of steps that computes values and gradients for one combination of shapes and sites.
///
/// Immutable: each run takes an arena of its own.
final class Plan: Sendable {
  /// What a run works on.
  struct Frame {
    let arena: UnsafeMutableRawPointer
    /// Row-major tensors: inputs, results, and values between operators without kernels.
    var slots: [Tensor?]
  }

  enum Step: Sendable {
    /// A run of kernel operations and the slots they read or write, by kernel buffer number - 1.
    case native(Range<Int>, slots: [Int])
    case host(@Sendable (inout Frame) throws -> Void, for: OperationPurpose)
  }

  /// Where the steps begin that a ``Repetition`` repeats, and where they end.
  struct Stages: Sendable {
    /// Steps before these run once, and leave what the others read.
    let repeated: Range<Int>
  }

  private let steps: [Step]
  private let stages: Stages
  private let operations: OperationList
  /// What each kernel operation is for.
  private let purposes: [OperationPurpose]
  private let layers: [PlannedLayer]
  private let allPurposes: Set<OperationPurpose>
  private let arenaByteCount: Int
  private let slotCount: Int
  private let threads: Int
  private let arenas: ArenaPool

  init(
    steps: [Step], stages: Stages, operations: OperationList, purposes: [OperationPurpose],
    layers: [PlannedLayer], arenas: ArenaPool, arenaByteCount: Int, slotCount: Int, threads: Int
  ) {
    self.arenas = arenas
    self.steps = steps
    self.stages = stages
    self.operations = operations
    self.purposes = purposes
    self.layers = layers
    allPurposes = steps.reduce(into: Set(purposes)) { all, step in
      if case .host(_, let purpose) = step { all.insert(purpose) }
    }
    self.arenaByteCount = arenaByteCount
    self.slotCount = slotCount
    self.threads = threads
  }

  /// Runs the steps.
  ///
  /// - Parameters:
  ///   - inputs: Tensors for the first slots.
  ///   - log: Told how long each operation took; `nil` to time none.
  /// - Returns: All slots.
  func run(_ inputs: [Tensor], log: OperationLog? = nil) throws -> [Tensor?] {
    let arena = try arenas.take(arenaByteCount)
    defer { arenas.giveBack(arena) }
    var frame = frame(inputs, in: arena)
    try run(steps.indices, &frame, log)
    log?.countRun(of: allPurposes, among: layers)
    return frame.slots
  }

  fileprivate func run(
    _ range: Range<Int>, _ frame: inout Frame, _ log: OperationLog?
  ) throws {
    for step in steps[range] {
      switch step {
      case .host(let body, let purpose):
        try timed(purpose, log) { try body(&frame) }
      case .native(let range, let slots):
        var buffers = [UnsafeMutableRawPointer?](repeating: nil, count: slotCount + 1)
        buffers[0] = frame.arena
        for slot in slots {
          // A tensor's memory does not move while the frame holds it; the kernels write only to
          // slots that the plan allocated and nobody else has seen.
          buffers[slot + 1] = frame.slots[slot]?.withBytes {
            UnsafeMutableRawPointer(mutating: $0.baseAddress)
          }
        }
        run(range, buffers, log)
      }
    }
  }

  private func frame(_ inputs: [Tensor], in arena: Arena) -> Frame {
    Frame(
      arena: arena.memory,
      slots: inputs + [Tensor?](repeating: nil, count: slotCount - inputs.count))
  }

  /// A run whose middle steps are repeated with other inputs, in the same memory. For one thread.
  final class Repetition {
    private let plan: Plan
    private let arena: Arena
    private let log: OperationLog?
    private var frame: Frame

    /// Runs the first steps.
    ///
    /// - Parameters:
    ///   - inputs: Tensors for the first slots.
    ///   - log: Told how long each operation took; `nil` to time none.
    init(_ plan: Plan, _ inputs: [Tensor], log: OperationLog? = nil) throws {
      self.plan = plan
      self.log = log
      arena = try plan.arenas.take(plan.arenaByteCount)
      frame = plan.frame(inputs, in: arena)
      try plan.run(0..<plan.stages.repeated.lowerBound, &frame, log)
    }

    deinit { plan.arenas.giveBack(arena) }

    /// Runs the middle steps.
    ///
    /// - Parameter inputs: Tensors for some of the first slots, in place of those there.
    /// - Returns: All slots.
    @discardableResult
    func repeatSteps(_ inputs: [(slot: Int, tensor: Tensor)]) throws -> [Tensor?] {
      for (slot, tensor) in inputs { frame.slots[slot] = tensor }
      try plan.run(plan.stages.repeated, &frame, log)
      log?.countRun(of: plan.allPurposes, among: plan.layers)
      return frame.slots
    }

    /// Runs the last steps.
    ///
    /// - Returns: All slots.
    func finish() throws -> [Tensor?] {
      try plan.run(plan.stages.repeated.upperBound..<plan.steps.count, &frame, log)
      return frame.slots
    }
  }

  private func run(
    _ range: Range<Int>, _ buffers: [UnsafeMutableRawPointer?], _ log: OperationLog?
  ) {
    let first = operations.pointer + range.lowerBound
    guard let log else { return vk_run(first, range.count, buffers, Int32(threads), -1) }
    var seconds = [Double](repeating: 0, count: range.count)
    vk_run_timed(first, range.count, buffers, Int32(threads), -1, &seconds)
    for (index, time) in zip(range, seconds) {
      log.add(time, to: purposes[index], among: layers, kind: first[index - range.lowerBound].kind)
    }
  }

  private func timed(
    _ purpose: OperationPurpose, _ log: OperationLog?, _ body: () throws -> Void
  ) rethrows {
    guard let log else { return try body() }
    let duration = try ContinuousClock().measure(body)
    let (whole, attoseconds) = duration.components
    log.add(Double(whole) + Double(attoseconds) * 1e-18, to: purpose, among: layers, kind: nil)
  }
}

/// Kernel operations with the tables they point to.
///
/// `@unchecked Sendable`: written by the builder before the plan exists, only read afterwards.
final class OperationList: @unchecked Sendable {
  let pointer: UnsafeMutablePointer<vk_op>
  private let count: Int
  private let tables: [UnsafeMutableRawPointer]
  private let constants: [PackedConstant]

  init(_ operations: [vk_op], tables: [UnsafeMutableRawPointer], constants: [PackedConstant]) {
    pointer = .allocate(capacity: max(operations.count, 1))
    pointer.initialize(from: operations, count: operations.count)
    count = operations.count
    self.tables = tables
    self.constants = constants
  }

  deinit {
    pointer.deinitialize(count: count)
    pointer.deallocate()
    for table in tables { table.deallocate() }
  }
}
