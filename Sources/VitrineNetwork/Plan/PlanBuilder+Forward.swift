internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

extension PlanBuilder {
  /// Finds how much halo each value's readers need, and which values are parts of a concatenation.
  func chooseHalosAndParents() {
    for (fused, lowering) in zip(nodes, lowerings) {
      let input = fused.input
      switch lowering {
      case .convolution(let convolution):
        // The repeated copy of a depthwise input gets the halo instead.
        if convolution.isDepthwise, convolution.multiplier > 1 { continue }
        halos[input] = (halos[input] ?? Halo()).union(convolution.halo)
      case .concatenation(let pieces):
        let counts = Dictionary(pieces.map { ($0, 1) }, uniquingKeysWith: +)
        for (piece, channel) in zip(pieces, firstChannels(of: pieces))
        where parents[piece] == nil && isStoredByKernels(piece) && counts[piece] == 1 {
          parents[piece] = (fused.output, channel)
        }
      default: continue
      }
    }
    if covering == nil { shareContinuedConcatenations() }
    // An alias is its source.
    for (fused, lowering) in zip(nodes, lowerings).reversed() {
      guard case .alias(let source) = lowering else { continue }
      halos[source] = (halos[source] ?? Halo()).union(halos[fused.output] ?? Halo())
    }
    // A part has the halo of the whole; a whole may itself be a part.
    for (fused, lowering) in zip(nodes, lowerings) {
      guard case .concatenation(let pieces) = lowering else { continue }
      for piece in pieces + [continued[fused.output]?.value].compactMap({ $0 })
      where parents[piece]?.whole == fused.output {
        halos[fused.output] = (halos[fused.output] ?? Halo()).union(halos[piece] ?? Halo())
      }
    }
  }

  /// Stores a concatenation as the first channels of one that begins with the same pieces, as dense blocks
  /// have them: only the new pieces are written.
  private func shareContinuedConcatenations() {
    var earlier: [(value: Int, pieces: [Int])] = []
    for (fused, lowering) in zip(nodes, lowerings) {
      guard case .concatenation(let pieces) = lowering else { continue }
      let longest = earlier.filter {
        parents[$0.value] == nil && $0.pieces.count < pieces.count && pieces.starts(with: $0.pieces)
      }.max { $0.pieces.count < $1.pieces.count }
      if let longest {
        parents[longest.value] = (fused.output, 0)
        continued[fused.output] = (longest.value, longest.pieces.count)
      }
      earlier.append((fused.output, pieces))
    }
  }

  func firstChannels(of pieces: [Int]) -> [Int] {
    var channel = 0
    return pieces.map { piece in
      defer { channel += types[piece].shape[1] }
      return channel
    }
  }

  private func isStoredByKernels(_ value: Int) -> Bool {
    guard let index = producers[value] else { return false }
    switch lowerings[index] {
    case .reference, .alias: return false
    default: return true
    }
  }

  // MARK: - Steps

