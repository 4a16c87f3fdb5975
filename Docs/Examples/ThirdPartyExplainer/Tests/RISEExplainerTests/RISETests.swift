import RISEExplainer
import Synchronization
import Testing
import VitrineConformance
import VitrineCore
import VitrineTensor

@Suite("RISE")
struct RISETests {
  private let weights = [3.0, -1, 0.5, 0]
  private let x = [1.0, 2, -4, 7]

  /// Explains a sample of a table or picture.
  private func explain(
    _ model: RecordingModel, _ sample: [Double], _ options: [String: String] = [:],
    context: Context = Context()
  ) throws -> Explanation {
    let shape = [1] + model.signature.inputs[0].dimensions.compactMap(\.self)
    return try RISE(options).explain(
      model, at: Inputs(Tensor(sample, shape: shape), for: model), target: .index(0),
      context: context)
  }

  private func map(_ explanation: Explanation) throws -> [Double] {
    try explanation.attribution.tensor.elements(of: Double.self)
  }

  // MARK: - The law

  @Test("it keeps every law of an explainer, and those it claims")
  func conformance() {
    // The default number of masks would only take longer.
    let options = ["samples": "24"]
    #expect(Conformance.check(RISE.self, options: options, claims: RISE.method.claims) == [])
    let others = ["samples": "9", "grid": "2", "keep": "0.8", "fill": "mean", "seed": "3"]
    #expect(Conformance.check(RISE.self, options: others) == [])
  }

  // MARK: - Closed forms

