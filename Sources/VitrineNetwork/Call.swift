internal import VitrineCore
internal import VitrineTensor

/// The inputs of one call: checked, in the network's order and precision, and cut into batches that
/// the network can take.
struct Call {
  let samples: Int
  private let network: Network
  let tensors: [Tensor]
  private let isBatchFixedToOne: Bool

  /// Checks inputs against the network's signature.
  ///
  /// - Throws: ``NetworkError/invalidInput(name:expected:found:)``.
  init(_ inputs: Inputs, network: Network) throws {
    self.network = network
    let ports = network.signature.inputs
    for (name, _) in inputs.tensors where !ports.contains(where: { $0.name == name }) {
      throw NetworkError.unknownSite(
        name: name, suggestion: closestName(to: name, among: ports.map(\.name)))
    }
    var samples: Int?
    var tensors: [Tensor] = []
    for port in ports {
      guard let tensor = inputs[port.name] else {
        throw NetworkError.invalidInput(
          name: port.name, expected: port.shapeDescription, found: "nothing")
      }
      let shape = tensor.shape.dimensions
      let fits =
        shape.count == port.dimensions.count
        && zip(shape, port.dimensions).enumerated().allSatisfy { axis, pair in
          pair.1 == nil || pair.0 == pair.1 || (axis == 0 && pair.1 == 1)
        }
      guard fits, !(shape.first == 0) else {
        throw NetworkError.invalidInput(
          name: port.name, expected: "shape \(port.shapeDescription)", found: "\(shape)")
      }
      guard tensor.dataType.isFloatingPoint || !port.dataType.isFloatingPoint else {
        throw NetworkError.invalidInput(
          name: port.name, expected: "real numbers", found: "\(tensor.dataType) elements")
      }
      if let count = shape.first {
        guard samples == nil || samples == count else {
          throw NetworkError.invalidInput(
            name: port.name, expected: "\(samples ?? 0) samples as in the other inputs",
            found: "\(count)")
        }
        samples = count
      }
      let real: DataType = network.configuration.precision == .double ? .float64 : .float32
      tensors.append(tensor.converted(to: port.dataType.isFloatingPoint ? real : port.dataType))
    }
    self.samples = samples ?? 1
    self.tensors = tensors
    isBatchFixedToOne = ports.contains { $0.dimensions.first == 1 }
  }

  /// Returns the inputs of a batch put together from some of the samples.
  ///
  /// - Parameter unread: Inputs, by value number, of which one sample will do because nobody reads them.
  func selecting(_ positions: [Int], exceptFor unread: [Int] = []) throws -> [Tensor] {
    try zip(network.wiring.inputs, tensors).map { value, tensor in
      try tensor.rows(unread.contains(value) ? Array(positions.prefix(1)) : positions)
    }
  }

  /// Calls `body` with batches of the inputs, in order: the whole batch where it is small, parts that
  /// stay within the processor's cache where it is not.
  ///
  /// A network exported for batches of one runs several samples together where its graph keeps
  /// samples apart, and sample by sample where it does not.
  func chunks<Result>(
    _ body: (PreparedEngine, [Tensor], Range<Int>) throws -> Result
  ) throws -> [Result] {
    let size = try batchSize()
    return try stride(from: 0, to: samples, by: size).map { start in
      let range = start..<min(start + size, samples)
      let part = range.count == samples ? tensors : try tensors.map { try rows(range, of: $0) }
      return try body(network.engines.engine(for: part), part, range)
    }
  }

  /// Returns how many samples to run together.
  private func batchSize() throws -> Int {
    if samples == 1 { return 1 }
    let first = try tensors.map { try rows(0..<1, of: $0) }
    guard let single = try? network.engines.engine(for: first) else { return samples }
    if samples <= single.preferredBatch, !isBatchFixedToOne { return samples }
    // Independence shows only with two samples or more.
    let preferred = min(samples, max(2, single.preferredBatch))
    let part = try tensors.map { try rows(0..<preferred, of: $0) }
    let keepsSamplesApart =
      try? network.engines.engine(for: part).keepsSamplesApart(preferred)
    if keepsSamplesApart == true { return single.evenBatch(of: samples) }
    return isBatchFixedToOne ? 1 : samples
  }
}

extension Objective {
  /// Returns the channels of a site of this shape that it reads, if they are few.
  func channels(of shape: Shape) -> Set<Int>? {
    let area = max(shape.dimensions.dropFirst(2).reduce(1, *), 1)
    let channels: Set<Int>
    switch form {
    case .elements(let list): channels = Set(list.map { $0 / area })
    case .weighted(let terms): channels = Set(terms.map { $0.element / area })
    case .channelMean(let channel): channels = [channel]
    case .sum, .mean, .cotangent: return nil
    }
    return (1...16).contains(channels.count) ? channels : nil
  }

  /// Returns the objective for some of the samples.
  func restricted(to samples: Range<Int>, of total: Int) throws -> Objective {
    guard samples.count < total else { return self }
    switch form {
    case .elements(let elements) where elements.count > 1:
      guard elements.count == total else {
        throw CoreError.targetCount(expected: total, found: elements.count)
      }
      return Objective(site, .elements(Array(elements[samples])))
    case .cotangent(let tensor):
      guard tensor.shape.dimensions.first == total else {
        throw CoreError.shapeMismatch(
          what: "first dimension of the cotangent", expected: [total],
          found: Array(tensor.shape.dimensions.prefix(1)))
      }
      return Objective(site, .cotangent(try rows(samples, of: tensor)))
    default: return self
    }
  }
}

// MARK: - Rows of tensors, along the first axis

/// Returns some samples of a tensor.
func rows(_ samples: Range<Int>, of tensor: Tensor) throws -> Tensor {
  try tensor.sliced(axis: 0, samples)
}

/// Returns one of several equal parts along the first axis, in the shape it had before they were put
/// together.
func part(_ index: Int, of count: Int, in whole: Tensor, shape: Shape) throws -> Tensor {
  if count == 1 { return try whole.reshaped(to: shape.dimensions) }
  let size = whole.shape[0] / count
  return try rows(index * size..<(index + 1) * size, of: whole).reshaped(to: shape.dimensions)
}

/// Returns a tensor with a first axis: a single number gets one.
func row(_ tensor: Tensor) throws -> Tensor {
  tensor.rank == 0 ? try tensor.reshaped(to: [1]) : tensor
}

/// Returns tensors put together along the first axis; none give `[0]`.
func joined(_ parts: [Tensor]) throws -> Tensor {
  switch parts.count {
  case 0: Tensor(zeros: try Shape([0]))
  case 1: parts[0]
  default: try Tensor.concatenation(of: parts, axis: 0)
  }
}

/// Returns K tensors `[samples, …]` as one `[samples, K, …]`.
func stacked(_ rows: [Tensor], samples: Int) throws -> Tensor {
  try rows.isEmpty ? Tensor(zeros: Shape([samples, 0])) : Tensor.stack(rows, axis: 1)
}

/// Returns one element of every sample, shape `[samples]`.
func column(_ element: Int, of value: Tensor) throws -> Tensor {
  let samples = value.shape.dimensions.first ?? 1
  return try value.reshaped(to: [samples, samples > 0 ? value.count / samples : 0])
    .select(axis: 1, index: element)
}
