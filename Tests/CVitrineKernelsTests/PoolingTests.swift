import CVitrineKernels
import Testing

@Suite("Pooling") struct PoolingTests {
  struct Case {
    var images = 2
    var channels = 20
    var height = 7
    var width = 9
    var kernel = (3, 3)
    var stride = (2, 2)
    var dilation = (1, 1)
    var begin = (0, 0)
    var end = (0, 0)
    var ceiling = false
    var countsPadding = false

    private func length(
      _ size: Int, _ kernel: Int, _ stride: Int, _ dilation: Int, _ begin: Int, _ end: Int
    ) -> Int {
      let span = size + begin + end - (kernel - 1) * dilation - 1
      var count = (span + (ceiling ? stride - 1 : 0)) / stride + 1
      // A window that would start in the end padding is dropped, as in PyTorch and ONNX.
      if ceiling && (count - 1) * stride >= size + begin { count -= 1 }
      return count
    }

    var outputHeight: Int { length(height, kernel.0, stride.0, dilation.0, begin.0, end.0) }
    var outputWidth: Int { length(width, kernel.1, stride.1, dilation.1, begin.1, end.1) }
  }

  static let cases = [
    Case(),
    Case(stride: (1, 1), begin: (1, 1), end: (1, 1)),
    Case(begin: (1, 1), end: (1, 1)),
    Case(begin: (1, 1), end: (1, 1), countsPadding: true),
    Case(kernel: (2, 2)),
    Case(kernel: (3, 2), stride: (3, 1), begin: (0, 1), end: (2, 0), countsPadding: true),
    Case(height: 8, width: 8, ceiling: true),
    Case(height: 8, width: 10, begin: (1, 1), end: (1, 1), ceiling: true, countsPadding: true),
    Case(height: 6, width: 6, kernel: (2, 3), stride: (3, 2), ceiling: true, countsPadding: true),
    Case(stride: (1, 2), dilation: (2, 3), begin: (2, 3), end: (2, 3)),
    Case(stride: (1, 1), dilation: (2, 2), begin: (1, 2), end: (1, 2), countsPadding: true),
    Case(kernel: (7, 9), stride: (1, 1)),
    Case(height: 1, width: 17, kernel: (1, 5), stride: (1, 4), begin: (0, 2), end: (0, 2)),
  ]

  /// Memory and operations of one case.
  private struct Prepared {
    let workspace = Workspace()
    let test: Case
    let input: BlockedPlanes
    let output: BlockedPlanes
    let inputBuffer: Int32
    let outputBuffer: Int32
    let indexBuffer: Int32
    var window: vk_pool_window

    init(_ test: Case) {
      self.test = test
      input = BlockedPlanes(test.images, test.channels, test.height, test.width, halo: 1)
      output = BlockedPlanes(test.images, test.channels, test.outputHeight, test.outputWidth)
      inputBuffer = input.addWholeNumbers(to: workspace, seed: 29)
      outputBuffer = workspace.addFloats(output.count)
      indexBuffer = workspace.addWords(output.count)
      // Values of padding must not win: the halo is larger than everything.
      let floats = workspace.floats(inputBuffer)
      let inside = input
      for i in 0..<input.count where !inside.contains(i) { floats[i] = 1000 }
      window = vk_pool_window(
        input: input.map(buffer: inputBuffer), output: output.map(buffer: outputBuffer),
        images: Int32(test.images), blocks: Int32(input.blocks), input_height: Int32(test.height),
        input_width: Int32(test.width), height: Int32(output.height), width: Int32(output.width),
        kernel_y: Int32(test.kernel.0), kernel_x: Int32(test.kernel.1),
        stride_y: Int32(test.stride.0), stride_x: Int32(test.stride.1),
        dilation_y: Int32(test.dilation.0), dilation_x: Int32(test.dilation.1),
        pad_top: Int32(test.begin.0), pad_left: Int32(test.begin.1),
        count_include_pad: test.countsPadding ? 1 : 0, pad_bottom: Int32(test.end.0),
        pad_right: Int32(test.end.1), index_buffer: indexBuffer, index_images: 0, index_offset: 0,
        read_mask: .absent, rule: VK_BACKWARD_GRADIENT)
    }

