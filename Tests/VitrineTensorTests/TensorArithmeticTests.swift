import Testing
import VitrineTensor

@Suite("Elementwise arithmetic")
struct TensorArithmeticTests {
  typealias Operation = (Tensor, Tensor) throws -> Tensor

  static let shapePairs: [([Int], [Int])] = [
    ([], []), ([1], []), ([5], [5]), ([5], []), ([], [2, 3]), ([2, 3], [3]), ([2, 3], [2, 1]),
    ([2, 1], [1, 3]), ([4, 1, 3], [2, 1]), ([2, 3, 4], [3, 1]), ([2, 3, 4], [2, 1, 4]),
    ([1, 3, 1, 2], [2, 1, 5, 1]), ([2, 1, 2, 1, 2], [1, 3, 1, 3, 1]), ([0], [1]),
    ([2, 0], [2, 1]),
    ([0, 3], []), ([2, 3, 4, 5], [2, 3, 4, 5]), ([2, 3, 4, 5], [4, 5]), ([2, 3], [2, 3, 2, 3]),
  ]

  /// Position in an array of shape `own` that is broadcast to `common`, by the definition.
  private func position(_ flat: Int, of own: [Int], in common: [Int]) -> Int {
    var rest = flat
    var index = 0
    var stride = 1
    for k in 1...max(common.count, 1) where k <= common.count {
      let coordinate = rest % common[common.count - k]
      rest /= common[common.count - k]
      guard k <= own.count else { continue }
      let extent = own[own.count - k]
      index += (extent == 1 ? 0 : coordinate) * stride
      stride *= extent
    }
    return index
  }

  @Test("broadcasting follows the definition for every kind of pair of shapes")
  func broadcasting() throws {
    for (a, b) in Self.shapePairs + Self.shapePairs.map({ ($1, $0) }) {
      let left = try Tensor((0..<a.reduce(1, *)).map { Double($0) + 1 }, shape: a)
      let right = try Tensor((0..<b.reduce(1, *)).map { 100 * Double($0) + 7 }, shape: b)
      let common = try left.shape.broadcast(with: right.shape)
      let x = try left.elements(of: Double.self)
      let y = try right.elements(of: Double.self)
      let expected = (0..<common.count).map { i in
        x[position(i, of: a, in: common.dimensions)] - y[position(i, of: b, in: common.dimensions)]
      }
      let difference = try left.subtracting(right)
      #expect(difference.shape == common)
      #expect(try difference.elements(of: Double.self) == expected, "\(a) and \(b)")
      let integers = try left.converted(to: .int64).subtracting(right.converted(to: .int64))
      #expect(integers == difference.converted(to: .int64))
      let floats = try left.converted(to: .float32).subtracting(right.converted(to: .float32))
      #expect(floats == difference.converted(to: .float32))
    }
  }

  @Test("each operation computes its own result")
  func operations() throws {
    let cases: [(String, Operation, [Double])] = [
      ("adding", { try $0.adding($1) }, [9, -5]),
      ("subtracting", { try $0.subtracting($1) }, [5, -9]),
      ("multiplied", { try $0.multiplied(by: $1) }, [14, -14]),
      ("divided", { try $0.divided(by: $1) }, [3.5, -3.5]),
      ("maximum", { try $0.maximum(with: $1) }, [7, 2]),
      ("minimum", { try $0.minimum(with: $1) }, [2, -7]),
    ]
    let a = Tensor([7.0, -7.0])
    let b = Tensor([2.0, 2.0])
    for (name, operation, expected) in cases {
      for type in [DataType.float32, .float64, .int64] {
        let result = try operation(a.converted(to: type), b.converted(to: type))
        // Integer division truncates as the conversion does: 3.5 and -3.5 become 3 and -3.
        #expect(result == Tensor(expected).converted(to: type), "\(name) of \(type)")
      }
    }
  }

