import Testing
import VitrineTensor

@Suite("Slices and rearrangements")
struct TensorSlicingTests {
  private func counting(_ dimensions: [Int]) throws -> Tensor {
    try Tensor((0..<dimensions.reduce(1, *)).map { Int64($0) }, shape: dimensions)
  }

  @Test("slices take every step-th position of each range")
  func slices() throws {
    let dimensions = [5, 4, 3]
    let tensor = try counting(dimensions)
    for first in [0..<5, 1..<4, 2..<3, 3..<3] {
      for step in [1, 2, 3, 7, -1, -2, -4, Int.max, Int.min] {
        for last in [0..<3, 1..<3] {
          let slice = try tensor.sliced([first, 0..<4, last], steps: [step, -3, 1])
          let rows =
            step > 0
            ? Array(
              stride(from: first.lowerBound, to: first.upperBound, by: step == .max ? 9 : step))
            : Array(
              stride(
                from: first.upperBound - 1, through: first.lowerBound, by: step == .min ? -9 : step)
            )
          let expected = rows.flatMap { i in
            [3, 0].flatMap { j in last.map { k in Int64(i * 12 + j * 3 + k) } }
          }
          #expect(slice.shape.dimensions == [rows.count, 2, last.count])
          #expect(try slice.elements(of: Int64.self) == expected, "\(first) by \(step)")
        }
      }
    }
  }

  @Test("a slice along one axis leaves the others whole, for every type")
  func sliceAlongAxis() throws {
    let tensor = try counting([2, 3])
    for type in DataType.allCases {
      let slice = try tensor.converted(to: type).sliced(axis: -1, 1..<3)
      let expected = try Tensor([1, 2, 4, 5] as [Int64], shape: [2, 2]).converted(to: type)
      #expect(slice == expected)
    }
  }

