import VitrineTensor

/// One direction of a recurrent operator over a whole sequence: its memory and the matrix products.
///
/// Steps are counted in the order in which they are taken, so that the reverse direction differs only
/// in where rows are read from and written to. All buffers are row-major.
final class RecurrentRun<T: RealScalar> {
  let layout: RecurrentLayout
  let functions: [GateFunction]
  private let direction: Int
  private let isReversed: Bool
  private let tensors: [Tensor?]

  /// `[step, batch, input]` in the order of steps.
  private let sequence: Buffer<T>
  /// `[step, batch, gate · hidden]`: the gates' values.
  let gates: Buffer<T>
  /// `[step + 1, batch, hidden]`, the initial state first.
  let states: Buffer<T>
  let cells: Buffer<T>
  /// `[step, batch, hidden]`: what a cell needs to keep besides.
  let extras: Buffer<T>
  /// `[batch, gate · hidden]` for whatever a cell computes in one step.
  let scratch: Buffer<T>
  let weights: Buffer<T>
  /// `[gate · hidden, hidden]`.
  let recurrentWeights: Buffer<T>
  /// `[gate · hidden]`; zero if the node has none.
  let inputBias: Buffer<T>
  let recurrentBias: Buffer<T>

  // For backward passes.
  /// `[step, batch, gate · hidden]`: cotangents of `W · x`.
  let gateCotangents: Buffer<T>
  /// `[step, batch, hidden]`: those of the last gate's product with `R`, if they are others.
  let lastGateCotangents: Buffer<T>
  let stateCotangent: Buffer<T>
  let cellCotangent: Buffer<T>
  /// `[batch, hidden]`.
  let spare: Buffer<T>

  init(
    _ inputs: [Tensor?], _ layout: RecurrentLayout, _ attributes: RecurrentAttributes,
    _ direction: Int, forGradients: Bool
  ) throws {
    self.layout = layout
    self.direction = direction
    isReversed = attributes.direction == .reverse || direction == 1
    functions = attributes.functions[direction]
    tensors = inputs
    let (steps, batch, hidden) = (layout.steps, layout.batch, layout.hidden)
    let rows = layout.gates * hidden
    sequence = Buffer(steps * batch * layout.inputs)
    gates = Buffer(steps * batch * rows)
    states = Buffer((steps + 1) * batch * hidden)
    cells = Buffer((steps + 1) * batch * hidden)
    extras = Buffer(steps * batch * hidden)
    scratch = Buffer(batch * rows)
    weights = Buffer(rows * layout.inputs)
    recurrentWeights = Buffer(rows * hidden)
    inputBias = Buffer(rows)
    recurrentBias = Buffer(rows)
    gateCotangents = Buffer(forGradients ? steps * batch * rows : 0)
    lastGateCotangents = Buffer(forGradients ? steps * batch * hidden : 0)
    stateCotangent = Buffer(forGradients ? batch * hidden : 0)
    cellCotangent = Buffer(forGradients ? batch * hidden : 0)
    spare = Buffer(batch * hidden)

    try inputs.required(0).read(as: T.self) { x in
      forEachRow(layout.inputs) { row, source in
        for k in 0..<layout.inputs { sequence[row + k] = x[source + k] }
      }
    }
    try copy(inputs.required(1), to: weights, 0..<weights.count)
    try copy(inputs.required(2), to: recurrentWeights, 0..<recurrentWeights.count)
    if let bias = inputs.optional(3) {
      try bias.read(as: T.self) { bias in
        for k in 0..<rows {
          inputBias[k] = bias[2 * direction * rows + k]
          recurrentBias[k] = bias[(2 * direction + 1) * rows + k]
        }
      }
    }
    for (index, target) in [(5, states), (6, cells)] {
      guard let initial = inputs.optional(index) else { continue }
      try initial.read(as: T.self) { initial in
        forEachState { row, place in
          for k in 0..<hidden { target[row + k] = initial[place + k] }
        }
      }
    }
  }

  // MARK: - Forward

  /// Sets the gates of all steps to `W · x` plus biases.
  func project(separatesLastGate: Bool) {
    let (rows, hidden) = (layout.gates * layout.hidden, layout.hidden)
    let included = separatesLastGate ? rows - hidden : rows
    for row in 0..<layout.steps * layout.batch {
      for k in 0..<rows {
        gates[row * rows + k] = inputBias[k] + (k < included ? recurrentBias[k] : 0)
      }
    }
    Matrix(sequence.elements, rows: layout.steps * layout.batch, columns: layout.inputs)
      .addProduct(
        with: Matrix(weights.elements, rows: layout.inputs, columns: rows, isTransposed: true),
        to: gates.mutableElements)
  }

