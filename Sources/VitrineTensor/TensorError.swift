/// What can be wrong with tensors and with arrays read from files.
public enum TensorError: Error, Sendable, Equatable {
  /// A dimension is negative or the number of elements is too large to address.
  case invalidShape([Int])
  /// An axis is not one of the shape's, counted from the front or, if negative, from the back.
  case axisOutOfRange(axis: Int, shape: [Int])
  /// An axis is named twice where each may be named once; `axis` is counted from the front.
  case repeatedAxis(axis: Int, shape: [Int])
  /// Two shapes have no common shape under the broadcasting rule.
  case cannotBroadcast([Int], [Int])
  /// An operand has another shape than the operation needs.
  case shapeMismatch(expected: [Int], found: [Int], operation: String)
  /// An operand, or a list with one entry for each axis, has another number of axes than needed.
  case rankMismatch(expected: Int, found: Int, operation: String)
  /// A list of elements has another length than its shape says.
  case countMismatch(expected: Int, found: Int, shape: [Int])
  /// An operand has another element type than the operation needs.
  case typeMismatch(expected: DataType, found: DataType, operation: String)
  /// The operation has no meaning for this element type.
  case unsupportedType(DataType, operation: String)
  /// A constant is not a value of the element type.
  case notRepresentable(value: Double, type: DataType, operation: String)
  /// An integer is divided by zero.
  case divisionByZero(operation: String)
  /// A position along an axis, or a number of positions, is outside the axis.
  case indexOutOfRange(index: Int, axis: Int, shape: [Int])
  /// A range of positions is not inside the axis, or its step is zero.
  case invalidSlice(lower: Int, upper: Int, step: Int, axis: Int, shape: [Int])
  /// An operation on a list of tensors was given an empty list.
  case noTensors(operation: String)
  /// A reduction without a neutral element, such as the mean, has nothing to reduce.
  case emptyReduction(shape: [Int], operation: String)
  /// A `.npy` file is not what it should be; the text says where and what was expected.
  case malformedArrayFile(String)
}

extension TensorError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .invalidShape(let shape):
      "shape \(shape) is not valid: dimensions must not be negative and the product must fit"
    case .axisOutOfRange(let axis, let shape):
      "axis \(axis) is out of range for shape \(shape): expected \(-shape.count)..<\(shape.count)"
    case .repeatedAxis(let axis, let shape):
      "axis \(axis) of shape \(shape) is named twice: name each axis once"
    case .cannotBroadcast(let left, let right):
      "shapes \(left) and \(right) cannot be broadcast together: each pair of dimensions, counted "
        + "from the last, must be equal or contain a 1"
    case .shapeMismatch(let expected, let found, let operation):
      "\(operation): expected shape \(expected), found \(found)"
    case .rankMismatch(let expected, let found, let operation):
      "\(operation): expected \(expected) axes, found \(found)"
    case .countMismatch(let expected, let found, let shape):
      "shape \(shape) has \(expected) elements, found \(found)"
    case .typeMismatch(let expected, let found, let operation):
      "\(operation): expected \(expected) elements, found \(found)"
    case .unsupportedType(let type, let operation):
      "\(operation) is not defined for \(type) elements: convert the tensor first"
    case .notRepresentable(let value, let type, let operation):
      "\(operation): expected a constant of type \(type), found \(value)"
    case .divisionByZero(let operation):
      "\(operation): expected integers other than zero as divisors, found 0"
    case .indexOutOfRange(let index, let axis, let shape):
      "index \(index) is out of range on axis \(axis) of shape \(shape)"
    case .invalidSlice(let lower, let upper, let step, let axis, let shape):
      "slice \(lower)..<\(upper) by \(step) is not valid on axis \(axis) of shape \(shape): expected "
        + "a range inside the axis and a step other than zero"
    case .noTensors(let operation):
      "\(operation): expected at least one tensor, found none"
    case .emptyReduction(let shape, let operation):
      "\(operation) of no elements is not defined, shape \(shape)"
    case .malformedArrayFile(let reason):
      "not a readable .npy array: \(reason)"
    }
  }
}
