import CVitrineKernels
import Testing

/// A convolution by 3 × 3 windows, and the kernel operation that computes it.
private struct Case {
  var images = 1
  var inputs = 16
  var outputs = 16
  var height = 9
  var width = 13
  var outputHalo = 0
  var tilesAtOnce: Int32 = 14
  var splitsOutputs = false
  var isRotated = false
  var levels = false
  var tile: Int32 = 4
  var epilogue = ReferenceEpilogue()

  var input: BlockedPlanes { BlockedPlanes(images, inputs, height, width, halo: 1) }
  var output: BlockedPlanes { BlockedPlanes(images, outputs, height, width, halo: outputHalo) }
}

/// Memory and operation of one case.
private struct Prepared {
  let workspace = Workspace()
  let test: Case
  let inputBuffer: Int32
  let outputBuffer: Int32
  let weights: UnsafePointer<Float>  // [output][input][3][3]
  let epilogue: ReferenceEpilogue.Prepared
  let operation: vk_op

  init(_ test: Case, seed: UInt64 = 1, threads: Int32 = 5) {
    self.test = test
    inputBuffer = test.input.addFractions(to: workspace, seed: seed)
    var numbers = WholeNumbers(seed: seed + 1)
    weights = workspace.keep(
      (0..<test.outputs * test.inputs * 9).map { _ in numbers.fraction() })
    let output = test.output
    outputBuffer = workspace.addFloats(output.count)
    epilogue = test.epilogue.prepare(output, in: workspace, seed: seed + 2)

    let floatsPerOutput = Int((test.tile + 2) * (test.tile + 2)) * test.input.blocks * 16
    var packed = [Float](repeating: .nan, count: floatsPerOutput * output.blocks * 16)
    for first in stride(from: 0, to: test.outputs, by: 32) {
      let count = min(32, test.outputs - first)
      let width = (count + 15) / 16 * 16
      var group = [Float](repeating: .nan, count: floatsPerOutput * width)
      vk_pack_winograd(
        &group, weights + first * test.inputs * 9, test.inputs, count, width, 9,
        Int64(test.inputs * 9), test.isRotated ? 1 : 0, test.tile)
      packed.replaceSubrange(
        floatsPerOutput * first..<floatsPerOutput * (first + width), with: group)
    }
    var corner = test.input.map(buffer: inputBuffer)
    corner.offset = 0
    var winograd = vk_winograd(
      input: corner, output: output.map(buffer: outputBuffer), weights: workspace.keep(packed),
      tile: test.tile, images: Int32(test.images), input_blocks: Int32(test.input.blocks),
      output_blocks: Int32(output.blocks), height: Int32(test.height), width: Int32(test.width),
      tiles_at_once: test.tilesAtOnce, levels: test.levels ? 1 : 0,
      splits_outputs: test.splitsOutputs ? 1 : 0,
      scratch_buffer: 0, scratch_offset: 0, epilogue: epilogue.epilogue)
    winograd.scratch_buffer = workspace.addFloats(Int(vk_winograd_scratch(&winograd, threads)))
    var operation = vk_op()
    operation.kind = VK_WINOGRAD
    operation.as.winograd = winograd
    self.operation = operation
  }

  /// The sum of one output, in double precision, without its epilogue.
  func sum(_ image: Int, _ channel: Int, _ y: Int, _ x: Int) -> Double {
    let floats = workspace.floats(inputBuffer)
    var sum = 0.0
    for input in 0..<test.inputs {
      for tap in 0..<9 {
        let index = test.input.index(image, input, y + tap / 3 - 1, x + tap % 3 - 1)
        sum +=
          Double(floats[index])
          * Double(weights[(channel * test.inputs + input) * 9 + (test.isRotated ? 8 - tap : tap)])
      }
    }
    return sum
  }

  /// What rounding may do to sums of products of numbers below 1: some 20 units in the last place of
  /// the largest partial sum, which grows with the square root of the number of products.
  var tolerance: Double { 20 * 0x1p-23 * Double(test.inputs * 9).squareRoot() }

  func result() -> [Float] {
    Array(UnsafeBufferPointer(start: workspace.floats(outputBuffer), count: test.output.count))
  }