  @Test("ranges outside the axis, steps of zero and wrong numbers of ranges are refused")
  func sliceRefusals() throws {
    let tensor = try counting([2, 3])
    for (range, step) in [(-1..<2, 1), (0..<4, 1), (4..<4, 1), (0..<2, 0), (Int.min..<Int.max, 1)] {
      #expect(
        throws: TensorError.invalidSlice(
          lower: range.lowerBound, upper: range.upperBound, step: step, axis: 1, shape: [2, 3])
      ) { try tensor.sliced(axis: 1, range, step: step) }
    }
    #expect(throws: TensorError.rankMismatch(expected: 2, found: 1, operation: "slicing")) {
      try tensor.sliced([0..<1])
    }
    #expect(throws: TensorError.rankMismatch(expected: 2, found: 3, operation: "slicing")) {
      try tensor.sliced([0..<1, 0..<1], steps: [1, 1, 1])
    }
    #expect(throws: TensorError.axisOutOfRange(axis: 2, shape: [2, 3])) {
      try tensor.sliced(axis: 2, 0..<1)
    }
  }

  @Test("select leaves the axis out")
  func select() throws {
    let tensor = try counting([2, 3, 2])
    #expect(
      try tensor.select(axis: 1, index: 2) == Tensor([4, 5, 10, 11] as [Int64], shape: [2, 2]))
    #expect(
      try tensor.select(axis: 0, index: 1)
        == Tensor([6, 7, 8, 9, 10, 11] as [Int64], shape: [3, 2]))
    #expect(try Tensor([7, 8] as [Int64]).select(axis: 0, index: 1) == Tensor(scalar: Int64(8)))
    for index in [-1, 3, Int.max] {
      #expect(throws: TensorError.indexOutOfRange(index: index, axis: 1, shape: [2, 3, 2])) {
        try tensor.select(axis: 1, index: index)
      }
    }
  }

  @Test("every permutation of axes puts each element where the definition says")
  func transposition() throws {
    let dimensions = [2, 3, 4]
    let tensor = try counting(dimensions)
    let strides = [12, 4, 1]
    for axes in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
      var expected: [Int64] = []
      for i in 0..<dimensions[axes[0]] {
        for j in 0..<dimensions[axes[1]] {
          for k in 0..<dimensions[axes[2]] {
            expected.append(
              Int64(i * strides[axes[0]] + j * strides[axes[1]] + k * strides[axes[2]]))
          }
        }
      }
      let result = try tensor.transposed(axes: axes)
      #expect(result.shape.dimensions == axes.map { dimensions[$0] })
      #expect(try result.elements(of: Int64.self) == expected, "axes \(axes)")
    }
    #expect(try tensor.transposed() == tensor.transposed(axes: [-1, -2, -3]))
    #expect(try Tensor(scalar: 1.0).transposed() == Tensor(scalar: 1.0))
    #expect(throws: TensorError.rankMismatch(expected: 3, found: 2, operation: "transposition")) {
      try tensor.transposed(axes: [0, 1])
    }
    #expect(throws: TensorError.repeatedAxis(axis: 1, shape: [2, 3, 4])) {
      try tensor.transposed(axes: [0, 1, -2])
    }
  }

  @Test("broadcasting repeats along axes of extent 1 and new axes in front")
  func broadcasting() throws {
    let column = try Tensor([1, 2] as [Int64], shape: [2, 1])
    let expected = try Tensor([1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2] as [Int64], shape: [2, 2, 3])
    #expect(try column.broadcast(to: [2, 2, 3]) == expected)
    #expect(try Tensor(scalar: Float(3)).broadcast(to: [2]) == Tensor([3, 3] as [Float]))
    #expect(try column.broadcast(to: [2, 0]).count == 0)
    for target in [[2], [3, 1], [1, 1], []] {
      #expect(throws: TensorError.cannotBroadcast([2, 1], target)) {
        try column.broadcast(to: target)
      }
    }
    #expect(throws: TensorError.invalidShape([-1])) { try column.broadcast(to: [-1]) }
  }

  @Test("slices along an axis joined again give the whole, for every axis and type")
  func concatenation() throws {
    let tensor = try counting([4, 3, 5])
    for type in DataType.allCases {
      let tensor = tensor.converted(to: type)
      for axis in 0..<3 {
        let end = tensor.shape[axis]
        let parts = [
          try tensor.sliced(axis: axis, 0..<1), try tensor.sliced(axis: axis, 1..<1),
          try tensor.sliced(axis: axis, 1..<end),
        ]
        #expect(try Tensor.concatenation(of: parts, axis: axis) == tensor)
        #expect(try Tensor.concatenation(of: parts, axis: axis - 3) == tensor)
      }
    }
  }

  @Test("tensors that do not fit together are not joined")
  func concatenationRefusals() throws {
    let a = try counting([2, 3])
    #expect(throws: TensorError.noTensors(operation: "concatenation")) {
      try Tensor.concatenation(of: [], axis: 0)
    }
    #expect(throws: TensorError.noTensors(operation: "stacking")) { try Tensor.stack([]) }
    #expect(
      throws: TensorError.shapeMismatch(
        expected: [2, 4], found: [3, 4], operation: "concatenation")
    ) { try Tensor.concatenation(of: [a, counting([3, 4])], axis: 1) }
    #expect(throws: TensorError.self) {
      try Tensor.concatenation(of: [a, counting([2])], axis: 1)
    }
    #expect(
      throws: TensorError.typeMismatch(
        expected: .int64, found: .bool, operation: "concatenation")
    ) { try Tensor.concatenation(of: [a, a.converted(to: .bool)], axis: 0) }
    #expect(throws: TensorError.axisOutOfRange(axis: 0, shape: [])) {
      try Tensor.concatenation(of: [Tensor(scalar: 1.0)], axis: 0)
    }
  }

  @Test("selecting from a stack gives each tensor back, for every place of the new axis")
  func stacking() throws {
    let a = try counting([2, 3])
    let b = try a.adding(100)
    for axis in [0, 1, 2, -1, -3] {
      let stack = try Tensor.stack([a, b], axis: axis)
      #expect(try stack.select(axis: axis, index: 0) == a)
      #expect(try stack.select(axis: axis, index: 1) == b)
      #expect(stack.shape[axis < 0 ? axis + 3 : axis] == 2)
    }
    #expect(
      throws: TensorError.shapeMismatch(expected: [2, 3], found: [6], operation: "stacking")
    ) { try Tensor.stack([a, a.reshaped(to: [6])]) }
    #expect(throws: TensorError.self) { try Tensor.stack([a], axis: 3) }
  }
}
