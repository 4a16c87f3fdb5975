internal import CVitrineKernels
internal import Synchronization
internal import VitrineCore
internal import VitrineTensor

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// The engines of one network, one for each combination of input shapes, made when first needed.
final class EngineCache: Sendable {
  private let wiring: Wiring
  private let configuration: Network.Configuration
  private let memoryLimit: Int
  private let threads: Int
  private let constants = PackedConstants()
  private let arenas = ArenaPool()
  /// Times the operations of plans, for as long as someone asks it to.
  let stopwatch = Stopwatch()
  private let engines = Mutex<[[[Int]]: PreparedEngine]>([:])

  /// Size of the largest arena that a plan has needed so far.
  var workingByteCount: Int { arenas.largestByteCount }

  init(_ wiring: Wiring, configuration: Network.Configuration) {
    self.wiring = wiring
    self.configuration = configuration
    memoryLimit = configuration.memoryLimit ?? Self.defaultMemoryLimit
    threads = max(1, configuration.threads ?? Int(vk_hardware_threads()))
  }

  /// Returns the engine for inputs of these shapes.
  ///
  /// - Throws: ``NetworkError`` if the shapes do not fit the graph.
  ///
  /// - Parameter samples: Extent of the first axis instead of that of the inputs.
  func engine(for inputs: [Tensor], samples: Int? = nil) throws -> PreparedEngine {
    let key = inputs.map { input in
      samples.map { [$0] + input.shape.dimensions.dropFirst() } ?? input.shape.dimensions
    }
    if let engine = engines.withLock({ $0[key] }) { return engine }
    let engine = try make(
      zip(inputs, key).map { input, shape in
        (try Shape(shape), input.dataType.isFloatingPoint ? .float32 : input.dataType)
      })
    engines.withLock { cache in
      // Callers with ever new shapes must not fill the memory with plans.
      if cache.count >= 8 { cache.removeAll() }
      cache[key] = engine
    }
    return engine
  }

  private func make(_ inputs: [(shape: Shape, dataType: DataType)]) throws -> PreparedEngine {
    switch configuration.precision {
    case .double:
      let specialization = try Specialization(
        wiring, inputs: inputs, real: Double.self, memoryLimit: memoryLimit)
      return PreparedEngine(
        ReferenceExecutor<Double>(specialization, memoryLimit: memoryLimit), specialization,
        realType: .float64)
    case .single, .exact:
      let specialization = try Specialization(
        wiring, inputs: inputs, real: Float.self, memoryLimit: memoryLimit)
      return PreparedEngine(
        PlannedExecutor(
          specialization, constants: constants, arenas: arenas, threads: threads,
          memoryLimit: memoryLimit, cacheBytes: configuration.cacheBytes,
          isExact: configuration.precision == .exact, stopwatch: stopwatch),
        specialization, realType: .float32)
    }
  }

  /// Returns the types of all values for one sample, or `nil` if an extent besides the batch's is
  /// free.
  ///
  /// - Throws: ``NetworkError`` if the graph cannot be run with its own declared shapes.
  func sampleTypes(of ports: [Graph.Port]) throws -> [ValueType]? {
    var inputs: [(shape: Shape, dataType: DataType)] = []
    for port in ports {
      guard let dimensions = port.dimensions else { return nil }
      var shape: [Int] = []
      for (axis, dimension) in dimensions.enumerated() {
        switch dimension {
        case .fixed(let extent): shape.append(extent)
        case .dynamic:
          guard axis == 0 else { return nil }
          shape.append(1)
        }
      }
      do {
        inputs.append((try Shape(shape), port.dataType.isFloatingPoint ? .float32 : port.dataType))
      } catch {
        throw NetworkError.malformedGraph("input '\(port.name)': \(error)")
      }
    }
    return try Specialization(wiring, inputs: inputs, real: Float.self, memoryLimit: memoryLimit)
      .types
  }

  static let defaultMemoryLimit: Int = {
    let pages = sysconf(Int32(_SC_PHYS_PAGES))
    let size = sysconf(Int32(_SC_PAGESIZE))
    let physical = pages > 0 && size > 0 ? pages * size : 6 << 30
    return min(physical, controlGroupLimit ?? .max) / 10 * 7
  }()

  /// Bytes that Linux grants the process's container, if it limits them.
  private static var controlGroupLimit: Int? {
    for path in [
      "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ] {
      guard let file = fopen(path, "r") else { continue }
      defer { fclose(file) }
      var bytes = [UInt8](repeating: 0, count: 32)
      let count = fread(&bytes, 1, bytes.count, file)
      // The word `max`, or nothing readable, is no limit.
      let digits = bytes.prefix(count).prefix { $0 >= 0x30 && $0 <= 0x39 }
      if let limit = Int(String(decoding: digits, as: UTF8.self)), limit > 0 { return limit }
    }
    return nil
  }
}

