import CVitrineKernels
import Testing

@Suite("Other kernels of training") struct TrainingKernelTests {
  /// Operations and the buffers they work on.
  private final class Run {
    let workspace = Workspace()
    var operation = vk_train_op()

    func place(_ values: [Float]) -> vk_place {
      // Rounded up to whole vectors, as kernels may write them.
      let rounded = values + [Float](repeating: .nan, count: (16 - values.count % 16) % 16)
      return vk_place(buffer: workspace.addFloats(rounded), offset: 0)
    }

    func place(_ count: Int) -> vk_place { place([Float](repeating: .nan, count: count)) }

    var none: vk_place { vk_place(buffer: -1, offset: 0) }

    func callAsFunction(_ isa: InstructionSet, threads: Int32 = 1) {
      vk_train_run([operation], 1, workspace.buffers, threads, Int32(isa.rawValue))
    }

    func read(_ place: vk_place, _ count: Int) -> [Float] {
      Array(
        UnsafeBufferPointer(start: workspace.floats(place.buffer) + Int(place.offset), count: count)
      )
    }
  }

  @Test("products are exact for every size and layout", arguments: InstructionSet.available)
  func products(_ isa: InstructionSet) {
    for (m, n, k) in [
      (1, 1, 1), (2, 16, 3), (7, 31, 5), (14, 32, 9), (15, 33, 1), (29, 70, 17), (64, 10, 84),
      (3, 5, 0), (100, 130, 40),
    ] {
      for isTransposed in [false, true] {
        var numbers = WholeNumbers(seed: 11)
        let a = numbers.list(m * k)
        let b = numbers.list(k * n)
        let bias = numbers.list(n)
        let run = Run()
        let target = run.place(m * n)
        run.operation.kind = VK_TRAIN_PRODUCT
        run.operation.as.product = vk_train_product(
          a: run.place(a), b: run.place(b), c: target, bias: run.place(bias),
          a_row: Int64(isTransposed ? 1 : k), a_step: Int64(isTransposed ? m : 1),
          b_step: Int64(n), c_row: Int64(n), m: Int32(m), n: Int32(n), k: Int32(k),
          function: isTransposed ? VK_RELU : VK_IDENTITY)
        run(isa, threads: 3)
        var expected: [Float] = []
        for i in 0..<m {
          for j in 0..<n {
            var sum = bias[j]
            for t in 0..<k { sum += a[isTransposed ? t * m + i : i * k + t] * b[t * n + j] }
            expected.append(isTransposed ? max(sum, 0) : sum)
          }
        }
        #expect(run.read(target, m * n) == expected, "\(m) \(n) \(k)")
      }
    }
  }

