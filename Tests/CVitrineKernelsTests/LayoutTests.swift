import CVitrineKernels
import Testing

@Suite("Layout changes and zeros") struct LayoutTests {
  private func change(
    _ kind: vk_kind, _ planes: BlockedPlanes, blocked: Int32, plain: Int32, accumulate: Int32 = 0
  ) -> vk_op {
    var operation = vk_op()
    operation.kind = kind
    operation.as.layout = vk_layout_change(
      map: planes.map(buffer: blocked), plain_buffer: plain, images: Int32(planes.images),
      channels: Int32(planes.channels), height: Int32(planes.height), width: Int32(planes.width),
      plain_offset: 5,
      plain_image_stride: Int64(planes.channels * planes.height * planes.width + 3),
      accumulate: accumulate, spread: 0)
    return operation
  }

  @Test(
    "lanes spread over neighbouring pixels, to the edges of odd images",
    arguments: InstructionSet.available)
  func spreading(instructionSet: InstructionSet) {
    for (channels, spread, height, width) in [
      (3, 2, 5, 7), (1, 4, 9, 70), (3, 4, 8, 34), (4, 2, 33, 32), (2, 3, 4, 4),
    ] {
      let workspace = Workspace()
      let planes = BlockedPlanes(
        2, channels * spread * spread, (height + spread - 1) / spread,
        (width + spread - 1) / spread)
      let blocked = planes.addFractions(to: workspace, seed: 73)
      let plain = workspace.addFloats(2 * channels * height * width)
      var operation = vk_op()
      operation.kind = VK_UNPACK
      operation.as.layout = vk_layout_change(
        map: planes.map(buffer: blocked), plain_buffer: plain, images: 2,
        channels: Int32(channels), height: Int32(height), width: Int32(width), plain_offset: 0,
        plain_image_stride: Int64(channels * height * width), accumulate: 0,
        spread: Int32(spread))
      workspace.run(operation, threads: 2, on: instructionSet)
      let result = workspace.floats(plain)
      let source = workspace.floats(blocked)
      var mismatches = 0
      BlockedPlanes(2, channels, height, width).forEachElement { image, channel, y, x in
        let lane = (y % spread * spread + x % spread) * channels + channel
        let expected = source[planes.index(image, lane, y / spread, x / spread)]
        let at = ((image * channels + channel) * height + y) * width + x
        if result[at] != expected { mismatches += 1 }
      }
      #expect(mismatches == 0, "\((channels, spread, height, width))")
    }
  }

  @Test("planes come into the middle of zeros", arguments: InstructionSet.available)
  func surrounding(instructionSet: InstructionSet) {
    for (height, width, top, left, bottom, right) in [
      (5, 7, 1, 2, 3, 4), (1, 1, 0, 0, 0, 0), (3, 40, 2, 0, 0, 1), (33, 17, 0, 3, 1, 0),
    ] {
      let workspace = Workspace()
      let (planes, outerHeight, outerWidth) = (6, top + height + bottom, left + width + right)
      var numbers = WholeNumbers(seed: 71)
      let values = (0..<3 + planes * height * width).map { _ in numbers.fraction() }
      let input = workspace.addFloats(values)
      // Neighbours on both sides stay what they are: NaN.
      let count = planes * outerHeight * outerWidth
      let output = workspace.addFloats(count + 4)
      var operation = vk_op()
      operation.kind = VK_SURROUND
      operation.as.surround = vk_surround(
        input_buffer: input, output_buffer: output, input_offset: 3, output_offset: 2,
        planes: Int32(planes), height: Int32(height), width: Int32(width), top: Int32(top),
        left: Int32(left), bottom: Int32(bottom), right: Int32(right))
      workspace.run(operation, threads: 2, on: instructionSet)
      let result = (0..<count + 4).map { workspace.floats(output)[$0] }
      var expected: [Float] = []
      for plane in 0..<planes {
        for y in -top..<height + bottom {
          for x in -left..<width + right {
            let isInside = (0..<height).contains(y) && (0..<width).contains(x)
            expected.append(isInside ? values[3 + (plane * height + y) * width + x] : 0)
          }
        }
      }
      #expect(Array(result[2..<count + 2]) == expected)
      #expect([0, 1, count + 2, count + 3].allSatisfy { result[$0].isNaN })
    }
  }

