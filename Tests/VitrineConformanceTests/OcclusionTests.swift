import Testing
import Vitrine
import VitrineConformance
import VitrineTestSupport

@Suite("Occlusion")
struct OcclusionTests {
  private func explain(
    _ model: any Model, _ tensor: Tensor, target: Target = .index(0),
    _ options: [String: String] = [:], context: Context = Context()
  ) throws -> Explanation {
    try Occlusion(options).explain(
      model, at: Inputs(tensor, for: model), target: target, context: context)
  }

  private func numbers(_ name: String, _ explanation: Explanation) -> [Double]? {
    guard
      case .numbers(let numbers)? = explanation.diagnostics.first(where: { $0.name == name })?.value
    else { return nil }
    return numbers
  }

  /// F(x) = Σ_i w_i x_i over an input of the given shape, or Σ_i w_i x_i².
  private func model(
    _ weights: [Double], _ dimensions: [Int], _ axes: [Axis], squared: Bool = false
  ) -> AnalyticModel {
    let sum = AnalyticFunction.affine("sum", weights: [weights], bias: [0])
    return AnalyticModel(
      dimensions: dimensions, axes: axes,
      functions: squared ? [.square("squares", dimensions: dimensions), sum] : [sum])
  }

  /// The definition, element by element: for each the mean drop over the windows that cover it.
  private func bruteForce(
    _ model: AnalyticModel, _ x: Tensor, window: (Int, Int), stride: (Int, Int), fill: Double
  ) throws -> [Double] {
    let (channels, height, width) = (x.shape[1], x.shape[2], x.shape[3])
    let original = try x.elements(of: Double.self)
    func score(_ numbers: [Double]) throws -> Double {
      let tensor = try Tensor(numbers, shape: x.shape.dimensions)
      return try model.evaluate(Inputs(tensor, for: model), observing: [.output("output")])[0]
        .elements(of: Double.self)[0]
    }
    let whole = try score(original)
    func starts(_ extent: Int, _ window: Int, _ stride: Int) -> [Int] {
      var list = [0]
      while list[list.count - 1] + window < extent { list.append(list[list.count - 1] + stride) }
      return list
    }
    var drops: [(top: Int, left: Int, drop: Double)] = []
    for top in starts(height, window.0, stride.0) {
      for left in starts(width, window.1, stride.1) {
        var changed = original
        for i in changed.indices {
          let (y, x) = (i / width % height, i % width)
          if y >= top, y < top + window.0, x >= left, x < left + window.1 { changed[i] = fill }
        }
        drops.append((top, left, whole - (try score(changed))))
      }
    }
    return (0..<channels * height * width).map { i in
      let (y, x) = (i / width % height, i % width)
      let covering = drops.filter {
        y >= $0.top && y < $0.top + window.0 && x >= $0.left && x < $0.left + window.1
      }
      return covering.reduce(0) { $0 + $1.drop } / Double(covering.count)
    }
  }

  @Test("windows of any size and stride agree with the definition, on pictures that are not square")
  func definition() throws {
    // 5 rows, 4 columns, 2 channels
    let x = try Tensor.random([1, 2, 5, 4], seed: 4, .float64)
    for window in [(1, 1), (2, 2), (3, 2), (4, 4), (5, 1), (5, 4)] {
      for stride in [(1, 1), (2, 1), (2, 2), (3, 2)]
      where stride.0 <= window.0 && stride.1 <= window.1 {
        let found = try explain(
          AnalyticModel.image, x,
          [
            "window": "\(window.0),\(window.1)", "stride": "\(stride.0),\(stride.1)",
            "fill": "0.25",
          ])
        let expected = try bruteForce(
          AnalyticModel.image, x, window: window, stride: stride, fill: 0.25)
        #expect(found.attribution.tensor.shape == x.shape)
        for (a, b) in zip(try found.attribution.tensor.elements(of: Double.self), expected) {
          #expect(abs(a - b) < 1e-14)
        }
      }
    }
  }