    func operation(_ kind: vk_kind) -> vk_op {
      var operation = vk_op()
      operation.kind = kind
      operation.as.pool = window
      return operation
    }

    /// Taps of the window at (y, x) that lie inside, in row-major order.
    func taps(_ y: Int, _ x: Int) -> [(index: Int, y: Int, x: Int)] {
      var taps: [(index: Int, y: Int, x: Int)] = []
      for ky in 0..<test.kernel.0 {
        for kx in 0..<test.kernel.1 {
          let row = y * test.stride.0 - test.begin.0 + ky * test.dilation.0
          let column = x * test.stride.1 - test.begin.1 + kx * test.dilation.1
          if row >= 0 && row < test.height && column >= 0 && column < test.width {
            taps.append((ky * test.kernel.1 + kx, row, column))
          }
        }
      }
      return taps
    }

    func divisor(_ y: Int, _ x: Int) -> Int {
      guard test.countsPadding else { return taps(y, x).count }
      let rows = (0..<test.kernel.0).count {
        y * test.stride.0 - test.begin.0 + $0 * test.dilation.0 < test.height + test.end.0
      }
      let columns = (0..<test.kernel.1).count {
        x * test.stride.1 - test.begin.1 + $0 * test.dilation.1 < test.width + test.end.1
      }
      return rows * columns
    }
  }

  @Test(
    "the maximum is the first largest value of the clipped window",
    arguments: InstructionSet.available)
  func maximum(instructionSet: InstructionSet) {
    for test in Self.cases {
      for keepsIndices in [true, false] {
        var prepared = Prepared(test)
        if !keepsIndices { prepared.window.index_buffer = -1 }
        prepared.workspace.run(prepared.operation(VK_MAX_POOL), threads: 2, on: instructionSet)
        let input = prepared.workspace.floats(prepared.inputBuffer)
        var mismatches = 0
        prepared.output.forEachElement { image, channel, y, x in
          var best = -Float.infinity
          var index = 0
          for tap in prepared.taps(y, x) {
            let value = input[prepared.input.index(image, channel, tap.y, tap.x)]
            if value > best { (best, index) = (value, tap.index) }
          }
          let at = prepared.output.index(image, channel, y, x)
          if prepared.workspace.floats(prepared.outputBuffer)[at] != best { mismatches += 1 }
          if keepsIndices && prepared.workspace.words(prepared.indexBuffer)[at] != UInt16(index) {
            mismatches += 1
          }
        }
        #expect(mismatches == 0, "\(test)")
      }
    }
  }

  @Test("the first NaN of a window is its maximum", arguments: InstructionSet.available)
  func notANumber(instructionSet: InstructionSet) {
    for kernel in [2, 3, 4] {
      for position in 0..<kernel * kernel - 1 {
        for keepsIndices in [true, false] {
          var prepared = Prepared(
            Case(
              images: 1, channels: 1, height: kernel, width: kernel, kernel: (kernel, kernel)))
          if !keepsIndices { prepared.window.index_buffer = -1 }
          let input = prepared.workspace.floats(prepared.inputBuffer)
          for i in 0..<kernel * kernel {
            // A larger number and a second NaN follow.
            input[prepared.input.index(0, 0, i / kernel, i % kernel)] =
              i == position || i == kernel * kernel - 1 ? .nan : Float(i)
          }
          prepared.workspace.run(prepared.operation(VK_MAX_POOL), on: instructionSet)
          #expect(prepared.workspace.floats(prepared.outputBuffer)[0].isNaN)
          if keepsIndices {
            #expect(prepared.workspace.words(prepared.indexBuffer)[0] == UInt16(position))
          }
        }
      }
    }
  }