  func emitForward(_ index: Int) throws {
    let fused = nodes[index]
    let node = wiring.nodes[fused.node]
    let input = fused.input
    switch lowerings[index] {
    case .convolution(let convolution): try emit(convolution, fused, input: input)
    case .product(let product): try emit(product, fused, input: input)
    case .affine(let scale, let shift):
      let source = planes(of: input)
      let output = destination(of: fused.output)
      emitElementwise(
        VK_AFFINE, source, to: output, epilogue: epilogue(of: fused),
        scale: perChannel(scale, .init(node: fused.node, use: "scale")),
        shift: perChannel(shift, .init(node: fused.node, use: "shift")))
    case .sum(let a, let b), .elementwiseProduct(let a, let b):
      let (left, right) = (planes(of: a), planes(of: b))
      let kind: vk_kind
      if case .sum = lowerings[index] { kind = VK_ADD } else { kind = VK_MULTIPLY }
      emitElementwise(
        kind, left, second: right, to: destination(of: fused.output), epilogue: epilogue(of: fused))
    case .gate(let value, let gate):
      let (left, right) = (planes(of: value), planes(of: gate))
      emitElementwise(
        VK_MULTIPLY, left, second: right, spreadsSecond: true, to: destination(of: fused.output),
        epilogue: epilogue(of: fused))
    case .maximumPool(let rows, let columns):
      let source = planes(of: input)
      let output = destination(of: fused.output)
      if isDifferentiated(fused.output) {
        let shape = output.shape
        let buffer = newBuffer(
          byteCount: shape.images * shape.blocks * shape.height * shape.width * 32,
          images: shape.images)
        indices[fused.node] = (buffer, shape.images)
      }
      emitPool(
        VK_MAX_POOL, source, output, rows, columns, indices: indices[fused.node],
        countsPadding: false)
    case .averagePool(let rows, let columns, let countsPadding):
      emitPool(
        VK_AVERAGE_POOL, planes(of: input), destination(of: fused.output), rows, columns,
        indices: nil, countsPadding: countsPadding)
    case .globalAverage:
      emitGlobalAverage(
        VK_GLOBAL_AVERAGE, planes(of: input), destination(of: fused.output),
        area: planes(of: input).shape)
    case .function(let function):
      if function.fitsEpilogue, function.hasMask || !isDifferentiated(fused.output) {
        var epilogue = Epilogue()
        epilogue.function = function
        epilogue.writeMask = rememberMask(of: fused.output, node: fused.node, function)
        if request.lines.contains(input), planes[input] == nil {
          emitLine(input, to: destination(of: fused.output), epilogue: epilogue)
          return
        }
        let source = planes(of: input)
        let output = destination(of: fused.output)
        emitElementwise(VK_COPY, source, to: output, epilogue: epilogue)
      } else {
        let source = planes(of: input)
        emitElementwise(
          VK_UNARY, source, to: destination(of: fused.output), function: function)
      }
    case .concatenation(let pieces):
      let whole = destination(of: fused.output)
      let present = continued[fused.output]?.pieces ?? 0
      for (piece, channel) in zip(pieces, firstChannels(of: pieces)).dropFirst(present)
      where parents[piece]?.whole != fused.output {
        emitElementwise(
          VK_COPY, planes(of: piece),
          to: whole.channels(types[piece].shape[1], from: channel))
      }
    case .alias(let source):
      let found = planes(of: source)
      planes[fused.output] = found
    case .channelsLast:
      emitChannelsLast(planes(of: input), rows: destination(of: fused.output))
    case .reshape(let source): emitReshape(planes(of: source), to: destination(of: fused.output))
    case .reference: try emitReference(node)
    }
  }

  func isDifferentiated(_ value: Int) -> Bool { request.source != nil && path.isActive[value] }

  /// Returns what follows the arithmetic of a fused node.
  ///
  /// - Parameter residual: Where the residual is, if not where its value's planes are.
  func epilogue(
    of fused: FusedNode, bias: [Float]? = nil, residual: Planes? = nil
  ) -> Epilogue {
    var epilogue = Epilogue()
    if let bias {
      epilogue.bias = perChannel(
        bias, .init(node: fused.node, use: "bias", variant: variant(fused)))
    }
    epilogue.residual = residual ?? fused.residual.map { planes(of: $0) }
    if let (node, function) = fused.activation {
      epilogue.function = function
      epilogue.writeMask = rememberMask(of: fused.output, node: node, function)
    }
    return epilogue
  }

  /// Distinguishes the constants of one node under different fusions.
  func variant(_ fused: FusedNode) -> [Int] {
    [fused.batchNormalization ?? -1, fused.biasValue ?? -1]
  }

  private func rememberMask(
    of value: Int, node: Int, _ function: KernelFunction
  ) -> Mask? {
    guard isDifferentiated(value), function.hasMask else { return nil }
    let mask = storedMask(of: value)
    masks[value] = (mask, request.rules?[node] ?? .gradient)
    return mask
  }

  /// Returns memory for a value's mask: as the value is, it may be part of a concatenation.
  private func storedMask(of value: Int) -> Mask {
    guard let (whole, channel) = parents[value] else { return newMask(planeShape(of: value)) }
    return wholeMask(of: whole).channels(types[value].shape[1], from: channel)
  }

  func wholeMask(of value: Int) -> Mask {
    if let found = wholeMasks[value] { return found }
    let mask = storedMask(of: value)
    wholeMasks[value] = mask
    return mask
  }

  // MARK: - Convolution

