internal import CVitrineKernels
internal import VitrineTensor

/// The operators that have kernels. Both passes make the same distinctions, so that what one keeps the
/// other finds.
extension TrainingPlanBuilder {
  private enum Kernel {
    case convolution(vk_sliding_window, input: Int, weight: Int, bias: Int?)
    case product(TrainingProduct)
    case pool(vk_sliding_window, input: Int, isMaximum: Bool, countsPadding: Bool)
    case function(KernelFunction, input: Int)
    case sum(Int, Int)
    case elementwiseProduct(Int, Int)
    case normalization(BatchStatisticsNormalization, input: Int, scale: Int, bias: Int)
  }

  private func kernel(_ index: Int) throws -> Kernel? {
    let node = wiring.nodes[index]
    guard let output = node.outputs.first.flatMap({ $0 }),
      types[output].dataType.isFloatingPoint, types[output].shape.count > 0
    else { return nil }
    let reals = node.inputs.compactMap { $0 }.filter { types[$0].dataType.isFloatingPoint }
    guard let input = reals.first, types[input].shape.count > 0 else { return nil }
    let shape = types[output].shape
    let inputShape = types[input].shape

    switch node.operation {
    case let convolution as Convolution:
      guard (3...4).contains(inputShape.rank) else { return nil }
      let windows = try convolution.windows(input: inputShape, weight: types[reals[1]].shape)
      return .convolution(
        Self.slidingWindow(
          windows, images: inputShape[0], groups: convolution.groups,
          inputChannels: inputShape[1], outputChannels: shape[1]), input: input,
        weight: reals[1], bias: reals.count > 2 ? reals[2] : nil)

    case is Gemm, is MatMul:
      return TrainingProduct(node, types, tail: fusion.tails[index]).map { .product($0) }

    case let pool as MaxPool:
      guard inputShape.rank == 4 else { return nil }
      return Self.pool(try pool.windows(input: inputShape), inputShape).map {
        .pool($0, input: input, isMaximum: true, countsPadding: false)
      }
    case let pool as AveragePool:
      guard inputShape.rank == 4 else { return nil }
      return Self.pool(try pool.windows(input: inputShape), inputShape).map {
        .pool($0, input: input, isMaximum: false, countsPadding: pool.countsPadding)
      }
    case is GlobalAveragePool:
      guard inputShape.rank == 4 else { return nil }
      let windows = inputShape.dimensions.dropFirst(2).map {
        Window(
          input: $0, kernel: $0, stride: 1, dilation: 1, padBefore: 0, padAfter: 0, output: 1)
      }
      return .pool(
        Self.slidingWindow(
          windows, images: inputShape[0], groups: 1, inputChannels: inputShape[1],
          outputChannels: inputShape[1]), input: input, isMaximum: false, countsPadding: false)

    case let arithmetic as Arithmetic:
      guard reals.count == 2, reals.allSatisfy({ types[$0].shape == shape }) else { return nil }
      switch arithmetic.function {
      case .add: return .sum(reals[0], reals[1])
      case .multiply: return .elementwiseProduct(reals[0], reals[1])
      default: return nil
      }

    case let normalization as BatchStatisticsNormalization:
      // Planes of few elements are left to the reference: vectors would be nearly empty.
      let plane = inputShape.dimensions.dropFirst(2).reduce(1, *)
      guard inputShape.rank > 2, plane >= 8 else { return nil }
      return .normalization(normalization, input: input, scale: reals[1], bias: reals[2])

    default:
      return KernelFunction(node, types: types).map { .function($0, input: input) }
    }
  }

  // MARK: - Forward

