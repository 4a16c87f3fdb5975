import Testing
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

/// Values and gradients against PyTorch 2.13 in float64.
@Suite("Losses")
struct LossTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let loss: any Loss
    let targets: Tensor
    let value: Double
    let gradient: [Double]

    var testDescription: String { "\(loss.identifier) of \(targets.dataType)" }
  }

  static let outputs = [0.5, -1.2, 2.0, 1.5, 0.3, -0.7]
  static let classes = Tensor([Int64(2), 1])
  static let weights = [0.5, 2, 1.5]

  static let cases: [Case] = {
    do {
      let numbers = try Tensor([0, -2.5, 1, 1.5, 1, -1], shape: [2, 3])
      return [
        Case(
          loss: .crossEntropy(), targets: classes, value: 0.8896007068966563,
          gradient: [
            0.08827102943318557, 0.016125662728617002, -0.10439669216180258, 0.35410830822070477,
            -0.3933446271739017, 0.03923631895319688,
          ]),
        Case(
          loss: .crossEntropy(smoothing: 0.1), targets: classes, value: 0.9646007068966563,
          gradient: [
            0.07160436276651891, -0.000541003938049664, -0.07106335882846926, 0.3374416415540381,
            -0.36001129384056835, 0.022569652286530215,
          ]),
        Case(
          loss: .crossEntropy(classWeights: weights), targets: classes, value: 0.9832299311482074,
          gradient: [
            0.07566088237130192, 0.013821996624528859, -0.08948287899583078, 0.4046952093950911,
            -0.4495367167701733, 0.04484150737508215,
          ]),
        Case(
          loss: .crossEntropy(smoothing: 0.2, classWeights: weights), targets: classes,
          value: 1.0754754812075804,
          gradient: [
            0.06445571990590791, -0.02458039695125432, -0.0398753229546536, 0.3681917192449422,
            -0.3814723642235904, 0.013280644978648106,
          ]),
        Case(
          loss: .crossEntropy(),
          targets: try Tensor([0.2, 0.3, 0.5, 0.6, 0.4, 0], shape: [2, 3]),
          value: 1.1596007068966563,
          gradient: [
            -0.011728970566814434, -0.13387433727138298, 0.14560330783819742, 0.05410830822070478,
            -0.09334462717390168, 0.03923631895319688,
          ]),
        Case(
          loss: .meanSquaredError, targets: numbers, value: 0.5866666666666667,
          gradient: [
            0.16666666666666666, 0.43333333333333335, 0.3333333333333333, 0, -0.2333333333333333,
            0.1,
          ]),
        Case(
          loss: .meanAbsoluteError, targets: numbers, value: 0.6333333333333333,
          gradient: [1.0 / 6, 1.0 / 6, 1.0 / 6, 0, -1.0 / 6, 1.0 / 6]),
        Case(
          loss: .huber(threshold: 0.75), targets: numbers, value: 0.2629166666666667,
          gradient: [0.08333333333333333, 0.125, 0.125, 0, -0.11666666666666665, 0.05]),
        Case(
          loss: .binaryCrossEntropy(),
          targets: try Tensor([1, 0, 0.3, 0, 1, 1], shape: [2, 3]),
          value: 0.9372070056496412,
          gradient: [
            -0.0629234447996909, 0.03857920275016373, 0.09679951299631373, 0.1362624126989406,
            -0.07092624719805683, -0.11136462869469436,
          ]),
      ]
    } catch {
      preconditionFailure("the shapes above fit: \(error)")
    }
  }()

  @Test("and their gradients are PyTorch's", arguments: cases)
  func reference(_ test: Case) throws {
    let outputs = try Tensor(Self.outputs, shape: [2, 3])
    let double = try test.loss.evaluate(outputs, targets: test.targets)
    #expect(abs(double.value - test.value) < 1e-15)
    for (found, expected) in zip(
      try double.gradient.elements(of: Double.self), test.gradient)
    {
      #expect(abs(found - expected) < 1e-15)
    }
    let single = try test.loss.evaluate(outputs.converted(to: .float32), targets: test.targets)
    #expect(abs(single.value - test.value) < 1e-6)
    #expect(try relativeDistance(single.gradient, Tensor(test.gradient)) < 1e-6)
  }

  @Test("cross-entropy takes one class for each position")
  func positions() throws {
    let outputs = try Tensor([0.1, 0.2, 0.3, -0.4, 0.5, 0.6], shape: [1, 3, 2])
    let value = try CrossEntropy().evaluate(
      outputs, targets: Tensor([Int64(0), 2], shape: [1, 2]))
    #expect(abs(value.value - 1.0119841232227775) < 1e-15)
    let expected = [
      -0.3653462504111311, 0.16443926373324974, 0.16446646114445332, 0.09024618136754188,
      0.2008797892666777, -0.2546854451007916,
    ]
    for (found, expected) in zip(try value.gradient.elements(of: Double.self), expected) {
      #expect(abs(found - expected) < 1e-15)
    }
  }

  @Test("cross-entropy of huge logits stays finite")
  func hugeLogits() throws {
    let outputs = try Tensor([1e30, -1e30, 0].map { Float($0) }, shape: [1, 3])
    let value = try CrossEntropy().evaluate(outputs, targets: Tensor([Int64(0)]))
    #expect(value.value == 0)
    #expect(try value.gradient.elements(of: Float.self) == [0, 0, 0])
  }

  @Test("what does not fit is an error that says what was expected")
  func misfits() throws {
    let outputs = try Tensor(Self.outputs, shape: [2, 3])
    func message(_ loss: some Loss, _ targets: Tensor) -> String {
      do {
        _ = try loss.evaluate(outputs, targets: targets)
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      message(.crossEntropy(), Tensor([Int64(0), 3])) == "class: expected 0..<3, found 3")
    #expect(message(.crossEntropy(), Tensor([Int64(0)])).contains("expected 2 int64 classes"))
    #expect(message(.meanSquaredError, Tensor([0.0])).contains("expected shape [2, 3]"))
    #expect(
      message(.crossEntropy(classWeights: [1]), Self.classes).contains("one for each of 3 classes"))
    #expect(message(.crossEntropy(smoothing: 1), Self.classes).contains("0..<1"))
    #expect(message(.huber(threshold: 0), outputs).contains("positive"))
  }
}
