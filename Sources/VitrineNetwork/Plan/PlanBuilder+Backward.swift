internal import CVitrineKernels
internal import VitrineCore
internal import VitrineTensor

// The backward pass: each value's cotangent is the sum of contributions, one from each active reader.
// The first contribution writes, later ones add, and the last one applies the mask of the rectifier
// that wrote the value: what is stored is then the cotangent of the rectifier's input.
extension PlanBuilder {
  /// Emits the backward pass from the given cotangents of `source`.
  func emitBackward(from source: Int) throws {
    countContributions(source: source)
    joinMasks()
    chooseCotangentHalos()

    let seed = seedSlot
    if hasPlanes(source) {
      let (planes, _) = begin(source)
      let imageStride = planes.shape.channels * planes.shape.height * planes.shape.width
      emit([planes.buffer], slots: [seed]) { layout in
        layout.change(
          VK_PACK, planes, as: planes.shape, inSlot: seed, imageStride: imageStride)
      }
      finish(source, isMasked: false)
    } else {
      cotangentSlots[source] = seed
    }

    for index in nodes.indices.reversed() {
      let fused = nodes[index]
      guard
        wiring.nodes[fused.node].outputs.contains(where: { $0.map(isReached) ?? false })
          || isReached(fused.output)
      else { continue }
      if let planes = cotangents[fused.output] {
        // The cotangent of a rectifier's output, masked, is that of its input.
        for value in request.sums where value == rectified(by: fused) { emitSum(value, planes) }
      }
      guard reads(fused).contains(where: { path.isActive[$0] }) else { continue }
      purpose = .backward(index)
      try emitBackward(index)
    }
  }

  private func isReached(_ value: Int) -> Bool {
    path.isActive[value] && (cotangents[value] != nil || cotangentSlots[value] != nil)
  }

  private func hasPlanes(_ value: Int) -> Bool {
    PlaneShape(types[value].shape.dimensions) != nil && types[value].shape.count > 0
  }

  /// The values a fused node reads, with repetitions.
  func reads(_ fused: FusedNode) -> [Int] {
    let node = wiring.nodes[fused.node]
    return [fused.input] + node.inputs.dropFirst().compactMap { $0 }
      + (fused.residual.map { [$0] } ?? [])
  }

  private func countContributions(source: Int) {
    remainingContributions[source, default: 0] += 1
    for fused in nodes where path.isActive[fused.output] || isAnyOutputActive(fused) {
      for value in reads(fused) where path.isActive[value] {
        remainingContributions[value, default: 0] += 1
      }
    }
  }

  /// Masks a concatenation's cotangent instead of those of its parts, and an alias's instead of its source's:
  /// so an operation that writes the whole can mask on its way.
  private func joinMasks() {
    func maskOfOnlyContribution(_ value: Int) -> (mask: Mask, rule: BackwardRule)? {
      guard remainingContributions[value] == 1, !request.sites.contains(value),
        !request.sums.contains(value)
      else { return nil }
      return masks[value]
    }
    for (fused, lowering) in zip(nodes, lowerings)
    where masks[fused.output] == nil && path.isActive[fused.output] {
      switch lowering {
      case .concatenation(let pieces):
        let found = pieces.compactMap { maskOfOnlyContribution($0) }
        guard found.count == pieces.count, let rule = found.first?.rule,
          found.allSatisfy({ $0.rule == rule }),
          pieces.allSatisfy({ parents[$0]?.whole == fused.output })
        else { continue }
        masks[fused.output] = (wholeMask(of: fused.output), rule)
        isMaskedElsewhere.formUnion(pieces)
      case .alias(let source):
        guard let found = maskOfOnlyContribution(source) else { continue }
        masks[fused.output] = found
        isMaskedElsewhere.insert(source)
      default: continue
      }
    }
  }

  private func isAnyOutputActive(_ fused: FusedNode) -> Bool {
    wiring.nodes[fused.node].outputs.contains { $0.map { path.isActive[$0] } ?? false }
  }