  @Test(
    "the average divides by what PyTorch and ONNX divide by", arguments: InstructionSet.available)
  func average(instructionSet: InstructionSet) {
    for test in Self.cases {
      let prepared = Prepared(test)
      prepared.workspace.run(prepared.operation(VK_AVERAGE_POOL), threads: 2, on: instructionSet)
      let input = prepared.workspace.floats(prepared.inputBuffer)
      var mismatches = 0
      prepared.output.forEachElement { image, channel, y, x in
        let sum = prepared.taps(y, x).reduce(Float(0)) {
          $0 + input[prepared.input.index(image, channel, $1.y, $1.x)]
        }
        let expected = sum / Float(prepared.divisor(y, x))
        let at = prepared.output.index(image, channel, y, x)
        if prepared.workspace.floats(prepared.outputBuffer)[at] != expected { mismatches += 1 }
      }
      #expect(mismatches == 0, "\(test)")
    }
  }

  @Test("backward passes mask what they store", arguments: InstructionSet.available)
  func masks(instructionSet: InstructionSet) {
    for test in Self.cases {
      for (kind, rule) in [
        (VK_MAX_POOL_BACKWARD, VK_BACKWARD_GRADIENT), (VK_MAX_POOL_BACKWARD, VK_BACKWARD_GUIDED),
        (VK_AVERAGE_POOL_BACKWARD, VK_BACKWARD_DECONVNET),
        (VK_AVERAGE_POOL_BACKWARD, VK_BACKWARD_GRADIENT),
      ] {
        var prepared = Prepared(test)
        let workspace = prepared.workspace
        workspace.run(prepared.operation(VK_MAX_POOL), on: instructionSet)
        var numbers = WholeNumbers(seed: 37)
        for i in 0..<prepared.output.count {
          workspace.floats(prepared.outputBuffer)[i] = numbers.next()
        }
        // One mask for all images.
        var masked = prepared.input
        masked.images = 1
        let mask = workspace.addWords(masked.maskCount)
        for i in 0..<masked.maskCount {
          workspace.words(mask)[i] = UInt16(truncatingIfNeeded: numbers.bits())
        }
        let input = workspace.floats(prepared.inputBuffer)
        workspace.run(prepared.operation(kind), threads: 2, on: instructionSet)
        let plain = Array(UnsafeBufferPointer(start: input, count: prepared.input.count))
        prepared.window.read_mask = masked.mask(buffer: mask)
        prepared.window.rule = rule
        workspace.run(prepared.operation(kind), threads: 2, on: instructionSet)
        var mismatches = 0
        prepared.input.forEachElement { image, channel, y, x in
          let at = prepared.input.index(image, channel, y, x)
          let word = workspace.words(mask)[masked.maskIndex(0, channel, y, x)]
          let isOpen = word >> UInt16(channel % 16) & 1 == 1 || rule == VK_BACKWARD_DECONVNET
          let passes = isOpen && (plain[at] > 0 || rule == VK_BACKWARD_GRADIENT)
          if input[at] != (passes ? plain[at] : 0) { mismatches += 1 }
        }
        #expect(mismatches == 0, "\(test)")
      }
    }
  }

  @Test(
    "backward passes are the transposes of the forward passes, and write every pixel",
    arguments: InstructionSet.available)
  func backward(instructionSet: InstructionSet) {
    for test in Self.cases {
      for kind in [VK_MAX_POOL_BACKWARD, VK_AVERAGE_POOL_BACKWARD] {
        let prepared = Prepared(test)
        if kind == VK_MAX_POOL_BACKWARD {
          prepared.workspace.run(prepared.operation(VK_MAX_POOL), on: instructionSet)
        }
        var numbers = WholeNumbers(seed: 31)
        let cotangent = prepared.workspace.floats(prepared.outputBuffer)
        for i in 0..<prepared.output.count { cotangent[i] = numbers.next() }
        var expected = [Double](repeating: 0, count: prepared.input.count)
        prepared.output.forEachElement { image, channel, y, x in
          let at = prepared.output.index(image, channel, y, x)
          for tap in prepared.taps(y, x) {
            let target = prepared.input.index(image, channel, tap.y, tap.x)
            if kind == VK_AVERAGE_POOL_BACKWARD {
              expected[target] += Double(cotangent[at]) / Double(prepared.divisor(y, x))
            } else if tap.index == Int(prepared.workspace.words(prepared.indexBuffer)[at]) {
              expected[target] += Double(cotangent[at])
            }
          }
        }
        let input = prepared.workspace.floats(prepared.inputBuffer)
        prepared.input.forEachElement {
          input[prepared.input.index($0, $1, $2, $3)] = .nan
        }
        prepared.workspace.run(prepared.operation(kind), threads: 2, on: instructionSet)
        var mismatches = 0
        prepared.input.forEachElement {
          let at = prepared.input.index($0, $1, $2, $3)
          // Sums of whole numbers are exact; shares of an average round once each.
          let tolerance = kind == VK_MAX_POOL_BACKWARD ? 0 : 1e-5
          if !(abs(Double(input[at]) - expected[at]) <= tolerance) { mismatches += 1 }
        }
        #expect(mismatches == 0, "\(test) \(kind)")
        #expect(input[0] == 1000, "the halo is not touched")
      }
    }
  }

