import CVitrineKernels
import Testing

@Suite("Matrix product") struct MatrixProductTests {
  private struct Prepared {
    let workspace = Workspace()
    let (m, n, k): (Int, Int, Int)
    let a: [Float]
    let b: [Float]
    let before: [Float]
    let bias: [Float]
    let c: Int32
    var operation = vk_op()
    /// Returns the product with a matrix of which the transpose was packed.
    func withTransposedPack() -> Prepared {
      var result = self
      // `b` as [k][n], packed as the n × k matrix it is the transpose of.
      var packed = [Float](repeating: .nan, count: (k + 31) / 32 * 32 * n)
      vk_pack_matrix(
        &packed, b, n, k, transposed ? Int64(k) : 1, transposed ? 1 : Int64(n))
      result.operation.as.product.packed = workspace.keep(packed)
      result.operation.as.product.transposed = 1
      return result
    }

    var lda: Int { k + 3 }
    var ldc: Int { n + 5 }

    init(_ m: Int, _ n: Int, _ k: Int, transposed: Bool = false, fractions: Bool = false) {
      (self.m, self.n, self.k) = (m, n, k)
      var numbers = WholeNumbers(seed: 71)
      let next = { fractions ? numbers.fraction() : numbers.next() }
      a = (0..<m * (k + 3)).map { _ in next() }
      b = (0..<k * n).map { _ in next() }
      before = (0..<m * (n + 5)).map { _ in next() }
      bias = (0..<n).map { _ in next() }
      var packed = [Float](repeating: .nan, count: (n + 31) / 32 * 32 * k)
      // `b` is [k][n], or its transpose.
      vk_pack_matrix(&packed, b, k, n, transposed ? 1 : Int64(n), transposed ? Int64(k) : 1)
      let buffer = workspace.addFloats(a)
      c = workspace.addFloats(before)
      operation.kind = VK_MATRIX_PRODUCT
      operation.as.product = vk_matrix_product(
        a_buffer: buffer, c_buffer: c, a_offset: 0, c_offset: 0, lda: Int64(k + 3),
        ldc: Int64(n + 5), m: Int32(m), n: Int32(n), k: Int32(k), packed: workspace.keep(packed),
        b_buffer: -1, accumulate: 0, b_offset: 0, transposed: 0, bias: nil, function: VK_IDENTITY,
        alpha: 0,
        beta: 0)
      self.transposed = transposed
    }

    let transposed: Bool

    func result() -> [Float] {
      Array(UnsafeBufferPointer(start: workspace.floats(c), count: m * ldc))
    }

    func reset() { workspace.floats(c).update(from: before, count: before.count) }

    func sum(_ row: Int, _ column: Int) -> Double {
      var sum = 0.0
      for i in 0..<k {
        let element = transposed ? b[column * k + i] : b[i * n + column]
        sum += Double(a[row * lda + i]) * Double(element)
      }
      return sum
    }
  }

  @Test("all sizes give the exact sums and write nothing else", arguments: InstructionSet.available)
  func sizes(instructionSet: InstructionSet) {
    let sizes = [
      (1, 1, 1), (1, 32, 7), (1, 300, 33), (2, 31, 16), (3, 65, 20), (4, 97, 5), (5, 33, 17),
      (6, 16, 3), (7, 17, 40), (13, 48, 9), (14, 32, 10), (15, 129, 11), (16, 40, 300),
      (29, 70, 257), (49, 64, 13), (3, 64, 0), (20, 40, 600),
    ]
    for (m, n, k) in sizes {
      for (transposed, isPackTransposed) in [(false, false), (true, false), (false, true)] {
        var prepared = Prepared(m, n, k, transposed: transposed)
        if isPackTransposed { prepared = prepared.withTransposedPack() }
        prepared.workspace.run(prepared.operation, threads: 2, on: instructionSet)
        let result = prepared.result()
        var mismatches = 0
        for row in 0..<m {
          for column in 0..<prepared.ldc {
            let at = row * prepared.ldc + column
            let expected = column < n ? Float(prepared.sum(row, column)) : prepared.before[at]
            if result[at] != expected { mismatches += 1 }
          }
        }
        #expect(mismatches == 0, "\((m, n, k))")
      }
    }
  }

