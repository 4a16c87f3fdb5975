import VitrineTensor

/// Operators that pass over a sequence and carry a state from step to step.
package enum Recurrences {
  package static let operators: [String: any Operator.Type] = [
    "GRU": GRUOperator.self, "LSTM": LSTMOperator.self, "RNN": RNNOperator.self,
  ]
}

/// A recurrent operator: what its cell does at one step; all else is shared.
///
/// With `G` gates, `H` hidden units and `D` directions, the inputs are the sequence `X`
/// `[step, batch, input]`, weights `W` `[D, G·H, input]` and `R` `[D, G·H, H]`, optional biases `B`
/// `[D, 2·G·H]` (of `W`, then of `R`), lengths, an initial state `[D, batch, H]` and, for cells that
/// have one, an initial cell state. The outputs are all states `Y` `[step, D, batch, H]`, the last
/// ones `Y_h` `[D, batch, H]`, and the last cell states `Y_c`.
///
/// Backward passes compute the states anew: they need no outputs, only inputs.
protocol RecurrentOperator: Operator {
  static var gateCount: Int { get }
  /// Whether there is a cell state besides the hidden one.
  static var keepsCell: Bool { get }
  var attributes: RecurrentAttributes { get }
  /// Whether the last gate adds the bias of `R` by itself.
  var separatesLastGate: Bool { get }

  /// Computes the state after a step from that before: turns `run.gates` of the step, which hold
  /// `W · x` with biases, into the gates' values, and sets the step's new states.
  func advance<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int)

  /// Goes one step back: sets `run.gateCotangents` of the step, and turns `run.stateCotangent` and
  /// `run.cellCotangent`, those of the states after the step, into those of the states before.
  func retreat<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int)
}

extension RecurrentOperator {
  var separatesLastGate: Bool { false }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let layout = try RecurrentLayout(
      inputs, attributes, gates: Self.gateCount, keepsCell: Self.keepsCell)
    if let lengths = inputs.optional(4) {
      guard lengths.shape.dimensions == [layout.batch] else {
        throw OperatorError(
          "input 'sequence_lens': expected shape [\(layout.batch)], found \(lengths.shape)")
      }
      guard try inputs.integers(4, "sequence_lens").allSatisfy({ $0 == layout.steps }) else {
        throw OperatorError("sequences of different lengths in one batch are not supported")
      }
    }
    let states = ValueType(layout.finalStates, .float32)
    return [ValueType(layout.allStates, .float32), states] + (Self.keepsCell ? [states] : [])
  }

  // As for activations: the two branches are specialised where `Self` is known.
  @inline(__always)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    T.dataType == .float32 ? try states(inputs, Float.self) : try states(inputs, Double.self)
  }

  @inline(__always)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    T.dataType == .float32
      ? try cotangentsOfInputs(cotangents, point, Float.self)
      : try cotangentsOfInputs(cotangents, point, Double.self)
  }

  private func layout(_ inputs: [Tensor?]) throws -> RecurrentLayout {
    try RecurrentLayout(
      inputs.map { $0.map { ValueType($0.shape, $0.dataType) } }, attributes,
      gates: Self.gateCount, keepsCell: Self.keepsCell)
  }

  private func states<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try layout(inputs)
    var all = Tensor(zeros: layout.allStates, T.dataType)
    var last = Tensor(zeros: layout.finalStates, T.dataType)
    var lastCells = last
    for direction in 0..<layout.directions {
      let run = try RecurrentRun<T>(inputs, layout, attributes, direction, forGradients: false)
      run.project(separatesLastGate: separatesLastGate)
      for step in 0..<layout.steps { advance(run, step) }
      try all.withMutableElements(of: T.self) { run.copyStates(to: $0) }
      try last.withMutableElements(of: T.self) { run.copyFinal(run.states, to: $0) }
      if Self.keepsCell {
        try lastCells.withMutableElements(of: T.self) { run.copyFinal(run.cells, to: $0) }
      }
    }
    return [all, last] + (Self.keepsCell ? [lastCells] : [])
  }

  private func cotangentsOfInputs<T: RealScalar>(
    _ cotangents: [Tensor?], _ point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let inputs = point.inputs
    let layout = try layout(inputs)
    let shapes = [layout.allStates, layout.finalStates, layout.finalStates]
    for (cotangent, shape) in zip(cotangents, shapes) {
      guard let cotangent, cotangent.shape != shape else { continue }
      throw OperatorError("expected a cotangent of shape \(shape), found \(cotangent.shape)")
    }
    guard cotangents.contains(where: { $0 != nil }) else {
      return Array(repeating: nil, count: inputs.count)
    }
    var results = inputs.enumerated().map { index, input -> Tensor? in
      guard point.wants(index), let input, input.dataType.isFloatingPoint else { return nil }
      return Tensor(zeros: input.shape, T.dataType)
    }
    for direction in 0..<layout.directions {
      let run = try RecurrentRun<T>(inputs, layout, attributes, direction, forGradients: true)
      run.project(separatesLastGate: separatesLastGate)
      for step in 0..<layout.steps { advance(run, step) }
      try run.setFinalCotangents(
        states: cotangents.optional(1), cells: Self.keepsCell ? cotangents.optional(2) : nil)
      for step in (0..<layout.steps).reversed() {
        try run.addStateCotangents(cotangents.optional(0), step)
        retreat(run, step)
      }
      try run.addInputCotangents(to: &results, separatesLastGate: separatesLastGate)
    }
    return results
  }
}

/// A function that a gate applies to every element.
enum GateFunction: String, Sendable {
  case sigmoid = "Sigmoid"
  case tanh = "Tanh"
  case relu = "Relu"

