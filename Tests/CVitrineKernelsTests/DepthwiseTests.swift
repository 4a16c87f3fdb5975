import CVitrineKernels
import Testing

@Suite("Depthwise convolution") struct DepthwiseTests {
  struct Case {
    var images = 1
    var channels = 16
    var height = 5
    var width = 7
    var kernel = 3
    var stride = 1
    var halo = 1
    var epilogue = ReferenceEpilogue()
  }

  private func check(_ test: Case, threads: Int32, on instructionSet: InstructionSet) {
    let workspace = Workspace()
    let input = BlockedPlanes(
      test.images, test.channels, test.height, test.width, halo: test.halo)
    let output = BlockedPlanes(
      test.images, test.channels, (test.height + 2 * test.halo - test.kernel) / test.stride + 1,
      (test.width + 2 * test.halo - test.kernel) / test.stride + 1, halo: 1)
    let inputBuffer = input.addWholeNumbers(to: workspace, seed: 17)
    let outputBuffer = workspace.addFloats(output.count)
    var numbers = WholeNumbers(seed: 19)
    let area = test.kernel * test.kernel
    let weights = numbers.list(input.blocks * area * 16)
    var taps: [Int32] = []
    for y in 0..<test.kernel {
      for x in 0..<test.kernel { taps.append(Int32(y * input.rowStride + x * 16)) }
    }
    var map = input.map(buffer: inputBuffer, step: test.stride)
    map.offset = 0
    let prepared = test.epilogue.prepare(output, in: workspace, seed: 23)
    var operation = vk_op()
    operation.kind = VK_DEPTHWISE
    operation.as.depthwise = vk_depthwise(
      input: map, output: output.map(buffer: outputBuffer), taps: workspace.keep(taps),
      weights: workspace.keep(weights), tap_count: Int32(area), images: Int32(test.images),
      blocks: Int32(input.blocks), height: Int32(output.height), width: Int32(output.width),
      epilogue: prepared.epilogue)
    workspace.run(operation, threads: threads, on: instructionSet)
    let floats = workspace.floats(inputBuffer)
    let mismatch = firstMismatch(
      output, buffer: outputBuffer, test.epilogue, prepared, in: workspace
    ) { image, channel, y, x in
      var sum = 0.0
      for ky in 0..<test.kernel {
        for kx in 0..<test.kernel {
          let value = floats[
            input.index(
              image, channel, y * test.stride + ky - test.halo, x * test.stride + kx - test.halo)]
          sum +=
            Double(value)
            * Double(
              weights[(channel / 16 * area + ky * test.kernel + kx) * 16 + channel % 16])
        }
      }
      return sum
    }
    #expect(mismatch == nil, "\(test): \(mismatch ?? "")")
  }

  @Test("all widths, strides and kernels give the exact sums", arguments: InstructionSet.available)
  func shapes(instructionSet: InstructionSet) {
    for width in [1, 2, 7, 13, 14, 15, 16, 17, 31, 49] {
      check(Case(width: width), threads: 1, on: instructionSet)
    }
    for stride in [2, 3] {
      check(
        Case(images: 2, channels: 40, height: 9, width: 33, stride: stride), threads: 2,
        on: instructionSet)
    }
    check(
      Case(channels: 3, height: 20, width: 24, kernel: 20, halo: 10), threads: 2,
      on: instructionSet)
    check(
      Case(images: 2, channels: 80, height: 6, width: 1, kernel: 1, halo: 0), threads: 2,
      on: instructionSet)
  }

  @Test("every epilogue does what it says", arguments: InstructionSet.available)
  func epilogues(instructionSet: InstructionSet) {
    for epilogue in ReferenceEpilogue.all {
      check(
        Case(images: 2, channels: 24, height: 3, width: 19, epilogue: epilogue), threads: 1,
        on: instructionSet)
    }
  }
}
