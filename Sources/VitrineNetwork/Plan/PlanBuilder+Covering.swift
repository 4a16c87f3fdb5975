internal import CVitrineKernels
internal import VitrineTensor

/// An input of which one box after the other is covered, and what of the graph changes with it.
struct Covering {
  /// The covered input.
  let input: Int
  /// Which part of the input each box covers.
  let covered: ChangedRegion
  /// Values that are computed as boxes; values that change without a region are computed whole.
  fileprivate(set) var regions: [Int: ChangedRegion] = [:]
  /// For each value, whether it changes with the input.
  fileprivate(set) var moves: [Bool] = []
  /// Fixed values that whole values are computed from.
  fileprivate var neededFixed: [Bool] = []
  /// Values of the uncovered input that surround the boxes, one sample each, in the order of their slots
  /// after the inputs.
  fileprivate(set) var baseValues: [Int] = []
  /// The slot with the cover, one sample, then that with the places of all pieces.
  fileprivate(set) var coverSlot = 0
  fileprivate(set) var placeSlot = 0
  fileprivate(set) var pieces: [Piece] = []
  fileprivate var bases: [Int: Planes] = [:]
  fileprivate var cover: Planes?
  fileprivate var boxes: [Int: Planes] = [:]

  init(_ input: Int, _ covered: ChangedRegion) {
    self.input = input
    self.covered = covered
  }
}

/// How the pieces are cut that one operation reads.
struct Piece {
  /// What the operation computes; `nil` if its operand is needed whole.
  fileprivate let target: ChangedRegion?
  fileprivate let rows: Window
  fileprivate let columns: Window
  /// What is laid over the base; `nil` for nothing.
  fileprivate let overlay: ChangedRegion?
  /// Whether the overlay is all of the cover, and not boxes.
  fileprivate let overlayIsCover: Bool

  /// Returns the numbers of a `vk_patch_place`.
  func place(of variant: Int) -> [Int64] {
    let y = target.map { $0.rows.starts[variant] * rows.stride - rows.padBefore } ?? 0
    let x = target.map { $0.columns.starts[variant] * columns.stride - columns.padBefore } ?? 0
    guard let overlay else { return [y, x, 0, 0, 0, 0, 0, 0].map(Int64.init) }
    if overlayIsCover {
      let (rows, columns) = (overlay.rows.changed[variant], overlay.columns.changed[variant])
      return [
        y, x, rows.lowerBound, columns.lowerBound, rows.count, columns.count, rows.lowerBound,
        columns.lowerBound,
      ].map(Int64.init)
    }
    return [
      y, x, overlay.rows.starts[variant], overlay.columns.starts[variant], overlay.rows.size,
      overlay.columns.size, 0, 0,
    ].map(Int64.init)
  }
}

// A covered box of the input changes a box of each value, which convolutions and pooling widen. Only these
// boxes are computed, each operation's in one size for all variants, on pieces cut out of the values of the
// uncovered input with the boxes of the values before laid over them. Once a box is nearly everything, and
// where an operation reads everything, values are computed whole.
extension PlanBuilder {
  /// Finds the region of each value.
  ///
  /// - Returns: Whether there is anything to gain: the readers of the input compute boxes.
  func chooseRegions() -> Bool {
    guard var covering else { return false }
    covering.moves = wiring.dependents(of: [covering.input])
    covering.regions[covering.input] = covering.covered
    var bases: Set<Int> = []
    for index in nodes.indices where covering.moves[nodes[index].output] {
      self.covering = covering
      let operands = boxOperands(of: index)
      if let operands, let region = region(of: index, operands) {
        covering.regions[nodes[index].output] = region
        bases.formUnion(operands.map(\.value))
      } else {
        let read = reads(nodes[index])
        if read.contains(covering.input) { return false }
        bases.formUnion(read.filter { covering.regions[$0] != nil })
      }
    }
    for target in request.targets where covering.regions[target] != nil { bases.insert(target) }
    covering.baseValues = bases.sorted()
    covering.neededFixed = fixedValuesNeeded(covering)
    self.covering = covering
    return request.targets.allSatisfy { covering.moves[$0] }
      && covering.baseValues.allSatisfy { PlaneShape(types[$0].shape.dimensions) != nil }
  }

