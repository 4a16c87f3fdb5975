internal import VitrineTensor

/// The part of a graph, from moving inputs on, whose values are affine functions of them.
///
/// Along a straight path the values at its end move in straight lines, and a cotangent there becomes one of
/// the inputs by the same linear map at every point: so many points share one forward pass and one backward
/// pass of the stem.
struct AffineStem {
  /// The values where it ends: all that lies behind depends on the moving inputs through these, and none of
  /// them depends on another. In the order of computation.
  let boundary: [Int]
  /// For each value, whether it is one of the moving inputs or lies between them and the boundary.
  let contains: [Bool]

  init(_ specialization: Specialization, of source: Int, moving: [Int]) {
    let wiring = specialization.wiring
    let needed = wiring.nodesNeeded(for: [source], known: specialization.isConstant)
    let moves = wiring.dependents(of: moving)
    var isAffine = [Bool](repeating: false, count: wiring.values.count)
    for value in moving { isAffine[value] = true }
    for (index, node) in wiring.nodes.enumerated() where needed[index] {
      guard let first = node.outputs.first, let output = first, moves[output],
        specialization.types[output].dataType.isFloatingPoint,
        specialization.isAffine(node, moves: moves),
        node.inputs.allSatisfy({ $0.map { isAffine[$0] || !moves[$0] } ?? true })
      else { continue }
      isAffine[output] = true
    }
    var boundary: [Int] = []
    while true {
      boundary = wiring.values.indices.filter { value in
        isAffine[value]
          && (value == source
            || wiring.nodes.indices.contains { index in
              needed[index] && wiring.nodes[index].inputs.contains(value)
                && wiring.nodes[index].outputs.contains {
                  $0.map { moves[$0] && !isAffine[$0] } ?? false
                }
            })
      }
      // A value behind another one of the boundary is left to what comes after the stem.
      var behind = [Bool](repeating: false, count: wiring.values.count)
      for value in boundary {
        let depends = wiring.dependents(of: [value])
        for other in boundary where other != value && depends[other] {
          for index in depends.indices where depends[index] && index != value {
            behind[index] = true
          }
        }
      }
      if !boundary.contains(where: { behind[$0] }) { break }
      for index in behind.indices where behind[index] { isAffine[index] = false }
    }
    self.boundary = boundary
    contains = isAffine
  }
}

extension Specialization {
  /// Whether the first output is an affine function of the inputs that move, with all others fixed.
  ///
  /// Errs on the side of no: an operator that is not listed is taken to be nonlinear.
  fileprivate func isAffine(_ node: Wiring.Node, moves: [Bool]) -> Bool {
    let isMoving = node.inputs.map { $0.map { moves[$0] } ?? false }
    let onlyFirst = isMoving.first == true && !isMoving.dropFirst().contains(true)
    switch node.operation {
    case is Convolution, is BatchNormalization, is AveragePool, is GlobalAveragePool, is Pad,
      is any Reshaping, is any Viewing, is Split, is Cast:
      return onlyFirst
    case is Dropout: return onlyFirst
    case is Concat: return true
    case is Gemm, is MatMul: return isMoving.filter { $0 }.count == 1
    case let arithmetic as Arithmetic:
      switch arithmetic.function {
      case .add, .subtract: return true
      case .multiply: return isMoving.filter { $0 }.count == 1
      case .divide: return onlyFirst
      case .modulo, .power: return false
      }
    case let variadic as VariadicArithmetic:
      return variadic.function == .sum || variadic.function == .mean
    case let reduction as Reduction:
      return onlyFirst && (reduction.kind == .sum || reduction.kind == .mean)
    default: return false
    }
  }
}