  /// The elements `[batch, gate · hidden]` of one step.
  func gates(_ step: Int) -> UnsafeMutableBufferPointer<T> {
    gates.part(step, of: layout.batch * layout.gates * layout.hidden)
  }

  /// Adds `states · Rᵀ` to `target` `[batch, gates · hidden]`, for some gates.
  func addRecurrentProduct(
    of states: UnsafeMutableBufferPointer<T>, gates: Range<Int>,
    to target: UnsafeMutableBufferPointer<T>
  ) {
    Matrix(UnsafeBufferPointer(states), rows: layout.batch, columns: layout.hidden).addProduct(
      with: Matrix(
        recurrentWeights(gates), rows: layout.hidden, columns: gates.count * layout.hidden,
        isTransposed: true),
      to: target)
  }

  /// Adds `cotangents · R` to `target` `[batch, hidden]`, for some gates.
  func addTransposedProduct(
    of cotangents: UnsafeMutableBufferPointer<T>, gates: Range<Int>,
    to target: UnsafeMutableBufferPointer<T>
  ) {
    Matrix(
      UnsafeBufferPointer(cotangents), rows: layout.batch, columns: gates.count * layout.hidden
    ).addProduct(
      with: Matrix(
        recurrentWeights(gates), rows: gates.count * layout.hidden, columns: layout.hidden),
      to: target)
  }

  private func recurrentWeights(_ gates: Range<Int>) -> UnsafeBufferPointer<T> {
    let size = layout.hidden * layout.hidden
    return UnsafeBufferPointer(
      rebasing: recurrentWeights.elements[gates.lowerBound * size..<gates.upperBound * size])
  }

  func copyStates(to all: UnsafeMutableBufferPointer<T>) {
    let (batch, hidden) = (layout.batch, layout.hidden)
    for step in 0..<layout.steps {
      for sample in 0..<batch {
        let source = ((step + 1) * batch + sample) * hidden
        let target = place(step, sample)
        for k in 0..<hidden { all[target + k] = states[source + k] }
      }
    }
  }

  func copyFinal(_ states: Buffer<T>, to last: UnsafeMutableBufferPointer<T>) {
    let offset = layout.steps * layout.batch * layout.hidden
    forEachState { row, place in
      for k in 0..<layout.hidden { last[place + k] = states[offset + row + k] }
    }
  }

  // MARK: - Backward

  func setFinalCotangents(states: Tensor?, cells: Tensor?) throws {
    for (tensor, target) in [(states, stateCotangent), (cells, cellCotangent)] {
      try tensor?.read(as: T.self) { g in
        forEachState { row, place in
          for k in 0..<layout.hidden { target[row + k] = g[place + k] }
        }
      }
    }
  }

  func addStateCotangents(_ all: Tensor?, _ step: Int) throws {
    try all?.read(as: T.self) { g in
      for sample in 0..<layout.batch {
        let source = place(step, sample)
        for k in 0..<layout.hidden {
          stateCotangent[sample * layout.hidden + k] += g[source + k]
        }
      }
    }
  }

  /// Adds what all steps contribute to the cotangents of the node's inputs.
  func addInputCotangents(to results: inout [Tensor?], separatesLastGate: Bool) throws {
    let (rows, hidden) = (layout.gates * layout.hidden, layout.hidden)
    let count = layout.steps * layout.batch
    let g = Matrix(gateCotangents.elements, rows: count, columns: rows)
    try change(&results, 0) { target in
      let part = Buffer<T>(sequence.count)
      g.addProduct(
        with: Matrix(weights.elements, rows: rows, columns: layout.inputs),
        to: part.mutableElements)
      forEachRow(layout.inputs) { row, place in
        for k in 0..<layout.inputs { target[place + k] += part[row + k] }
      }
    }
    try change(&results, 1) { target in
      g.transposed.addProduct(
        with: Matrix(sequence.elements, rows: count, columns: layout.inputs),
        to: part(of: target, weights.count))
    }
    try change(&results, 2) { target in
      let target = part(of: target, recurrentWeights.count)
      addRecurrentWeightCotangents(to: target, separatesLastGate: separatesLastGate)
    }
    try change(&results, 3) { target in
      let bias = part(of: target, 2 * rows)
      for row in 0..<count {
        for k in 0..<rows {
          let cotangent = gateCotangents[row * rows + k]
          bias[k] += cotangent
          let isSeparate = separatesLastGate && k >= rows - hidden
          bias[rows + k] +=
            isSeparate ? lastGateCotangents[row * hidden + k - (rows - hidden)] : cotangent
        }
      }
    }
    for (index, source) in [(5, stateCotangent), (6, cellCotangent)] {
      try change(&results, index) { target in
        forEachState { row, place in
          for k in 0..<hidden { target[place + k] += source[row + k] }
        }
      }
    }
  }