  func mismatch() -> String? {
    firstMismatch(
      test.output, buffer: outputBuffer, test.epilogue, epilogue, in: workspace,
      tolerance: tolerance, sum: sum)
  }
}

@Suite("Convolution by minimal filtering") struct WinogradTests {
  @Test(
    "maps, channels, images and divisions give the sums of direct convolution",
    arguments: InstructionSet.available)
  func shapes(instructionSet: InstructionSet) {
    let cases = [
      Case(),
      Case(height: 1, width: 1),
      Case(height: 4, width: 4),
      Case(height: 2, width: 17, tilesAtOnce: 1),
      Case(images: 3, inputs: 5, outputs: 3, height: 5, width: 6, tilesAtOnce: 5),
      Case(images: 2, inputs: 33, outputs: 80, height: 8, width: 12, tilesAtOnce: 100),
      Case(images: 2, inputs: 33, outputs: 72, height: 7, width: 10, splitsOutputs: true),
      Case(inputs: 20, outputs: 16, height: 11, width: 3, outputHalo: 2, splitsOutputs: true),
      Case(inputs: 16, outputs: 40, height: 33, width: 30, tilesAtOnce: 60, splitsOutputs: true),
      Case(images: 2, inputs: 48, outputs: 33, height: 13, width: 13, isRotated: true),
    ]
    for (test, tile) in cases.flatMap({ [($0, 4), ($0, 2)] }) {
      for threads: Int32 in [1, 2] {
        var test = test
        test.tile = Int32(tile)
        let prepared = Prepared(test, seed: 3)
        prepared.workspace.run(prepared.operation, threads: threads, on: instructionSet)
        let mismatch = prepared.mismatch()
        #expect(mismatch == nil, "\(test): \(mismatch ?? "")")
      }
    }
  }

  @Test("every epilogue does what it says, in every tile", arguments: InstructionSet.available)
  func epilogues(instructionSet: InstructionSet) {
    for epilogue in ReferenceEpilogue.all {
      for (height, width) in [(9, 6), (7, 7), (12, 5)] {
        for (splitsOutputs, tile) in [(false, 4), (true, 4), (false, 2), (true, 2)] {
          let test = Case(
            images: 3, inputs: 6, outputs: 40, height: height, width: width, outputHalo: 1,
            splitsOutputs: splitsOutputs, tile: Int32(tile), epilogue: epilogue)
          let prepared = Prepared(test, seed: 5)
          prepared.workspace.run(prepared.operation, on: instructionSet)
          let mismatch = prepared.mismatch()
          #expect(mismatch == nil, "\(test): \(mismatch ?? "")")
        }
      }
    }
  }

