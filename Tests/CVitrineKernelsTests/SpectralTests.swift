import CVitrineKernels
import Testing

/// A depthwise convolution in the frequency domain, forward or transposed.
private struct Case {
  var images = 1
  var channels = 16
  var multiplier = 1
  var height = 12
  var width = 15
  var kernel = (3, 3)
  var dilation = (1, 1)
  var pad = (1, 1)
  var points = (16, 16)
  var isTransposed = false
  var epilogue = ReferenceEpilogue()

  var filters: Int { channels * multiplier }
  var input: BlockedPlanes {
    BlockedPlanes(images, isTransposed ? filters : channels, height, width, halo: 1)
  }
  var output: BlockedPlanes {
    BlockedPlanes(images, isTransposed ? channels : filters, height + 1, width - 1)
  }
}

private struct Prepared {
  let workspace = Workspace()
  let test: Case
  let inputBuffer: Int32
  let outputBuffer: Int32
  let weights: UnsafePointer<Float>  // [filter][row][column]
  let epilogue: ReferenceEpilogue.Prepared
  let operation: vk_op

  init(_ test: Case, seed: UInt64 = 1, threads: Int32 = 2) {
    self.test = test
    inputBuffer = test.input.addFractions(to: workspace, seed: seed)
    // The halo is not read: it may hold anything.
    let floats = workspace.floats(inputBuffer)
    for i in 0..<test.input.count where !test.input.contains(i) { floats[i] = .nan }
    var numbers = WholeNumbers(seed: seed + 1)
    let taps = test.kernel.0 * test.kernel.1
    weights = workspace.keep((0..<test.filters * taps).map { _ in numbers.fraction() })
    outputBuffer = workspace.addFloats(test.output.count)
    epilogue = test.epilogue.prepare(test.output, in: workspace, seed: seed + 2)
    let (y, x) = (Int32(test.points.0), Int32(test.points.1))
    var spectra = [Float](
      repeating: .nan,
      count: (test.filters + 15) / 16 * test.points.0 * (test.points.1 / 2 + 1) * 32)
    vk_pack_spectra(
      &spectra, weights, test.filters, Int32(test.kernel.0), Int32(test.kernel.1),
      Int32(test.dilation.0), Int32(test.dilation.1), y, x)
    var operation = vk_op()
    operation.kind = VK_SPECTRAL
    operation.as.spectral = vk_spectral(
      input: test.input.map(buffer: inputBuffer), output: test.output.map(buffer: outputBuffer),
      spectra: workspace.keep(spectra), images: Int32(test.images), filters: Int32(test.filters),
      multiplier: Int32(test.multiplier), transposed: test.isTransposed ? 1 : 0,
      input_height: Int32(test.height), input_width: Int32(test.width),
      height: Int32(test.output.height), width: Int32(test.output.width),
      kernel_y: Int32((test.kernel.0 - 1) * test.dilation.0 + 1),
      kernel_x: Int32((test.kernel.1 - 1) * test.dilation.1 + 1), pad_top: Int32(test.pad.0),
      pad_left: Int32(test.pad.1), points_y: y, points_x: x,
      scratch_buffer: workspace.addFloats(Int(vk_spectral_scratch(y, x, threads))),
      scratch_offset: 0, epilogue: epilogue.epilogue)
    self.operation = operation
  }

  /// The sum of one output, in double precision, without its epilogue.
  func sum(_ image: Int, _ channel: Int, _ y: Int, _ x: Int) -> Double {
    let floats = workspace.floats(inputBuffer)
    let sign = test.isTransposed ? -1 : 1
    let filters =
      test.isTransposed
      ? channel * test.multiplier..<(channel + 1) * test.multiplier : channel..<channel + 1
    var sum = 0.0
    for filter in filters {
      let source = test.isTransposed ? filter : filter / test.multiplier
      for i in 0..<test.kernel.0 {
        let row = y + sign * (i * test.dilation.0 - test.pad.0)
        guard (0..<test.height).contains(row) else { continue }
        for j in 0..<test.kernel.1 {
          let column = x + sign * (j * test.dilation.1 - test.pad.1)
          guard (0..<test.width).contains(column) else { continue }
          sum +=
            Double(weights[(filter * test.kernel.0 + i) * test.kernel.1 + j])
            * Double(floats[test.input.index(image, source, row, column)])
        }
      }
    }
    return sum
  }