  @Test("float32 results are rounded as IEEE 754 says")
  func rounding() throws {
    let a: [Float] = [0.1, 1e30, 16_777_216, .infinity, -0.0]
    let b: [Float] = [0.2, 1e30, 1, -.infinity, 0.0]
    #expect(
      try Tensor(a).adding(Tensor(b)) == Tensor(zip(a, b).map { $0 + $1 }))
    #expect(try Tensor(a).multiplied(by: Tensor(b)).elements(of: Float.self)[1] == .infinity)
    #expect(try Tensor(a).adding(Tensor(b)).elements(of: Float.self)[3].isNaN)
  }

  @Test("maximum and minimum pass NaN on from either side and keep the receiver's zero")
  func notANumber() throws {
    let a = Tensor([.nan, 1, 0.0, -0.0])
    let b = Tensor([1, .nan, -0.0, 0.0])
    for result in [try a.maximum(with: b), try a.minimum(with: b)] {
      let elements = try result.elements(of: Double.self)
      #expect(elements[0].isNaN && elements[1].isNaN)
      #expect(elements[2].sign == .plus && elements[3].sign == .minus)
    }
  }

  @Test("integers wrap around and never trap")
  func integerOverflow() throws {
    let largest = Tensor([Int64.max])
    let smallest = Tensor([Int64.min])
    let one = Tensor([Int64(1)])
    #expect(try largest.adding(one) == smallest)
    #expect(try smallest.subtracting(one) == largest)
    #expect(try smallest.multiplied(by: Tensor([Int64(-1)])) == smallest)
    #expect(try smallest.divided(by: Tensor([Int64(-1)])) == smallest)
    #expect(try smallest.negated() == smallest)
    #expect(try smallest.absolute() == smallest)
  }

  @Test("division by zero is an error for integers and infinite for real numbers")
  func divisionByZero() throws {
    let integers = Tensor([1, 2] as [Int64])
    #expect(throws: TensorError.divisionByZero(operation: "division")) {
      try integers.divided(by: Tensor([1, 0] as [Int64]))
    }
    #expect(throws: TensorError.divisionByZero(operation: "division")) {
      try integers.divided(by: 0)
    }
    let quotients = try Tensor([1.0, -1.0, 0.0]).divided(by: 0).elements(of: Double.self)
    #expect(quotients[0] == .infinity && quotients[1] == -.infinity && quotients[2].isNaN)
  }

  @Test("constants act on every element")
  func constants() throws {
    for type in [DataType.float32, .float64, .int64] {
      let tensor = Tensor([-3.0, 0, 5]).converted(to: type)
      func expect(_ result: Tensor, _ expected: [Double]) {
        #expect(result == Tensor(expected).converted(to: type))
      }
      expect(try tensor.adding(2), [-1, 2, 7])
      expect(try tensor.subtracting(2), [-5, -2, 3])
      expect(try tensor.scaled(by: -2), [6, -0.0, -10])
      expect(try tensor.divided(by: 1), [-3, 0, 5])
      expect(try tensor.maximum(with: 0), [0, 0, 5])
      expect(try tensor.minimum(with: 1), [-3, 0, 1])
      expect(try tensor.absolute(), [3, 0, 5])
      expect(
        try tensor.scaled(by: -1),
        try tensor.negated().converted(to: .float64).elements(of: Double.self))
    }
    // NumPy: np.float32(3) * 0.1 == np.float32(0.3), the constant being rounded first.
    #expect(try Tensor([3] as [Float]).scaled(by: 0.1) == Tensor([3 * Float(0.1)]))
  }

  @Test("a constant that is no integer is refused for integers")
  func constantNotRepresentable() {
    for value in [0.5, 1e19] {
      #expect(
        throws: TensorError.notRepresentable(value: value, type: .int64, operation: "addition")
      ) { try Tensor([Int64(1)]).adding(value) }
    }
  }

  @Test("different types, shapes that do not fit and bool are refused")
  func refusals() throws {
    let floats = Tensor([1, 2] as [Float])
    #expect(
      throws: TensorError.typeMismatch(expected: .float32, found: .float64, operation: "addition")
    ) { try floats.adding(Tensor([1.0, 2.0])) }
    #expect(throws: TensorError.cannotBroadcast([2], [3])) {
      try floats.multiplied(by: Tensor([1, 2, 3] as [Float]))
    }
    let bools = Tensor([true])
    #expect(throws: TensorError.unsupportedType(.bool, operation: "addition")) {
      try bools.adding(bools)
    }
    #expect(throws: TensorError.unsupportedType(.bool, operation: "multiplication")) {
      try bools.scaled(by: 2)
    }
    #expect(throws: TensorError.unsupportedType(.bool, operation: "negation")) {
      try bools.negated()
    }
    #expect(throws: TensorError.unsupportedType(.bool, operation: "absolute value")) {
      try bools.absolute()
    }
  }

  @Test("the operands are left as they were")
  func valueSemantics() throws {
    let a = Tensor([1.0, 2.0])
    _ = try a.adding(a)
    _ = try a.negated()
    #expect(a == Tensor([1.0, 2.0]))
  }
}
