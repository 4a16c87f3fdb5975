import Testing
import VitrineLayers
import VitrineNetwork
import VitrineTensor

@Suite("Initializers")
struct InitializerTests {
  private func weights(_ initializer: Initializer, units: Int, features: Int) throws -> [Double] {
    let network = try Network(input: [features]) { Dense(units, weights: initializer) }
    let weight = try #require(network.graph.constants["dense1.weight"])
    #expect(weight.shape.dimensions == [units, features])
    return try weight.elements(of: Float.self).map(Double.init)
  }

  /// 60,000 numbers: the standard error of their variance is 0.6 % (normal) of it, of their mean
  /// 0.4 % of the deviation.
  @Test("scaled ones have mean 0 and the variance of their source")
  func variances() throws {
    let (units, features) = (200, 300)
    let (fanIn, fanOut) = (300.0, 200.0)
    let cases: [(Initializer, Double, Double?)] = [
      (.uniform(0.3), 0.03, 0.3),
      (.normal(standardDeviation: 0.2), 0.04, nil),
      (.glorotUniform, 2 / (fanIn + fanOut), (6 / (fanIn + fanOut)).squareRoot()),
      (.glorotNormal, 2 / (fanIn + fanOut), nil),
      (.heUniform, 2 / fanIn, (6 / fanIn).squareRoot()),
      (.heNormal, 2 / fanIn, nil),
      (.fanInUniform, 1 / (3 * fanIn), (1 / fanIn).squareRoot()),
    ]
    for (initializer, variance, bound) in cases {
      let numbers = try weights(initializer, units: units, features: features)
      let mean = numbers.reduce(0, +) / Double(numbers.count)
      let found = numbers.reduce(0) { $0 + $1 * $1 } / Double(numbers.count)
      #expect(abs(mean) < 0.02 * variance.squareRoot(), "\(initializer)")
      #expect(abs(found / variance - 1) < 0.03, "\(initializer)")
      if let bound {
        #expect(numbers.allSatisfy { abs($0) <= bound * (1 + 1e-6) }, "\(initializer)")
        #expect(numbers.contains { abs($0) > 0.99 * bound }, "\(initializer)")
      }
    }
  }

  @Test("the fan of a convolution counts taps and the channels of its group")
  func convolutionFan() throws {
    let network = try Network(input: [8, 9, 9]) {
      Conv2D(64, kernel: 3, groups: 2, weights: .heUniform)
    }
    let weight = try #require(network.graph.constants["conv1.weight"])
    #expect(weight.shape.dimensions == [64, 4, 3, 3])
    let largest = try weight.absolute().max()
    let bound = (6.0 / 36).squareRoot()
    #expect(largest <= bound && largest > 0.99 * bound)
  }

  @Test("orthogonal matrices have orthogonal rows or columns", arguments: [(4, 9), (9, 4), (5, 5)])
  func orthogonal(_ units: Int, _ features: Int) throws {
    let numbers = try weights(.orthogonal(gain: 2), units: units, features: features)
    let isWide = features >= units
    let count = min(units, features)
    func element(_ vector: Int, _ k: Int) -> Double {
      isWide ? numbers[vector * features + k] : numbers[k * features + vector]
    }
    for a in 0..<count {
      for b in 0..<count {
        let product = (0..<max(units, features)).reduce(0) {
          $0 + element(a, $1) * element(b, $1)
        }
        #expect(abs(product - (a == b ? 4 : 0)) < 1e-6)
      }
    }
  }

  @Test("constants are constant")
  func constants() throws {
    #expect(try weights(.zeros, units: 2, features: 2) == [0, 0, 0, 0])
    #expect(try weights(.ones, units: 2, features: 1) == [1, 1])
    #expect(try weights(.constant(0.5), units: 1, features: 2) == [0.5, 0.5])
  }
}