  /// A transform of numbers below 1 rounds a few units in the last place of the root of their number.
  var tolerance: Double {
    let points = Double(test.points.0 * test.points.1)
    let taps = Double(test.kernel.0 * test.kernel.1 * test.multiplier)
    return 4 * 0x1p-23 * (points.squareRoot() * taps).squareRoot()
  }

  func mismatch() -> String? {
    firstMismatch(
      test.output, buffer: outputBuffer, test.epilogue, epilogue, in: workspace,
      tolerance: tolerance, sum: sum)
  }

  func result() -> [Float] {
    Array(UnsafeBufferPointer(start: workspace.floats(outputBuffer), count: test.output.count))
  }
}

@Suite("Depthwise convolution in the frequency domain") struct SpectralTests {
  private static let cases = [
    Case(),
    Case(
      images: 2, channels: 5, height: 33, width: 20, kernel: (5, 7), pad: (2, 3), points: (32, 16)),
    Case(channels: 17, height: 9, width: 40, kernel: (2, 9), pad: (0, 8), points: (16, 48)),
    Case(channels: 3, height: 30, width: 31, kernel: (11, 11), pad: (5, 5), points: (32, 64)),
    Case(channels: 4, kernel: (4, 4), pad: (3, 0), points: (96, 16)),
    Case(channels: 1, multiplier: 3, height: 25, width: 25, kernel: (8, 8), pad: (3, 4)),
    Case(images: 2, channels: 20, multiplier: 3, kernel: (6, 5), pad: (2, 2)),
    Case(channels: 7, multiplier: 5, height: 20, kernel: (5, 5), dilation: (2, 3), pad: (4, 6)),
    Case(channels: 2, multiplier: 2, kernel: (3, 3), dilation: (3, 1), pad: (3, 1)),
    Case(channels: 2, multiplier: 16, height: 4, width: 5, kernel: (3, 4), pad: (1, 1)),
  ]

  @Test(
    "the sums are those taken tap by tap, forward and transposed",
    arguments: InstructionSet.available)
  func shapes(instructionSet: InstructionSet) {
    for var test in Self.cases {
      for isTransposed in [false, true] {
        test.isTransposed = isTransposed
        let prepared = Prepared(test, seed: 41)
        prepared.workspace.run(prepared.operation, threads: 2, on: instructionSet)
        let mismatch = prepared.mismatch()
        #expect(mismatch == nil, "\(test): \(mismatch ?? "")")
      }
    }
  }

  @Test("every epilogue does what it says", arguments: InstructionSet.available)
  func epilogues(instructionSet: InstructionSet) {
    for epilogue in ReferenceEpilogue.all {
      for (channels, isTransposed) in [(3, false), (18, false), (18, true)] {
        let prepared = Prepared(
          Case(
            images: 2, channels: channels, kernel: (5, 5), pad: (2, 2), isTransposed: isTransposed,
            epilogue: epilogue), seed: 43)
        prepared.workspace.run(prepared.operation, on: instructionSet)
        let mismatch = prepared.mismatch()
        #expect(mismatch == nil, "\(mismatch ?? "")")
      }
    }
  }

  @Test("threads and batch do not change a bit", arguments: InstructionSet.available)
  func identical(instructionSet: InstructionSet) {
    for isTransposed in [false, true] {
      for (channels, multiplier) in [(1, 3), (12, 3), (20, 1)] {
        let test = Case(
          images: 3, channels: channels, multiplier: multiplier, height: 40, width: 30,
          kernel: (7, 7), pad: (3, 3), isTransposed: isTransposed)
        let together = Prepared(test, seed: 47, threads: 3)
        together.workspace.run(together.operation, threads: 3, on: instructionSet)
        let all = together.result()
        // The last image alone, on one thread.
        var operation = together.operation
        operation.as.spectral.images = 1
        operation.as.spectral.input.offset += Int64(2 * test.input.imageStride)
        operation.as.spectral.output.offset += Int64(2 * test.output.imageStride)
        let last = 2 * test.output.imageStride..<3 * test.output.imageStride
        for i in last { together.workspace.floats(together.outputBuffer)[i] = .nan }
        together.workspace.run(operation, threads: 1, on: instructionSet)
        let alone = together.result()
        #expect(last.allSatisfy { all[$0].bitPattern == alone[$0].bitPattern }, "\(test)")
      }
    }
  }
}
