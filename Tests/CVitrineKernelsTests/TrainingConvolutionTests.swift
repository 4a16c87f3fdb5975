import CVitrineKernels
import Testing

/// Whole numbers, whose sums are exact, against plain loops.
@Suite("Convolution in training") struct TrainingConvolutionTests {
  struct Form: CustomTestStringConvertible {
    var images = 3
    var groups = 1
    var channels = (3, 5)
    var size = (9, 11)
    var kernel = (3, 3)
    var stride = (1, 1)
    var dilation = (1, 1)
    var pad = (top: 0, left: 0, bottom: 0, right: 0)

    var testDescription: String {
      "\(images)×\(channels) \(size) kernel \(kernel) stride \(stride) dilation \(dilation) "
        + "groups \(groups) pad \(pad)"
    }

    var window: vk_sliding_window {
      func outputs(_ size: Int, _ kernel: Int, _ stride: Int, _ dilation: Int, _ pads: Int) -> Int {
        (size + pads - (kernel - 1) * dilation - 1) / stride + 1
      }
      var window = vk_sliding_window()
      window.images = Int32(images)
      window.groups = Int32(groups)
      window.input_channels = Int32(channels.0)
      window.output_channels = Int32(channels.1)
      window.input_height = Int32(size.0)
      window.input_width = Int32(size.1)
      window.height = Int32(
        outputs(size.0, kernel.0, stride.0, dilation.0, pad.top + pad.bottom))
      window.width = Int32(
        outputs(size.1, kernel.1, stride.1, dilation.1, pad.left + pad.right))
      window.kernel_y = Int32(kernel.0)
      window.kernel_x = Int32(kernel.1)
      window.stride_y = Int32(stride.0)
      window.stride_x = Int32(stride.1)
      window.dilation_y = Int32(dilation.0)
      window.dilation_x = Int32(dilation.1)
      window.pad_top = Int32(pad.top)
      window.pad_left = Int32(pad.left)
      window.pad_bottom = Int32(pad.bottom)
      window.pad_right = Int32(pad.right)
      return window
    }

    var inputCount: Int { images * channels.0 * size.0 * size.1 }
    var weightCount: Int { channels.1 * channels.0 / groups * kernel.0 * kernel.1 }
    var outputCount: Int { images * channels.1 * Int(window.height) * Int(window.width) }

    /// Calls `body` with the places of every output, weight and input that are multiplied.
    func forEachTerm(_ body: (_ output: Int, _ weight: Int, _ input: Int) -> Void) {
      let window = window
      let (height, width) = (Int(window.height), Int(window.width))
      let (inner, outer) = (channels.0 / groups, channels.1 / groups)
      for image in 0..<images {
        for o in 0..<channels.1 {
          for y in 0..<height {
            for x in 0..<width {
              let output = ((image * channels.1 + o) * height + y) * width + x
              for c in 0..<inner {
                for tapY in 0..<kernel.0 {
                  for tapX in 0..<kernel.1 {
                    let row = y * stride.0 + tapY * dilation.0 - pad.top
                    let column = x * stride.1 + tapX * dilation.1 - pad.left
                    guard row >= 0, row < size.0, column >= 0, column < size.1 else { continue }
                    let channel = o / outer * inner + c
                    body(
                      output, ((o * inner + c) * kernel.0 + tapY) * kernel.1 + tapX,
                      ((image * channels.0 + channel) * size.0 + row) * size.1 + column)
                  }
                }
              }
            }
          }
        }
      }
    }
  }

  static let forms: [Form] = [
    Form(),
    Form(images: 1, channels: (1, 1), size: (1, 1), kernel: (1, 1)),
    Form(images: 5, channels: (1, 6), size: (28, 28), kernel: (5, 5)),
    Form(images: 7, channels: (6, 16), size: (12, 12), kernel: (5, 5)),
    Form(images: 2, channels: (16, 33), size: (6, 6), pad: (1, 1, 1, 1)),
    Form(images: 4, channels: (20, 7), size: (5, 17), kernel: (1, 1)),
    Form(stride: (2, 2), pad: (1, 1, 1, 1)),
    Form(kernel: (2, 4), stride: (3, 2), dilation: (2, 1), pad: (0, 3, 2, 1)),
    Form(groups: 3, channels: (6, 9), dilation: (1, 3), pad: (1, 3, 1, 3)),
    Form(groups: 4, channels: (4, 4), size: (10, 8), pad: (1, 1, 1, 1)),
    Form(images: 2, channels: (2, 3), size: (3, 700), kernel: (2, 3), pad: (0, 1, 0, 1)),
    // Windows that lie in the padding altogether.
    Form(images: 2, channels: (2, 2), size: (2, 2), kernel: (2, 2), pad: (3, 3, 3, 3)),
    Form(images: 40, channels: (3, 17), size: (10, 10), pad: (1, 1, 1, 1)),
  ]

