import VitrineTensor

/// `h' = f(W · x + R · h + bias)`.
///
/// Source: Elman, "Finding Structure in Time" (1990).
package struct RNNOperator: RecurrentOperator {
  static let gateCount = 1
  static let keepsCell = false
  let attributes: RecurrentAttributes

  package init(_ node: NodeReader) throws {
    attributes = try RecurrentAttributes(node, functions: [.tanh], outputs: 1...2)
  }

  func advance<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int) {
    let size = run.layout.batch * run.layout.hidden
    let gates = run.gates(step)
    let after = run.states.part(step + 1, of: size)
    let function = run.functions[0]
    run.addRecurrentProduct(of: run.states.part(step, of: size), gates: 0..<1, to: gates)
    for k in 0..<size {
      gates[k] = function.value(gates[k])
      after[k] = gates[k]
    }
  }

  func retreat<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int) {
    let size = run.layout.batch * run.layout.hidden
    let gates = run.gates(step)
    let cotangents = run.gateCotangents.part(step, of: size)
    let state = run.stateCotangent.mutableElements
    let function = run.functions[0]
    for k in 0..<size {
      cotangents[k] = state[k] * function.derivative(atValue: gates[k])
      state[k] = 0
    }
    run.addTransposedProduct(of: cotangents, gates: 0..<1, to: state)
  }
}

/// Long short-term memory, with gates `i`, `o`, `f` and candidate `c̃`:
/// `c' = f · c + i · c̃`, `h' = o · tanh(c')`.
///
/// Source: Hochreiter, Schmidhuber, "Long Short-Term Memory" (1997); forget gate: Gers, Schmidhuber,
/// Cummins, "Learning to Forget" (2000).
package struct LSTMOperator: RecurrentOperator {
  static let gateCount = 4
  static let keepsCell = true
  let attributes: RecurrentAttributes

  package init(_ node: NodeReader) throws {
    attributes = try RecurrentAttributes(node, functions: [.sigmoid, .tanh, .tanh], outputs: 1...3)
  }

  func advance<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int) {
    let hidden = run.layout.hidden
    let size = run.layout.batch * hidden
    let gates = run.gates(step)
    let (before, after) = (run.cells.part(step, of: size), run.cells.part(step + 1, of: size))
    let state = run.states.part(step + 1, of: size)
    let (gate, candidate, output) = (run.functions[0], run.functions[1], run.functions[2])
    run.addRecurrentProduct(of: run.states.part(step, of: size), gates: 0..<4, to: gates)
    for sample in 0..<run.layout.batch {
      for unit in 0..<hidden {
        let (k, j) = (sample * hidden + unit, sample * 4 * hidden + unit)
        gates[j] = gate.value(gates[j])
        gates[j + hidden] = gate.value(gates[j + hidden])
        gates[j + 2 * hidden] = gate.value(gates[j + 2 * hidden])
        gates[j + 3 * hidden] = candidate.value(gates[j + 3 * hidden])
        after[k] = gates[j + 2 * hidden] * before[k] + gates[j] * gates[j + 3 * hidden]
        state[k] = gates[j + hidden] * output.value(after[k])
      }
    }
  }

  func retreat<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int) {
    let hidden = run.layout.hidden
    let size = run.layout.batch * hidden
    let gates = run.gates(step)
    let cotangents = run.gateCotangents.part(step, of: 4 * size)
    let (before, after) = (run.cells.part(step, of: size), run.cells.part(step + 1, of: size))
    let state = run.stateCotangent.mutableElements
    let cell = run.cellCotangent.mutableElements
    let (gate, candidate, output) = (run.functions[0], run.functions[1], run.functions[2])
    for sample in 0..<run.layout.batch {
      for unit in 0..<hidden {
        let (k, j) = (sample * hidden + unit, sample * 4 * hidden + unit)
        let (i, o) = (gates[j], gates[j + hidden])
        let (f, c) = (gates[j + 2 * hidden], gates[j + 3 * hidden])
        let y = output.value(after[k])
        let g = cell[k] + state[k] * o * output.derivative(atValue: y)
        cotangents[j] = g * c * gate.derivative(atValue: i)
        cotangents[j + hidden] = state[k] * y * gate.derivative(atValue: o)
        cotangents[j + 2 * hidden] = g * before[k] * gate.derivative(atValue: f)
        cotangents[j + 3 * hidden] = g * i * candidate.derivative(atValue: c)
        cell[k] = g * f
        state[k] = 0
      }
    }
    run.addTransposedProduct(of: cotangents, gates: 0..<4, to: state)
  }
}

