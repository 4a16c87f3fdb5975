internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

/// An elementwise function as the kernels know it.
struct KernelFunction {
  let function: vk_function
  var alpha: Float = 0
  var beta: Float = 0

  /// Whether the kernels can apply it to a result before storing it.
  var fitsEpilogue: Bool { [VK_RELU, VK_CLIP, VK_LEAKY_RELU].contains(function) }

  /// Whether its derivative is 0 or 1, so that one bit for each element replaces its input.
  var hasMask: Bool { function == VK_RELU || function == VK_CLIP }

  /// Returns `nil` if the kernels do not have the node's function.
  init?(_ node: Wiring.Node, types: [ValueType]) {
    switch node.operation {
    case is Relu: self.init(VK_RELU)
    case let leaky as LeakyRelu: self.init(VK_LEAKY_RELU, leaky.alpha)
    case let elu as Elu: self.init(VK_ELU, elu.alpha)
    case is Sigmoid: self.init(VK_SIGMOID)
    case is Tanh: self.init(VK_TANH)
    case is Softplus: self.init(VK_SOFTPLUS)
    case is HardSwish: self.init(VK_HARD_SWISH)
    case let hard as HardSigmoid: self.init(VK_HARD_SIGMOID, hard.alpha, hard.beta)
    case let clip as Clip:
      guard let bounds = try? clip.bounds(inputs: node.inputs.map { $0.map { types[$0] } }) else {
        return nil
      }
      self.init(
        VK_CLIP, bounds.minimum ?? -.infinity,
        bounds.maximum ?? .infinity)
    default: return nil
    }
  }

  init(_ function: vk_function, _ alpha: Double = 0, _ beta: Double = 0) {
    self.function = function
    self.alpha = Float(alpha)
    self.beta = Float(beta)
  }
}

/// A node with the nodes that its kernel also computes, so that their values are never stored.
struct FusedNode {
  let node: Int
  /// The value that its first input is computed from: that input, or what a folded padding pads.
  var input: Int
  /// A padding with zeros that the windows of a convolution step over instead.
  var padding: Int?
  /// A batch normalisation folded into the weights.
  var batchNormalization: Int?
  /// A constant added to every pixel, folded into the bias.
  var biasValue: Int?
  /// A value added to the result.
  var residual: Int?
  var activation: (node: Int, function: KernelFunction)?
  /// The value it stores.
  var output: Int
  /// Index of the last node it computes: where it stands in the execution order.
  var position: Int
}

/// Decides which nodes are computed together.
struct Fusion {
  private let specialization: Specialization
  private let readers: [[Int]]
  private let kept: Set<Int>
  private let isActive: [Bool]

  /// - Parameters:
  ///   - needed: For each node, whether it runs.
  ///   - kept: Values that must exist by themselves: observed, or differentiated.
  ///   - isActive: For each value, whether a cotangent passes it.
  init(
    _ specialization: Specialization, needed: [Bool], kept: Set<Int>, isActive: [Bool]
  ) {
    self.specialization = specialization
    self.kept = kept
    self.isActive = isActive
    let wiring = specialization.wiring
    var readers = [[Int]](repeating: [], count: wiring.values.count)
    for (index, node) in wiring.nodes.enumerated() where needed[index] {
      for case let input? in node.inputs { readers[input].append(index) }
    }
    self.readers = readers
  }

  private var wiring: Wiring { specialization.wiring }
  private var types: [ValueType] { specialization.types }

  /// Returns the needed nodes, fused, in execution order.
  func nodes(needed: [Bool]) throws -> [FusedNode] {
    var absorbed = [Bool](repeating: false, count: wiring.nodes.count)
    var paddings: [Int: Int] = [:]
    var result: [FusedNode] = []
    for index in wiring.nodes.indices where needed[index] && !absorbed[index] {
      // A node may leave its first output out, as an LSTM of which only the last state is read.
      guard let output = wiring.nodes[index].outputs.compactMap({ $0 }).first else { continue }
      var fused = FusedNode(
        node: index, input: wiring.nodes[index].inputs.first.flatMap { $0 } ?? 0, output: output,
        position: index)
      if let convolution = try convolutionOfPadding(index) {
        paddings[convolution] = index
        continue
      }
      if let padding = paddings[index] { fold(padding, into: &fused) }
      if let flattening = flatteningOfTransposition(index) {
        take(flattening, wiring.nodes[flattening].outputs[0] ?? output, &fused, &absorbed)
      }
      // Only a kernel can compute what follows its node.
      if isFusible(index), case let bare = try Self.lowering(of: fused, specialization),
        bare.isKernel
      {
        extend(&fused, &absorbed)
      }
      result.append(fused)
    }
    return result.sorted { ($0.position, $0.node) < ($1.position, $1.node) }
  }