  @Test("several cotangents share one image's indices", arguments: InstructionSet.available)
  func sharedIndices(instructionSet: InstructionSet) {
    var prepared = Prepared(Case(images: 4, channels: 16, height: 6, width: 6, kernel: (2, 2)))
    prepared.window.images = 1
    prepared.workspace.run(prepared.operation(VK_MAX_POOL), on: instructionSet)
    let cotangent = prepared.workspace.floats(prepared.outputBuffer)
    for image in 0..<4 {
      for i in 0..<prepared.output.imageStride {
        cotangent[image * prepared.output.imageStride + i] = Float(image + 1)
      }
    }
    prepared.window.images = 4
    prepared.window.index_images = 1
    prepared.workspace.run(prepared.operation(VK_MAX_POOL_BACKWARD), on: instructionSet)
    let input = prepared.workspace.floats(prepared.inputBuffer)
    prepared.input.forEachElement { image, channel, y, x in
      let first = input[prepared.input.index(0, channel, y, x)]
      #expect(first == 0 || first == 1)
      #expect(input[prepared.input.index(image, channel, y, x)] == first * Float(image + 1))
    }
  }

  @Test("the global average and its backward pass", arguments: InstructionSet.available)
  func globalAverage(instructionSet: InstructionSet) {
    for (height, width) in [(1, 1), (7, 7), (3, 13), (5, 6)] {
      let workspace = Workspace()
      let planes = BlockedPlanes(2, 40, height, width, halo: 1)
      let point = BlockedPlanes(2, 40, 1, 1)
      let buffer = planes.addWholeNumbers(to: workspace, seed: 37)
      let mean = workspace.addFloats(point.count)
      var operation = vk_op()
      operation.kind = VK_GLOBAL_AVERAGE
      operation.as.elementwise.input = planes.map(buffer: buffer)
      operation.as.elementwise.output = point.map(buffer: mean)
      operation.as.elementwise.images = 2
      operation.as.elementwise.blocks = Int32(planes.blocks)
      operation.as.elementwise.height = Int32(height)
      operation.as.elementwise.width = Int32(width)
      workspace.run(operation, threads: 2, on: instructionSet)
      point.forEachElement { image, channel, _, _ in
        var sum: Float = 0
        for y in 0..<height {
          for x in 0..<width {
            sum += workspace.floats(buffer)[planes.index(image, channel, y, x)]
          }
        }
        #expect(
          workspace.floats(mean)[point.index(image, channel, 0, 0)] == sum / Float(height * width))
      }
      let spread = workspace.addFloats(planes.count)
      operation.kind = VK_GLOBAL_AVERAGE_BACKWARD
      operation.as.elementwise.input = point.map(buffer: mean)
      operation.as.elementwise.output = planes.map(buffer: spread)
      workspace.run(operation, threads: 2, on: instructionSet)
      planes.forEachElement { image, channel, y, x in
        #expect(
          workspace.floats(spread)[planes.index(image, channel, y, x)]
            == workspace.floats(mean)[point.index(image, channel, 0, 0)] / Float(height * width))
      }
    }
  }
}