  @Test(
    "packing and unpacking move every element, and packing clears the padding lanes",
    arguments: InstructionSet.available)
  func roundTrip(instructionSet: InstructionSet) {
    for channels in [1, 3, 16, 17, 40] {
      for (height, width, halo) in [
        (1, 1, 0), (1, 17, 1), (7, 7, 0), (3, 16, 2), (2, 31, 0), (9, 1, 0),
      ] {
        let workspace = Workspace()
        let planes = BlockedPlanes(2, channels, height, width, halo: halo)
        let image = channels * height * width + 3
        var numbers = WholeNumbers(seed: 67)
        let values = (0..<5 + 2 * image).map { _ in numbers.fraction() }
        let plain = workspace.addFloats(values)
        let blocked = workspace.addFloats(planes.count)
        workspace.run(
          change(VK_PACK, planes, blocked: blocked, plain: plain), threads: 2, on: instructionSet)
        let floats = workspace.floats(blocked)
        var everything = planes
        everything.channels = planes.blocks * 16
        var mismatches = 0
        everything.forEachElement { n, c, y, x in
          let expected =
            c < channels ? values[5 + n * image + (c * height + y) * width + x] : 0
          if floats[everything.index(n, c, y, x)] != expected { mismatches += 1 }
        }
        #expect(mismatches == 0, "pack \(planes)")
        #expect((0..<planes.count).count { !floats[$0].isNaN } == everything.maskCount * 16)

        let back = workspace.addFloats(values.count, value: 2)
        for accumulate: Int32 in [0, 1] {
          workspace.run(
            change(VK_UNPACK, planes, blocked: blocked, plain: back, accumulate: accumulate),
            threads: 2, on: instructionSet)
          let result = workspace.floats(back)
          var mismatches = 0
          for n in 0..<2 {
            for i in 0..<image {
              let at = 5 + n * image + i
              let expected = i < image - 3 ? values[at] * Float(accumulate + 1) : 2
              if result[at] != expected { mismatches += 1 }
            }
          }
          #expect(mismatches == 0, "unpack \(planes)")
          #expect(result[0] == 2 && result[4] == 2)
        }
      }
    }
  }

  @Test(
    "filling clears the halo, and the planes only if asked", arguments: InstructionSet.available)
  func fill(instructionSet: InstructionSet) {
    for interior: Int32 in [0, 1] {
      let workspace = Workspace()
      var planes = BlockedPlanes(2, 24, 5, 6)
      (planes.top, planes.left, planes.bottom, planes.right) = (1, 2, 3, 4)
      let buffer = workspace.addFloats(planes.count, value: 9)
      var operation = vk_op()
      operation.kind = VK_FILL
      operation.as.fill = vk_fill(
        map: planes.map(buffer: buffer), images: 2, blocks: 2, height: 5, width: 6, top: 1,
        left: 2, bottom: 3, right: 4, interior: interior)
      workspace.run(operation, threads: 2, on: instructionSet)
      let floats = workspace.floats(buffer)
      let zeros = (0..<planes.count).count { floats[$0] == 0 }
      #expect(zeros == planes.count - (interior == 0 ? 2 * 32 * 5 * 6 : 0))
      #expect(floats[planes.index(1, 17, 4, 5)] == (interior == 0 ? 9 : 0))
    }
  }

  @Test("packed weights hold scale times source, and zeros elsewhere")
  func packGroup() {
    // Weights of [outputs][inputs][taps], and of [outputs][inputs]; read as they are and transposed.
    for (outputs, inputs, area) in [(21, 18, 3), (32, 16, 1), (5, 3, 9)] {
      for lanes in [16, 1] {
        for isTransposed in [false, true] {
          let source = (0..<outputs * inputs * area).map { Float($0) }
          let strides = (input: area, output: inputs * area)
          let (rows, columns) = isTransposed ? (outputs, inputs) : (inputs, outputs)
          let inputStride = isTransposed ? strides.output : strides.input
          let outputStride = isTransposed ? strides.input : strides.output
          var taps: [Int64] = []
          var present: [Int32] = []
          for first in stride(from: 0, to: rows, by: lanes) {
            for tap in 0..<area {
              taps.append(Int64(first * inputStride + tap))
              present.append(Int32(min(lanes, rows - first)))
            }
          }
          let width = 32
          let scale = (0..<width).map { Float($0 % 3 + 1) }
          var packed = [Float](repeating: .nan, count: taps.count * lanes * width)
          vk_pack_group(
            &packed, source, taps, present, taps.count, lanes, Int64(inputStride),
            Int64(outputStride), min(columns, width), width, scale)
          for t in taps.indices {
            for lane in 0..<lanes {
              for o in 0..<width {
                let exists = lane < Int(present[t]) && o < columns
                let expected =
                  exists
                  ? source[Int(taps[t]) + lane * inputStride + o * outputStride] * scale[o] : 0
                #expect(packed[(t * lanes + lane) * width + o] == expected)
              }
            }
          }
        }
      }
    }
  }
}
