import Testing
import VitrineTensor

@Suite("Reductions")
struct TensorReductionTests {
  /// Small integers in no particular order, so that every sum is exact.
  private func example(_ dimensions: [Int]) throws -> Tensor {
    let count = dimensions.reduce(1, *)
    return try Tensor((0..<count).map { Double(($0 * 37) % 101 - 50) }, shape: dimensions)
  }

  /// Groups the elements that reduce to the same one, by the definition.
  private func groups(_ tensor: Tensor, _ axes: Set<Int>) throws -> [[Double]] {
    let dimensions = tensor.shape.dimensions
    let kept = dimensions.enumerated().map { axes.contains($0.offset) ? 1 : $0.element }
    var groups = [[Double]](repeating: [], count: kept.reduce(1, *))
    for (flat, value) in try tensor.elements(of: Double.self).enumerated() {
      var rest = flat
      var index = 0
      var stride = 1
      for axis in dimensions.indices.reversed() {
        index += (axes.contains(axis) ? 0 : rest % dimensions[axis]) * stride
        rest /= dimensions[axis]
        stride *= kept[axis]
      }
      groups[index].append(value)
    }
    return groups
  }

  @Test("every set of axes is reduced as the definition says")
  func allSubsetsOfAxes() throws {
    for dimensions in [[7], [4, 6], [2, 3, 11], [2, 1, 3, 5], [1, 20, 1]] {
      let tensor = try example(dimensions)
      for subset in 0..<(1 << dimensions.count) {
        let axes = dimensions.indices.filter { subset >> $0 & 1 == 1 }
        let groups = try groups(tensor, Set(axes))
        let sums = groups.map { $0.reduce(0, +) }
        let squares = groups.map { group in group.map { $0 * $0 }.reduce(0, +) }
        let expected: [[Double]] = [
          sums,
          zip(sums, groups).map { $0 / Double($1.count) },
          squares.map { $0.squareRoot() },
          groups.map { $0.max() ?? .nan },
          groups.map { $0.min() ?? .nan },
        ]
        for keep in [false, true] {
          let results = [
            try tensor.sum(axes: axes, keepDimensions: keep),
            try tensor.mean(axes: axes, keepDimensions: keep),
            try tensor.norm(axes: axes, keepDimensions: keep),
            try tensor.max(axes: axes, keepDimensions: keep),
            try tensor.min(axes: axes, keepDimensions: keep),
          ]
          let shape = dimensions.enumerated().compactMap { axis, extent in
            axes.contains(axis) ? (keep ? 1 : nil) : extent
          }
          for (result, values) in zip(results, expected) {
            #expect(result.shape.dimensions == shape)
            #expect(try result.elements(of: Double.self) == values, "\(dimensions) along \(axes)")
          }
        }
        let sum = try tensor.sum(axes: axes)
        #expect(try tensor.converted(to: .int64).sum(axes: axes) == sum.converted(to: .int64))
        #expect(try tensor.converted(to: .float32).sum(axes: axes) == sum.converted(to: .float32))
      }
    }
  }

  @Test("negative axes count from the back and nil means all")
  func axisForms() throws {
    let tensor = try example([2, 3, 4])
    #expect(try tensor.sum(axes: [-1, 0]) == tensor.sum(axes: [0, 2]))
    #expect(try tensor.sum(axes: nil) == tensor.sum(axes: [0, 1, 2]))
    #expect(try tensor.sum(axes: []) == tensor)
  }

  @Test("float32 is accumulated in double precision")
  func accumulation() throws {
    // In float32 the 1 is lost: 1e8 + 1 == 1e8.
    #expect(try Tensor([1e8, 1, -1e8] as [Float]).sum() == 1)
    let column = try Tensor([1e8, 1, -1e8] as [Float], shape: [3, 1])
    #expect(try column.sum(axes: [0]) == Tensor([1] as [Float]))
    let tenths = Tensor(repeating: Float(0.1), shape: try Shape([100_003]))
    // Each of fewer than 2^17 additions has a relative error of at most 2^-53.
    #expect(abs(try tenths.sum() / (100_003 * Double(Float(0.1))) - 1) < 0x1p-36)
    // The squares overflow in float32.
    #expect(try Tensor([0x3p100, 0x4p100] as [Float]).norm() == 0x5p100)
  }

  @Test("sums of integers wrap around along axes and not over everything")
  func integers() throws {
    let tensor = Tensor([Int64.max, 1])
    #expect(try tensor.sum(axes: [0]) == Tensor(scalar: Int64.min))
    #expect(try tensor.sum() == 0x1p63)
    #expect(try tensor.max(axes: [0]) == Tensor(scalar: Int64.max))
    #expect(try tensor.min() == 1)
    #expect(try Tensor([1, 2] as [Int64]).mean() == 1.5)
  }