  private func chooseCotangentHalos() {
    for (fused, lowering) in zip(nodes, lowerings) {
      var halo = cotangentHalos[fused.output] ?? Halo()
      switch lowering {
      case .convolution(let convolution):
        if !convolution.isDepthwise || backwardTiling(of: convolution) == nil {
          halo = halo.union(convolution.cotangentHalo)
        }
      // These may hand their cotangent on as it is.
      case .sum(let a, let b):
        halo = halo.union(cotangentHalos[a] ?? Halo()).union(cotangentHalos[b] ?? Halo())
      case .alias(let source): halo = halo.union(cotangentHalos[source] ?? Halo())
      case .concatenation(let pieces):
        for piece in pieces { halo = halo.union(cotangentHalos[piece] ?? Halo()) }
      case .function: halo = halo.union(cotangentHalos[reads(fused)[0]] ?? Halo())
      default: break
      }
      if let residual = fused.residual { halo = halo.union(cotangentHalos[residual] ?? Halo()) }
      cotangentHalos[fused.output] = halo
    }
  }

  // MARK: - Contributions

  /// Returns the planes that a contribution to a value's cotangent goes to, and whether it must add.
  private func begin(_ value: Int) -> (planes: Planes, adds: Bool) {
    if let found = cotangents[value] { return (found, true) }
    if let pieces = cotangentOfPieces(value) {
      cotangents[value] = pieces
      continuesPieces.insert(value)
      return (pieces, true)
    }
    let shape = planeShape(of: value)
    let planes = newPlanes(
      shape.with(images: shape.images * request.cotangents), halo: cotangentHalos[value] ?? Halo())
    cotangents[value] = planes
    return (planes, false)
  }

  /// Returns the cotangents of a concatenation's pieces as one where all of them have contributions and lie one
  /// behind the other, as those that a longer concatenation of the same pieces has handed on.
  private func cotangentOfPieces(_ value: Int) -> Planes? {
    guard let index = producers[value], case .concatenation(let pieces) = lowerings[index],
      !request.sites.contains(value), !request.sums.contains(value), masks[value] == nil,
      Set(pieces).count == pieces.count, pieces.allSatisfy({ path.isActive[$0] }),
      let first = pieces.first.flatMap({ cotangents[$0] }),
      !needsLargerHalo(value, than: first.halo)
    else { return nil }
    let whole = first.channels(types[value].shape[1], from: 0)
    for (piece, channel) in zip(pieces, firstChannels(of: pieces)) {
      guard channel % 16 == 0,
        cotangents[piece] == whole.channels(types[piece].shape[1], from: channel)
      else { return nil }
    }
    return whole
  }

  /// Returns the mask that the next contribution may apply, if it is the last.
  private func maskForLast(_ value: Int) -> (mask: Mask, rule: BackwardRule)? {
    guard remainingContributions[value] == 1, !request.sites.contains(value),
      !request.sums.contains(value), !isMaskedElsewhere.contains(value)
    else { return nil }
    return masks[value]
  }

  /// Counts a contribution; after the last one the cotangent is complete.
  private func finish(_ value: Int, isMasked: Bool) {
    remainingContributions[value, default: 1] -= 1
    guard remainingContributions[value] == 0, let planes = cotangents[value] else { return }
    if request.sites.contains(value) { _ = cotangentSlot(of: value) }
    if request.sums.contains(value) { emitSum(value, planes) }
    if !isMasked, !isMaskedElsewhere.contains(value), let (mask, rule) = masks[value] {
      var epilogue = Epilogue()
      epilogue.readMask = mask
      epilogue.rule = rule
      emitElementwise(VK_COPY, planes, to: planes, epilogue: epilogue)
    }
  }

  /// Emits a contribution by an operation that can add and mask on its way.
  private func contribute(
    to value: Int, canMask: Bool = true, _ emit: (Planes, Epilogue) throws -> Void
  ) rethrows {
    let (planes, adds) = begin(value)
    var epilogue = Epilogue()
    if adds { epilogue.residual = planes }
    let mask = canMask ? maskForLast(value) : nil
    if let mask {
      epilogue.readMask = mask.mask
      epilogue.rule = mask.rule
    }
    try emit(planes, epilogue)
    finish(value, isMasked: mask != nil)
  }