  @inline(__always)
  func value<T: RealScalar>(_ x: T) -> T {
    switch self {
    case .sigmoid:
      let e = T.exp(-x.magnitude)
      return (x < 0 ? e : 1) / (1 + e)
    case .tanh: return .tanh(x)
    case .relu: return x <= 0 ? 0 : x
    }
  }

  /// Returns the derivative where the function has the value `y`.
  @inline(__always)
  func derivative<T: RealScalar>(atValue y: T) -> T {
    switch self {
    case .sigmoid: y * (1 - y)
    case .tanh: (1 - y) * (1 + y)
    case .relu: y > 0 ? 1 : 0
    }
  }
}

/// The attributes that all recurrent operators have.
struct RecurrentAttributes: Sendable {
  enum Direction: String {
    case forward, reverse, bidirectional
  }

  let direction: Direction
  let hiddenSize: Int
  /// Whether sequences and states have the batch as their first axis.
  let isBatchFirst: Bool
  /// One list for each direction, as long as the operator's default.
  let functions: [[GateFunction]]

  var directions: Int { direction == .bidirectional ? 2 : 1 }

  /// - Parameter functions: What the operator applies unless the node says otherwise.
  init(_ node: NodeReader, functions defaults: [GateFunction], outputs: ClosedRange<Int>) throws {
    try node.expect(inputs: 3...8, outputs: outputs)
    let text = try node.string("direction", default: "forward")
    guard let direction = Direction(rawValue: text) else {
      throw OperatorError(
        "direction: expected forward, reverse or bidirectional, found '\(text)'")
    }
    self.direction = direction
    hiddenSize = try node.integer("hidden_size")
    guard (1...WindowAttributes.limit).contains(hiddenSize) else {
      throw OperatorError("hidden_size: expected at least 1, found \(hiddenSize)")
    }
    isBatchFirst = try node.flag("layout", default: false)
    guard !node.has("clip") else {
      throw OperatorError("clip: clipped gates are not supported")
    }
    guard try !node.flag("input_forget", default: false) else {
      throw OperatorError("input_forget: coupled gates are not supported")
    }
    for name in ["activation_alpha", "activation_beta"] {
      guard try (node.reals(name) ?? []).isEmpty else {
        throw OperatorError("\(name): activations with parameters are not supported")
      }
    }
    let count = direction == .bidirectional ? 2 : 1
    let names = try node.strings("activations") ?? []
    guard names.isEmpty || names.count == count * defaults.count else {
      throw OperatorError(
        "activations: expected \(count * defaults.count) names, found \(names.count)")
    }
    let listed = try names.map { name in
      let known = [GateFunction.sigmoid, .tanh, .relu]
      // Older files spell them in any case.
      guard let found = known.first(where: { $0.rawValue.lowercased() == name.lowercased() })
      else {
        throw OperatorError("activations: expected Sigmoid, Tanh or Relu, found '\(name)'")
      }
      return found
    }
    functions = (0..<count).map { direction in
      listed.isEmpty
        ? defaults
        : Array(listed[direction * defaults.count..<(direction + 1) * defaults.count])
    }
  }
}

/// The extents of a recurrent node, checked.
struct RecurrentLayout {
  let steps: Int
  let batch: Int
  let inputs: Int
  let hidden: Int
  let directions: Int
  let gates: Int
  let isBatchFirst: Bool
  let allStates: Shape
  let finalStates: Shape

  init(
    _ inputs: [ValueType?], _ attributes: RecurrentAttributes, gates: Int, keepsCell: Bool
  ) throws {
    let maximum = keepsCell ? 8 : 6
    guard inputs.count <= maximum else {
      throw OperatorError("expected at most \(maximum) inputs, found \(inputs.count)")
    }
    guard inputs.optional(7) == nil else {
      throw OperatorError("input 'P': peephole connections are not supported")
    }
    // The lengths are integers; they have a check of their own.
    let reals = inputs.enumerated().map { $0 == 4 ? nil : $1 }
    let shapes = try RealInputs(
      Array(reals.prefix(7)), "X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c",
      optional: 4)
    let sequence = try shapes.shape(0)
    guard sequence.rank == 3 else {
      throw OperatorError("input 'X': expected [step, batch, input], found \(sequence)")
    }
    isBatchFirst = attributes.isBatchFirst
    (steps, batch) =
      isBatchFirst ? (sequence[1], sequence[0]) : (sequence[0], sequence[1])
    self.inputs = sequence[2]
    hidden = attributes.hiddenSize
    directions = attributes.directions
    self.gates = gates
    let rows = gates * hidden
    let states = isBatchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
    for (index, name, expected) in [
      (1, "W", [directions, rows, self.inputs]), (2, "R", [directions, rows, hidden]),
      (3, "B", [directions, 2 * rows]), (5, "initial_h", states), (6, "initial_c", states),
    ] {
      guard let found = shapes.optionalShape(index) else { continue }
      guard found.dimensions == expected else {
        throw OperatorError("input '\(name)': expected shape \(expected), found \(found)")
      }
    }
    finalStates = try Shape(output: states)
    allStates = try Shape(
      output: isBatchFirst
        ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden])
    // What a run works with: gates and their cotangents, for all steps.
    _ = try Shape(output: [steps + 1, max(1, batch), rows, 4])
    _ = try Shape(output: [steps + 1, max(1, batch), max(1, self.inputs)])
  }
}

extension NodeReader {
  /// Returns `nil` if the attribute is absent.
  fileprivate func strings(_ name: String) throws -> [String]? {
    switch node.attributes[name] {
    case .strings(let found)?: return found
    case .integers(let found)? where found.isEmpty: return []
    case .reals(let found)? where found.isEmpty: return []
    case nil: return nil
    default: throw OperatorError("attribute '\(name)' must be strings")
    }
  }
}