  /// Returns the fixed values that whole values, and what those are computed from, need.
  private func fixedValuesNeeded(_ covering: Covering) -> [Bool] {
    var needed = [Bool](repeating: false, count: wiring.values.count)
    for fused in nodes.reversed() {
      let isWhole = covering.moves[fused.output] && covering.regions[fused.output] == nil
      guard isWhole || needed[fused.output] else { continue }
      for value in reads(fused) where !covering.moves[value] { needed[value] = true }
    }
    return needed
  }

  /// One operand of an operation on boxes.
  private struct BoxOperand {
    let value: Int
    var rows: Window
    var columns: Window
    /// What lies around the value.
    var outside: Float = 0
  }

  /// Returns what an operation reads, if it can compute boxes.
  private func boxOperands(of index: Int) -> [BoxOperand]? {
    let fused = nodes[index]
    guard let covering, let shape = PlaneShape(types[fused.output].shape.dimensions),
      types[fused.output].shape.rank > 2
    else { return nil }
    let input = fused.input
    func same(_ value: Int) -> BoxOperand {
      BoxOperand(value: value, rows: .identity(shape.height), columns: .identity(shape.width))
    }
    var operands: [BoxOperand]
    switch lowerings[index] {
    case .convolution(let convolution):
      operands = [
        BoxOperand(value: input, rows: convolution.rows, columns: convolution.columns)
      ]
    case .maximumPool(let rows, let columns):
      // Padding never is the maximum.
      operands = [BoxOperand(value: input, rows: rows, columns: columns, outside: -.infinity)]
    case .averagePool(let rows, let columns, let countsPadding):
      // Every window divides by the same number.
      guard
        [rows, columns].allSatisfy({
          ($0.padBefore == 0 && $0.padAfter == 0 || countsPadding)
            && ($0.output - 1) * $0.stride + $0.extent <= $0.padBefore + $0.input + $0.padAfter
        })
      else { return nil }
      operands = [BoxOperand(value: input, rows: rows, columns: columns)]
    case .affine, .function, .alias: operands = [same(input)]
    case .sum(let a, let b), .elementwiseProduct(let a, let b): operands = [same(a), same(b)]
    case .concatenation(let pieces): operands = pieces.map(same)
    case .product, .globalAverage, .gate, .channelsLast, .reshape, .reference: return nil
    }
    if let residual = fused.residual { operands.append(same(residual)) }
    let fit = operands.allSatisfy {
      !covering.moves[$0.value] || covering.regions[$0.value] != nil
    }
    return fit ? operands : nil
  }

  /// Returns the region behind some operands; `nil` if it is nearly everything.
  private func region(of index: Int, _ operands: [BoxOperand]) -> ChangedRegion? {
    guard let covering else { return nil }
    var rows: [Range<Int>]?
    var columns: [Range<Int>]?
    for operand in operands {
      guard let region = covering.regions[operand.value] else { continue }
      let behind = region.rows.behind(operand.rows)
      let beside = region.columns.behind(operand.columns)
      rows = rows.map { hull($0, behind) } ?? behind
      columns = columns.map { hull($0, beside) } ?? beside
    }
    guard let rows, let columns else { return nil }
    let shape = planeShape(of: nodes[index].output)
    var alignment = 1
    // Tiles of minimal filtering have the same places in a box as in the whole.
    if case .convolution(let convolution) = lowerings[index],
      let tileSide = winogradTileSide(convolution, output: shape)
    {
      alignment = tileSide
    }
    let region = ChangedRegion(
      rows: ChangedAxis(extent: shape.height, changed: rows, alignment: alignment),
      columns: ChangedAxis(extent: shape.width, changed: columns, alignment: alignment))
    return region.isNearlyWhole ? nil : region
  }

  // MARK: - Steps

  /// Emits what runs before the first batch: the values around the boxes, and the cover.
  func emitCoveringStart() {
    guard let covering else { return }
    let baseSlots = covering.baseValues.map { _ in newSlot() }
    self.covering?.coverSlot = newSlot()
    self.covering?.placeSlot = newSlot()
    for (value, slot) in zip(covering.baseValues, baseSlots) {
      let base = pack(slot, of: value)
      self.covering?.bases[value] = base
      // The row-major copy is not needed again.
      emitHost { _ in { frame in frame.slots[slot] = nil } }
    }
    if let slot = self.covering?.coverSlot {
      let cover = pack(slot, of: covering.input)
      self.covering?.cover = cover
    }
  }

