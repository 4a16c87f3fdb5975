import VitrineTensor

/// Where the elements of a tensor are that is repeated to fill a larger shape, as in NumPy.
struct Broadcast {
  let result: Shape
  /// Distance in the operand per step along each axis of the result; 0 where it is repeated.
  private let strides: [Int]

  /// Checks that `operand` can be repeated to fill `result`, which keeps its shape.
  init(_ operand: Shape, to result: Shape) throws {
    let missing = result.rank - operand.rank
    let operandStrides = operand.strides
    var strides = [Int](repeating: 0, count: result.rank)
    for axis in 0..<operand.rank {
      guard missing >= 0,
        operand[axis] == 1 || operand[axis] == result[missing + axis]
      else {
        throw OperatorError("expected a shape that broadcasts to \(result), found \(operand)")
      }
      strides[missing + axis] = operand[axis] == 1 ? 0 : operandStrides[axis]
    }
    self.result = result
    self.strides = strides
  }

  /// Returns the operand's element for an element of the result, both counted in row-major order.
  func offset(of element: Int) -> Int {
    var rest = element
    var offset = 0
    for axis in strides.indices.reversed() {
      let (quotient, index) = rest.quotientAndRemainder(dividingBy: result[axis])
      offset += index * strides[axis]
      rest = quotient
    }
    return offset
  }

  /// Calls `body` for the rows along the last axis with their elements in the result, the operand's
  /// first element and its step.
  @inline(__always)
  func forEachRow(_ body: (_ row: Range<Int>, _ offset: Int, _ step: Int) throws -> Void) rethrows {
    guard result.count > 0 else { return }
    let length = result.dimensions.last ?? 1
    for start in stride(from: 0, to: result.count, by: length) {
      try body(start..<start + length, offset(of: start), strides.last ?? 0)
    }
  }
}