  private func emit(_ convolution: PlanarConvolution, _ fused: FusedNode, input: Int) throws {
    let output = destination(of: fused.output)
    let epilogue = epilogue(of: fused, bias: convolution.bias)
    let key = variant(fused)
    if convolution.isDepthwise {
      try emitDepthwise(convolution, fused, from: planes(of: input), to: output, epilogue: epilogue)
      return
    }
    if planes[input] == nil, let slot = slots[input], convolution.inputs <= 4,
      convolution.groups == 1
    {
      try emitStem(convolution, slot: slot, input: input, to: output, epilogue: epilogue, key)
      return
    }
    let source = planes(of: input)
    if let tileSide = winogradTileSide(convolution, output: output.shape) {
      try emitWinograd(
        convolution, tileSide: tileSide, from: source, to: output, backward: false,
        epilogue: epilogue, key)
      return
    }
    try emitConvolution(
      convolution, from: source, to: output, epilogue: epilogue, use: "forward", key)
  }

  /// Emits a convolution with one filter for each output channel.
  func emitDepthwise(
    _ convolution: PlanarConvolution, _ fused: FusedNode, from input: Planes, to output: Planes,
    epilogue: Epilogue
  ) throws {
    let key = variant(fused)
    var source = input
    if convolution.multiplier > 1 {
      source = newPlanes(
        PlaneShape(
          input.shape.images, convolution.outputs, input.shape.height, input.shape.width),
        halo: convolution.halo)
      try emitConvolution(
        convolution.repeater(), from: input, to: source, epilogue: Epilogue(), use: "repeat", key)
    }
    let weights = try constants.constant(
      .init(node: fused.node, use: "depthwise", variant: key)
    ) { try convolution.packedDepthwise(taps: Array(0..<convolution.taps)) }
    let offsets = forwardOffsets(convolution, in: source).map(Int32.init(truncatingIfNeeded:))
    emitDepthwise(
      from: source, to: output, offsets: offsets, weights: hold(weights),
      stepY: convolution.rows.stride, stepX: convolution.columns.stride, epilogue: epilogue)
  }

  func emitConvolution(
    _ convolution: PlanarConvolution, from source: Planes, to output: Planes, epilogue: Epilogue,
    use: String, _ key: [Int]
  ) throws {
    let offsets = forwardOffsets(convolution, in: source)
    let taps = Array(0..<convolution.taps)
    let groups = try kernelGroups(
      convolution, needed(convolution.slices(backward: false), of: convolution), taps: taps,
      backward: false, .init(node: convolution.node, use: use, variant: key)
    ) { block in
      offsets.map { Int32(truncatingIfNeeded: block * source.blockStride + $0) }
    }
    emitConvolution(
      from: source, to: output, groups: groups, stepY: convolution.rows.stride,
      stepX: convolution.columns.stride, epilogue: epilogue, outputSize: output.shape)
  }

  /// Emits a convolution that reads the network's row-major input, copied into a halo of zeros: no
  /// lane is wasted on channels that do not exist.
  private func emitStem(
    _ convolution: PlanarConvolution, slot: Int, input: Int, to output: Planes,
    epilogue: Epilogue, _ key: [Int]
  ) throws {
    let shape = planeShape(of: input)
    let halo = convolution.halo
    let width = halo.left + shape.width + halo.right
    let height = halo.top + shape.height + halo.bottom
    let buffer = newBuffer(
      byteCount: shape.images * shape.channels * height * width * 4, images: shape.images)
    emit([buffer], slots: [slot]) { layout in
      var op = vk_op()
      op.kind = VK_SURROUND
      op.as.surround.input_buffer = Int32(slot + 1)
      op.as.surround.input_offset = Int64(
        layout.firstImage(of: shape.images) * shape.channels * shape.height * shape.width)
      op.as.surround.output_buffer = 0
      op.as.surround.output_offset = Int64(
        layout.plainOffset(
          of: buffer, images: shape.images, imageStride: shape.channels * height * width))
      op.as.surround.planes = layout.images(shape.images) * Int32(shape.channels)
      op.as.surround.height = Int32(shape.height)
      op.as.surround.width = Int32(shape.width)
      op.as.surround.top = Int32(halo.top)
      op.as.surround.left = Int32(halo.left)
      op.as.surround.bottom = Int32(halo.bottom)
      op.as.surround.right = Int32(halo.right)
      return op
    }
    let origin =
      (halo.top - convolution.rows.padBefore) * width + halo.left - convolution.columns.padBefore
    try emitPlainConvolution(
      convolution, from: buffer, height: height, width: width, origin: origin, to: output,
      epilogue: epilogue, key)
  }