  /// Emits a contribution by an operation that can only write, and mask if it takes a mask.
  private func contributeWhole(
    to value: Int, canMask: Bool = false, _ emit: (Planes, Epilogue) throws -> Void
  ) rethrows {
    let (planes, adds) = begin(value)
    var epilogue = Epilogue()
    let mask = canMask || adds ? maskForLast(value) : nil
    epilogue.readMask = mask?.mask
    epilogue.rule = mask?.rule ?? .gradient
    if adds {
      let part = newPlanes(planes.shape, halo: Halo())
      try emit(part, Epilogue())
      emitElementwise(VK_ADD, part, second: planes, to: planes, epilogue: epilogue)
    } else {
      try emit(planes, epilogue)
    }
    finish(value, isMasked: mask != nil)
  }

  /// Contributes a cotangent that passes unchanged: by sharing its memory where nobody else has
  /// contributed yet, and the giver needs it no longer.
  private func handOn(_ given: Planes, to value: Int, mayShare: Bool = true) {
    if cotangents[value] == nil, mayShare, !needsLargerHalo(value, than: given.halo) {
      cotangents[value] = given
      finish(value, isMasked: false)
      return
    }
    contribute(to: value) { planes, epilogue in
      emitElementwise(VK_COPY, given, to: planes, epilogue: epilogue)
    }
  }

  private func needsLargerHalo(_ value: Int, than halo: Halo) -> Bool {
    let needed = cotangentHalos[value] ?? Halo()
    return needed.union(halo) != halo
  }

  // MARK: - Steps

