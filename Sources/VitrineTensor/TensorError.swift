/// What can be wrong with tensors and with arrays read from files.
public enum TensorError: Error, Sendable, Equatable {
  /// A dimension is negative or the number of elements is too large to address.
  case invalidShape([Int])
  case axisOutOfRange(axis: Int, shape: [Int])
  case cannotBroadcast([Int], [Int])
  case shapeMismatch(expected: [Int], found: [Int], operation: String)
  case countMismatch(expected: Int, found: Int, shape: [Int])
  case typeMismatch(expected: DataType, found: DataType, operation: String)
  case unsupportedType(DataType, operation: String)
  case indexOutOfRange(index: Int, axis: Int, shape: [Int])
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
    case .cannotBroadcast(let left, let right):
      "shapes \(left) and \(right) cannot be broadcast together: each pair of dimensions, counted "
        + "from the last, must be equal or contain a 1"
    case .shapeMismatch(let expected, let found, let operation):
      "\(operation): expected shape \(expected), found \(found)"
    case .countMismatch(let expected, let found, let shape):
      "shape \(shape) has \(expected) elements, found \(found)"
    case .typeMismatch(let expected, let found, let operation):
      "\(operation): expected \(expected) elements, found \(found)"
    case .unsupportedType(let type, let operation):
      "\(operation) is not defined for \(type) elements"
    case .indexOutOfRange(let index, let axis, let shape):
      "index \(index) is out of range on axis \(axis) of shape \(shape)"
    case .emptyReduction(let shape, let operation):
      "\(operation) of no elements is not defined, shape \(shape)"
    case .malformedArrayFile(let reason):
      "not a readable .npy array: \(reason)"
    }
  }
}
