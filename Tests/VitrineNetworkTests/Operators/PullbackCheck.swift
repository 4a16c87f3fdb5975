import Testing
import VitrineNetwork
import VitrineTensor

/// Compares an operator's pullback with central differences of its evaluation, and its pushforward with its
/// pullback, in float64.
///
/// With random cotangents `c` of the outputs `y`, the pullback must be the gradient of `Σ c · y`. The
/// difference quotient `(f(x + h) - f(x - h)) / 2h` at `h = 1e-4` has an error near `h²/6 · f'''` ≈
/// 2e-9 and a rounding error near 1e-16 / h = 1e-12, well below the tolerance of 1e-6 on the relative
/// L2 distance. Inputs must keep `h` away from kinks; ``RandomNumbers`` has generators that do.
enum PullbackCheck {
  static let step = 1e-4
  static let tolerance = 1e-6

  /// Checks the derivatives with respect to all `differentiated` inputs.
  ///
  /// Also checks that `infer` announces the shapes and types that `evaluate` returns, that cotangents
  /// which are not wanted are not returned, and that those which are do not depend on what else is.
  ///
  /// - Parameters:
  ///   - inputs: `float64`, `int64` or `bool`; `nil` for inputs left out.
  ///   - differentiated: Indices of inputs; all `float64` ones if `nil`. `infer` is told the elements
  ///     of the others.
  static func run(
    _ node: some Operator, inputs: [Tensor?], differentiated: [Int]? = nil, seed: UInt64 = 1,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let chosen = differentiated ?? inputs.indices.filter { inputs[$0]?.dataType == .float64 }
    let outputs = try node.evaluate(inputs, Double.self)
    let announced = try node.infer(valueTypes(of: inputs, unknown: chosen))
    #expect(announced.count == outputs.count, sourceLocation: sourceLocation)
    for (type, output) in zip(announced, outputs) {
      #expect(type.shape == output.shape, sourceLocation: sourceLocation)
      let expected: DataType = type.dataType == .float32 ? .float64 : type.dataType
      #expect(expected == output.dataType, sourceLocation: sourceLocation)
    }

    var numbers = RandomNumbers(seed: seed)
    let cotangents: [Tensor?] = try outputs.map { output in
      guard output.dataType == .float64 else { return nil }
      return try numbers.uniform(output.shape.dimensions)
    }
    let all = inputs.indices.map { chosen.contains($0) }
    let gradients = try node.pullback(
      cotangents, at: Point(inputs: inputs, outputs: outputs, wanted: all), Double.self)
    #expect(gradients.count == inputs.count, sourceLocation: sourceLocation)
    try checkPushforward(
      node, inputs, chosen, outputs, cotangents, gradients, &numbers, sourceLocation)

    for index in inputs.indices {
      guard chosen.contains(index), let input = inputs[index] else {
        #expect(gradients[index] == nil, "input \(index)", sourceLocation: sourceLocation)
        continue
      }
      let numerical = try differences(node, inputs, index, cotangents)
      let gradient = gradients[index] ?? Tensor(zeros: input.shape, .float64)
      #expect(gradient.shape == input.shape, "input \(index)", sourceLocation: sourceLocation)
      let distance = relativeDistance(try gradient.elements(of: Double.self), to: numerical)
      #expect(distance < tolerance, "input \(index)", sourceLocation: sourceLocation)

      let only = inputs.indices.map { $0 == index }
      let alone = try node.pullback(
        cotangents, at: Point(inputs: inputs, outputs: outputs, wanted: only), Double.self)
      #expect(alone[index] == gradients[index], "input \(index)", sourceLocation: sourceLocation)
      for other in inputs.indices where other != index {
        #expect(alone[other] == nil, "input \(other)", sourceLocation: sourceLocation)
      }
    }
  }