  private func emitBackward(_ index: Int) throws {
    let fused = nodes[index]
    let node = wiring.nodes[fused.node]
    let input = fused.input
    if case .reference = lowerings[index] {
      try emitReferenceBackward(fused, node)
      return
    }
    let given = cotangentPlanes(of: fused.output)
    switch lowerings[index] {
    case .convolution(let convolution):
      if path.isActive[input] { try emit(convolution, fused, given: given, to: input) }
      if let residual = fused.residual, path.isActive[residual] { handOn(given, to: residual) }
    case .product(let product):
      let weights = try constants.constant(.init(node: fused.node, use: "product")) {
        try product.packed(threads: threads)
      }
      let rows = denseRows(given)
      contribute(to: input, canMask: false) { planes, epilogue in
        emitProduct(
          from: rows, to: planes, inner: product.columns, columns: product.inner,
          weights: hold(weights), transposed: true, bias: nil, function: nil,
          accumulates: epilogue.residual != nil)
      }
    case .affine(let scale, _):
      contribute(to: input) { planes, epilogue in
        emitElementwise(
          VK_AFFINE, given, to: planes, epilogue: epilogue,
          scale: perChannel(scale, .init(node: fused.node, use: "scale")))
      }
    case .sum(let a, let b):
      let active = [a, b].filter { path.isActive[$0] }
      for (position, value) in active.enumerated() {
        handOn(given, to: value, mayShare: position == active.count - 1)
      }
    case .elementwiseProduct(let a, let b):
      for (value, other) in [(a, b), (b, a)] where path.isActive[value] {
        contribute(to: value) { planes, epilogue in
          emitElementwise(
            VK_MULTIPLY, given, second: self.planes(of: other), to: planes, epilogue: epilogue)
        }
      }
    case .gate(let value, let gate):
      let (values, pixel) = (planes(of: value), planes(of: gate))
      if path.isActive[value] {
        contribute(to: value) { planes, epilogue in
          emitElementwise(
            VK_MULTIPLY, given, second: pixel, spreadsSecond: true, to: planes,
            epilogue: epilogue)
        }
      }
      if path.isActive[gate] {
        // Each number's cotangent is a sum over its plane: the average times the area.
        let products = newPlanes(given.shape, halo: Halo())
        emitElementwise(VK_MULTIPLY, given, second: values, to: products)
        let averages = newPlanes(
          PlaneShape(given.shape.images, given.shape.channels, 1, 1), halo: Halo())
        emitGlobalAverage(VK_GLOBAL_AVERAGE, products, averages, area: products.shape)
        let area = Float(given.shape.height * given.shape.width)
        let areas = perChannel(
          [Float](repeating: area, count: given.shape.channels),
          .init(node: fused.node, use: "area"))
        contribute(to: gate) { planes, epilogue in
          emitElementwise(VK_AFFINE, averages, to: planes, epilogue: epilogue, scale: areas)
        }
      }
    case .maximumPool(let rows, let columns):
      contributeWhole(to: input, canMask: true) { planes, epilogue in
        emitPool(
          VK_MAX_POOL_BACKWARD, planes, given, rows, columns, indices: indices[fused.node],
          countsPadding: false, epilogue: epilogue)
      }
    case .averagePool(let rows, let columns, let countsPadding):
      contributeWhole(to: input, canMask: true) { planes, epilogue in
        emitPool(
          VK_AVERAGE_POOL_BACKWARD, planes, given, rows, columns, indices: nil,
          countsPadding: countsPadding, epilogue: epilogue)
      }
    case .globalAverage:
      contribute(to: input) { planes, epilogue in
        emitGlobalAverage(
          VK_GLOBAL_AVERAGE_BACKWARD, given, planes, area: planes.shape, epilogue: epilogue)
      }
    case .function(let function):
      if function.hasMask {
        handOn(given, to: input)
      } else {
        let source = planes(of: input)
        contribute(to: input) { planes, epilogue in
          emitElementwise(
            VK_UNARY_BACKWARD, given, second: source, to: planes, epilogue: epilogue,
            function: function)
        }
      }
    case .concatenation(let pieces) where continuesPieces.contains(fused.output):
      for piece in pieces { finish(piece, isMasked: false) }
    case .concatenation(let pieces):
      for (piece, channel) in zip(pieces, firstChannels(of: pieces)) where path.isActive[piece] {
        handOn(
          given.channels(types[piece].shape[1], from: channel), to: piece,
          mayShare: pieces.filter { $0 == piece }.count == 1)
      }
    case .alias(let source): handOn(given, to: source)
    case .channelsLast:
      let rows = denseRows(given)
      contribute(to: input) { planes, epilogue in
        emitChannelsLast(planes, rows: rows, backward: true, epilogue: epilogue)
      }
    case .reshape(let source):
      contributeWhole(to: source) { planes, _ in emitReshape(given, to: planes) }
    case .reference: break
    }
  }

  // MARK: - Convolution

  private func emit(
    _ convolution: PlanarConvolution, _ fused: FusedNode, given: Planes, to input: Int
  ) throws {
    if try emitStem(convolution, fused, given: given, to: input) { return }
    guard convolution.isDepthwise else {
      if let (normalization, scale) = normalization(behind: input) {
        let (planes, adds) = begin(normalization.input)
        var scaled = convolution
        scaled.inputScale = scale
        var epilogue = Epilogue()
        epilogue.residual = adds ? planes : nil
        epilogue.readMask = masks[input]?.mask
        epilogue.masksFirst = true
        try emitInputGradient(
          scaled, fused, given: given, to: planes, epilogue: epilogue,
          normalization: normalization.node)
        finish(normalization.input, isMasked: false)
        return
      }
      try contribute(to: input) { planes, epilogue in
        try emitInputGradient(convolution, fused, given: given, to: planes, epilogue: epilogue)
      }
      return
    }
    if let tiling = backwardTiling(of: convolution) {
      try contribute(to: input) { planes, epilogue in
        try emitSpectral(
          convolution, fused, tiling, from: given, to: planes, epilogue: epilogue)
      }
      return
    }
    guard convolution.multiplier > 1 else {
      try contribute(to: input) { planes, epilogue in
        try emitDepthwisePhases(convolution, fused, given: given, to: planes, epilogue: epilogue)
      }
      return
    }
    // The cotangents of a channel's copies are summed by the transpose of the repetition.
    let shape = planeShape(of: input)
    let copies = newPlanes(
      PlaneShape(given.shape.images, convolution.outputs, shape.height, shape.width), halo: Halo())
    try emitDepthwisePhases(convolution, fused, given: given, to: copies, epilogue: Epilogue())
    let repeater = try convolution.repeater()
    try contribute(to: input) { planes, epilogue in
      try emitPhases(
        repeater, fused, given: copies, to: planes, epilogue: epilogue, use: "repeat transposed")
    }
  }