  /// Emits a convolution that reads row-major planes in the arena.
  ///
  /// - Parameters:
  ///   - height: Rows of a plane with its surroundings; `width` alike.
  ///   - origin: The first window's first element.
  func emitPlainConvolution(
    _ convolution: PlanarConvolution, from buffer: Int, height: Int, width: Int, origin: Int,
    to output: Planes, epilogue: Epilogue, _ key: [Int]
  ) throws {
    let offsets = (0..<convolution.inputs).flatMap { channel in
      (0..<convolution.taps).map { tap -> Int32 in
        let y = tap / convolution.columns.kernel * convolution.rows.dilation
        let x = tap % convolution.columns.kernel * convolution.columns.dilation
        return Int32(truncatingIfNeeded: (channel * height + y) * width + x)
      }
    }
    let groups = try convolution.slices(backward: false).map { slice in
      let weights = try constants.constant(
        .init(node: convolution.node, use: "stem", variant: key + [slice.block])
      ) { try convolution.packedForPlainInput(slice) }
      return KernelGroup(slice: slice, weights: hold(weights), offsets: offsets)
    }
    let table = groupTable(groups)
    let (stepY, stepX) = (convolution.rows.stride, convolution.columns.stride)
    emit([buffer, output.buffer] + epilogue.buffers) { [isExact] layout in
      var op = vk_op()
      op.kind = VK_CONVOLUTION
      var input = vk_map()
      input.buffer = 0
      input.pixel_stride = Int32(stepX)
      input.offset = Int64(
        layout.plainOffset(
          of: buffer, images: output.shape.images, imageStride: convolution.inputs * height * width)
          + origin)
      input.image_stride = Int64(convolution.inputs * height * width)
      input.row_stride = Int64(stepY * width)
      op.as.convolution.input = input
      op.as.convolution.output = layout.map(output)
      op.as.convolution.groups = UnsafePointer(table)
      op.as.convolution.group_count = Int32(groups.count)
      op.as.convolution.tap_lanes = 1
      op.as.convolution.images = layout.images(output.shape.images)
      op.as.convolution.height = Int32(output.shape.height)
      op.as.convolution.width = Int32(output.shape.width)
      op.as.convolution.flush = isExact ? 512 : 0
      op.as.convolution.epilogue = epilogue.resolved(layout)
      return op
    }
  }

  /// Returns the offset of each tap from the input pixel under an output's top-left corner.
  func forwardOffsets(_ convolution: PlanarConvolution, in source: Planes) -> [Int] {
    (0..<convolution.taps).map { tap in
      let y =
        tap / convolution.columns.kernel * convolution.rows.dilation - convolution.rows.padBefore
      let x =
        tap % convolution.columns.kernel * convolution.columns.dilation
        - convolution.columns.padBefore
      return y * source.rowStride + x * 16
    }
  }

  struct KernelGroup {
    let slice: PlanarConvolution.Slice
    let weights: UnsafePointer<Float>
    let offsets: [Int32]
  }

  /// Returns the kernel's groups with their weights, packed once for each key.
  ///
  /// - Parameter offsets: Of the taps within an input block.
  func kernelGroups(
    _ convolution: PlanarConvolution, _ slices: [PlanarConvolution.Slice], taps: [Int],
    backward: Bool, _ key: PackedConstants.Key, offsets: (_ block: Int) -> [Int32]
  ) throws -> [KernelGroup] {
    let parts = slices.flatMap {
      [$0.block, $0.inputBlocks.lowerBound, $0.inputBlocks.upperBound]
    }
    var weights = hold(
      try constants.constant(.init(node: key.node, use: key.use, variant: key.variant + parts)) {
        try convolution.packed(slices, taps: taps, backward: backward, threads: threads)
      })
    let counts = convolution.packedCounts(slices, taps: taps.count)
    return zip(slices, counts).map { slice, count in
      defer { weights += count }
      return KernelGroup(
        slice: slice, weights: weights, offsets: slice.inputBlocks.flatMap(offsets))
    }
  }

