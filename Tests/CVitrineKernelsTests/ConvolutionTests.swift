import CVitrineKernels
import Testing

/// A convolution in plain terms, and the kernel operation that computes it.
private struct Case {
  var images = 1
  var inputs = 16
  var outputs = 16
  var height = 5
  var width = 7
  var kernel = 3
  var stride = 1
  var dilation = 1
  var halo = 1
  var outputHalo = 0
  var flush: Int32 = 0
  var singles = false  // one block per group
  var isPlain = false  // tap_lanes 1
  var epilogue = ReferenceEpilogue()

  var outputHeight: Int { (height + 2 * halo - (kernel - 1) * dilation - 1) / stride + 1 }
  var outputWidth: Int { (width + 2 * halo - (kernel - 1) * dilation - 1) / stride + 1 }
  var output: BlockedPlanes {
    BlockedPlanes(images, outputs, outputHeight, outputWidth, halo: outputHalo)
  }
}

/// Memory and operation of one case.
private struct Prepared {
  let workspace = Workspace()
  let test: Case
  let input: UnsafePointer<Float>  // plain, with halo; owned by the workspace
  let weights: UnsafePointer<Float>
  let epilogue: ReferenceEpilogue.Prepared
  let outputBuffer: Int32
  let operation: vk_op

  init(_ test: Case, seed: UInt64 = 1, fractions: Bool = false) {
    self.test = test
    var numbers = WholeNumbers(seed: seed)
    let (height, width) = (test.height + 2 * test.halo, test.width + 2 * test.halo)
    var input = [Float](repeating: 0, count: test.images * test.inputs * height * width)
    for image in 0..<test.images * test.inputs {
      for y in 0..<test.height {
        for x in 0..<test.width {
          input[(image * height + y + test.halo) * width + x + test.halo] =
            fractions ? numbers.fraction() : numbers.next()
        }
      }
    }
    let area = test.kernel * test.kernel
    let weights = (0..<test.outputs * test.inputs * area).map { _ in
      fractions ? numbers.fraction() : numbers.next()
    }
    self.input = workspace.keep(input)
    self.weights = workspace.keep(weights)

    let planes = BlockedPlanes(
      test.images, test.inputs, test.height, test.width, halo: test.halo)
    let buffer: Int32
    let map: vk_map
    var taps: [Int32] = []
    var sources: [Int64] = []
    var present: [Int32] = []
    let lanes = test.isPlain ? 1 : 16
    if test.isPlain {
      buffer = workspace.addFloats(input)
      map = vk_map(
        buffer: buffer, pixel_stride: Int32(test.stride), offset: 0,
        image_stride: Int64(test.inputs * height * width), block_stride: Int64(height * width),
        row_stride: Int64(test.stride * width))
    } else {
      buffer = workspace.addFloats(planes.count, value: 0)
      let floats = workspace.floats(buffer)
      planes.forEachElement { image, channel, y, x in
        floats[planes.index(image, channel, y, x)] =
          input[
            ((image * test.inputs + channel) * height + y + test.halo) * width + x + test.halo]
      }
      var corner = planes.map(buffer: buffer, step: test.stride)
      corner.offset -= Int64(planes.origin)
      map = corner
    }
    for first in stride(from: 0, to: test.inputs, by: lanes) {
      for ky in 0..<test.kernel {
        for kx in 0..<test.kernel {
          let (y, x) = (ky * test.dilation, kx * test.dilation)
          taps.append(
            Int32(
              test.isPlain
                ? (first * height + y) * width + x
                : first / 16 * planes.blockStride + y * planes.rowStride + x * 16))
          sources.append(Int64((first * test.kernel + ky) * test.kernel + kx))
          present.append(Int32(min(lanes, test.inputs - first)))
        }
      }
    }
    let keptTaps = workspace.keep(taps)
    var groups: [vk_group] = []
    var block = 0
    let output = test.output
    while block < output.blocks {
      let blocks = test.singles ? 1 : min(2, output.blocks - block)
      var packed = [Float](repeating: .nan, count: taps.count * lanes * blocks * 16)
      vk_pack_group(
        &packed, self.weights + block * 16 * test.inputs * area, sources, present, taps.count,
        lanes, Int64(area), Int64(test.inputs * area),
        min(blocks * 16, test.outputs - block * 16), blocks * 16, nil)
      groups.append(
        vk_group(
          taps: keptTaps, weights: workspace.keep(packed), tap_count: Int32(taps.count),
          block: Int32(block), blocks: Int32(blocks)))
      block += blocks
    }
    outputBuffer = workspace.addFloats(output.count)
    epilogue = test.epilogue.prepare(output, in: workspace, seed: seed + 7)
    var operation = vk_op()
    operation.kind = VK_CONVOLUTION
    operation.as.convolution = vk_convolution(
      input: map, output: output.map(buffer: outputBuffer), groups: workspace.keep(groups),
      group_count: Int32(groups.count), tap_lanes: Int32(lanes), images: Int32(test.images),
      height: Int32(output.height), width: Int32(output.width), flush: test.flush,
      epilogue: epilogue.epilogue)
    self.operation = operation
  }

