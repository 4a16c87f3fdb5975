import Testing
import VitrineTensor

@Suite("Tensor")
struct TensorTests {
  @Test("a copy keeps its elements when the other is changed")
  func copyOnWrite() throws {
    let original = Tensor([1, 2, 3] as [Float])
    var copy = original
    try copy.withMutableElements(of: Float.self) { $0[1] = 9 }
    #expect(try original.elements(of: Float.self) == [1, 2, 3])
    #expect(try copy.elements(of: Float.self) == [1, 9, 3])
  }

  @Test("elements of another type than the tensor's are refused")
  func typeMismatch() {
    let tensor = Tensor([1, 2] as [Float])
    #expect(
      throws: TensorError.typeMismatch(
        expected: .float64, found: .float32, operation: "reading elements")
    ) { try tensor.elements(of: Double.self) }
  }

  @Test("as many elements as the shape says are required")
  func countMismatch() {
    #expect(throws: TensorError.countMismatch(expected: 6, found: 2, shape: [2, 3])) {
      try Tensor([1, 2] as [Float], shape: [2, 3])
    }
  }

  @Test("memory is aligned to 64 bytes")
  func alignment() throws {
    for count in [1, 3, 17, 1000] {
      let tensor = Tensor(zeros: try Shape([count]))
      tensor.withBytes { #expect(Int(bitPattern: $0.baseAddress) % 64 == 0) }
    }
  }

  @Test("equality compares shape, type and bits")
  func equality() throws {
    let a = try Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])
    #expect(try a == Tensor([1, 2, 3, 4] as [Float], shape: [2, 2]))
    #expect(try a != a.reshaped(to: [4]))
    #expect(a != a.converted(to: .float64))
    #expect(Tensor([Float.nan]) == Tensor([Float.nan]))
    #expect(Tensor([0.0]) != Tensor([-0.0]))
    #expect(Tensor([] as [Float]) == Tensor([] as [Float]))
  }

  @Test("conversion to integers truncates, saturates and takes NaN for 0")
  func conversionToIntegers() throws {
    let source = Tensor([1.9, -1.9, 1e300, -1e300, .infinity, .nan, 0x1p63, -0x1p63])
    let result = try source.converted(to: .int64).elements(of: Int64.self)
    #expect(result == [1, -1, .max, .min, .max, 0, .max, .min])
  }

  @Test("conversions between all types keep small integers")
  func conversionRoundTrip() throws {
    let bits = Tensor([true, false, true])
    for type in DataType.allCases {
      for other in DataType.allCases {
        let there = bits.converted(to: type).converted(to: other)
        #expect(there.dataType == other)
        #expect(there.converted(to: .bool) == bits)
      }
    }
  }

  @Test("reshaping keeps the elements and refuses another count")
  func reshaping() throws {
    let tensor = Tensor((0..<6).map { Int64($0) })
    #expect(try tensor.reshaped(to: [2, 3]).elements(of: Int64.self) == [0, 1, 2, 3, 4, 5])
    #expect(throws: TensorError.self) { try tensor.reshaped(to: [4]) }
    #expect(throws: TensorError.self) { try tensor.reshaped(to: [-2, -3]) }
  }

  @Test("every error is one line of text")
  func messages() {
    let errors: [TensorError] = [
      .invalidShape([-1]), .axisOutOfRange(axis: 3, shape: [1]),
      .repeatedAxis(axis: 0, shape: [1]), .cannotBroadcast([2], [3]),
      .shapeMismatch(expected: [1], found: [2], operation: "x"),
      .rankMismatch(expected: 1, found: 2, operation: "x"),
      .countMismatch(expected: 1, found: 2, shape: [1]),
      .typeMismatch(expected: .bool, found: .int64, operation: "x"),
      .unsupportedType(.bool, operation: "x"),
      .notRepresentable(value: 0.5, type: .int64, operation: "x"),
      .divisionByZero(operation: "x"), .indexOutOfRange(index: 1, axis: 0, shape: [1]),
      .invalidSlice(lower: 0, upper: 2, step: 0, axis: 0, shape: [1]), .noTensors(operation: "x"),
      .emptyReduction(shape: [0], operation: "x"), .malformedArrayFile("x"),
    ]
    for error in errors {
      #expect(!error.description.isEmpty && !error.description.contains("\n"))
    }
    #expect(Set(errors.map(\.description)).count == errors.count)
  }
}