  /// Returns the only reader of a padding with zeros if it is a convolution that can do without.
  private func convolutionOfPadding(_ index: Int) throws -> Int? {
    let node = wiring.nodes[index]
    guard node.operation is Pad, let first = node.outputs.first, let padded = first,
      let reader = onlyReader(of: padded), wiring.nodes[reader].operation is Convolution,
      wiring.nodes[reader].inputs[0] == padded, let output = wiring.nodes[reader].outputs.first,
      let output
    else { return nil }
    var fused = FusedNode(node: reader, input: padded, output: output, position: reader)
    fold(index, into: &fused)
    return try Self.lowering(of: fused, specialization).isKernel ? reader : nil
  }

  private func fold(_ padding: Int, into fused: inout FusedNode) {
    fused.padding = padding
    if let first = wiring.nodes[padding].inputs.first, let input = first { fused.input = input }
  }

  /// Returns the only reader of a transposition to channels last if it makes one row of each image.
  private func flatteningOfTransposition(_ index: Int) -> Int? {
    let node = wiring.nodes[index]
    guard let transpose = node.operation as? Transpose, let input = node.inputs.first, let input,
      types[input].constant == nil, types[input].dataType == .float32,
      types[input].shape.rank == 4, types[input].shape[1] % 16 == 0,
      let permutation = try? transpose.permutation(rank: 4), permutation == [0, 2, 3, 1],
      let first = node.outputs.first, let transposed = first,
      let reader = onlyReader(of: transposed),
      ["Flatten", "Reshape"].contains(wiring.nodes[reader].kind),
      wiring.nodes[reader].inputs[0] == transposed,
      let output = wiring.nodes[reader].outputs.first, let output, types[output].shape.rank == 2,
      types[output].shape[0] == types[input].shape[0], types[output].shape.count > 0
    else { return nil }
    return reader
  }

  private func isFusible(_ node: Int) -> Bool {
    ["Conv", "Gemm", "MatMul", "BatchNormalization", "Add", "Mul"].contains(
      wiring.nodes[node].kind)
  }

  private func extend(_ fused: inout FusedNode, _ absorbed: inout [Bool]) {
    let kind = wiring.nodes[fused.node].kind
    let isProduct = kind == "Conv" || kind == "Gemm" || kind == "MatMul"
    while let next = onlyReader(of: fused.output), !absorbed[next] {
      let node = wiring.nodes[next]
      guard node.outputs.count >= 1, let first = node.outputs[0] else { return }
      if kind == "Conv", fused.batchNormalization == nil, fused.biasValue == nil,
        fused.residual == nil, node.operation is BatchNormalization,
        node.inputs.dropFirst().allSatisfy({ $0.map { types[$0].constant != nil } ?? false })
      {
        fused.batchNormalization = next
      } else if isProduct, fused.residual == nil, node.kind == "Add",
        let other = operand(of: node, besides: fused.output)
      {
        if types[other].constant != nil {
          guard fused.biasValue == nil, isPerChannel(other, of: fused.output) else { return }
          fused.biasValue = other
        } else {
          // The matrix product's kernel adds nothing.
          guard kind == "Conv", types[other].shape == types[first].shape, other != fused.output
          else { return }
          fused.residual = other
        }
      } else if let function = KernelFunction(node, types: types), function.fitsEpilogue,
        function.hasMask || !isActive[first]
      {
        fused.activation = (next, function)
        take(next, first, &fused, &absorbed)
        return
      } else {
        return
      }
      take(next, first, &fused, &absorbed)
    }
  }

  private func take(
    _ node: Int, _ output: Int, _ fused: inout FusedNode, _ absorbed: inout [Bool]
  ) {
    absorbed[node] = true
    fused.output = output
    fused.position = node
  }

  /// Returns the only node that reads a value, unless the value must exist by itself.
  private func onlyReader(of value: Int) -> Int? {
    guard !kept.contains(value), readers[value].count == 1 else { return nil }
    return readers[value][0]
  }

  private func operand(of node: Wiring.Node, besides value: Int) -> Int? {
    guard node.inputs.count == 2, let a = node.inputs[0], let b = node.inputs[1] else {
      return nil
    }
    return a == value ? b : a
  }

  /// Whether a constant has one number, or one for each channel of a value.
  private func isPerChannel(_ constant: Int, of value: Int) -> Bool {
    let shape = types[value].shape.dimensions
    let other = types[constant].shape.dimensions
    guard types[constant].shape.count == shape[1], other.count <= shape.count else { return false }
    let axis = other.count - (shape.count - 1)
    return shape[1] == 1 || (axis >= 0 && other[axis] == shape[1])
  }
}