  /// Lists a node's kernel; returns false if it has none.
  mutating func addForwardKernel(_ index: Int) throws -> Bool {
    guard let kernel = try kernel(index) else {
      return false
    }
    let node = wiring.nodes[index]
    guard let own = node.outputs[0] else { return false }
    let result = fusion.result(of: index, own)
    let tail = fusion.tails[index]
    var operation = vk_train_op()
    switch kernel {
    case .convolution(let window, let input, let weight, let bias):
      operation.kind = VK_TRAIN_CONVOLUTION
      operation.as.convolution.window = window
      operation.as.convolution.input = at(place(input))
      operation.as.convolution.weight = at(place(weight))
      operation.as.convolution.bias = at(bias.map { place($0) })
      operation.as.convolution.output = at(place(result))
      operation.as.convolution.function = tail?.isRectified == true ? VK_RELU : VK_IDENTITY
      emit(operation)
    case .product(let product):
      product.emitForward(&self, node: index, to: place(result))
    case .pool(let window, let input, let isMaximum, let countsPadding):
      operation.kind = isMaximum ? VK_TRAIN_MAX_POOL : VK_TRAIN_AVERAGE_POOL
      operation.as.pool.window = window
      operation.as.pool.input = at(place(input))
      operation.as.pool.output = at(place(own))
      operation.as.pool.indices = at(nil)
      operation.as.pool.count_include_pad = countsPadding ? 1 : 0
      if isMaximum {
        let rows = Int(window.images) * Int(window.input_channels) * Int(window.height)
        let kept = reserve(rows * ((Int(window.width) + 15) / 16 * 8))
        indices[index] = kept
        operation.as.pool.indices = at(kept)
      }
      emit(operation)
    case .function(let function, let input):
      emitFunction(function, from: place(input), to: place(own), count: types[own].shape.count)
    case .sum(let first, let second):
      emitSum(place(first), place(second), to: place(own), count: types[own].shape.count)
    case .elementwiseProduct(let first, let second):
      emitProduct(place(first), place(second), to: place(own), count: types[own].shape.count)
    case .normalization(let normalization, let input, let scale, let bias):
      operation.kind = VK_TRAIN_NORMALIZE
      operation.as.normalization = self.normalization(
        normalization, node, input: input, scale: scale, bias: bias)
      operation.as.normalization.output = at(place(own))
      emit(operation)
    }
    return true
  }

  // MARK: - Backward

  /// Lists the kernels of a node's backward pass; returns false if it has none.
  mutating func addBackwardKernel(_ index: Int) throws -> Bool {
    guard let kernel = try kernel(index) else { return false }
    let node = wiring.nodes[index]
    guard let own = node.outputs[0] else { return false }
    let tail = fusion.tails[index]
    let result = fusion.result(of: index, own)
    let cotangent = cotangentPlace(result)
    let count = types[own].shape.count
    if tail?.isRectified == true {
      // Nobody else needs the cotangent of the rectified value: it becomes that of the sum in place.
      emitFunction(.rectifier, from: cotangent, point: place(result), to: cotangent, count: count)
    }
    var operation = vk_train_op()
    switch kernel {
    case .convolution(let window, let input, let weight, let bias):
      operation.as.convolution.window = window
      operation.as.convolution.output = at(cotangent)
      operation.as.convolution.bias = at(nil)
      let trainsBias = bias.map(isActive) ?? false
      if isActive(weight) || trainsBias {
        operation.kind = VK_TRAIN_CONVOLUTION_WEIGHT
        operation.as.convolution.input = at(place(input))
        let weights = reserve(types[weight].shape.count)
        operation.as.convolution.weight = at(weights)
        let biases = trainsBias ? bias.map { reserve(types[$0].shape.count) } : nil
        operation.as.convolution.bias = at(biases)
        emit(operation)
        if isActive(weight) { contribute(weights, to: weight) }
        if let biases, let bias { contribute(biases, to: bias) }
      }
      if isActive(input) {
        operation.kind = VK_TRAIN_CONVOLUTION_INPUT
        operation.as.convolution.weight = at(place(weight))
        contribute(to: input) { builder, place in
          operation.as.convolution.input = builder.at(place)
          builder.emit(operation)
        }
      }
    case .product(let product):
      product.emitBackward(&self, node: index, cotangent: cotangent)
    case .pool(let window, let input, let isMaximum, let countsPadding):
      operation.kind = isMaximum ? VK_TRAIN_MAX_POOL_BACKWARD : VK_TRAIN_AVERAGE_POOL_BACKWARD
      operation.as.pool.window = window
      operation.as.pool.output = at(cotangent)
      operation.as.pool.indices = at(indices[index])
      operation.as.pool.count_include_pad = countsPadding ? 1 : 0
      contribute(to: input) { builder, place in
        operation.as.pool.input = builder.at(place)
        builder.emit(operation)
      }
    case .function(let function, let input):
      let point = place(input)
      contribute(to: input) { builder, place in
        builder.emitFunction(function, from: cotangent, point: point, to: place, count: count)
      }
    case .sum(let first, let second):
      for input in [first, second] where isActive(input) { contribute(cotangent, to: input) }
    case .elementwiseProduct(let first, let second):
      for (input, other) in [(first, second), (second, first)] where isActive(input) {
        let factor = place(other)
        contribute(to: input) { builder, place in
          builder.emitProduct(cotangent, factor, to: place, count: count)
        }
      }
    case .normalization(let normalization, let input, let scale, let bias):
      operation.kind = VK_TRAIN_NORMALIZE_BACKWARD
      operation.as.normalization = self.normalization(
        normalization, node, input: input, scale: scale, bias: bias)
      operation.as.normalization.output = at(cotangent)
      let shares = [input, scale, bias].map { value in
        isActive(value) ? reserve(types[value].shape.count) : nil
      }
      operation.as.normalization.input_cotangent = at(shares[0])
      operation.as.normalization.scale_cotangent = at(shares[1])
      operation.as.normalization.bias_cotangent = at(shares[2])
      emit(operation)
      for case (let share?, let value) in zip(shares, [input, scale, bias]) {
        contribute(share, to: value)
      }
    }
    return true
  }