  /// Emits a node: as boxes, or whole.
  func emitCovered(_ index: Int) throws {
    guard let covering else { return }
    let fused = nodes[index]
    guard covering.moves[fused.output] else {
      if covering.neededFixed[fused.output] { try emitForward(index) }
      return
    }
    if let region = covering.regions[fused.output], let operands = boxOperands(of: index) {
      try emitBoxes(index, region, operands)
      return
    }
    for value in reads(fused) where covering.regions[value] != nil { makeWhole(value) }
    try emitForward(index)
  }

  /// Makes a value whole that was computed as boxes.
  func makeWhole(_ value: Int) {
    guard planes[value] == nil, covering?.regions[value] != nil else { return }
    let shape = planeShape(of: value)
    emitPieces(
      BoxOperand(value: value, rows: .identity(shape.height), columns: .identity(shape.width)),
      for: nil, to: destination(of: value))
  }

  private func emitBoxes(
    _ index: Int, _ region: ChangedRegion, _ operands: [BoxOperand]
  ) throws {
    let fused = nodes[index]
    let shape = planeShape(of: fused.output)
    if case .alias = lowerings[index] {
      // The pieces read `covering`: made before it is changed.
      let same = pieces(of: operands[0], for: region)
      covering?.boxes[fused.output] = same
      return
    }
    let output = newPlanes(
      PlaneShape(shape.images, shape.channels, region.rows.size, region.columns.size), halo: Halo())
    covering?.boxes[fused.output] = output
    if case .concatenation = lowerings[index] {
      var channel = 0
      for operand in operands {
        let channels = types[operand.value].shape[1]
        emitPieces(operand, for: region, to: output.channels(channels, from: channel))
        channel += channels
      }
      return
    }
    let residual = fused.residual == nil ? nil : operands.last.map { pieces(of: $0, for: region) }
    let source = pieces(of: operands[0], for: region)
    switch lowerings[index] {
    case .convolution(let convolution):
      try emitBoxes(
        convolution.on(rows: region.rows.size, columns: region.columns.size), fused,
        isPlain: operands[0].value == covering?.input && convolution.inputs <= 4
          && convolution.groups == 1,
        tileSide: winogradTileSide(convolution, output: shape), from: source, to: output,
        residual: residual)
    case .maximumPool(let rows, let columns):
      emitPool(
        VK_MAX_POOL, source, output, rows.on(region.rows.size), columns.on(region.columns.size),
        indices: nil, countsPadding: false)
    case .averagePool(let rows, let columns, _):
      emitPool(
        VK_AVERAGE_POOL, source, output, rows.on(region.rows.size),
        columns.on(region.columns.size), indices: nil, countsPadding: false)
    case .affine(let scale, let shift):
      emitElementwise(
        VK_AFFINE, source, to: output, epilogue: epilogue(of: fused, residual: residual),
        scale: perChannel(scale, .init(node: fused.node, use: "scale")),
        shift: perChannel(shift, .init(node: fused.node, use: "shift")))
    case .sum, .elementwiseProduct:
      let kind: vk_kind
      if case .sum = lowerings[index] { kind = VK_ADD } else { kind = VK_MULTIPLY }
      emitElementwise(
        kind, source, second: pieces(of: operands[1], for: region), to: output,
        epilogue: epilogue(of: fused, residual: residual))
    case .function(let function):
      if function.fitsEpilogue {
        var epilogue = Epilogue()
        epilogue.function = function
        emitElementwise(VK_COPY, source, to: output, epilogue: epilogue)
      } else {
        emitElementwise(VK_UNARY, source, to: output, function: function)
      }
    case .product, .globalAverage, .gate, .concatenation, .alias, .channelsLast, .reshape,
      .reference:
      preconditionFailure("chooseRegions gives regions to operations on boxes only")
    }
  }

