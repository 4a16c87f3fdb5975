import Testing
import VitrineNetwork
import VitrineTensor
import VitrineTraining

@Suite("Optimizers")
struct OptimizerTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let optimizer: Optimizer
    /// After three steps from (1, −2, 0.5) on Σ k p² + b p, by PyTorch 2.13 in float64.
    let expected: [Double]

    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "gradient descent with weight decay",
      optimizer: .sgd(learningRate: 0.1, weightDecay: 0.01),
      expected: [0.436960369, -0.410265588, 0.0005965794999999925]),
    Case(
      name: "momentum", optimizer: .sgd(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01),
      expected: [-0.08237383100000001, 1.1229528119999999, -0.48919152050000003]),
    Case(
      name: "Nesterov's momentum",
      optimizer: .sgd(learningRate: 0.1, momentum: 0.9, nesterov: true),
      expected: [-0.2746048000000001, 0.9024244000000001, -0.1955008]),
    Case(
      name: "Adam", optimizer: .adam(learningRate: 0.1, weightDecay: 0.01),
      expected: [0.7012992118207848, -1.7006138036104492, 0.20434276725832703]),
    Case(
      name: "AdamW", optimizer: .adamW(learningRate: 0.1, weightDecay: 0.05),
      expected: [0.6879580662927273, -1.6723368900492415, 0.19855135831078907]),
    Case(
      name: "RMSprop", optimizer: .rmsProp(learningRate: 0.01, weightDecay: 0.01),
      expected: [0.7787421470356567, -1.7752947425821903, 0.2890399564317004]),
    Case(
      name: "RMSprop with momentum", optimizer: .rmsProp(learningRate: 0.01, momentum: 0.5),
      expected: [0.6719187300185777, -1.666802444230727, 0.18762200898919953]),
  ]

  /// Σ (k p² + b p) as a "loss" of the output p, so that its gradient is that of the parameters.
  struct Paraboloid: Loss {
    let identifier = "paraboloid"

    func evaluate(_ outputs: Tensor, targets: Tensor) throws -> LossValue {
      let p = try outputs.converted(to: .float64).elements(of: Double.self)
      let slopes = zip(zip(p, [1.0, 2, 3]), [0.3, -0.1, 0.2]).map { pair, b in
        2 * pair.0 * pair.1 + b
      }
      return LossValue(
        value: 0,
        gradient: try Tensor(slopes, shape: outputs.shape.dimensions)
          .converted(to: outputs.dataType))
    }
  }

  /// The output is the parameters themselves: 0 · x + p.
  private func parameters(
    after steps: Int, of optimizer: Optimizer, precision: Network.Precision,
    _ configure: (inout Trainer) -> Void = { _ in }
  ) throws -> [Double] {
    var draft = NetworkDraft()
    let zero = draft.constant("zero", Tensor(scalar: Float(0)))
    let nothing = draft.node("Mul", ["x", zero])
    let output = draft.node(
      "Add", [nothing, draft.constant("p", Tensor([Float(1), -2, 0.5]))])
    let network = try Network(
      draft.graph([[3]], output: output), configuration: .init(precision: precision))
    var trainer = try Trainer(network, loss: Paraboloid(), optimizer: optimizer)
    configure(&trainer)
    let data = try Samples(
      inputs: Tensor(zeros: Shape([1, 3])), targets: Tensor(zeros: Shape([1, 3])))
    try trainer.fit(data, epochs: steps, batchSize: 1)
    return try #require(trainer.values["p"]).converted(to: .float64).elements(of: Double.self)
  }

  @Test("move parameters as PyTorch's do", arguments: cases)
  func reference(_ test: Case) throws {
    let double = try parameters(after: 3, of: test.optimizer, precision: .double)
    for (found, expected) in zip(double, test.expected) { #expect(abs(found - expected) < 1e-14) }
    let single = try parameters(after: 3, of: test.optimizer, precision: .single)
    for (found, expected) in zip(single, test.expected) { #expect(abs(found - expected) < 1e-6) }
  }

  @Test("clipping by norm shortens the gradient, clipping by value cuts its elements")
  func clipping() throws {
    // The gradient at the start is (2.3, −8.1, 3.2).
    let norm = (2.3 * 2.3 + 8.1 * 8.1 + 3.2 * 3.2).squareRoot()
    let start = [1, -2, 0.5]
    let gradient = [2.3, -8.1, 3.2]
    let short = try parameters(after: 1, of: .sgd(learningRate: 0.1), precision: .double) {
      $0.clipping = .norm(1)
    }
    for i in 0..<3 {
      #expect(abs(short[i] - (start[i] - 0.1 * gradient[i] / (norm + 1e-6))) < 1e-14)
    }
    let long = try parameters(after: 1, of: .sgd(learningRate: 0.1), precision: .double) {
      $0.clipping = .norm(100)
    }
    for i in 0..<3 { #expect(abs(long[i] - (start[i] - 0.1 * gradient[i])) < 1e-14) }
    let cut = try parameters(after: 1, of: .sgd(learningRate: 0.1), precision: .double) {
      $0.clipping = .value(3)
    }
    for i in 0..<3 {
      #expect(abs(cut[i] - (start[i] - 0.1 * min(max(gradient[i], -3), 3))) < 1e-14)
    }
  }

  @Test("settings out of their range are refused by name")
  func settings() throws {
    func message(_ optimizer: Optimizer) -> String {
      do {
        _ = try parameters(after: 1, of: optimizer, precision: .double)
        return ""
      } catch { return "\(error)" }
    }
    #expect(message(.sgd(learningRate: -1)).contains("learningRate: expected 0 or more"))
    #expect(message(.sgd(learningRate: 1, momentum: 1)).contains("momentum"))
    #expect(message(.sgd(learningRate: 1, nesterov: true)).contains("Nesterov"))
    #expect(message(.adam(varianceDecay: 1)).contains("varianceDecay"))
    #expect(message(.rmsProp(weightDecay: .nan)).contains("weightDecay"))
  }
}
