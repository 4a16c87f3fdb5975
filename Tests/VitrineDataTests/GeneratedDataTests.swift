import Testing
import VitrineData
import VitrineTensor
import VitrineTraining

@Suite("Generated data sets")
struct GeneratedDataTests {
  @Test("targets of signed features are their weighted sums, the same for the same seed")
  func signedFeatures() throws {
    var generator = RandomGenerator(seed: 3)
    let data = try SignedFeatures.dataSet(count: 500, using: &generator)
    let inputs = try data.inputs.elements(of: Float.self)
    let targets = try data.targets.elements(of: Float.self)
    #expect(inputs.allSatisfy { abs($0) <= 1 })
    var worst = 0.0
    for sample in 0..<500 {
      var sum = 0.0
      for i in 0..<32 {
        sum += Double(i + 1) / 32 * Double(inputs[sample * 96 + i])
        sum -= Double(i + 1) / 32 * Double(inputs[sample * 96 + 32 + i])
      }
      worst = max(worst, abs(sum - Double(targets[sample])))
    }
    // Targets of a few units, rounded to float32 once.
    #expect(worst < 1e-6)
    // Var y = 2 Σ (i/32)² / 3 = 7.5: the deviation of 2.72 that the article's reference states.
    let variance = targets.reduce(0.0) { $0 + Double($1) * Double($1) } / 500
    #expect(abs(variance - 7.45) < 1.4)
    var again = RandomGenerator(seed: 3)
    #expect(try SignedFeatures.dataSet(count: 500, using: &again).inputs == data.inputs)
  }

  @Test("the Jacobian of sine and cosine agrees with central differences")
  func sineCosine() throws {
    var generator = RandomGenerator(seed: 1)
    let data = try SineCosine.dataSet(count: 50, using: &generator)
    let inputs = try data.inputs.converted(to: .float64).elements(of: Double.self)
    let targets = try data.targets.elements(of: Float.self)
    for sample in 0..<50 {
      let x = Array(inputs[sample * 4..<sample * 4 + 4])
      let y = SineCosine.values(at: x)
      #expect(abs(y[0] - Double(targets[sample * 2])) < 1e-6)
      let jacobian = SineCosine.jacobian(at: x)
      for input in 0..<4 {
        var (above, below) = (x, x)
        above[input] += 1e-5
        below[input] -= 1e-5
        let (high, low) = (SineCosine.values(at: above), SineCosine.values(at: below))
        for output in 0..<2 {
          // The rule's own error is about h² and rounding 1e-16 / h.
          #expect(abs((high[output] - low[output]) / 2e-5 - jacobian[output][input]) < 1e-9)
        }
      }
    }
  }

  @Test("scenes have a shape where their mask says so")
  func scenes() throws {
    var generator = RandomGenerator(seed: 5)
    let scenes = try ShapeScene.scenes(10, using: &generator)
    let data = try ShapeScene.dataSet(of: scenes)
    #expect(data.inputs.shape.dimensions == [10, 3, 48, 48])
    #expect(data.classes == ["circle", "square", "triangle", "cross", "star"])
    #expect(try data.targets.elements(of: Int64.self) == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    for scene in scenes {
      let share = Double(scene.mask.count { $0 }) / Double(scene.mask.count)
      #expect(share > 0.03 && share < 0.4)
      let rim = scene.mask(margin: 1)
      #expect(zip(scene.mask, rim).allSatisfy { !$0 || $1 })
    }
  }

  @Test("a data set is cut into consecutive parts")
  func parts() throws {
    var generator = RandomGenerator(seed: 1)
    let data = try SineCosine.dataSet(count: 5, using: &generator)
    let (first, rest) = try data.split(at: 2)
    #expect(first.count == 2 && rest.count == 3)
    #expect(
      try first.targets.elements(of: Float.self) + rest.targets.elements(of: Float.self)
        == data.targets.elements(of: Float.self))
    #expect(throws: (any Error).self) { try data.split(at: 6) }
    #expect(throws: TrainingError.self) {
      try LabeledData(inputs: data.inputs, targets: first.targets)
    }
  }
}