  /// Emits a convolution that reads pieces with their surroundings.
  ///
  /// - Parameters:
  ///   - isPlain: Whether the whole is computed from row-major planes.
  ///   - isFiltered: Whether the whole is computed by minimal filtering.
  private func emitBoxes(
    _ convolution: PlanarConvolution, _ fused: FusedNode, isPlain: Bool, tileSide: Int?,
    from source: Planes, to output: Planes, residual: Planes?
  ) throws {
    let epilogue = epilogue(of: fused, bias: convolution.bias, residual: residual)
    let key = variant(fused)
    if convolution.isDepthwise {
      try emitDepthwise(convolution, fused, from: source, to: output, epilogue: epilogue)
    } else if isPlain {
      let shape = source.shape
      let plane = shape.height * shape.width
      let buffer = newBuffer(
        byteCount: shape.images * shape.channels * plane * 4, images: shape.images)
      emit([source.buffer, buffer]) { layout in
        layout.change(
          VK_UNPACK, source, as: shape, at: layout.offsets[buffer] / 4,
          imageStride: shape.channels * plane)
      }
      try emitPlainConvolution(
        convolution, from: buffer, height: shape.height, width: shape.width, origin: 0, to: output,
        epilogue: epilogue, key)
    } else if let tileSide {
      try emitWinograd(
        convolution, tileSide: tileSide, from: source, to: output, backward: false,
        epilogue: epilogue, key)
    } else {
      try emitConvolution(
        convolution, from: source, to: output, epilogue: epilogue, use: "forward", key)
    }
  }

  /// Returns what an operation reads of an operand, for each variant.
  private func pieces(of operand: BoxOperand, for region: ChangedRegion) -> Planes {
    if let boxes = covering?.boxes[operand.value], operand.rows.isIdentity,
      operand.columns.isIdentity, let own = covering?.regions[operand.value],
      own.rows.starts == region.rows.starts, own.columns.starts == region.columns.starts,
      own.rows.size == region.rows.size, own.columns.size == region.columns.size
    {
      return boxes
    }
    let shape = planeShape(of: operand.value)
    let result = newPlanes(
      PlaneShape(
        shape.images, shape.channels, operand.rows.on(region.rows.size).input,
        operand.columns.on(region.columns.size).input), halo: Halo())
    emitPieces(operand, for: region, to: result)
    return result
  }

  private func emitPieces(_ operand: BoxOperand, for region: ChangedRegion?, to output: Planes) {
    guard let covering, let base = covering.bases[operand.value] else {
      preconditionFailure("the values around boxes are kept")
    }
    let isInput = operand.value == covering.input
    let overlay = isInput ? covering.cover : covering.boxes[operand.value]
    let placement = covering.pieces.count
    self.covering?.pieces.append(
      Piece(
        target: region, rows: operand.rows, columns: operand.columns,
        overlay: covering.regions[operand.value], overlayIsCover: isInput))
    let slot = covering.placeSlot
    emit([base.buffer, output.buffer] + (overlay.map { [$0.buffer] } ?? []), slots: [slot]) {
      layout in
      var op = vk_op()
      op.kind = VK_PATCH
      op.as.patch.base = layout.map(base)
      op.as.patch.overlay = layout.map(overlay)
      if isInput { op.as.patch.overlay.image_stride = 0 }
      op.as.patch.output = layout.map(output)
      op.as.patch.images = Int32(output.shape.images)
      op.as.patch.blocks = Int32(output.shape.blocks)
      op.as.patch.height = Int32(output.shape.height)
      op.as.patch.width = Int32(output.shape.width)
      op.as.patch.base_height = Int32(base.shape.height)
      op.as.patch.base_width = Int32(base.shape.width)
      op.as.patch.place_buffer = Int32(slot + 1)
      op.as.patch.place_offset = Int64(placement * output.shape.images)
      op.as.patch.outside = operand.outside
      return op
    }
  }
}

extension Window {
  /// The window that reads a piece of the input with its surroundings, as large as `outputs` need.
  fileprivate func on(_ outputs: Int) -> Window {
    Window(
      input: (outputs - 1) * stride + extent, kernel: kernel, stride: stride, dilation: dilation,
      padBefore: 0, padAfter: 0, output: outputs)
  }
}

extension PlanarConvolution {
  fileprivate func on(rows height: Int, columns width: Int) -> PlanarConvolution {
    PlanarConvolution(
      node: node, groups: groups, inputs: inputs, outputs: outputs, rows: rows.on(height),
      columns: columns.on(width), weights: weights, bias: bias)
  }
}