  /// Checks `⟨c, J t⟩ = ⟨Jᵀ c, t⟩` for random tangents `t` of the inputs whose tangents the operator
  /// carries, one by one and all together: forward against reverse mode.
  ///
  /// - Parameters:
  ///   - cotangents: `c`, one for each real output.
  ///   - gradients: `Jᵀ c`.
  private static func checkPushforward(
    _ node: some Operator, _ inputs: [Tensor?], _ chosen: [Int], _ outputs: [Tensor],
    _ cotangents: [Tensor?], _ gradients: [Tensor?], _ numbers: inout RandomNumbers,
    _ sourceLocation: SourceLocation
  ) throws {
    let carried = chosen.filter { node.pushforwardRule.carries(input: $0) }
    guard !carried.isEmpty else { return }
    let point = Point(inputs: inputs, outputs: outputs, wanted: inputs.map { _ in false })
    for moving in carried.map({ [$0] }) + (carried.count > 1 ? [carried] : []) {
      var tangents = [Tensor?](repeating: nil, count: inputs.count)
      for index in moving {
        tangents[index] = try inputs[index].map { try numbers.uniform($0.shape.dimensions) }
      }
      let results = try node.pushforward(tangents, at: point, Double.self)
      #expect(results.count == outputs.count, sourceLocation: sourceLocation)
      var (forward, reverse, scale) = (0.0, 0.0, 0.0)
      func add(_ a: Tensor?, _ b: Tensor?, to sum: inout Double) throws {
        guard let a, let b else { return }
        #expect(a.shape == b.shape, sourceLocation: sourceLocation)
        let products = zip(try a.elements(of: Double.self), try b.elements(of: Double.self))
          .map { $0 * $1 }
        sum += products.reduce(0, +)
        scale += products.reduce(0) { $0 + $1.magnitude }
      }
      for (result, cotangent) in zip(results, cotangents) {
        try add(result, cotangent, to: &forward)
      }
      for index in moving { try add(gradients[index], tangents[index], to: &reverse) }
      #expect(
        abs(forward - reverse) <= 1e-12 * max(scale, 1e-300), "inputs \(moving)",
        sourceLocation: sourceLocation)
    }
  }

  /// Checks that evaluation in `Float` agrees with evaluation in `Double` to `tolerance`, measured as
  /// relative L2 distance.
  static func comparePrecisions(
    _ node: some Operator, inputs: [Tensor?], tolerance: Double = 1e-5,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let singles = inputs.map {
      $0.map { $0.dataType == .float64 ? $0.converted(to: .float32) : $0 }
    }
    // The rounded inputs, so that only the arithmetic differs.
    let doubles = singles.map {
      $0.map { $0.dataType == .float32 ? $0.converted(to: .float64) : $0 }
    }
    let single = try node.evaluate(singles, Float.self)
    let double = try node.evaluate(doubles, Double.self)
    #expect(single.count == double.count, sourceLocation: sourceLocation)
    for (a, b) in zip(single, double) {
      #expect(a.shape == b.shape, sourceLocation: sourceLocation)
      let distance = relativeDistance(
        try a.converted(to: .float64).elements(of: Double.self),
        to: try b.converted(to: .float64).elements(of: Double.self))
      #expect(distance < tolerance, sourceLocation: sourceLocation)
    }
  }

  /// Returns what `infer` is given for these inputs: types with `float32` for every real one, and the
  /// elements of all but the `unknown` ones.
  static func valueTypes(of inputs: [Tensor?], unknown: [Int] = []) -> [ValueType?] {
    inputs.enumerated().map { index, input in
      guard let input else { return nil }
      let tensor = input.dataType == .float64 ? input.converted(to: .float32) : input
      return unknown.contains(index)
        ? ValueType(tensor.shape, tensor.dataType) : ValueType(constant: tensor)
    }
  }

  /// Returns `‖a - b‖ / ‖b‖`, or `‖a‖` if `b` is zero.
  static func relativeDistance(_ a: [Double], to b: [Double]) -> Double {
    guard a.count == b.count else { return .infinity }
    let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
    let norm = b.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 0 ? difference / norm : difference
  }

  private static func differences(
    _ node: some Operator, _ inputs: [Tensor?], _ index: Int, _ cotangents: [Tensor?]
  ) throws -> [Double] {
    guard let input = inputs[index] else { return [] }
    var elements = try input.elements(of: Double.self)
    var result: [Double] = []
    for i in elements.indices {
      let original = elements[i]
      var quotient = 0.0
      for sign in [1.0, -1.0] {
        elements[i] = original + sign * step
        var moved = inputs
        moved[index] = try Tensor(elements, shape: input.shape.dimensions)
        for (output, cotangent) in zip(try node.evaluate(moved, Double.self), cotangents) {
          guard let cotangent else { continue }
          let products = zip(
            try output.elements(of: Double.self), try cotangent.elements(of: Double.self))
          quotient += products.reduce(0) { $0 + $1.0 * $1.1 } * sign / (2 * step)
        }
      }
      elements[i] = original
      result.append(quotient)
    }
    return result
  }
}

/// A repeatable source of test data.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014):
/// SplitMix64.
struct RandomNumbers: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Returns independent `float64` numbers in `range`.
  mutating func uniform(
    _ dimensions: [Int], in range: ClosedRange<Double> = -1...1
  ) throws -> Tensor {
    let count = dimensions.reduce(1, *)
    return try Tensor(
      (0..<count).map { _ in Double.random(in: range, using: &self) }, shape: dimensions)
  }

  /// Returns `float64` numbers of either sign with magnitudes in 0.1...1: none is near a kink at zero.
  mutating func awayFromZero(_ dimensions: [Int]) throws -> Tensor {
    let count = dimensions.reduce(1, *)
    return try Tensor(
      (0..<count).map { _ in
        Double.random(in: 0.1...1, using: &self) * (Bool.random(using: &self) ? 1 : -1)
      }, shape: dimensions)
  }

  /// Returns `float64` numbers in shuffled order, any two at least 0.01 apart: no maximum is near a
  /// tie.
  mutating func distinct(_ dimensions: [Int]) throws -> Tensor {
    let count = dimensions.reduce(1, *)
    let middle = Double(count) / 2
    return try Tensor(
      (0..<count).shuffled(using: &self).map { (Double($0) - middle + 0.25) * 0.01 },
      shape: dimensions)
  }
}

extension NodeReader {
  /// Creates a reader of a node made for a test, with `inputs` inputs `x0`, `x1`, … and `outputs`
  /// outputs `y0`, `y1`, ….
  init(
    _ kind: String, inputs: Int = 1, outputs: Int = 1, opset: Int = 20,
    _ attributes: [String: Graph.Attribute] = [:]
  ) {
    let node = Graph.Node(
      name: "test", kind: kind, inputs: (0..<inputs).map { "x\($0)" },
      outputs: (0..<outputs).map { "y\($0)" }, attributes: attributes)
    self.init(node, opset: opset)
  }
  /// Returns the operator of the node.
  func operation() throws -> any Operator {
    try #require(OperatorCatalog.operators[node.kind]).init(self)
  }
}