  /// Adds `cotangentsᵀ · states` over all steps.
  ///
  /// The last gate of a GRU is multiplied with something else than the state: with ``extras``, or it
  /// has cotangents of its own.
  private func addRecurrentWeightCotangents(
    to target: UnsafeMutableBufferPointer<T>, separatesLastGate: Bool
  ) {
    let (rows, hidden) = (layout.gates * layout.hidden, layout.hidden)
    let count = layout.steps * layout.batch
    let hasOwnLastGate = layout.gates == 3
    let shared = hasOwnLastGate ? rows - hidden : rows
    let before = Matrix(states.elements, rows: count, columns: hidden)
    guard count > 0 else { return }
    Matrix(gateCotangents.elements, shared, count, rowStride: 1, columnStride: rows).addProduct(
      with: before, to: UnsafeMutableBufferPointer(rebasing: target[..<(shared * hidden)]))
    guard hasOwnLastGate else { return }
    let last = UnsafeMutableBufferPointer(rebasing: target[(shared * hidden)...])
    if separatesLastGate {
      Matrix(lastGateCotangents.elements, hidden, count, rowStride: 1, columnStride: hidden)
        .addProduct(with: before, to: last)
    } else {
      let elements = UnsafeBufferPointer(rebasing: gateCotangents.elements[shared...])
      Matrix(elements, hidden, count, rowStride: 1, columnStride: rows).addProduct(
        with: Matrix(extras.elements, rows: count, columns: hidden), to: last)
    }
  }

  // MARK: - Places in the node's tensors

  /// Calls `body` for every row of the sequence with its offset here and in the tensor.
  @inline(__always)
  private func forEachRow(_ length: Int, _ body: (_ row: Int, _ place: Int) -> Void) {
    for step in 0..<layout.steps {
      let time = isReversed ? layout.steps - 1 - step : step
      for sample in 0..<layout.batch {
        let place =
          layout.isBatchFirst ? sample * layout.steps + time : time * layout.batch + sample
        body((step * layout.batch + sample) * length, place * length)
      }
    }
  }

  /// Where the state of a sample after a step is in the tensor of all states.
  private func place(_ step: Int, _ sample: Int) -> Int {
    let time = isReversed ? layout.steps - 1 - step : step
    let index =
      layout.isBatchFirst
      ? (sample * layout.steps + time) * layout.directions + direction
      : (time * layout.directions + direction) * layout.batch + sample
    return index * layout.hidden
  }

  /// Calls `body` for every sample with the offset of its state here and in a tensor of last states.
  private func forEachState(_ body: (_ row: Int, _ place: Int) -> Void) {
    for sample in 0..<layout.batch {
      let place =
        layout.isBatchFirst
        ? sample * layout.directions + direction : direction * layout.batch + sample
      body(sample * layout.hidden, place * layout.hidden)
    }
  }

  /// The elements of a parameter that belong to this direction.
  private func part(
    of parameter: UnsafeMutableBufferPointer<T>, _ count: Int
  ) -> UnsafeMutableBufferPointer<T> {
    UnsafeMutableBufferPointer(rebasing: parameter[direction * count..<(direction + 1) * count])
  }

  private func copy(_ parameter: Tensor, to buffer: Buffer<T>, _ range: Range<Int>) throws {
    try parameter.read(as: T.self) { elements in
      for k in range { buffer[k] = elements[direction * range.count + k] }
    }
  }

  private func change(
    _ results: inout [Tensor?], _ index: Int,
    _ body: (UnsafeMutableBufferPointer<T>) throws -> Void
  ) throws {
    guard index < results.count, var tensor = results[index] else { return }
    results[index] = nil
    try tensor.withMutableElements(of: T.self) { try body($0) }
    results[index] = tensor
  }
}

/// Memory for numbers, zero at first, freed with its owner.
final class Buffer<T: RealScalar> {
  let mutableElements: UnsafeMutableBufferPointer<T>

  init(_ count: Int) {
    mutableElements = .allocate(capacity: count)
    mutableElements.initialize(repeating: 0)
  }

  deinit { mutableElements.deallocate() }

  var count: Int { mutableElements.count }
  var elements: UnsafeBufferPointer<T> { UnsafeBufferPointer(mutableElements) }

  /// Returns the elements of the `index`-th of equal parts.
  func part(_ index: Int, of size: Int) -> UnsafeMutableBufferPointer<T> {
    UnsafeMutableBufferPointer(rebasing: mutableElements[index * size..<(index + 1) * size])
  }

  subscript(_ index: Int) -> T {
    get { mutableElements[index] }
    set { mutableElements[index] = newValue }
  }
}