  private func groupTable(_ groups: [KernelGroup]) -> UnsafeMutablePointer<vk_group> {
    table(
      groups.map { group in
        var result = vk_group()
        result.taps = UnsafePointer(table(group.offsets))
        result.weights = group.weights
        result.tap_count = Int32(group.offsets.count)
        result.block = Int32(group.slice.block)
        result.blocks = Int32(group.slice.blocks)
        return result
      })
  }

  /// Emits a convolution over blocked planes.
  ///
  /// - Parameters:
  ///   - stepY: Rows of the input between successive outputs; `stepX` alike.
  ///   - outputSize: Height and width of the outputs computed.
  ///   - target: Which of the output's pixels they are: every `step`-th from `(row, column)`.
  func emitConvolution(
    from source: Planes, to output: Planes, groups: [KernelGroup], stepY: Int, stepX: Int,
    epilogue: Epilogue, outputSize: PlaneShape,
    target: (stepY: Int, stepX: Int, row: Int, column: Int) = (1, 1, 0, 0)
  ) {
    let table = groupTable(groups)
    emit([source.buffer, output.buffer] + epilogue.buffers) { [isExact] layout in
      var op = vk_op()
      op.kind = VK_CONVOLUTION
      op.as.convolution.input = layout.map(source, stepY: stepY, stepX: stepX)
      op.as.convolution.output = layout.map(
        output, stepY: target.stepY, stepX: target.stepX, row: target.row, column: target.column)
      op.as.convolution.groups = UnsafePointer(table)
      op.as.convolution.group_count = Int32(groups.count)
      op.as.convolution.tap_lanes = 16
      op.as.convolution.images = layout.images(output.shape.images)
      op.as.convolution.height = Int32(outputSize.height)
      op.as.convolution.width = Int32(outputSize.width)
      op.as.convolution.flush = isExact ? 32 : 0
      op.as.convolution.epilogue = epilogue.resolved(layout)
      return op
    }
  }

  /// Emits a depthwise convolution; parameters as for the full one.
  func emitDepthwise(
    from source: Planes, to output: Planes, offsets: [Int32], weights: UnsafePointer<Float>,
    stepY: Int, stepX: Int, epilogue: Epilogue, height: Int? = nil, width: Int? = nil,
    target: (stepY: Int, stepX: Int, row: Int, column: Int) = (1, 1, 0, 0)
  ) {
    let taps = table(offsets)
    emit([source.buffer, output.buffer] + epilogue.buffers) { layout in
      var op = vk_op()
      op.kind = VK_DEPTHWISE
      op.as.depthwise.input = layout.map(source, stepY: stepY, stepX: stepX)
      op.as.depthwise.output = layout.map(
        output, stepY: target.stepY, stepX: target.stepX, row: target.row, column: target.column)
      op.as.depthwise.taps = UnsafePointer(taps)
      op.as.depthwise.weights = weights
      op.as.depthwise.tap_count = Int32(offsets.count)
      op.as.depthwise.images = layout.images(output.shape.images)
      op.as.depthwise.blocks = Int32(output.shape.blocks)
      op.as.depthwise.height = Int32(height ?? output.shape.height)
      op.as.depthwise.width = Int32(width ?? output.shape.width)
      op.as.depthwise.epilogue = epilogue.resolved(layout)
      return op
    }
  }

  // MARK: - Other operations

  private func emit(
    _ product: Lowering.MatrixProduct, _ fused: FusedNode, input: Int
  ) throws {
    let source = denseRows(planes(of: input))
    let output = destination(of: fused.output)
    let weights = try constants.constant(.init(node: fused.node, use: "product")) {
      try product.packed(threads: threads)
    }
    let bias = product.bias.map {
      perChannel($0, .init(node: fused.node, use: "bias", variant: variant(fused)))
    }
    // The kernel applies the function itself but writes no mask.
    let needsMask = fused.activation.map { isDifferentiated(fused.output) && $0.function.hasMask }
    emitProduct(
      from: source, to: output, inner: product.inner, columns: product.columns,
      weights: hold(weights), bias: bias,
      function: needsMask == true ? nil : fused.activation?.function, accumulates: false)
    if needsMask == true, let (node, function) = fused.activation {
      var epilogue = Epilogue()
      epilogue.function = function
      epilogue.writeMask = rememberMask(of: fused.output, node: node, function)
      emitElementwise(VK_COPY, output, to: output, epilogue: epilogue)
    }
  }