  /// Emits the gradient with respect to a network's input of few channels, straight to row-major
  /// memory; returns whether it could.
  private func emitStem(
    _ convolution: PlanarConvolution, _ fused: FusedNode, given: Planes, to input: Int
  ) throws -> Bool {
    let channels = neededOutputs(of: convolution)
    guard wiring.inputs.contains(input), cotangents[input] == nil, cotangentSlots[input] == nil,
      remainingContributions[input] == 1, masks[input] == nil,
      let (together, side) = try convolution.outputs(channels).inputGradientInSquares()
    else { return false }
    let planes = newPlanes(
      PlaneShape(
        given.shape.images, together.outputs, together.rows.output, together.columns.output),
      halo: Halo())
    let source = given.channels(channels.count, from: channels.lowerBound)
    let offsets = forwardOffsets(together, in: source)
    let groups = try kernelGroups(
      together, together.slices(backward: false), taps: Array(0..<together.taps), backward: false,
      .init(
        node: fused.node, use: "stem backward",
        variant: [
          fused.batchNormalization ?? -1, fused.padding ?? -1, channels.lowerBound,
          channels.upperBound,
        ])
    ) { block in
      offsets.map { Int32(truncatingIfNeeded: block * source.blockStride + $0) }
    }
    emitConvolution(
      from: source, to: planes, groups: groups, stepY: together.rows.stride,
      stepX: together.columns.stride, epilogue: Epilogue(), outputSize: planes.shape)
    let slot = newSlot()
    let shape = cotangentShape(of: input)
    cotangentSlots[input] = slot
    let whole = planeShape(of: input).with(images: planes.shape.images)
    unpack(planes, into: slot, shape: shape, as: whole, spread: side)
    finish(input, isMasked: false)
    return true
  }

  /// Returns the normalisation that computes a value and how it scales channels, if a convolution can
  /// contribute to its input at once: nobody else reads the value or wants to know of its cotangent.
  private func normalization(behind value: Int) -> (fused: FusedNode, scale: [Float])? {
    guard let index = producers[value], case .affine(let scale, _) = lowerings[index],
      cotangents[value] == nil, cotangentSlots[value] == nil, remainingContributions[value] == 1,
      !request.sites.contains(value), !isMaskedElsewhere.contains(value),
      masks[value].map({ $0.rule == .gradient }) ?? true
    else { return nil }
    let fused = nodes[index]
    guard path.isActive[fused.input], hasPlanes(fused.input), maskForLast(fused.input) == nil,
      !request.sums.contains(where: { $0 == value || $0 == rectified(by: fused) })
    else { return nil }
    return (fused, scale)
  }

  /// Emits the input gradient of a convolution that is not depthwise.
  ///
  /// - Parameter normalization: The node by which the weights are scaled.
  private func emitInputGradient(
    _ convolution: PlanarConvolution, _ fused: FusedNode, given: Planes, to planes: Planes,
    epilogue: Epilogue, normalization: Int? = nil
  ) throws {
    if let tileSide = winogradTileSide(convolution, output: planes.shape) {
      try emitWinograd(
        convolution, tileSide: tileSide, from: given, to: planes, backward: true,
        epilogue: epilogue, [fused.batchNormalization ?? -1, normalization ?? -1])
    } else {
      try emitPhases(
        convolution, fused, given: given, to: planes, epilogue: epilogue,
        normalization: normalization)
    }
  }

