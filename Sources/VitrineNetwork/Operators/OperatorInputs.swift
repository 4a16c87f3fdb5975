import VitrineTensor

// MARK: - Counting

extension NodeReader {
  /// Checks how many inputs and outputs the node has.
  func expect(inputs: ClosedRange<Int>, outputs: ClosedRange<Int> = 1...1) throws {
    guard inputs.contains(inputCount) else {
      throw OperatorError("expected \(phrase(inputs, "input")), found \(inputCount)")
    }
    guard outputs.contains(outputCount) else {
      throw OperatorError("expected \(phrase(outputs, "output")), found \(outputCount)")
    }
  }

  private func phrase(_ range: ClosedRange<Int>, _ noun: String) -> String {
    if range.upperBound == .max { return "at least \(range.lowerBound) \(noun)s" }
    return range.lowerBound == range.upperBound
      ? "\(range.lowerBound) \(noun)\(range.lowerBound == 1 ? "" : "s")"
      : "\(range.lowerBound) to \(range.upperBound) \(noun)s"
  }
}

// MARK: - Reading inputs

extension [ValueType?] {
  /// Returns input `index`, or `nil` if the node leaves it out.
  func optional(_ index: Int) -> ValueType? { index < count ? self[index] : nil }

  /// Returns input `index`.
  func required(_ index: Int, _ name: String) throws(OperatorError) -> ValueType {
    guard let value = optional(index) else { throw OperatorError("input '\(name)' is missing") }
    return value
  }

  /// Returns the elements of an input that must be known before the network runs.
  func known(_ index: Int, _ name: String) throws(OperatorError) -> Tensor {
    guard let constant = try required(index, name).constant else {
      throw OperatorError(
        "input '\(name)' must be known before the network runs (it depends on the input data)")
    }
    return constant
  }

  /// Returns the elements of a list of integers that must be known before the network runs.
  func integers(_ index: Int, _ name: String) throws -> [Int] {
    let tensor = try known(index, name)
    guard tensor.dataType == .int64, tensor.rank <= 1 else {
      throw OperatorError(
        "input '\(name)' must be a list of integers, found \(tensor.dataType) \(tensor.shape)")
    }
    return try tensor.elements(of: Int64.self).map {
      guard let value = Int(exactly: $0) else {
        throw OperatorError("input '\(name)' has the value \($0), which is too large")
      }
      return value
    }
  }
}

extension [Tensor?] {
  /// What these inputs are to ``Operator/infer(_:)``: everything about them is known.
  var types: [ValueType?] { map { $0.map(ValueType.init(constant:)) } }

  /// Returns input `index`.
  func required(_ index: Int, _ name: String) throws(OperatorError) -> Tensor {
    guard index < count, let tensor = self[index] else {
      throw OperatorError("input '\(name)' is missing")
    }
    return tensor
  }
}

/// A list of integers that older operator sets pass as an attribute and newer ones as an input.
struct IntegerList: Sendable {
  private enum Source {
    case attribute([Int]?)
    case input(Int)
  }

  private let name: String
  private let source: Source

  /// Reads the attribute, or notes that operator set `opset` made it input `index`.
  init(_ node: NodeReader, _ name: String, isInput index: Int, since opset: Int) throws {
    self.name = name
    if node.opset < opset {
      source = .attribute(try node.integers(name))
    } else if node.has(name) {
      throw OperatorError("attribute '\(name)' is an input since opset \(opset)")
    } else {
      source = .input(index)
    }
  }

  /// Returns the list; `nil` if the node does not give it.
  func values(_ inputs: [ValueType?]) throws -> [Int]? {
    switch source {
    case .attribute(let values): values
    case .input(let index): inputs.optional(index) == nil ? nil : try inputs.integers(index, name)
    }
  }

  /// Returns the list.
  func required(_ inputs: [ValueType?]) throws -> [Int] {
    if let values = try values(inputs) { return values }
    if case .input = source { throw OperatorError("input '\(name)' is missing") }
    throw OperatorError("attribute '\(name)' is missing")
  }
}

// MARK: - Checked shapes and types

extension Shape {
  /// The most axes a value may have; no exporter writes more than eight.
  static let maximalRank = 32

  /// Returns the shape if its extents are valid and its size can be addressed.
  static func checked(_ dimensions: [Int]) throws(OperatorError) -> Shape {
    guard dimensions.count <= maximalRank else {
      throw OperatorError("a value has at most \(maximalRank) axes, found \(dimensions.count)")
    }
    do { return try Shape(dimensions) } catch { throw OperatorError("\(error)") }
  }

  /// Returns the shape both take when broadcast together.
  func checkedBroadcast(with other: Shape) throws(OperatorError) -> Shape {
    do { return try broadcast(with: other) } catch { throw OperatorError("\(error)") }
  }

  /// Returns the axis counted from the front.
  func checkedAxis(_ axis: Int) throws(OperatorError) -> Int {
    do { return try normalizedAxis(axis) } catch { throw OperatorError("\(error)") }
  }

  /// Returns the axes counted from the front, ascending.
  func checkedAxes(_ axes: [Int]) throws(OperatorError) -> [Int] {
    guard axes.count <= rank else {
      throw OperatorError("\(axes.count) axes are listed for shape \(self)")
    }
    var isListed = [Bool](repeating: false, count: rank)
    for axis in axes {
      let axis = try checkedAxis(axis)
      guard !isListed[axis] else { throw OperatorError("axis \(axis) is listed twice") }
      isListed[axis] = true
    }
    return isListed.indices.filter { isListed[$0] }
  }
}

extension DataType {
  /// The type as ``Operator/infer(_:)`` reports it: `float32` for every real one.
  var inferred: DataType { isFloatingPoint ? .float32 : self }

  /// The type a tensor has in a run with the precision `T`.
  func inRun<T: RealScalar>(with _: T.Type) -> DataType { isFloatingPoint ? T.dataType : self }

  /// How messages call the type.
  var noun: String {
    switch self {
    case .float32, .float64: "real"
    case .int64: "integer"
    case .bool: "boolean"
    }
  }
}

extension ValueType {
  /// Checks the type of the elements.
  func expect(_ types: DataType..., as name: String) throws(OperatorError) {
    guard types.contains(dataType.inferred) else {
      let expected = types.map(\.noun).joined(separator: " or ")
      throw OperatorError("input '\(name)' must be \(expected), found \(dataType.noun)")
    }
  }

  /// Checks that the elements are of the same type as those of another input.
  func expectSameType(as other: ValueType) throws(OperatorError) {
    guard dataType.inferred == other.dataType.inferred else {
      throw OperatorError(
        "inputs must be of one type, found \(other.dataType.noun) and \(dataType.noun)")
    }
  }
}

// MARK: - Cotangents

extension Point {
  /// Returns what `cotangent` returns for each real input that needs one, `nil` for the others.
  ///
  /// - Throws: An ``OperatorError`` if the cotangents of the outputs do not have their shapes.
  func pulledBack(
    _ cotangents: [Tensor?], _ cotangent: (Int) throws -> Tensor?
  ) throws -> [Tensor?] {
    guard cotangents.count == outputs.count else {
      throw OperatorError("expected \(outputs.count) cotangents, found \(cotangents.count)")
    }
    for (found, output) in zip(cotangents, outputs) {
      if let found, found.shape != output.shape {
        throw OperatorError(
          "expected a cotangent of shape \(output.shape), found \(found.shape)")
      }
    }
    return try inputs.indices.map { index in
      guard wanted[index], inputs[index]?.dataType.isFloatingPoint == true else { return nil }
      return try cotangent(index)
    }
  }
}