  /// Runs one operation with places in buffers of their own.
  private func run(
    _ kind: vk_train_kind, _ form: Form, _ isa: InstructionSet, threads: Int32 = 1,
    isRectified: Bool = false, hasBias: Bool = true, input: [Float]?, weight: [Float]?,
    bias: [Float]?, output: [Float]?
  ) -> (input: [Float], weight: [Float], bias: [Float], output: [Float]) {
    let workspace = Workspace()
    func place(_ values: [Float]?, _ count: Int) -> vk_place {
      vk_place(
        buffer: values.map { workspace.addFloats($0) } ?? workspace.addFloats(count), offset: 0)
    }
    var operation = vk_train_op()
    operation.kind = kind
    operation.as.convolution.window = form.window
    operation.as.convolution.function = isRectified ? VK_RELU : VK_IDENTITY
    operation.as.convolution.input = place(input, form.inputCount)
    operation.as.convolution.weight = place(weight, form.weightCount)
    let biasPlace = place(bias, form.channels.1)
    operation.as.convolution.bias = hasBias ? biasPlace : vk_place(buffer: -1, offset: 0)
    operation.as.convolution.output = place(output, form.outputCount)
    let scratch = vk_train_prepare(&operation)
    operation.as.convolution.scratch = vk_place(
      buffer: workspace.addFloats(Int(scratch)), offset: 0)
    vk_train_run([operation], 1, workspace.buffers, threads, Int32(isa.rawValue))
    func read(_ place: vk_place, _ count: Int) -> [Float] {
      Array(UnsafeBufferPointer(start: workspace.floats(place.buffer), count: count))
    }
    return (
      read(operation.as.convolution.input, form.inputCount),
      read(operation.as.convolution.weight, form.weightCount), read(biasPlace, form.channels.1),
      read(operation.as.convolution.output, form.outputCount)
    )
  }

  @Test("forward passes are exact", arguments: InstructionSet.available)
  func forward(_ isa: InstructionSet) {
    for form in Self.forms {
      var numbers = WholeNumbers(seed: 5)
      let input = numbers.list(form.inputCount)
      let weight = numbers.list(form.weightCount)
      let bias = numbers.list(form.channels.1)
      let plane = Int(form.window.height) * Int(form.window.width)
      var expected = (0..<form.outputCount).map { bias[$0 / plane % form.channels.1] }
      form.forEachTerm { expected[$0] += weight[$1] * input[$2] }
      let found = run(
        VK_TRAIN_CONVOLUTION, form, isa, input: input, weight: weight, bias: bias, output: nil)
      #expect(found.output == expected, "\(form.testDescription)")
      let rectified = run(
        VK_TRAIN_CONVOLUTION, form, isa, threads: 3, isRectified: true, input: input,
        weight: weight, bias: bias, output: nil)
      #expect(rectified.output == expected.map { max($0, 0) }, "\(form.testDescription)")
    }
  }

  @Test("cotangents of inputs are exact", arguments: InstructionSet.available)
  func input(_ isa: InstructionSet) {
    for form in Self.forms {
      var numbers = WholeNumbers(seed: 6)
      let weight = numbers.list(form.weightCount)
      let cotangent = numbers.list(form.outputCount)
      var expected = [Float](repeating: 0, count: form.inputCount)
      form.forEachTerm { expected[$2] += weight[$1] * cotangent[$0] }
      for threads in [1, 3] as [Int32] {
        let found = run(
          VK_TRAIN_CONVOLUTION_INPUT, form, isa, threads: threads, input: nil, weight: weight,
          bias: nil, output: cotangent)
        #expect(found.input == expected, "\(form.testDescription)")
      }
    }
  }

  @Test("cotangents of weights and biases are exact", arguments: InstructionSet.available)
  func weight(_ isa: InstructionSet) {
    for form in Self.forms {
      var numbers = WholeNumbers(seed: 7)
      let input = numbers.list(form.inputCount)
      let cotangent = numbers.list(form.outputCount)
      var expected = [Float](repeating: 0, count: form.weightCount)
      form.forEachTerm { expected[$1] += input[$2] * cotangent[$0] }
      let plane = Int(form.window.height) * Int(form.window.width)
      var biases = [Float](repeating: 0, count: form.channels.1)
      for i in cotangent.indices { biases[i / plane % form.channels.1] += cotangent[i] }
      for threads in [1, 3] as [Int32] {
        let found = run(
          VK_TRAIN_CONVOLUTION_WEIGHT, form, isa, threads: threads, input: input, weight: nil,
          bias: nil, output: cotangent)
        #expect(found.weight == expected, "\(form.testDescription)")
        #expect(found.bias == biases, "\(form.testDescription)")
      }
      let withoutBias = run(
        VK_TRAIN_CONVOLUTION_WEIGHT, form, isa, hasBias: false, input: input, weight: nil,
        bias: nil, output: cotangent)
      #expect(withoutBias.weight == expected)
      #expect(withoutBias.bias.allSatisfy { $0.isNaN })
    }
  }

  @Test("rounded sums are the same for any number of threads and every fused instruction set")
  func rounding() {
    let fused = InstructionSet.available.filter { $0 != .portable }
    for form in Self.forms {
      var numbers = WholeNumbers(seed: 8)
      let input = (0..<form.inputCount).map { _ in numbers.fraction() }
      let weight = (0..<form.weightCount).map { _ in numbers.fraction() }
      let cotangent = (0..<form.outputCount).map { _ in numbers.fraction() }
      var results: [[Float]] = []
      for isa in fused {
        for threads in [1, 2, 5] as [Int32] {
          let forward = run(
            VK_TRAIN_CONVOLUTION, form, isa, threads: threads, hasBias: false, input: input,
            weight: weight, bias: nil, output: nil)
          let toInput = run(
            VK_TRAIN_CONVOLUTION_INPUT, form, isa, threads: threads, input: nil, weight: weight,
            bias: nil, output: cotangent)
          let toWeight = run(
            VK_TRAIN_CONVOLUTION_WEIGHT, form, isa, threads: threads, input: input, weight: nil,
            bias: nil, output: cotangent)
          results.append(forward.output + toInput.input + toWeight.weight + toWeight.bias)
        }
      }
      #expect(results.allSatisfy { $0 == results[0] }, "\(form.testDescription)")
    }
  }
}