  @Test("a window that reaches beyond the end is cut there, and every element is covered")
  func lastWindow() throws {
    let x = try Tensor([1, 1, 1, 1, 1] as [Double], shape: [1, 1, 5])
    let found = try explain(
      model([1, 2, 4, 8, 16], [1, 5], [.height, .width]), x, ["window": "1,3", "stride": "1,3"])
    // Windows 0..<3 and 3..<5
    #expect(try found.attribution.tensor.elements(of: Double.self) == [7, 7, 7, 24, 24])
    #expect(numbers("window-rows", found) == [0, 0])
    #expect(numbers("window-columns", found) == [0, 3])
    #expect(numbers("window-scores", found) == [24, 7])
    #expect(numbers("window", found) == [1, 3] && numbers("stride", found) == [1, 3])
  }

  @Test("overlapping windows are averaged")
  func overlap() throws {
    let x = try Tensor([1, 1, 1] as [Double], shape: [1, 1, 3])
    let found = try explain(
      model([1, 2, 4], [1, 3], [.height, .width]), x, ["window": "1,2", "stride": "1"])
    #expect(try found.attribution.tensor.elements(of: Double.self) == [3, 4.5, 6])
  }

  @Test("columns of a table are covered one by one, unless a window says otherwise")
  func table() throws {
    let x = try Tensor([1, -0.5, 2, 3, 0, 1, 0, 0] as [Double], shape: [2, 4])
    let single = try explain(AnalyticModel.quadratic, x)
    // W x² with W = [1, 2, -3, 0.5]
    #expect(
      try single.attribution.tensor.elements(of: Double.self) == [1, 0.5, -12, 4.5, 0, 2, 0, 0])
    #expect(numbers("window-features", single) == [0, 1, 2, 3])
    let pairs = try explain(AnalyticModel.quadratic, x, ["window": "2", "stride": "2"])
    #expect(
      try pairs.attribution.tensor.elements(of: Double.self)
        == [1.5, 1.5, -7.5, -7.5, 2, 2, 0, 0])
  }

  @Test("positions of a sequence are covered with all their features")
  func sequence() throws {
    let x = Tensor(repeating: 1.0, shape: try Shape([1, 3, 2]))
    let found = try explain(
      model([1, 2, 4, 8, 16, 32], [3, 2], [.position, .feature]), x, ["window": "1"])
    #expect(try found.attribution.tensor.elements(of: Double.self) == [3, 3, 12, 12, 48, 48])
    #expect(numbers("window-positions", found) == [0, 1, 2])
  }

  @Test("channels are covered together, in either layout, each by its own fill")
  func channels() throws {
    let first = try explain(
      model([1, 2, 10, 20], [2, 1, 2], [.channel, .height, .width]),
      Tensor(repeating: 1.0, shape: Shape([1, 2, 1, 2])), ["window": "1", "fill": "0,2"])
    // Channel 0 falls from 1 to 0, channel 1 rises from 1 to 2.
    #expect(try first.attribution.tensor.elements(of: Double.self) == [-9, -18, -9, -18])
    let last = try explain(
      model([1, 10, 2, 20], [1, 2, 2], [.height, .width, .channel]),
      Tensor(repeating: 1.0, shape: Shape([1, 1, 2, 2])), ["window": "1", "fill": "0,2"])
    #expect(try last.attribution.tensor.elements(of: Double.self) == [-9, -9, -18, -18])
  }

  @Test("each sample is filled with its own mean")
  func meanFill() throws {
    let x = try Tensor([0, 4, 10, 30] as [Double], shape: [2, 1, 2])
    let found = try explain(
      model([1, 1], [1, 2], [.height, .width]), x, ["window": "1", "fill": "mean"])
    #expect(try found.attribution.tensor.elements(of: Double.self) == [-2, 2, -10, 10])
  }

  @Test("scales give the mean of their maps, and each map")
  func scales() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 8, .float64)
    let both = try explain(AnalyticModel.image, x, ["scales": "1,3"])
    let micro = try explain(AnalyticModel.image, x, ["window": "1"])
    let macro = try explain(AnalyticModel.image, x, ["window": "3"])
    #expect(both.attributions.map(\.name) == ["attribution", "window-1", "window-3"])
    #expect(both.attributions[1].tensor == micro.attribution.tensor)
    #expect(both.attributions[2].tensor == macro.attribution.tensor)
    let mean = try micro.attribution.tensor.adding(macro.attribution.tensor).divided(by: 2.0)
    #expect(try relativeDistance(both.attribution.tensor, mean) < 1e-15)
    #expect(numbers("window-3-window-scores", both) == numbers("window-scores", macro))
  }

  @Test("the default window is a fourteenth of the shortest side, at least 4")
  func defaults() throws {
    for (height, width, side) in [(56, 60, 4), (3, 70, 3), (84, 90, 6)] {
      let axes: [Axis] = [.height, .width]
      let weights = [Double](repeating: 1, count: height * width)
      let found = try explain(
        model(weights, [height, width], axes), Tensor(zeros: Shape([1, height, width])))
      #expect(numbers("window", found) == [Double(side), Double(side)])
      #expect(numbers("stride", found) == [Double(side / 2), Double(side / 2)])
    }
  }

  @Test("a probability falls by what the softmax makes of the change")
  func probability() throws {
    let model = AnalyticModel(
      dimensions: [1], axes: [.feature],
      functions: [
        .affine("logits", weights: [[3], [0]], bias: [0, 0]), .softmax("softmax", count: 2),
      ])
    let x = try Tensor([0.5] as [Double], shape: [1, 1])
    let found = try explain(model, x, target: Target(.index(0), score: .probability))
    let expected = 1 / (1 + Double.exp(-1.5)) - 0.5
    #expect(abs(try found.attribution.tensor.elements(of: Double.self)[0] - expected) < 1e-15)
  }

  @Test("windows that do not fit, leave gaps or contradict one another are refused")
  func refusals() throws {
    let x = try Tensor.random([1, 2, 5, 4], seed: 1)
    for (options, text) in [
      (["window": "5"], "a window of 5 does not fit into the 4 of the width of input 'input'"),
      (["window": "2", "stride": "3"], "at most the window, 2,2"),
      (["window": "2,2,2"], "one for each of height, width"),
      (["window": "2", "scales": "2"], "either a window or scales"),
      (["scales": "2,9"], "a window of 9 does not fit"),
    ] {
      let error = #expect(throws: CoreError.self) {
        try explain(AnalyticModel.image, x, options)
      }
      #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
    }
  }

  @Test("the memory limit changes how windows are cut into calls, not one bit of the result")
  func memoryLimit() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 9)
    let free = try explain(AnalyticModel.image, x, ["window": "1"])
    let tight = try explain(
      AnalyticModel.image, x, ["window": "1"], context: Context(memoryLimit: 1))
    #expect(free.attribution.tensor == tight.attribution.tensor)
  }

  @Test("snapshots are the input with a window filled, the whole first, for every sample")
  func snapshots() throws {
    let x = try Tensor.random([2, 2, 5, 4], seed: 4)
    let result = try Occlusion(window: [2], stride: [2], fill: .constant(3), snapshots: 2).explain(
      AnalyticModel.image, at: Inputs(x, for: AnalyticModel.image), target: .index(0),
      context: Context())
    let frames = try #require(result.attributions.last)
    #expect(frames.name == "snapshots" && frames.range == .input)
    #expect(frames.axes == [.batch, .step, .channel, .height, .width])
    #expect(frames.tensor.shape.dimensions == [2, 3, 2, 5, 4])
    #expect(try frames.tensor.select(axis: 1, index: 0) == x)
    // Of 3 x 2 windows the first and the fourth, at row 2 and column 2.
    for (step, corner) in [(1, [0, 0]), (2, [2, 2])] {
      let frame = try frames.tensor.select(axis: 1, index: step)
      let changed = try zip(frame.elements(of: Float.self), x.elements(of: Float.self)).enumerated()
        .filter { $1.0 != $1.1 }
      #expect(changed.count == 16 && changed.allSatisfy { $0.element.0 == 3 })
      let position = changed[0].offset % 20
      #expect([position / 4, position % 4] == corner)
    }
    guard
      case .numbers(let scores)? = result.diagnostics.first(where: { $0.name == "snapshot-scores" }
      )?
      .value
    else {
      Issue.record("no scores")
      return
    }
    #expect(scores.count == 6 && scores[0] == result.explained.values[0])
    #expect(throws: CoreError.self) {
      try Occlusion(window: [1], snapshots: 9).explain(
        AnalyticModel.image, at: Inputs(x, for: AnalyticModel.image), target: .index(0),
        context: Context(memoryLimit: 1000))
    }
    #expect(Conformance.check(Occlusion.self, options: ["snapshots": "3"]) == [])
  }
}