  private func emitPhases(
    _ convolution: PlanarConvolution, _ fused: FusedNode, given: Planes, to planes: Planes,
    epilogue: Epilogue, use: String = "backward", normalization: Int? = nil
  ) throws {
    // Inputs that no window reads get nothing: zeros, unless what is there stays.
    let staysAsIs =
      epilogue.residual != nil && (epilogue.readMask == nil || epilogue.masksFirst)
    if epilogue.residual == nil, convolution.hasEmptyPhase {
      emitFill(planes, interior: true)
    }
    try forEachPhase(convolution, planes: planes, epilogue: epilogue) { phase, epilogue in
      if phase.taps.isEmpty, staysAsIs || epilogue.residual == nil { return }
      let channels = neededChannels[fused.node]
      let groups = try kernelGroups(
        convolution, convolution.slices(backward: true).map { $0.reading(channels) },
        taps: phase.taps.map(\.index), backward: true,
        .init(
          node: fused.node, use: use,
          variant: [
            fused.batchNormalization ?? -1, fused.padding ?? -1, normalization ?? -1,
            phase.target.row, phase.target.column,
          ])
      ) { block in
        phase.taps.map {
          Int32(
            truncatingIfNeeded: block * given.blockStride + $0.row * given.rowStride
              + $0.column * 16)
        }
      }
      emitConvolution(
        from: given, to: planes, groups: groups, stepY: 1, stepX: 1, epilogue: epilogue,
        outputSize: phase.size, target: phase.target)
    }
  }

  private func emitDepthwisePhases(
    _ convolution: PlanarConvolution, _ fused: FusedNode, given: Planes, to planes: Planes,
    epilogue: Epilogue
  ) throws {
    try forEachPhase(convolution, planes: planes, epilogue: epilogue) { phase, epilogue in
      let weights = try constants.constant(
        .init(
          node: fused.node, use: "depthwise backward",
          variant: [
            fused.batchNormalization ?? -1, fused.padding ?? -1, phase.target.row,
            phase.target.column,
          ])
      ) { try convolution.packedDepthwise(taps: phase.taps.map(\.index)) }
      let offsets = phase.taps.map {
        Int32(truncatingIfNeeded: $0.row * given.rowStride + $0.column * 16)
      }
      emitDepthwise(
        from: given, to: planes, offsets: offsets, weights: hold(weights), stepY: 1, stepX: 1,
        epilogue: epilogue, height: phase.size.height, width: phase.size.width,
        target: phase.target)
    }
  }

  /// The pixels of the input's cotangent that one convolution computes.
  private struct PixelPhase {
    let taps: [(index: Int, row: Int, column: Int)]
    let size: PlaneShape
    let target: (stepY: Int, stepX: Int, row: Int, column: Int)
  }

  private func forEachPhase(
    _ convolution: PlanarConvolution, planes: Planes, epilogue: Epilogue,
    _ body: (PixelPhase, Epilogue) throws -> Void
  ) rethrows {
    for rows in convolution.phases(convolution.rows) {
      for columns in convolution.phases(convolution.columns) {
        let taps = rows.taps.flatMap { y in
          columns.taps.map { x in
            (index: y.index * convolution.columns.kernel + x.index, row: y.shift, column: x.shift)
          }
        }
        var epilogue = epilogue
        epilogue.stepY = convolution.rows.stride
        epilogue.stepX = convolution.columns.stride
        epilogue.row = rows.start
        epilogue.column = columns.start
        try body(
          PixelPhase(
            taps: taps,
            size: PlaneShape(planes.shape.images, planes.shape.channels, rows.count, columns.count),
            target: (epilogue.stepY, epilogue.stepX, rows.start, columns.start)), epilogue)
      }
    }
  }

  // MARK: - Reference operators

  /// Returns where a value's complete cotangent is, converting it from its slot if needed.
  private func cotangentPlanes(of value: Int) -> Planes {
    if let found = cotangents[value] { return found }
    preconditionFailure("the cotangent of a value with planes is kept in planes")
  }

