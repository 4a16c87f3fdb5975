import Testing
import VitrineTensor

@Suite("Shape")
struct ShapeTests {
  @Test("the shape without axes has one element")
  func scalar() throws {
    let shape = try Shape([])
    #expect(shape.count == 1)
    #expect(shape.rank == 0)
    #expect(shape.strides == [])
    #expect(shape.description == "[]")
  }

  @Test("a dimension of zero makes the count zero, wherever it is")
  func zeroDimension() throws {
    #expect(try Shape([0]).count == 0)
    #expect(try Shape([3, 0, 5]).count == 0)
    #expect(try Shape([0, 1 << 40]).count == 0)
  }

  @Test("strides are row-major")
  func strides() throws {
    #expect(try Shape([2, 3, 4]).strides == [12, 4, 1])
  }

  @Test(
    "negative dimensions and products too large to address are refused",
    arguments: [[-1], [2, -3], [Int.max], [1 << 33, 1 << 33], [Int.max, 0], [Int.min]])
  func invalid(dimensions: [Int]) {
    #expect(throws: TensorError.invalidShape(dimensions)) { try Shape(dimensions) }
  }

  @Test("axes are counted from either end")
  func axes() throws {
    let shape = try Shape([2, 3, 4])
    #expect(try shape.normalizedAxis(0) == 0)
    #expect(try shape.normalizedAxis(-1) == 2)
    for axis in [3, -4, Int.max, Int.min] {
      #expect(throws: TensorError.axisOutOfRange(axis: axis, shape: [2, 3, 4])) {
        try shape.normalizedAxis(axis)
      }
    }
  }

  @Test("shapes broadcast together as in NumPy")
  func broadcasting() throws {
    // numpy.broadcast_shapes of the same arguments.
    #expect(try Shape([3, 1]).broadcast(with: Shape([4])).dimensions == [3, 4])
    #expect(try Shape([]).broadcast(with: Shape([2, 5])).dimensions == [2, 5])
    #expect(try Shape([1]).broadcast(with: Shape([0])).dimensions == [0])
    #expect(try Shape([2, 1, 4]).broadcast(with: Shape([3, 1])).dimensions == [2, 3, 4])
    #expect(throws: TensorError.cannotBroadcast([2], [3])) {
      try Shape([2]).broadcast(with: Shape([3]))
    }
  }
}
