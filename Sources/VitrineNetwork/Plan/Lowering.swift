internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

/// How a fused node is run.
enum Lowering {
  case convolution(PlanarConvolution)
  /// Rows times a constant matrix, element `(k, n)` at `k · strideK + n · strideN`.
  case product(MatrixProduct)
  /// One factor and one summand for each channel.
  case affine(scale: [Float], shift: [Float])
  case sum(Int, Int)
  case elementwiseProduct(Int, Int)
  case maximumPool(rows: Window, columns: Window)
  case averagePool(rows: Window, columns: Window, countsPadding: Bool)
  case globalAverage
  case function(KernelFunction)
  /// Whole channel blocks side by side.
  case concatenation([Int])
  /// The same elements in the same layout.
  case alias(Int)
  /// Pixel after pixel in one row, each with its channels side by side.
  case channelsLast
  /// The same elements, another shape.
  case reshape(Int)
  /// The reference implementation.
  case reference

  var isKernel: Bool {
    switch self {
    case .reference, .alias, .reshape: false
    default: true
    }
  }

  struct MatrixProduct {
    let inner: Int
    let columns: Int
    let strideK: Int
    let strideN: Int
    let weights: Tensor
    let bias: [Float]?
  }
}

extension Fusion {
  /// Returns how a fused node is run: by kernels where there are some for it.
  static func lowering(of fused: FusedNode, _ specialization: Specialization) throws -> Lowering {
    let wiring = specialization.wiring
    let types = specialization.types
    let node = wiring.nodes[fused.node]
    let input = fused.input
    guard node.inputs.first.flatMap({ $0 }) != nil, node.outputs.count == 1,
      let own = node.outputs[0],
      types[input].constant == nil || node.inputs.count > 1,
      types[own].dataType == .float32, types[own].shape.count > 0,
      let shape = PlaneShape(types[own].shape.dimensions)
    else { return .reference }
    let source = PlaneShape(types[input].shape.dimensions)

    func constant(_ position: Int) throws -> [Float]? {
      guard node.inputs.count > position, let value = node.inputs[position] else { return nil }
      return try types[value].constant?.elements(of: Float.self)
    }

    switch node.operation {
    case let convolution as Convolution:
      guard types[input].constant == nil, let source, types[input].shape.rank <= 4,
        node.inputs.count > 1, let weightValue = node.inputs[1],
        let weight = types[weightValue].constant,
        try node.inputs.count < 3 || node.inputs[2] == nil || constant(2) != nil
      else { return .reference }
      guard let padded = node.inputs[0],
        let windows = try unpadded(
          convolution.windows(input: types[padded].shape, weight: types[weightValue].shape),
          fused.padding, specialization)
      else { return .reference }
      let rows = windows.count == 2 ? windows[0] : .identity(1)
      let columns = windows[windows.count - 1]
      let folded = try fold(
        fused, weight: weight, bias: try constant(2), specialization: specialization)
      let planar = PlanarConvolution(
        node: fused.node, groups: convolution.groups, inputs: source.channels,
        outputs: shape.channels, rows: rows, columns: columns, weights: folded.weight,
        bias: folded.bias)
      // Halos cost memory: absurd paddings are left to the reference, which needs none.
      let halo = planar.halo.union(planar.cotangentHalo)
      guard max(halo.top, halo.left, halo.bottom, halo.right) <= 256,
        // Taps are 32-bit offsets within an image.
        [source, shape].allSatisfy({
          Planes(buffer: 0, shape: $0.with(images: 1), halo: halo).byteCount / 4 < Int(Int32.max)
        }),
        // The matrix that repeats channels is dense.
        !planar.isDepthwise || planar.multiplier == 1 || planar.inputs * planar.outputs <= 1 << 22
      else { return .reference }
      return .convolution(planar)

    case let gemm as Gemm:
      guard !gemm.transposesA, node.inputs.count > 1, let right = node.inputs[1],
        let matrix = types[right].constant, types[input].constant == nil
      else { return .reference }
      var bias: [Float]?
      if node.inputs.count > 2, let value = node.inputs[2] {
        guard let elements = try constant(2), types[value].shape.rank <= 2,
          elements.count == shape.channels || elements.count == 1,
          types[value].shape.rank < 2 || types[value].shape[0] == 1
        else { return .reference }
        bias = (0..<shape.channels).map {
          elements[elements.count == 1 ? 0 : $0] * Float(gemm.beta)
        }
      }
      let size = types[right].shape
      return .product(
        .init(
          inner: gemm.transposesB ? size[1] : size[0],
          columns: gemm.transposesB ? size[0] : size[1],
          strideK: gemm.transposesB ? 1 : size[1], strideN: gemm.transposesB ? size[1] : 1,
          weights: gemm.alpha == 1 ? matrix : try scaled(matrix, by: Float(gemm.alpha)),
          bias: try sum(bias, fused.biasValue, shape.channels, types)))

    case is MatMul:
      guard node.inputs.count == 2, let right = node.inputs[1],
        let matrix = types[right].constant, matrix.rank == 2, types[input].shape.rank == 2,
        types[input].constant == nil
      else { return .reference }
      return .product(
        .init(
          inner: matrix.shape[0], columns: matrix.shape[1], strideK: matrix.shape[1], strideN: 1,
          weights: matrix, bias: try sum(nil, fused.biasValue, shape.channels, types)))

    case let normalization as BatchNormalization:
      guard types[input].constant == nil,
        let affine = try affine(normalization, node, types)
      else { return .reference }
      return .affine(scale: affine.scale.map(Float.init), shift: affine.shift.map(Float.init))

    case let pool as MaxPool:
      guard types[input].shape.rank <= 4 else { return .reference }
      let windows = try pool.windows(input: types[input].shape)
      let rows = windows.count == 2 ? windows[0] : .identity(1)
      guard rows.kernel * windows[windows.count - 1].kernel <= Int(UInt16.max) else {
        return .reference
      }
      return .maximumPool(rows: rows, columns: windows[windows.count - 1])

    case let pool as AveragePool:
      guard types[input].shape.rank <= 4 else { return .reference }
      let windows = try pool.windows(input: types[input].shape)
      return .averagePool(
        rows: windows.count == 2 ? windows[0] : .identity(1),
        columns: windows[windows.count - 1], countsPadding: pool.countsPadding)

    case is Transpose where fused.output != own: return .channelsLast

    case is Slice, is Pad:
      return try selection(fused, specialization).map(Lowering.convolution) ?? .reference

    default: break
    }

    switch node.kind {
    case "GlobalAveragePool", "ReduceMean":
      guard let source, types[input].shape.rank == 4, shape.images == source.images,
        shape.channels == source.channels, shape.height == 1, shape.width == 1,
        try averagesSpace(node, types)
      else { return .reference }
      return .globalAverage
    case "Add", "Mul":
      guard node.inputs.count == 2, let other = node.inputs[1], types[input].constant == nil,
        types[other].constant == nil, types[input].shape == types[own].shape,
        types[other].shape == types[own].shape
      else { return .reference }
      return node.kind == "Add" ? .sum(input, other) : .elementwiseProduct(input, other)
    case "Concat":
      guard let concat = node.operation as? Concat else { return .reference }
      let rank = types[own].shape.rank
      let pieces = node.inputs.compactMap { $0 }
      guard (concat.axis < 0 ? concat.axis + rank : concat.axis) == 1, rank > 1,
        pieces.allSatisfy({ types[$0].constant == nil }),
        pieces.dropLast().allSatisfy({ types[$0].shape[1] % 16 == 0 })
      else { return .reference }
      return .concatenation(pieces)
    case "Identity", "Dropout":
      return types[input].constant == nil ? .alias(input) : .reference
    case "Flatten", "Reshape", "Squeeze", "Unsqueeze":
      guard types[input].constant == nil, let source, source.images == shape.images else {
        return .reference
      }
      return source == shape ? .alias(input) : .reshape(input)
    default:
      guard let function = KernelFunction(node, types: types), types[input].constant == nil else {
        return .reference
      }
      return .function(function)
    }
  }