  /// Returns planes of one pixel whose blocks follow one another, as rows of a matrix.
  func denseRows(_ planes: Planes) -> Planes {
    if planes.blockStride == 16 { return planes }
    let rows = newPlanes(planes.shape, halo: Halo())
    emitElementwise(VK_COPY, planes, to: rows)
    return rows
  }

  /// Emits `output = source · weights (+ bias)`, or adds that to the output.
  ///
  /// - Parameter transposed: Whether the weights were packed for the product with their transpose.
  func emitProduct(
    from source: Planes, to output: Planes, inner: Int, columns: Int,
    weights: UnsafePointer<Float>, transposed: Bool = false, bias: UnsafePointer<Float>?,
    function: KernelFunction?, accumulates: Bool
  ) {
    guard output.blockStride == 16 else {
      let rows = newPlanes(output.shape, halo: Halo())
      emitProduct(
        from: source, to: rows, inner: inner, columns: columns, weights: weights,
        transposed: transposed, bias: bias, function: function, accumulates: false)
      var epilogue = Epilogue()
      if accumulates { epilogue.residual = output }
      emitElementwise(VK_COPY, rows, to: output, epilogue: epilogue)
      return
    }
    emit([source.buffer, output.buffer]) { layout in
      var op = vk_op()
      op.kind = VK_MATRIX_PRODUCT
      op.as.product.a_offset = layout.map(source).offset
      op.as.product.c_offset = layout.map(output).offset
      op.as.product.lda = Int64(source.imageStride)
      op.as.product.ldc = Int64(output.imageStride)
      op.as.product.m = layout.images(output.shape.images)
      op.as.product.n = Int32(columns)
      op.as.product.k = Int32(inner)
      op.as.product.packed = weights
      op.as.product.b_buffer = -1
      op.as.product.bias = bias
      op.as.product.accumulate = accumulates ? 1 : 0
      op.as.product.transposed = transposed ? 1 : 0
      op.as.product.function = function?.function ?? VK_IDENTITY
      op.as.product.alpha = function?.alpha ?? 0
      op.as.product.beta = function?.beta ?? 0
      return op
    }
  }

  /// Emits pooling, or its backward pass, where `input` is the cotangent to be written.
  func emitPool(
    _ kind: vk_kind, _ input: Planes, _ output: Planes, _ rows: Window, _ columns: Window,
    indices: (buffer: Int, images: Int)?, countsPadding: Bool, epilogue: Epilogue = Epilogue()
  ) {
    let buffers = [input.buffer, output.buffer] + epilogue.buffers
    emit(buffers + (indices.map { [$0.buffer] } ?? [])) { layout in
      var pool = vk_pool_window()
      pool.input = layout.map(input)
      pool.output = layout.map(output)
      pool.images = layout.images(input.shape.images)
      pool.blocks = Int32(input.shape.blocks)
      pool.input_height = Int32(rows.input)
      pool.input_width = Int32(columns.input)
      pool.height = Int32(rows.output)
      pool.width = Int32(columns.output)
      pool.kernel_y = Int32(rows.kernel)
      pool.kernel_x = Int32(columns.kernel)
      pool.stride_y = Int32(rows.stride)
      pool.stride_x = Int32(columns.stride)
      pool.dilation_y = Int32(rows.dilation)
      pool.dilation_x = Int32(columns.dilation)
      pool.pad_top = Int32(rows.padBefore)
      pool.pad_left = Int32(columns.padBefore)
      pool.pad_bottom = Int32(rows.padAfter)
      pool.pad_right = Int32(columns.padAfter)
      pool.count_include_pad = countsPadding ? 1 : 0
      pool.index_buffer = indices == nil ? -1 : 0
      pool.index_offset = Int64(
        indices.map {
          layout.offsets[$0.buffer] / 2
            + layout.firstImage(of: $0.images, in: $0.buffer) * output.shape.blocks * rows.output
            * columns.output * 16
        } ?? 0)
      pool.index_images = layout.images(indices?.images ?? 1)
      let resolved = epilogue.resolved(layout)
      pool.read_mask = resolved.read_mask
      pool.rule = resolved.rule
      var op = vk_op()
      op.kind = kind
      op.as.pool = pool
      return op
    }
  }