  private mutating func emitProduct(_ first: Int, _ second: Int, to target: Int, count: Int) {
    var operation = vk_train_op()
    operation.kind = VK_TRAIN_MULTIPLY
    operation.as.elements.input = at(first)
    operation.as.elements.second = at(second)
    operation.as.elements.output = at(target)
    operation.as.elements.count = Int64(count)
    emit(operation)
  }

  private mutating func normalization(
    _ normalization: BatchStatisticsNormalization, _ node: Wiring.Node, input: Int, scale: Int,
    bias: Int
  ) -> vk_train_normalization {
    let shape = types[input].shape
    var operation = vk_train_normalization()
    operation.images = Int32(shape[0])
    operation.channels = Int32(shape[1])
    operation.plane = Int64(shape.dimensions.dropFirst(2).reduce(1, *))
    operation.epsilon = Float(normalization.epsilon)
    operation.input = at(place(input))
    operation.scale = at(place(scale))
    operation.bias = at(place(bias))
    operation.mean = at(node.outputs[1].map { place($0) })
    operation.variance = at(node.outputs[2].map { place($0) })
    operation.input_cotangent = at(nil)
    operation.scale_cotangent = at(nil)
    operation.bias_cotangent = at(nil)
    return operation
  }

  // MARK: - Windows

  /// Returns the pooling window, unless some output lies in the padding altogether.
  private static func pool(_ windows: [Window], _ input: Shape) -> vk_sliding_window? {
    guard
      windows.allSatisfy({ window in
        (0..<window.output).allSatisfy { !window.taps(output: $0).isEmpty }
      }), windows.reduce(1, { $0 * $1.kernel }) < 0xffff
    else { return nil }
    return slidingWindow(
      windows, images: input[0], groups: 1, inputChannels: input[1], outputChannels: input[1])
  }

  private static func slidingWindow(
    _ windows: [Window], images: Int, groups: Int, inputChannels: Int, outputChannels: Int
  ) -> vk_sliding_window {
    let rows = windows.count == 2 ? windows[0] : .identity(1)
    let columns = windows[windows.count - 1]
    var result = vk_sliding_window()
    result.images = Int32(images)
    result.groups = Int32(groups)
    result.input_channels = Int32(inputChannels)
    result.output_channels = Int32(outputChannels)
    result.input_height = Int32(rows.input)
    result.input_width = Int32(columns.input)
    result.height = Int32(rows.output)
    result.width = Int32(columns.output)
    result.kernel_y = Int32(rows.kernel)
    result.kernel_x = Int32(columns.kernel)
    result.stride_y = Int32(rows.stride)
    result.stride_x = Int32(columns.stride)
    result.dilation_y = Int32(rows.dilation)
    result.dilation_x = Int32(columns.dilation)
    result.pad_top = Int32(rows.padBefore)
    result.pad_left = Int32(columns.padBefore)
    result.pad_bottom = Int32(rows.padAfter)
    result.pad_right = Int32(columns.padAfter)
    return result
  }
}

extension KernelFunction {
  static var identity: KernelFunction { KernelFunction(VK_IDENTITY) }
  static var rectifier: KernelFunction { KernelFunction(VK_RELU) }
}