  /// The sum of one output, in double precision, without its epilogue.
  func sum(_ image: Int, _ channel: Int, _ y: Int, _ x: Int) -> Double {
    let (height, width) = (test.height + 2 * test.halo, test.width + 2 * test.halo)
    var sum = 0.0
    for input in 0..<test.inputs {
      for ky in 0..<test.kernel {
        for kx in 0..<test.kernel {
          let row = y * test.stride + ky * test.dilation
          let column = x * test.stride + kx * test.dilation
          sum +=
            Double(self.input[((image * test.inputs + input) * height + row) * width + column])
            * Double(
              weights[((channel * test.inputs + input) * test.kernel + ky) * test.kernel + kx])
        }
      }
    }
    return sum
  }

  func result() -> [Float] {
    Array(UnsafeBufferPointer(start: workspace.floats(outputBuffer), count: test.output.count))
  }
}

@Suite("Convolution by tap lists") struct ConvolutionTests {
  @Test("weights packed together and in parallel equal those packed tap by tap")
  func packing() {
    for (kernel, taps, inputs, outputs): (Int, [Int32], Int, Int) in [
      (1, [0], 40, 21), (9, Array(0..<9), 20, 32), (9, [8, 6, 2], 16, 5),
      (25, [24, 3, 17], 33, 16),
    ] {
      let width = (outputs + 15) / 16 * 16
      var numbers = WholeNumbers(seed: 19)
      let source = (0..<kernel * inputs * outputs).map { _ in numbers.fraction() }
      // Weights of the forward pass, then with inputs and outputs exchanged.
      for (inputStride, outputStride) in [(kernel, inputs * kernel), (outputs * kernel, kernel)] {
        let blocks = (inputs + 15) / 16
        let tapList = (0..<blocks).flatMap { block in taps.map { (block, Int($0)) } }
        let count = tapList.count * 16 * width
        var expected = [Float](repeating: .nan, count: count)
        vk_pack_group(
          &expected, source, tapList.map { Int64($0.0 * 16 * inputStride + $0.1) },
          tapList.map { Int32(min(16, inputs - $0.0 * 16)) }, tapList.count, 16,
          Int64(inputStride), Int64(outputStride), outputs, width, nil)
        var found = [[Float]](repeating: .init(repeating: .nan, count: count), count: 2)
        for i in found.indices {
          found[i].withUnsafeMutableBufferPointer { packed in
            source.withUnsafeBufferPointer { source in
              taps.withUnsafeBufferPointer { taps in
                let piece = vk_packing(
                  kind: VK_PACK_WINDOWS, rotated: 0, tile: 0, packed: packed.baseAddress,
                  source: source.baseAddress, taps: taps.baseAddress,
                  tap_count: Int32(taps.count), kernel: Int32(kernel), inputs: Int64(inputs),
                  outputs: Int64(outputs), width: Int64(width), input_stride: Int64(inputStride),
                  output_stride: Int64(outputStride))
                vk_pack([piece, piece], i + 1, 2)
              }
            }
          }
        }
        #expect(found[0] == expected && found[1] == expected)
      }
    }
  }

  @Test("every width gives the exact sums", arguments: InstructionSet.available)
  func everyWidth(instructionSet: InstructionSet) {
    for width in Array(1...17) + [28, 29, 31, 43, 49] {
      for kernel in [1, 3] {
        let prepared = Prepared(
          Case(outputs: 48, height: 3, width: width, kernel: kernel, halo: kernel / 2))
        prepared.workspace.run(prepared.operation, on: instructionSet)
        let mismatch = firstMismatch(
          prepared.test.output, buffer: prepared.outputBuffer, prepared.test.epilogue,
          prepared.epilogue, in: prepared.workspace, sum: prepared.sum)
        #expect(mismatch == nil, "width \(width), kernel \(kernel): \(mismatch ?? "")")
      }
    }
  }