  @Test("bias, accumulation and functions", arguments: InstructionSet.available)
  func epilogue(instructionSet: InstructionSet) {
    for (m, n, k) in [(1, 40, 300), (3, 140, 20), (17, 49, 270)] {
      for function in [VK_IDENTITY, VK_RELU, VK_CLIP, VK_LEAKY_RELU] {
        for (accumulate, isPackTransposed): (Int32, Bool) in [
          (0, false), (1, false), (0, true), (1, true),
        ] {
          var prepared = Prepared(m, n, k)
          if isPackTransposed { prepared = prepared.withTransposedPack() }
          prepared.operation.as.product.bias = prepared.workspace.keep(prepared.bias)
          prepared.operation.as.product.function = function
          prepared.operation.as.product.accumulate = accumulate
          prepared.operation.as.product.alpha = 0.5
          prepared.operation.as.product.beta = 20
          prepared.workspace.run(prepared.operation, threads: 2, on: instructionSet)
          let result = prepared.result()
          var mismatches = 0
          for row in 0..<m {
            for column in 0..<n {
              let at = row * prepared.ldc + column
              var value = prepared.sum(row, column) + Double(prepared.bias[column])
              if accumulate != 0 { value += Double(prepared.before[at]) }
              switch function {
              case VK_RELU: value = max(value, 0)
              case VK_CLIP: value = min(max(value, 0.5), 20)
              case VK_LEAKY_RELU: value = value > 0 ? value : 0.5 * value
              default: break
              }
              if result[at] != Float(value) { mismatches += 1 }
            }
          }
          #expect(mismatches == 0, "\((m, n, k)) \(function)")
        }
      }
    }
  }

  @Test("packed B may come from a buffer", arguments: InstructionSet.available)
  func packedInBuffer(instructionSet: InstructionSet) {
    let prepared = Prepared(9, 40, 12)
    var operation = prepared.operation
    let packed = UnsafeBufferPointer(start: operation.as.product.packed, count: 64 * 12)
    operation.as.product.b_buffer = prepared.workspace.addFloats(
      [Float](repeating: 1, count: 7) + packed)
    operation.as.product.b_offset = 7
    operation.as.product.packed = nil
    prepared.workspace.run(operation, on: instructionSet)
    #expect(prepared.result()[8 * prepared.ldc + 39] == Float(prepared.sum(8, 39)))
  }

  @Test(
    "results are bit-identical for any thread count, and for one row alone or in a batch",
    arguments: InstructionSet.available)
  func deterministic(instructionSet: InstructionSet) {
    let packed = Prepared(23, 200, 600, fractions: true)
    for prepared in [packed, packed.withTransposedPack()] {
      deterministic(prepared, instructionSet)
    }
  }

  private func deterministic(_ prepared: Prepared, _ instructionSet: InstructionSet) {
    prepared.reset()
    prepared.workspace.run(prepared.operation, threads: 1, on: instructionSet)
    let reference = prepared.result()
    for threads: Int32 in [2, 3] {
      prepared.reset()
      prepared.workspace.run(prepared.operation, threads: threads, on: instructionSet)
      #expect(prepared.result() == reference)
    }
    for rows in [1, 2, 3, 4, 5, 8, 14, 15] {
      var alone = prepared.operation
      alone.as.product.m = Int32(rows)
      prepared.reset()
      prepared.workspace.run(alone, threads: 2, on: instructionSet)
      let count = (rows - 1) * prepared.ldc + prepared.n
      #expect(prepared.result()[..<count].elementsEqual(reference[..<count]), "\(rows) rows")
    }
  }
}