  /// Whether a node of `[batch, channel, height, width]` averages over height and width.
  private static func averagesSpace(_ node: Wiring.Node, _ types: [ValueType]) throws -> Bool {
    guard let reduction = node.operation as? Reduction else {
      return node.operation is GlobalAveragePool
    }
    return try reduction.axes(for: node.inputs.map { $0.map { types[$0] } }) == [2, 3]
  }

  // MARK: - Folding

  /// Returns weight and bias of a convolution with what was fused into it folded in.
  private static func fold(
    _ fused: FusedNode, weight: Tensor, bias: [Float]?, specialization: Specialization
  ) throws -> (weight: Tensor, bias: [Float]?) {
    let types = specialization.types
    let outputs = weight.shape[0]
    guard let index = fused.batchNormalization else {
      return (weight, try sum(bias, fused.biasValue, outputs, types))
    }
    let node = specialization.wiring.nodes[index]
    guard let normalization = node.operation as? BatchNormalization,
      let affine = try affine(normalization, node, types)
    else { return (weight, bias) }
    var scaledWeight = weight
    let perOutput = weight.count / outputs
    try scaledWeight.withMutableElements(of: Float.self) { elements in
      for i in elements.indices {
        elements[i] = Float(Double(elements[i]) * affine.scale[i / perOutput])
      }
    }
    let shift = (0..<outputs).map {
      Float(affine.shift[$0] + affine.scale[$0] * Double(bias?[$0] ?? 0))
    }
    return (scaledWeight, try sum(shift, fused.biasValue, outputs, types))
  }

  /// Returns `y = scale · x + shift` of a normalisation with constant statistics.
  private static func affine(
    _ normalization: BatchNormalization, _ node: Wiring.Node, _ types: [ValueType]
  ) throws -> (scale: [Double], shift: [Double])? {
    var constants: [[Float]] = []
    for input in node.inputs.dropFirst() {
      guard let input, let tensor = types[input].constant else { return nil }
      constants.append(try tensor.elements(of: Float.self))
    }
    guard constants.count == 4 else { return nil }
    let scale = zip(constants[0], constants[3]).map {
      Double($0) / (Double($1) + normalization.epsilon).squareRoot()
    }
    let shift = scale.indices.map {
      Double(constants[1][$0]) - Double(constants[2][$0]) * scale[$0]
    }
    return (scale, shift)
  }

  private static func sum(
    _ bias: [Float]?, _ value: Int?, _ count: Int, _ types: [ValueType]
  ) throws -> [Float]? {
    guard let value, let tensor = types[value].constant else { return bias }
    let added = try tensor.elements(of: Float.self)
    return (0..<count).map { (bias?[$0] ?? 0) + added[$0] }
  }

  private static func scaled(_ tensor: Tensor, by factor: Float) throws -> Tensor {
    var result = tensor
    try result.withMutableElements(of: Float.self) { elements in
      for i in elements.indices { elements[i] *= factor }
    }
    return result
  }
}