  @Test("everything reduces to a number")
  func overEverything() throws {
    let tensor = try Tensor([1, 2, 2, 4] as [Float], shape: [2, 2])
    #expect(try tensor.sum() == 9)
    #expect(try tensor.mean() == 2.25)
    #expect(try tensor.norm() == 5)
    #expect(try tensor.max() == 4)
    #expect(try tensor.min() == 1)
    #expect(try Tensor(scalar: Float(7)).sum() == 7)
  }

  @Test("NaN reaches the result wherever it is")
  func notANumber() throws {
    for position in 0..<20 {
      var values = (0..<20).map { Double($0) }
      values[position] = .nan
      #expect(try Tensor(values).max().isNaN)
      #expect(try Tensor(values).min().isNaN)
      #expect(try Tensor(values).sum().isNaN)
    }
    #expect(try Tensor([-Double.infinity, -.infinity]).max() == -.infinity)
    #expect(try Tensor([Double.infinity]).min() == .infinity)
  }

  @Test("the sum of nothing is 0, other reductions of nothing are errors")
  func nothing() throws {
    let empty = Tensor(zeros: try Shape([2, 0]))
    #expect(try empty.sum() == 0)
    #expect(try empty.norm(axes: [1]) == Tensor([0, 0] as [Float]))
    for (operation, reduce): (String, () throws -> Any) in [
      ("mean", { try empty.mean(axes: [1]) }), ("mean", { try empty.mean() }),
      ("max", { try empty.max(axes: [1]) }), ("min", { try empty.min() }),
      ("argMax", { try empty.argMax(axis: 1) }),
    ] {
      #expect(throws: TensorError.emptyReduction(shape: [2, 0], operation: operation)) {
        _ = try reduce()
      }
    }
    #expect(try empty.max(axes: [0]).shape.dimensions == [0])
    #expect(try empty.argMax(axis: 0).shape.dimensions == [0])
  }

  @Test("axes out of range or named twice, and types without meaning, are refused")
  func refusals() throws {
    let tensor = try example([2, 3])
    #expect(throws: TensorError.axisOutOfRange(axis: 2, shape: [2, 3])) {
      try tensor.sum(axes: [2])
    }
    #expect(throws: TensorError.repeatedAxis(axis: 1, shape: [2, 3])) {
      try tensor.sum(axes: [1, -1])
    }
    #expect(throws: TensorError.unsupportedType(.bool, operation: "sum")) {
      try tensor.converted(to: .bool).sum()
    }
    #expect(throws: TensorError.unsupportedType(.int64, operation: "mean")) {
      try tensor.converted(to: .int64).mean(axes: [0])
    }
    #expect(throws: TensorError.unsupportedType(.int64, operation: "norm")) {
      try tensor.converted(to: .int64).norm()
    }
  }

  @Test("argMax finds the lowest index of the largest element along each axis")
  func argMax() throws {
    let tensor = try Tensor([1, 5, 5, 7, 2, 7] as [Float], shape: [2, 3])
    #expect(try tensor.argMax(axis: 1) == Tensor([1, 0] as [Int64]))
    #expect(try tensor.argMax(axis: 0) == Tensor([1, 0, 1] as [Int64]))
    let kept = try tensor.argMax(axis: -1, keepDimensions: true)
    #expect(try kept == Tensor([1, 0] as [Int64], shape: [2, 1]))
    // numpy.argmax along each axis of the same array.
    let cube = try example([2, 3, 4])
    #expect(
      try cube.argMax(axis: 0)
        == Tensor([1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1] as [Int64], shape: [3, 4]))
    #expect(
      try cube.argMax(axis: 1) == Tensor([2, 1, 0, 1, 1, 0, 1, 1] as [Int64], shape: [2, 4]))
    #expect(try cube.argMax(axis: 2) == Tensor([2, 1, 0, 1, 3, 1] as [Int64], shape: [2, 3]))
    #expect(try Tensor([1, .nan, 9, .nan]).argMax(axis: 0) == Tensor(scalar: Int64(1)))
    #expect(try Tensor([3, 9, 9] as [Int64]).argMax(axis: 0) == Tensor(scalar: Int64(1)))
  }

  @Test("top lists the largest first, equals by index, and at most all")
  func top() throws {
    let tensor = Tensor([0.5, 2, -1, 2, 0.5])
    let top = try tensor.top(3)
    #expect(top.map(\.index) == [1, 3, 0])
    #expect(top.map(\.value) == [2, 2, 0.5])
    #expect(try tensor.top(99).map(\.index) == [1, 3, 0, 4, 2])
    #expect(try tensor.top(0).isEmpty)
    #expect(try Tensor([1, .nan, 2, .nan] as [Float]).top(3).map(\.index) == [1, 3, 2])
    #expect(try Tensor([4, 7] as [Int64]).top(1).map(\.value) == [7])
    #expect(throws: TensorError.rankMismatch(expected: 1, found: 2, operation: "top")) {
      try tensor.reshaped(to: [1, 5]).top(1)
    }
    #expect(throws: TensorError.indexOutOfRange(index: -1, axis: 0, shape: [5])) {
      try tensor.top(-1)
    }
  }
}