  @Test(
    "lanes past the last channel stay zero, the halo is not touched",
    arguments: InstructionSet.available)
  func paddingLanes(instructionSet: InstructionSet) {
    let test = Case(inputs: 7, outputs: 21, height: 5, width: 9, outputHalo: 1)
    let prepared = Prepared(test)
    prepared.workspace.run(prepared.operation, on: instructionSet)
    let result = prepared.result()
    #expect(result.count { !$0.isNaN } == 32 * 5 * 9)
    for y in 0..<5 {
      for x in 0..<9 {
        for channel in 21..<32 { #expect(result[test.output.index(0, channel, y, x)] == 0) }
      }
    }
  }

  @Test("a residual may be the output itself", arguments: InstructionSet.available)
  func residualInPlace(instructionSet: InstructionSet) {
    let test = Case(outputs: 32, height: 6, epilogue: ReferenceEpilogue(hasResidual: true))
    let prepared = Prepared(test)
    prepared.workspace.run(prepared.operation, on: instructionSet)
    var inPlace = prepared.operation
    inPlace.as.winograd.output = prepared.epilogue.epilogue.residual
    prepared.workspace.run(inPlace, on: instructionSet)
    let found = prepared.workspace.floats(prepared.epilogue.residual)
    let expected = prepared.result()
    test.output.forEachElement { image, channel, y, x in
      let index = test.output.index(image, channel, y, x)
      #expect(found[index] == expected[index])
    }
  }

  @Test(
    "results are bit-identical however tiles and outputs are divided, alone or in a batch",
    arguments: InstructionSet.available)
  func deterministic(instructionSet: InstructionSet) {
    for tile: Int32 in [4, 2] { isDeterministic(instructionSet, tile: tile) }
  }

  private func isDeterministic(_ instructionSet: InstructionSet, tile: Int32) {
    var reference: [Float]?
    for tilesAtOnce: Int32 in [1, 3, 14, 200] {
      for splitsOutputs in [false, true] {
        for threads: Int32 in [1, 2, 5] {
          let prepared = Prepared(
            Case(
              images: 3, inputs: 32, outputs: 80, height: 14, width: 11, tilesAtOnce: tilesAtOnce,
              splitsOutputs: splitsOutputs, tile: tile), seed: 11)
          prepared.workspace.run(prepared.operation, threads: threads, on: instructionSet)
          let result = prepared.result()
          #expect(reference == nil || reference == result)
          reference = result
          let imageStride = prepared.test.output.imageStride
          for image in 0..<3 {
            var alone = prepared.operation
            alone.as.winograd.images = 1
            alone.as.winograd.input.offset +=
              Int64(image) * alone.as.winograd.input.image_stride
            prepared.workspace.run(alone, threads: threads, on: instructionSet)
            #expect(
              prepared.result()[..<imageStride].elementsEqual(
                result[image * imageStride..<(image + 1) * imageStride]))
          }
        }
      }
    }
  }

  @Test(
    "equal windows side by side have equal outputs, others the outputs they had",
    arguments: InstructionSet.available)
  func levels(instructionSet: InstructionSet) {
    for epilogue in [
      ReferenceEpilogue(),
      ReferenceEpilogue(hasBias: true, writesMask: true, function: VK_RELU),
      ReferenceEpilogue(hasResidual: true, writesMask: true, function: VK_CLIP, alpha: -1, beta: 2),
    ] {
      for (splitsOutputs, tile) in [(false, 4), (true, 4), (false, 2), (true, 2)] {
        var test = Case(
          images: 2, inputs: 20, outputs: 40, height: 23, width: 26, splitsOutputs: splitsOutputs,
          tile: Int32(tile), epilogue: epilogue)
        let plain = Prepared(test, seed: 17)
        test.levels = true
        let leveled = Prepared(test, seed: 17)
        for prepared in [plain, leveled] {
          // A flat region in the shape of a U: its arms meet far below.
          let floats = prepared.workspace.floats(prepared.inputBuffer)
          test.input.forEachElement { image, channel, y, x in
            guard image == 1, (2..<9).contains(x) || (15..<22).contains(x) || y > 14 else { return }
            floats[test.input.index(image, channel, y, x)] = Float(channel) / 16 - 0.3
          }
          prepared.workspace.run(prepared.operation, threads: 2, on: instructionSet)
          let mismatch = prepared.mismatch()
          #expect(mismatch == nil, "\(mismatch ?? "")")
        }
        let (before, after) = (plain.result(), leveled.result())
        let residual = leveled.epilogue.residual
        test.output.forEachElement { image, channel, y, x in
          let index = test.output.index(image, channel, y, x)
          let isInArm = (1..<22).contains(y) && ((3..<8).contains(x) || (16..<21).contains(x))
          let isInBase = (16..<22).contains(y) && (1..<25).contains(x)
          if image == 0 {
            #expect(after[index] == before[index])
          } else if isInArm || isInBase, residual < 0 {
            #expect(after[index] == after[test.output.index(1, channel, 17, 7)])
          }
        }
      }
    }
  }

  @Test("instruction sets with fused multiply-add agree bit for bit")
  func instructionSetsAgree() {
    let prepared = Prepared(Case(inputs: 32, outputs: 48), seed: 13)
    var fused: [Float]?
    for instructionSet in InstructionSet.available where instructionSet != .portable {
      prepared.workspace.run(prepared.operation, on: instructionSet)
      #expect(fused == nil || fused == prepared.result())
      fused = prepared.result()
    }
  }
}