  @Test(
    "strides, dilations, blocks, groups, images and halos give the exact sums",
    arguments: InstructionSet.available)
  func shapes(instructionSet: InstructionSet) {
    let cases = [
      Case(inputs: 5, outputs: 3, height: 6, width: 6),
      Case(images: 2, inputs: 33, outputs: 80, height: 4, width: 5),
      Case(inputs: 32, outputs: 48, height: 9, width: 15, stride: 2),
      Case(images: 2, inputs: 16, outputs: 32, height: 9, width: 61, stride: 2),
      Case(inputs: 16, outputs: 32, height: 10, width: 31, stride: 3),
      Case(inputs: 20, outputs: 16, height: 9, width: 16, dilation: 2, halo: 2),
      Case(inputs: 16, outputs: 32, height: 7, width: 13, kernel: 5, halo: 2, outputHalo: 1),
      Case(inputs: 16, outputs: 64, height: 7, width: 7, singles: true),
      Case(images: 3, inputs: 16, outputs: 32, height: 7, width: 2, outputHalo: 2),
      Case(images: 3, inputs: 16, outputs: 40, height: 9, width: 1, kernel: 1, halo: 0),
      Case(images: 17, inputs: 24, outputs: 40, height: 1, width: 1, kernel: 1, halo: 0),
      Case(images: 5, inputs: 16, outputs: 32, height: 2, width: 2, kernel: 1, halo: 0),
      Case(images: 2, inputs: 16, outputs: 32, height: 3, width: 3, halo: 1),
      Case(images: 2, inputs: 16, outputs: 32, height: 4, width: 4, halo: 1),
      Case(inputs: 16, outputs: 32, height: 5, width: 9, flush: 1),
      Case(inputs: 48, outputs: 32, height: 5, width: 16, flush: 4),
      Case(inputs: 16, outputs: 32, height: 5, width: 9, flush: 9),
      Case(inputs: 3, outputs: 20, height: 9, width: 19, isPlain: true),
      Case(images: 2, inputs: 3, outputs: 64, height: 11, width: 33, stride: 2, isPlain: true),
      Case(inputs: 1, outputs: 16, height: 12, width: 41, stride: 4, isPlain: true),
      Case(inputs: 3, outputs: 48, height: 12, width: 24, stride: 3, flush: 5, isPlain: true),
      Case(
        images: 2, inputs: 3, outputs: 32, height: 4, width: 1, kernel: 1, halo: 0,
        isPlain: true),
    ]
    for test in cases {
      let prepared = Prepared(test, seed: 3)
      prepared.workspace.run(prepared.operation, threads: 2, on: instructionSet)
      let mismatch = firstMismatch(
        test.output, buffer: prepared.outputBuffer, test.epilogue, prepared.epilogue,
        in: prepared.workspace, sum: prepared.sum)
      #expect(mismatch == nil, "\(test): \(mismatch ?? "")")
    }
  }

  @Test("every epilogue does what it says, in every tile", arguments: InstructionSet.available)
  func epilogues(instructionSet: InstructionSet) {
    for epilogue in ReferenceEpilogue.all {
      for (height, width) in [(2, 29), (7, 7), (5, 3), (1, 49), (3, 1)] {
        let test = Case(
          images: 3, inputs: 6, outputs: 40, height: height, width: width, outputHalo: 1,
          epilogue: epilogue)
        let dense = Case(
          images: 3, inputs: 6, outputs: 40, height: height, width: width, kernel: 1, halo: 0,
          epilogue: epilogue)
        for test in [test, dense] {
          let prepared = Prepared(test, seed: 5)
          prepared.workspace.run(prepared.operation, on: instructionSet)
          let mismatch = firstMismatch(
            test.output, buffer: prepared.outputBuffer, epilogue, prepared.epilogue,
            in: prepared.workspace, sum: prepared.sum)
          #expect(mismatch == nil, "\(test): \(mismatch ?? "")")
        }
      }
    }
  }