  /// Returns the slot with a value's complete cotangents, `[cotangents · batch, …]`; zero if nothing
  /// contributed.
  func cotangentSlot(of value: Int) -> Int {
    if let found = cotangentSlots[value] { return found }
    let slot = newSlot()
    cotangentSlots[value] = slot
    let shape = cotangentShape(of: value)
    if let planes = cotangents[value] {
      unpack(planes, into: slot, shape: shape)
    } else {
      emitHost { _ in { frame in frame.slots[slot] = Tensor(zeros: shape) } }
    }
    return slot
  }

  private func cotangentShape(of value: Int) -> Shape {
    let dimensions = types[value].shape.dimensions
    let batched = [(dimensions.first ?? 1) * request.cotangents] + dimensions.dropFirst()
    guard let shape = try? Shape(batched) else { return types[value].shape }
    return shape
  }

  private func emitReferenceBackward(_ fused: FusedNode, _ node: Wiring.Node) throws {
    let incoming = node.outputs.map { output -> Int? in
      guard let output, isReached(output) else { return nil }
      return cotangentSlot(of: output)
    }
    let inputs = node.inputs.map { $0.map { slot(of: $0) } }
    let outputs = node.outputs.compactMap { $0.map { slot(of: $0) } }
    let wanted = node.inputs.map { $0.map { path.isActive[$0] } ?? false }
    let parts = node.inputs.map { _ in newSlot() }
    let shapes = node.inputs.map { $0.map { cotangentShape(of: $0) } }
    let count = request.cotangents
    let rule = request.rules?[fused.node] ?? .gradient
    let outputShapes = node.outputs.map { $0.map { types[$0].shape } }
    for case let shape? in shapes { reserve(shape.count * 4) }
    emitHost { _ in
      { frame in
        let point = Point(
          inputs: inputs.map { $0.flatMap { frame.slots[$0] } },
          outputs: outputs.compactMap { frame.slots[$0] }, wanted: wanted, rule: rule)
        var sums: [[Tensor]] = Array(repeating: [], count: parts.count)
        for k in 0..<count {
          let given = try zip(incoming, outputShapes).map { slot, shape -> Tensor? in
            guard let slot, let shape, let all = frame.slots[slot] else { return nil }
            return try part(k, of: count, in: all, shape: shape)
          }
          do {
            let results = try node.operation.pullback(given, at: point, Float.self)
            for (position, result) in results.enumerated() {
              if let result { sums[position].append(result) }
            }
          } catch let error as OperatorError {
            throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.reason)
          }
        }
        for (position, slot) in parts.enumerated() {
          guard wanted[position], let shape = shapes[position] else { continue }
          frame.slots[slot] =
            sums[position].count == count
            ? try joined(sums[position].map(row)) : Tensor(zeros: shape)
        }
      }
    }
    for (position, input) in node.inputs.enumerated() {
      guard let input, wanted[position] else { continue }
      contribute(slot: parts[position], to: input)
    }
  }

  private func contribute(slot part: Int, to value: Int) {
    if hasPlanes(value) {
      contributeWhole(to: value) { planes, _ in
        emit([planes.buffer], slots: [part]) { layout in
          layout.change(
            VK_PACK, planes, as: planes.shape, inSlot: part,
            imageStride: planes.shape.channels * planes.shape.height * planes.shape.width)
        }
      }
      return
    }
    if let sum = cotangentSlots[value] {
      emitHost { _ in
        { frame in
          guard var total = frame.slots[sum], let added = frame.slots[part] else { return }
          frame.slots[sum] = nil
          try total.withMutableElements(of: Float.self) { target in
            try added.withElements(of: Float.self) { source in
              for i in target.indices { target[i] += source[i] }
            }
          }
          frame.slots[sum] = total
        }
      }
    } else {
      cotangentSlots[value] = part
    }
    finish(value, isMasked: false)
  }
}
