import CVitrineKernels
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Elementwise operations") struct ElementwiseTests {
  private func elementwise(
    _ kind: vk_kind, _ planes: BlockedPlanes, _ input: Int32, _ second: Int32, _ output: Int32
  ) -> vk_op {
    var operation = vk_op()
    operation.kind = kind
    operation.as.elementwise = vk_elementwise(
      input: planes.map(buffer: input),
      second: second < 0 ? .absent : planes.map(buffer: second),
      output: planes.map(buffer: output), images: Int32(planes.images),
      blocks: Int32(planes.blocks), height: Int32(planes.height), width: Int32(planes.width),
      second_images: Int32(planes.images), scale: nil, shift: nil,
      epilogue: vk_epilogue(
        bias: nil, residual: .absent, read_mask: .absent, write_mask: .absent,
        function: VK_IDENTITY, rule: VK_BACKWARD_GRADIENT, alpha: 0, beta: 0,
        masks_first: 0),
      function: VK_IDENTITY, alpha: 0, beta: 0)
    return operation
  }

  @Test(
    "sum, product, affine map and copy, with every epilogue", arguments: InstructionSet.available)
  func arithmetic(instructionSet: InstructionSet) {
    for (height, width, halo) in [(3, 7, 1), (1, 1, 0), (5, 17, 0), (2, 49, 2)] {
      for reference in ReferenceEpilogue.all {
        for kind in [VK_ADD, VK_MULTIPLY, VK_AFFINE, VK_COPY] {
          let workspace = Workspace()
          let planes = BlockedPlanes(3, 21, height, width, halo: halo)
          let input = planes.addWholeNumbers(to: workspace, seed: 41)
          let second = planes.addWholeNumbers(to: workspace, seed: 43)
          let output = workspace.addFloats(planes.count)
          var numbers = WholeNumbers(seed: 47)
          let scale = numbers.list(planes.blocks * 16)
          let shift = numbers.list(planes.blocks * 16)
          let prepared = reference.prepare(planes, in: workspace, seed: 53)
          var operation = elementwise(kind, planes, input, second, output)
          operation.as.elementwise.scale = workspace.keep(scale)
          operation.as.elementwise.shift = workspace.keep(shift)
          operation.as.elementwise.second_images = 2
          operation.as.elementwise.epilogue = prepared.epilogue
          workspace.run(operation, threads: 2, on: instructionSet)
          let mismatch = firstMismatch(
            planes, buffer: output, reference, prepared, in: workspace
          ) { image, channel, y, x in
            let a = Double(workspace.floats(input)[planes.index(image, channel, y, x)])
            let b = Double(workspace.floats(second)[planes.index(image % 2, channel, y, x)])
            switch kind {
            case VK_ADD: return a + b
            case VK_MULTIPLY: return a * b
            case VK_AFFINE: return a * Double(scale[channel]) + Double(shift[channel])
            default: return a
            }
          }
          #expect(mismatch == nil, "\(kind) \(reference): \(mismatch ?? "")")
        }
      }
    }
  }

  @Test(
    "a second operand of one pixel is spread over the plane", arguments: InstructionSet.available)
  func broadcast(instructionSet: InstructionSet) {
    let workspace = Workspace()
    let planes = BlockedPlanes(2, 16, 3, 5, halo: 1)
    let point = BlockedPlanes(2, 16, 1, 1)
    let input = planes.addWholeNumbers(to: workspace, seed: 59)
    let gate = point.addWholeNumbers(to: workspace, seed: 61)
    let output = workspace.addFloats(planes.count)
    var operation = elementwise(VK_MULTIPLY, planes, input, gate, output)
    operation.as.elementwise.second = point.map(buffer: gate)
    operation.as.elementwise.second.pixel_stride = 0
    operation.as.elementwise.second.row_stride = 0
    workspace.run(operation, on: instructionSet)
    planes.forEachElement { image, channel, y, x in
      let at = planes.index(image, channel, y, x)
      #expect(
        workspace.floats(output)[at] == workspace.floats(input)[at]
          * workspace.floats(gate)[point.index(image, channel, 0, 0)])
    }
  }

  /// Value and derivative in double precision.
  private func reference(
    _ function: vk_function, _ x: Double, alpha: Double, beta: Double
  ) -> (value: Double, slope: Double) {
    switch function {
    case VK_RELU: return (max(x, 0), x > 0 ? 1 : 0)
    case VK_CLIP: return (min(max(x, alpha), beta), alpha < x && x < beta ? 1 : 0)
    case VK_LEAKY_RELU: return (x > 0 ? x : alpha * x, x > 0 ? 1 : alpha)
    case VK_SIGMOID: return (1 / (1 + exp(-x)), exp(-abs(x)) / pow(1 + exp(-abs(x)), 2))
    case VK_TANH: return (tanh(x), 1 / pow(cosh(x), 2))
    case VK_ELU: return (x > 0 ? x : alpha * expm1(x), x > 0 ? 1 : alpha * exp(x))
    case VK_SOFTPLUS: return (max(x, 0) + log1p(exp(-abs(x))), 1 / (1 + exp(-x)))
    case VK_HARD_SIGMOID:
      let line = alpha * x + beta
      return (min(max(line, 0), 1), 0 < line && line < 1 ? alpha : 0)
    case VK_HARD_SWISH:
      return (x * min(max(x / 6 + 0.5, 0), 1), x >= 3 ? 1 : x > -3 ? x / 3 + 0.5 : 0)
    default: return (x, 1)
    }
  }

  static let functions = [
    VK_IDENTITY, VK_RELU, VK_CLIP, VK_LEAKY_RELU, VK_SIGMOID, VK_TANH, VK_ELU, VK_SOFTPLUS,
    VK_HARD_SIGMOID, VK_HARD_SWISH,
  ]

  @Test(
    "functions and their derivatives are within 4 ulp, over all magnitudes",
    arguments: InstructionSet.available)
  func functions(instructionSet: InstructionSet) {
    // Both signs, 2^-30 to 2^7.5 in steps of an eighth of an octave, and zero.
    var points: [Float] = [0, -0.0]
    for step in 0..<300 {
      let magnitude = Float(pow(2.0, Double(step) / 8 - 30))
      points += [magnitude, -magnitude]
    }
    let planes = BlockedPlanes(1, 16, 1, (points.count + 15) / 16)
    points += [Float](repeating: 1, count: planes.count - points.count)
    let (alpha, beta): (Float, Float) = (0.25, 0.75)
    for function in Self.functions {
      let workspace = Workspace()
      let input = workspace.addFloats(points)
      let ones = workspace.addFloats(points.count, value: 1)
      let output = workspace.addFloats(points.count)
      var operation = elementwise(VK_UNARY, planes, input, -1, output)
      operation.as.elementwise.function = function
      operation.as.elementwise.alpha = alpha
      operation.as.elementwise.beta = beta
      workspace.run(operation, on: instructionSet)
      let values = (0..<points.count).map { workspace.floats(output)[$0] }
      operation.kind = VK_UNARY_BACKWARD
      operation.as.elementwise.input = planes.map(buffer: ones)
      operation.as.elementwise.second = planes.map(buffer: input)
      workspace.run(operation, on: instructionSet)
      let slopes = (0..<points.count).map { workspace.floats(output)[$0] }
      for (i, x) in points.enumerated() {
        let expected = reference(function, Double(x), alpha: Double(alpha), beta: Double(beta))
        // Results below 2^-126 may become 0. Hard-swish cancels near -3: absolute, per 1 ulp of 1.
        let floor = function == VK_HARD_SWISH ? 0x1p-21 : 0x1p-126
        for (found, truth) in [(values[i], expected.value), (slopes[i], expected.slope)] {
          let tolerance = max(4 * Double(Float(truth).ulp), floor)
          #expect(
            abs(Double(found) - truth) <= tolerance,
            "\(function) at \(x): \(found), expected \(truth)")
        }
      }
    }
  }

  @Test("NaN stays NaN and infinities reach their limits", arguments: InstructionSet.available)
  func extremes(instructionSet: InstructionSet) {
    let planes = BlockedPlanes(1, 16, 1, 1)
    for function in Self.functions {
      let workspace = Workspace()
      var points = [Float](repeating: 0, count: 16)
      points[0] = .nan
      points[1] = .infinity
      points[2] = -.infinity
      let input = workspace.addFloats(points)
      let output = workspace.addFloats(16)
      var operation = elementwise(VK_UNARY, planes, input, -1, output)
      operation.as.elementwise.function = function
      operation.as.elementwise.alpha = 0.5
      operation.as.elementwise.beta = 2
      workspace.run(operation, on: instructionSet)
      let found = workspace.floats(output)
      #expect(found[0].isNaN, "\(function)")
      switch function {
      case VK_SIGMOID: #expect(found[1] == 1 && found[2] == 0)
      case VK_TANH: #expect(found[1] == 1 && found[2] == -1)
      case VK_ELU: #expect(found[1] == .infinity && found[2] == -0.5)
      case VK_SOFTPLUS: #expect(found[1] == .infinity && found[2] == 0)
      case VK_CLIP: #expect(found[1] == 2 && found[2] == 0.5)
      case VK_RELU: #expect(found[1] == .infinity && found[2] == 0)
      default: break
      }
    }
  }
}
