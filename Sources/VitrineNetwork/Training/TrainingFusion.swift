internal import VitrineTensor

/// Which nodes one training kernel computes together: a product or convolution, its bias if that is added
/// by another node, and a rectifier.
struct TrainingFusion {
  /// What follows a product or convolution in its kernel.
  struct Tail {
    var bias: Int?
    var isRectified = false
    /// The value that the kernel writes.
    var result: Int
  }

  /// By the node that the kernel belongs to.
  private(set) var tails: [Int: Tail] = [:]
  /// Whether a node is done by the kernel of another.
  private(set) var isPartOfAnother: [Bool]

  init(_ specialization: Specialization, needed: [Bool], observed: [Int]) {
    let wiring = specialization.wiring
    let types = specialization.types
    isPartOfAnother = [Bool](repeating: false, count: wiring.nodes.count)
    var readers = [[Int]](repeating: [], count: wiring.values.count)
    for (index, node) in wiring.nodes.enumerated() where needed[index] {
      for case let input? in node.inputs { readers[input].append(index) }
    }

    /// The only node that reads a value, if nothing else does.
    func onlyReader(_ value: Int) -> Int? {
      readers[value].count == 1 && !observed.contains(value) ? readers[value][0] : nil
    }

    for (index, node) in wiring.nodes.enumerated() where needed[index] {
      guard Self.canHaveTail(node, types), let output = node.outputs.first.flatMap({ $0 })
      else { continue }
      var tail = Tail(result: output)
      if node.operation is MatMul, let reader = onlyReader(output),
        let bias = Self.bias(wiring.nodes[reader], added: output, types),
        let sum = wiring.nodes[reader].outputs[0]
      {
        // A parameter or an input: it is there when the product is computed.
        if case .node = wiring.values[bias].source, types[bias].constant == nil {
        } else {
          tail.bias = bias
          tail.result = sum
          isPartOfAnother[reader] = true
        }
      }
      if let reader = onlyReader(tail.result), wiring.nodes[reader].operation is Relu,
        let rectified = wiring.nodes[reader].outputs[0]
      {
        tail.isRectified = true
        tail.result = rectified
        isPartOfAnother[reader] = true
      }
      tails[index] = tail
    }
  }

  /// Returns the value that stands for a node's output in memory.
  func result(of node: Int, _ output: Int) -> Int { tails[node]?.result ?? output }

  /// Whether a node is a product or convolution that has a kernel.
  private static func canHaveTail(_ node: Wiring.Node, _ types: [ValueType]) -> Bool {
    if node.operation is Convolution {
      return node.inputs.first.flatMap { $0 }.map { (3...4).contains(types[$0].shape.rank) }
        ?? false
    }
    return TrainingProduct(node, types, tail: nil) != nil
  }

  /// Returns the bias if a node adds one to every row of a product.
  private static func bias(_ node: Wiring.Node, added output: Int, _ types: [ValueType]) -> Int? {
    guard let sum = node.operation as? Arithmetic, sum.function == .add, node.outputs.count == 1,
      let other = node.inputs.compactMap({ $0 }).first(where: { $0 != output }),
      let columns = types[output].shape.dimensions.last, types[output].shape.rank >= 2,
      types[other].shape.count == columns, types[other].shape.dimensions.last == columns,
      let result = node.outputs[0], types[result].shape == types[output].shape
    else { return nil }
    return other
  }
}