  @Test("the map is the mean of the masks that the model saw, weighted with its scores")
  func definition() throws {
    let model = RecordingModel([6, 5], [.height, .width]) { x in
      x.enumerated().reduce(0) { $0 + Double($1.offset % 4) * $1.element * $1.element }
    }
    // Under masks, a picture of ones is the mask.
    let ones = [Double](repeating: 1, count: 30)
    let result = try map(explain(model, ones, ["samples": "50", "grid": "3", "keep": "0.4"]))
    let masks = model.samples.dropFirst()
    try #require(masks.count == 50)
    var expected = [Double](repeating: 0, count: 30)
    for mask in masks {
      let score = mask.enumerated().reduce(0) {
        $0 + Double($1.offset % 4) * $1.element * $1.element
      }
      for place in mask.indices { expected[place] += score * mask[place] / (0.4 * 50) }
    }
    // Sums of 50 products in double precision.
    for (a, b) in zip(result, expected) { #expect(abs(a - b) < 1e-12) }
  }

  @Test("of a linear model a column gets what it adds to the mean score of masked inputs")
  func linearModel() throws {
    let keep = 0.3
    let model = RecordingModel(weights: weights, bias: 2)
    let explanation = try explain(model, x, ["samples": "20000", "keep": "\(keep)"])
    let result = try map(explanation)
    // E F(x ⊙ M) M_j / p = w_j x_j + p Σ_{i ≠ j} w_i x_i + b, as the columns of M are independent.
    let products = zip(weights, x).map { $0 * $1 }
    let sum = products.reduce(0, +)
    guard
      case .numbers(let errors)? = explanation.diagnostics.first(where: {
        $0.name == "standard-error"
      })?.value
    else {
      Issue.record("no standard error")
      return
    }
    for (j, value) in result.enumerated() {
      let expected = products[j] + keep * (sum - products[j]) + 2
      // Five standard errors; twice that of the mean column, for none has more.
      #expect(abs(value - expected) < 10 * errors[0], "column \(j)")
    }
    #expect(errors[0] < 0.1)
  }

  @Test("the standard error is that of maps with other seeds")
  func standardError() throws {
    var sum = [Double](repeating: 0, count: 4)
    var squares = sum
    var reported: [Double] = []
    for seed in 0..<200 {
      let model = RecordingModel(weights: weights, bias: 2)
      let explanation = try explain(model, x, ["samples": "100", "seed": "\(seed)"])
      if case .numbers(let errors)? = explanation.diagnostics.last?.value { reported += errors }
      for (j, value) in try map(explanation).enumerated() {
        sum[j] += value
        squares[j] += value * value
      }
    }
    let variance = zip(sum, squares).reduce(0.0) { $0 + ($1.1 - $1.0 * $1.0 / 200) / 199 } / 4
    let mean = reported.reduce(0, +) / 200
    // The variance of 200 maps is known to 10 % (one standard error of a χ² with 199 degrees).
    #expect(abs(variance.squareRoot() / mean - 1) < 0.2)
  }

  @Test("a model that looks at one corner gets its map there")
  func corner() throws {
    let model = RecordingModel([12, 12], [.height, .width]) { x in
      (0..<3).reduce(0) { sum, row in sum + (0..<3).reduce(0) { $0 + x[12 * row + $1] } }
    }
    let result = try map(
      explain(model, [Double](repeating: 1, count: 144), ["samples": "2000", "grid": "4"]))
    let brightest = try #require(result.indices.max { result[$0] < result[$1] })
    #expect(brightest / 12 < 4 && brightest % 12 < 4)
    #expect(result[0] > 1.3 * result[143])
  }

  // MARK: - Masks

  @Test("masks lie in 0...1, all differ, and keep the share that was asked for")
  func masks() throws {
    let model = RecordingModel([9, 7], [.height, .width]) { _ in 1 }
    let ones = [Double](repeating: 1, count: 63)
    let result = try explain(model, ones, ["samples": "1500", "grid": "5", "keep": "0.7"])
    let masks = model.samples.dropFirst()
    #expect(masks.allSatisfy { $0.allSatisfy { (0...1).contains($0) } })
    #expect(Set(masks).count > 1450)
    // A constant score gives the mean mask over p: one everywhere. A mask is made of cells, each
    // with variance p (1 − p): five standard errors of a single cell.
    let error = 5 * (0.7 * 0.3 / 1500).squareRoot() / 0.7
    for value in try map(result) { #expect(abs(value - 1) < error) }
  }

  @Test("masks fade: neighbours differ by at most one cell's step")
  func smoothness() throws {
    let model = RecordingModel([40], [.position]) { _ in 1 }
    _ = try explain(model, [Double](repeating: 1, count: 40), ["samples": "50", "grid": "5"])
    // 5 cells of 8 elements are enlarged to 48 elements: a step of at most 5 / 48 per element.
    for mask in model.samples.dropFirst() {
      for (a, b) in zip(mask, mask.dropFirst()) { #expect(abs(a - b) <= 5.0 / 48 + 1e-6) }
    }
  }

  @Test("the columns of a table are hidden or not, and hidden ones show the filling")
  func tables() throws {
    let model = RecordingModel(weights: weights, bias: 0)
    _ = try explain(model, x, ["samples": "200", "fill": "-9"])
    for sample in model.samples.dropFirst() {
      for (value, original) in zip(sample, x) { #expect(value == original || value == -9) }
    }
    #expect(Set(model.samples).count == 16)
  }

  @Test("more cells than elements are as many as elements")
  func fineGrid() throws {
    let model = RecordingModel([3, 4], [.height, .width]) { $0.reduce(0, +) }
    let result = try explain(
      model, [Double](repeating: 1, count: 12), ["samples": "10", "grid": "99"])
    #expect(result.diagnostics.first { $0.name == "cells" }?.value == .numbers([3, 4]))
  }

  // MARK: - Running

  @Test("the seed is that of the run unless the option sets one")
  func seeds() throws {
    func result(_ options: [String: String], seed: UInt64) throws -> [Double] {
      let model = RecordingModel(weights: weights, bias: 0)
      return try map(
        explain(
          model, x, options.merging(["samples": "20"]) { $1 }, context: Context(seed: seed)))
    }
    #expect(try result([:], seed: 1) == result([:], seed: 1))
    #expect(try result([:], seed: 1) != result([:], seed: 2))
    #expect(try result(["seed": "1"], seed: 2) == result([:], seed: 1))
  }

  @Test("batches do not grow with the number of masks, and progress counts them")
  func memory() throws {
    let limits = try [64, 640].map { samples in
      let model = RecordingModel([8, 8], [.height, .width]) { $0.reduce(0, +) }
      let last = Mutex(Progress(done: 0, total: 0, unit: ""))
      _ = try explain(
        model, [Double](repeating: 1, count: 64), ["samples": "\(samples)"],
        context: Context(onProgress: { progress in last.withLock { $0 = progress } }))
      #expect(last.withLock(\.self) == Progress(done: samples, total: samples, unit: "variants"))
      return model.batchSizes.max() ?? 0
    }
    #expect(limits[0] == limits[1])
    #expect(limits[0] > 1)
  }

  @Test("values that cannot be are refused with what can")
  func refusals() {
    let error = #expect(throws: CoreError.self) { try RISE(["keep": "1.5"]) }
    #expect(
      error?.description == "option 'keep' of rise: expected a number in 0.01...0.99, found '1.5'")
    #expect(throws: CoreError.self) { try RISE(samples: 0) }
    #expect(throws: CoreError.self) { try RISE(keep: .nan) }
    let typo = #expect(throws: CoreError.self) { try RISE(["sample": "5"]) }
    #expect(typo?.description == "unknown option of rise 'sample'; did you mean 'samples'?")
  }

  @Test("it is found by name in a catalog, once")
  func catalog() throws {
    var catalog = MethodCatalog()
    try catalog.register(RISE.self)
    #expect(try catalog.explainer(named: "rise", options: ["samples": "8"]) is RISE)
    #expect(throws: CoreError.duplicateMethod("rise")) { try catalog.register(RISE.self) }
  }
}