/// Gated recurrent unit, with gates `z` (update), `r` (reset) and candidate `h̃`:
/// `h' = (1 - z) · h̃ + z · h`.
///
/// The candidate is `g(W · x + R · (r · h) + …)`, or with `linear_before_reset`
/// `g(W · x + r · (R · h + bias) + …)`, as cuDNN and PyTorch compute it.
///
/// Source: Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder" (2014).
package struct GRUOperator: RecurrentOperator {
  static let gateCount = 3
  static let keepsCell = false
  let attributes: RecurrentAttributes
  private let isLinearBeforeReset: Bool

  var separatesLastGate: Bool { isLinearBeforeReset }

  package init(_ node: NodeReader) throws {
    attributes = try RecurrentAttributes(node, functions: [.sigmoid, .tanh], outputs: 1...2)
    isLinearBeforeReset = try node.flag("linear_before_reset", default: false)
  }

  func advance<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int) {
    let (batch, hidden) = (run.layout.batch, run.layout.hidden)
    let size = batch * hidden
    let gates = run.gates(step)
    let (before, after) = (run.states.part(step, of: size), run.states.part(step + 1, of: size))
    let extras = run.extras.part(step, of: size)
    let (gate, candidate) = (run.functions[0], run.functions[1])
    let scratch = UnsafeMutableBufferPointer(rebasing: run.scratch.mutableElements[..<(2 * size)])
    scratch.update(repeating: 0)
    run.addRecurrentProduct(of: before, gates: 0..<2, to: scratch)
    for sample in 0..<batch {
      for k in 0..<2 * hidden {
        let j = sample * 3 * hidden + k
        gates[j] = gate.value(gates[j] + scratch[sample * 2 * hidden + k])
      }
    }
    let product = run.spare.mutableElements
    product.update(repeating: 0)
    if isLinearBeforeReset {
      run.addRecurrentProduct(of: before, gates: 2..<3, to: product)
    } else {
      for sample in 0..<batch {
        for unit in 0..<hidden {
          let k = sample * hidden + unit
          extras[k] = gates[(3 * sample + 1) * hidden + unit] * before[k]
        }
      }
      run.addRecurrentProduct(of: extras, gates: 2..<3, to: product)
    }
    for sample in 0..<batch {
      for unit in 0..<hidden {
        let (k, j) = (sample * hidden + unit, sample * 3 * hidden + unit)
        if isLinearBeforeReset {
          extras[k] = product[k] + run.recurrentBias[2 * hidden + unit]
          gates[j + 2 * hidden] += gates[j + hidden] * extras[k]
        } else {
          gates[j + 2 * hidden] += product[k]
        }
        let value = candidate.value(gates[j + 2 * hidden])
        gates[j + 2 * hidden] = value
        after[k] = (1 - gates[j]) * value + gates[j] * before[k]
      }
    }
  }

  func retreat<T: RealScalar>(_ run: RecurrentRun<T>, _ step: Int) {
    let (batch, hidden) = (run.layout.batch, run.layout.hidden)
    let size = batch * hidden
    let gates = run.gates(step)
    let cotangents = run.gateCotangents.part(step, of: 3 * size)
    let before = run.states.part(step, of: size)
    let extras = run.extras.part(step, of: size)
    let last = run.lastGateCotangents.part(step, of: size)
    let state = run.stateCotangent.mutableElements
    let (gate, candidate) = (run.functions[0], run.functions[1])
    for sample in 0..<batch {
      for unit in 0..<hidden {
        let (k, j) = (sample * hidden + unit, sample * 3 * hidden + unit)
        let (z, value) = (gates[j], gates[j + 2 * hidden])
        cotangents[j] = state[k] * (before[k] - value) * gate.derivative(atValue: z)
        cotangents[j + 2 * hidden] =
          state[k] * (1 - z) * candidate.derivative(atValue: value)
        last[k] = cotangents[j + 2 * hidden] * (isLinearBeforeReset ? gates[j + hidden] : 1)
        state[k] *= z
      }
    }
    // Cotangents of what the reset gate multiplies.
    let product = run.spare.mutableElements
    if !isLinearBeforeReset {
      product.update(repeating: 0)
      run.addTransposedProduct(of: last, gates: 2..<3, to: product)
    }
    let scratch = UnsafeMutableBufferPointer(rebasing: run.scratch.mutableElements[..<(2 * size)])
    for sample in 0..<batch {
      for unit in 0..<hidden {
        let (k, j) = (sample * hidden + unit, sample * 3 * hidden + unit)
        let r = gates[j + hidden]
        let reset =
          isLinearBeforeReset
          ? cotangents[j + 2 * hidden] * extras[k] : product[k] * before[k]
        cotangents[j + hidden] = reset * gate.derivative(atValue: r)
        if !isLinearBeforeReset { state[k] += product[k] * r }
        scratch[sample * 2 * hidden + unit] = cotangents[j]
        scratch[(2 * sample + 1) * hidden + unit] = cotangents[j + hidden]
      }
    }
    if isLinearBeforeReset { run.addTransposedProduct(of: last, gates: 2..<3, to: state) }
    run.addTransposedProduct(of: scratch, gates: 0..<2, to: state)
  }
}