/// An engine with what its callers need to know of the shapes it was made for.
package struct PreparedEngine: Sendable {
  private let engine: any Engine
  private let specialization: Specialization
  let realType: DataType
  /// How many samples, or cotangents, are best run together.
  let preferredBatch: Int

  init(_ engine: any Engine, _ specialization: Specialization, realType: DataType) {
    self.engine = engine
    self.specialization = specialization
    self.realType = realType
    preferredBatch = Self.batch(
      widestOperatorBytes: specialization.widestOperatorBytes,
      weightBytes: specialization.types.reduce(0) { $0 + ($1.constant?.count ?? 0) * 4 })
  }

  /// Returns as many samples as keep the values around the widest operator within the processor's
  /// cache: more would run slower, not faster.
  ///
  /// Weights that the cache does not hold are read from memory for every batch: then it is larger, and
  /// a ``BatchSchedule`` cuts it where values are large.
  package static func batch(widestOperatorBytes: Int, weightBytes: Int) -> Int {
    let perSample = max(1, widestOperatorBytes)
    let within = cacheBytes / perSample
    let repaying = weightBytes > cacheBytes ? min(16, (256 << 20) / perSample) : 0
    return max(1, min(256, within), repaying)
  }

  /// Leaves room for weights in a third-level cache of 32 MiB.
  private static let cacheBytes = 20 << 20

  /// Returns the size of the fewest batches of at most ``preferredBatch`` samples, as equal as can
  /// be: each size has a plan of its own.
  func evenBatch(of samples: Int) -> Int {
    let batches = (samples + preferredBatch - 1) / preferredBatch
    return (samples + batches - 1) / batches
  }

  func shape(of value: Int) throws -> Shape { specialization.types[value].shape }

  /// Whether kernels can hold a value.
  func hasPlanes(_ value: Int) -> Bool {
    let shape = specialization.types[value].shape
    return PlaneShape(shape.dimensions) != nil && shape.count > 0
  }

  /// How many cotangents of `samples` samples to ask for at once: many share a forward pass, few leave
  /// room to stop in between.
  func cotangentLimit(samples: Int) -> Int { max(16, 4 * preferredBatch / max(1, samples)) }

  /// Whether a batch of `samples` may be cut anywhere.
  func keepsSamplesApart(_ samples: Int) -> Bool { specialization.keepsSamplesApart(samples) }

  func dataType(of value: Int) -> DataType { specialization.types[value].dataType }

  func evaluate(_ targets: [Int], inputs: [Tensor]) throws -> [Tensor] {
    try engine.evaluate(targets, inputs: inputs)
  }

  func gradients(
    of source: Int, channels: Set<Int>? = nil, withRespectTo sites: [Int], observing targets: [Int],
    inputs: [Tensor], rules: RuleTable, cotangents: [Tensor]
  ) throws -> (values: [Tensor], gradients: [[Tensor]]) {
    try engine.gradients(
      of: source, channels: channels, withRespectTo: sites, observing: targets, inputs: inputs,
      rules: rules, cotangents: cotangents)
  }

  func gradientFunction(
    of source: Int, channels: Set<Int>?, withRespectTo sites: [Int], inputs: [Tensor],
    rules: RuleTable, cotangent: Tensor
  ) throws -> (_ inputs: [Tensor]) throws -> (value: Tensor, gradients: [Tensor]) {
    try engine.gradientFunction(
      of: source, channels: channels, withRespectTo: sites, inputs: inputs, rules: rules,
      cotangent: cotangent)
  }

  func summation(_ terms: GradientTerms) throws -> GradientSummation? {
    try engine.summation(terms)
  }

  func coveredEvaluation(
    of target: Int, channels: Set<Int>?, covering input: Int, _ covered: ChangedRegion
  ) throws -> CoveredEvaluation? {
    try engine.coveredEvaluation(of: target, channels: channels, covering: input, covered)
  }

  /// What moves in a straight line as `moving` inputs do, on the way to `source`.
  func affineStem(of source: Int, moving: [Int]) -> AffineStem {
    AffineStem(specialization, of: source, moving: moving)
  }

  func pushforward(
    of target: Int, along tangents: [[Int: Tensor]], inputs: [Tensor],
    checkpoint: (Int) throws -> Void
  ) throws -> [Tensor] {
    try engine.pushforward(of: target, along: tangents, inputs: inputs, checkpoint: checkpoint)
  }
}