  func emitGlobalAverage(
    _ kind: vk_kind, _ input: Planes, _ output: Planes, area: PlaneShape,
    epilogue: Epilogue = Epilogue()
  ) {
    emit([input.buffer, output.buffer] + epilogue.buffers) { layout in
      var op = vk_op()
      op.kind = kind
      op.as.elementwise.input = layout.map(input)
      op.as.elementwise.second = layout.map(nil)
      op.as.elementwise.output = layout.map(output)
      op.as.elementwise.images = layout.images(output.shape.images)
      op.as.elementwise.blocks = Int32(output.shape.blocks)
      op.as.elementwise.height = Int32(area.height)
      op.as.elementwise.width = Int32(area.width)
      op.as.elementwise.second_images = 1
      op.as.elementwise.epilogue = epilogue.resolved(layout)
      return op
    }
  }

  /// Emits a change of shape through row-major memory.
  func emitReshape(_ source: Planes, to output: Planes) {
    let perImage = source.shape.channels * source.shape.height * source.shape.width
    let isRows = output.shape.height * output.shape.width == 1
    // One pixel without halo is row-major already, up to the lanes past the last channel.
    if isRows, output.halo.isEmpty, output.firstBlock == 0,
      output.bufferBlocks == output.shape.blocks
    {
      emit([source.buffer, output.buffer]) { layout in
        layout.change(
          VK_UNPACK, source, as: source.shape, at: Int(layout.map(output).offset),
          imageStride: output.imageStride)
      }
      return
    }
    let isFromRows = source.shape.height * source.shape.width == 1
    if isFromRows, source.halo.isEmpty {
      emit([source.buffer, output.buffer]) { layout in
        layout.change(
          VK_PACK, output, as: output.shape, at: Int(layout.map(source).offset),
          imageStride: source.imageStride)
      }
      return
    }
    let buffer = newBuffer(
      byteCount: source.shape.images * perImage * 4, images: source.shape.images)
    emit([source.buffer, buffer]) { layout in
      layout.change(
        VK_UNPACK, source, as: source.shape,
        at: layout.plainOffset(of: buffer, images: source.shape.images, imageStride: perImage),
        imageStride: perImage)
    }
    emit([output.buffer, buffer]) { layout in
      layout.change(
        VK_PACK, output, as: output.shape,
        at: layout.plainOffset(of: buffer, images: source.shape.images, imageStride: perImage),
        imageStride: perImage)
    }
  }

  /// Emits a node that runs its reference implementation.
  private func emitReference(_ node: Wiring.Node) throws {
    let arguments = node.inputs.map { $0.map { slot(of: $0) } }
    var results: [Int?] = []
    for output in node.outputs {
      guard let output else {
        results.append(nil)
        continue
      }
      let slot = newSlot()
      slots[output] = slot
      reserve(types[output].shape.count * 4)
      results.append(slot)
    }
    let targets = results
    emitHost { _ in
      { frame in
        let tensors = arguments.map { $0.flatMap { frame.slots[$0] } }
        do {
          for case (let slot?, let tensor) in zip(
            targets, try node.operation.evaluate(tensors, Float.self))
          {
            frame.slots[slot] = tensor
          }
        } catch let error as OperatorError {
          throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.reason)
        }
      }
    }
  }
}

extension Lowering.MatrixProduct {
  /// Returns the matrix as the kernel reads it.
  func packed(threads: Int) throws -> PackedConstant {
    try weights.withElements(of: Float.self) { weights in
      PackedConstant(count: (columns + 31) / 32 * 32 * inner) { packed in
        guard let source = weights.baseAddress else { return }
        let pieces = stride(from: 0, to: columns, by: 32).map { column in
          var piece = vk_packing()
          piece.kind = VK_PACK_MATRIX
          piece.packed = packed + column * inner
          piece.source = source + column * strideN
          piece.inputs = Int64(inner)
          piece.outputs = Int64(min(32, columns - column))
          piece.input_stride = Int64(strideK)
          piece.output_stride = Int64(strideN)
          return piece
        }
        vk_pack(pieces, pieces.count, Int32(threads))
      }
    }
  }
}