  @Test("lanes past the last channel stay zero", arguments: InstructionSet.available)
  func paddingLanes(instructionSet: InstructionSet) {
    let test = Case(inputs: 7, outputs: 21, height: 3, width: 9)
    let prepared = Prepared(test)
    prepared.workspace.run(prepared.operation, on: instructionSet)
    let floats = prepared.workspace.floats(prepared.outputBuffer)
    for y in 0..<3 {
      for x in 0..<9 {
        for channel in 21..<32 { #expect(floats[test.output.index(0, channel, y, x)] == 0) }
      }
    }
  }

  @Test("the halo of the output is not touched", arguments: InstructionSet.available)
  func outputHalo(instructionSet: InstructionSet) {
    let test = Case(inputs: 16, outputs: 32, height: 3, width: 9, outputHalo: 2)
    let prepared = Prepared(test)
    prepared.workspace.run(prepared.operation, on: instructionSet)
    let written = prepared.result().count { !$0.isNaN }
    #expect(written == 32 * 3 * 9)
  }

  @Test("a residual may be the output itself", arguments: InstructionSet.available)
  func residualInPlace(instructionSet: InstructionSet) {
    let test = Case(
      inputs: 16, outputs: 32, height: 3, width: 17,
      epilogue: ReferenceEpilogue(hasResidual: true))
    let prepared = Prepared(test)
    let before = Array(
      UnsafeBufferPointer(
        start: prepared.workspace.floats(prepared.epilogue.residual), count: test.output.count))
    var operation = prepared.operation
    operation.as.convolution.output = prepared.epilogue.epilogue.residual
    prepared.workspace.run(operation, on: instructionSet)
    let floats = prepared.workspace.floats(prepared.epilogue.residual)
    test.output.forEachElement { image, channel, y, x in
      let index = test.output.index(image, channel, y, x)
      #expect(floats[index] == before[index] + Float(prepared.sum(image, channel, y, x)))
    }
  }

  @Test("one phase of a stride writes every second pixel", arguments: InstructionSet.available)
  func phases(instructionSet: InstructionSet) {
    let test = Case(inputs: 16, outputs: 32, height: 3, width: 9, kernel: 1, halo: 0)
    let prepared = Prepared(test)
    let wide = BlockedPlanes(1, 32, 6, 18)
    let buffer = prepared.workspace.addFloats(wide.count, value: 77)
    var operation = prepared.operation
    operation.as.convolution.output = wide.map(buffer: buffer, step: 2)
    prepared.workspace.run(operation, on: instructionSet)
    let floats = prepared.workspace.floats(buffer)
    wide.forEachElement { image, channel, y, x in
      let expected =
        y % 2 == 0 && x % 2 == 0 ? Float(prepared.sum(image, channel, y / 2, x / 2)) : 77
      #expect(floats[wide.index(image, channel, y, x)] == expected)
    }
  }

  @Test(
    "results are bit-identical for any thread count, and for one image alone or in a batch",
    arguments: InstructionSet.available)
  func deterministic(instructionSet: InstructionSet) {
    // Large enough to be cut into pieces; fractions, so that another order of sums would show.
    for (height, width, kernel, flush): (Int, Int, Int, Int32) in [
      (7, 7, 3, 0), (15, 31, 3, 0), (28, 28, 1, 0), (1, 1, 1, 0), (6, 5, 3, 5),
    ] {
      let test = Case(
        images: 4, inputs: 64, outputs: 96, height: height, width: width, kernel: kernel,
        halo: kernel / 2, flush: flush)
      let prepared = Prepared(test, seed: 11, fractions: true)
      prepared.workspace.run(prepared.operation, threads: 1, on: instructionSet)
      let reference = prepared.result()
      for threads: Int32 in [2, 3, 5] {
        prepared.workspace.floats(prepared.outputBuffer).update(
          repeating: .nan, count: reference.count)
        prepared.workspace.run(prepared.operation, threads: threads, on: instructionSet)
        #expect(prepared.result() == reference)
      }
      let imageStride = test.output.imageStride
      for image in 0..<4 {
        var alone = prepared.operation
        alone.as.convolution.images = 1
        alone.as.convolution.input.offset +=
          Int64(image) * alone.as.convolution.input.image_stride
        prepared.workspace.floats(prepared.outputBuffer).update(
          repeating: .nan, count: reference.count)
        prepared.workspace.run(alone, threads: 2, on: instructionSet)
        #expect(
          prepared.result()[..<imageStride].elementsEqual(
            reference[image * imageStride..<(image + 1) * imageStride]))
      }
    }
  }

  @Test(
    "instruction sets with fused multiply-add agree bit for bit, the portable one within its rounding"
  )
  func instructionSetsAgree() {
    let test = Case(inputs: 32, outputs: 48, height: 5, width: 15)
    let prepared = Prepared(test, seed: 13, fractions: true)
    var fused: [Float]?
    for instructionSet in InstructionSet.available {
      prepared.workspace.run(prepared.operation, on: instructionSet)
      let result = prepared.result()
      // A chain of K steps errs by at most 2 K 2^-24 times the sum of magnitudes, here below K.
      let steps = Double(32 * 9)
      test.output.forEachElement { image, channel, y, x in
        let error =
          Double(result[test.output.index(image, channel, y, x)])
          - prepared.sum(image, channel, y, x)
        #expect(abs(error) <= 2 * steps * 0x1p-24 * steps)
      }
      if instructionSet == .portable { continue }
      #expect(fused == nil || fused == result)
      fused = result
    }
  }
}