  @Test("matrices are transposed, and rows summed", arguments: InstructionSet.available)
  func transposition(_ isa: InstructionSet) {
    for (rows, columns) in [(1, 1), (16, 16), (17, 5), (3, 40), (50, 33)] {
      var numbers = WholeNumbers(seed: 12)
      let input = numbers.list(rows * columns)
      let run = Run()
      let target = run.place(columns * (rows + 3))
      run.operation.kind = VK_TRAIN_TRANSPOSE
      run.operation.as.transpose = vk_train_transpose(
        input: run.place(input), output: target, rows: Int32(rows), columns: Int32(columns),
        output_row: Int64(rows + 3))
      run(isa, threads: 2)
      let found = run.read(target, columns * (rows + 3))
      for j in 0..<columns {
        for i in 0..<rows + 3 {
          let value = found[j * (rows + 3) + i]
          #expect(i < rows ? value == input[i * columns + j] : value.isNaN)
        }
      }

      let sums = Run()
      let total = sums.place(columns)
      sums.operation.kind = VK_TRAIN_SUM_ROWS
      sums.operation.as.sum = vk_train_sum(
        input: sums.place(input), output: total, rows: Int32(rows), columns: Int32(columns))
      sums(isa)
      #expect(
        sums.read(total, columns)
          == (0..<columns).map { j in (0..<rows).reduce(0) { $0 + input[$1 * columns + j] } })
    }
  }

  @Test("pooling and its cotangents are those of plain loops", arguments: InstructionSet.available)
  func pooling(_ isa: InstructionSet) {
    let forms: [TrainingConvolutionTests.Form] = [
      .init(images: 2, channels: (3, 3), size: (24, 24), kernel: (2, 2), stride: (2, 2)),
      .init(images: 2, channels: (3, 3), size: (8, 8), kernel: (2, 2), stride: (2, 2)),
      .init(images: 1, channels: (2, 2), size: (4, 70), kernel: (2, 2), stride: (2, 2)),
      .init(images: 2, channels: (3, 3), size: (9, 7), kernel: (2, 2), stride: (2, 2)),
      .init(
        images: 2, channels: (2, 2), size: (8, 9), kernel: (3, 3), stride: (2, 2),
        pad: (1, 1, 1, 1)),
      .init(images: 2, channels: (2, 2), size: (8, 9), kernel: (2, 3), dilation: (3, 2)),
      .init(images: 3, channels: (5, 5), size: (6, 7), kernel: (6, 7)),
    ]
    for form in forms {
      for isMaximum in [true, false] {
        let window = form.window
        let (height, width) = (Int(window.height), Int(window.width))
        var numbers = WholeNumbers(seed: 13)
        // Few different numbers: many ties.
        let input = numbers.list(form.inputCount)
        let cotangent = numbers.list(form.outputCount)
        var expected = [Float](repeating: 0, count: form.outputCount)
        var pulled = [Float](repeating: 0, count: form.inputCount)
        for plane in 0..<form.images * form.channels.0 {
          for y in 0..<height {
            for x in 0..<width {
              var places: [Int] = []
              for tapY in 0..<form.kernel.0 {
                for tapX in 0..<form.kernel.1 {
                  let row = y * form.stride.0 + tapY * form.dilation.0 - form.pad.top
                  let column = x * form.stride.1 + tapX * form.dilation.1 - form.pad.left
                  guard row >= 0, row < form.size.0, column >= 0, column < form.size.1 else {
                    continue
                  }
                  places.append((plane * form.size.0 + row) * form.size.1 + column)
                }
              }
              let output = (plane * height + y) * width + x
              if isMaximum {
                let best = places.reduce(places[0]) { input[$1] > input[$0] ? $1 : $0 }
                expected[output] = input[best]
                pulled[best] += cotangent[output]
              } else {
                let share = 1 / Float(places.count)
                expected[output] = places.reduce(0) { $0 + input[$1] } * share
                for place in places { pulled[place] += cotangent[output] * share }
              }
            }
          }
        }
        let run = Run()
        let target = run.place(form.outputCount)
        let indices = run.place(
          form.images * form.channels.0 * height * ((width + 15) / 16 * 8))
        run.operation.kind = isMaximum ? VK_TRAIN_MAX_POOL : VK_TRAIN_AVERAGE_POOL
        run.operation.as.pool = vk_train_pool(
          window: window, input: run.place(input), output: target,
          indices: isMaximum ? indices : run.none, count_include_pad: 0)
        run(isa, threads: 2)
        #expect(run.read(target, form.outputCount) == expected, "\(form.testDescription)")

        let back = run.place(form.inputCount)
        run.operation.kind =
          isMaximum ? VK_TRAIN_MAX_POOL_BACKWARD : VK_TRAIN_AVERAGE_POOL_BACKWARD
        run.operation.as.pool.input = back
        run.operation.as.pool.output = run.place(cotangent)
        run(isa, threads: 2)
        for (found, expected) in zip(run.read(back, form.inputCount), pulled) {
          #expect(abs(found - expected) < 1e-5, "\(form.testDescription)")
        }
      }
    }
  }

  @Test("an average that counts padding divides by the window clipped to the padded input")
  func paddedAverage() {
    let form = TrainingConvolutionTests.Form(
      images: 1, channels: (1, 1), size: (4, 4), kernel: (3, 3), stride: (2, 2), pad: (1, 1, 1, 1))
    let run = Run()
    let target = run.place(4)
    run.operation.kind = VK_TRAIN_AVERAGE_POOL
    run.operation.as.pool = vk_train_pool(
      window: form.window, input: run.place([Float](repeating: 9, count: 16)), output: target,
      indices: run.none, count_include_pad: 1)
    run(.detected)
    // Of nine places 4, 6, 6 and 9 are inside.
    #expect(run.read(target, 4) == [4, 6, 6, 9])
  }

  @Test("element by element", arguments: InstructionSet.available)
  func elements(_ isa: InstructionSet) {
    let count = 1000
    var numbers = WholeNumbers(seed: 14)
    let (x, y) = (numbers.list(count), numbers.list(count))
    func result(_ kind: vk_train_kind, _ function: vk_function = VK_IDENTITY) -> [Float] {
      let run = Run()
      let target = run.place(count)
      run.operation.kind = kind
      run.operation.as.elements = vk_train_elements(
        input: run.place(x), second: run.place(y), output: target, count: Int64(count),
        function: function, alpha: 0.25, beta: 0)
      run(isa, threads: 2)
      return run.read(target, count)
    }
    #expect(result(VK_TRAIN_ADD) == zip(x, y).map { $0 + $1 })
    #expect(result(VK_TRAIN_MULTIPLY) == zip(x, y).map { $0 * $1 })
    #expect(result(VK_TRAIN_UNARY) == x)
    #expect(result(VK_TRAIN_UNARY, VK_LEAKY_RELU) == x.map { $0 > 0 ? $0 : $0 / 4 })
    #expect(
      result(VK_TRAIN_UNARY_BACKWARD, VK_RELU) == zip(x, y).map { $1 > 0 ? $0 : 0 })
  }

  @Test("batch normalisation is that of the formula", arguments: InstructionSet.available)
  func normalization(_ isa: InstructionSet) {
    for (images, channels, plane) in [(2, 3, 8), (5, 20, 33), (1, 1, 16), (3, 2, 1)] {
      let count = images * channels * plane
      var numbers = WholeNumbers(seed: 15)
      let x = (0..<count).map { _ in numbers.fraction() + 2 }
      let g = (0..<count).map { _ in numbers.fraction() }
      let scale = (0..<channels).map { _ in numbers.fraction() }
      let bias = (0..<channels).map { _ in numbers.fraction() }
      let run = Run()
      let (target, back) = (run.place(count), run.place(count))
      let (mean, variance) = (run.place(channels), run.place(channels))
      let (toScale, toBias) = (run.place(channels), run.place(channels))
      run.operation.kind = VK_TRAIN_NORMALIZE
      run.operation.as.normalization = vk_train_normalization(
        images: Int32(images), channels: Int32(channels), plane: Int64(plane), epsilon: 0.1,
        input: run.place(x), scale: run.place(scale), bias: run.place(bias), output: target,
        mean: mean, variance: variance, input_cotangent: back, scale_cotangent: toScale,
        bias_cotangent: toBias)
      run(isa, threads: 2)
      let y = run.read(target, count)
      run.operation.kind = VK_TRAIN_NORMALIZE_BACKWARD
      run.operation.as.normalization.output = run.place(g)
      run(isa, threads: 2)
      let pulled = run.read(back, count)

      for channel in 0..<channels {
        let places = (0..<count).filter { $0 / plane % channels == channel }
        let size = Double(places.count)
        let average = places.reduce(0) { $0 + Double(x[$1]) } / size
        let spread =
          places.reduce(0) { $0 + (Double(x[$1]) - average) * (Double(x[$1]) - average) } / size
        let deviation = (spread + 0.1).squareRoot()
        #expect(abs(Double(run.read(mean, channels)[channel]) - average) < 1e-6)
        #expect(abs(Double(run.read(variance, channels)[channel]) - spread) < 1e-6)
        let sum = places.reduce(0) { $0 + Double(g[$1]) }
        let moment = places.reduce(0) {
          $0 + Double(g[$1]) * (Double(x[$1]) - average) / deviation
        }
        #expect(abs(Double(run.read(toBias, channels)[channel]) - sum) < 1e-5)
        #expect(abs(Double(run.read(toScale, channels)[channel]) - moment) < 1e-5)
        for i in places {
          let normal = (Double(x[i]) - average) / deviation
          let expected = normal * Double(scale[channel]) + Double(bias[channel])
          #expect(abs(Double(y[i]) - expected) < 1e-5)
          let slope =
            Double(scale[channel]) / deviation
            * (Double(g[i]) - sum / size - normal * moment / size)
          #expect(abs(Double(pulled[i]) - slope) < 1e-5)
        }
      }
    }
  }
}
