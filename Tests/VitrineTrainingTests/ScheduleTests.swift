import Testing
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport
import VitrineTraining

@Suite("Learning-rate schedules")
struct ScheduleTests {
  @Test("follow their closed forms")
  func closedForms() {
    #expect(Schedule.constant.factor(progress: 7.5) == 1)
    let step = Schedule.step(epochs: 3, factor: 0.5)
    #expect([0, 2.9, 3, 5.9, 6].map { step.factor(progress: $0) } == [1, 1, 0.5, 0.5, 0.25])
    let exponential = Schedule.exponential(factor: 0.5)
    #expect([0, 0.9, 1, 3].map { exponential.factor(progress: $0) } == [1, 1, 0.5, 0.125])
    let cosine = Schedule.cosine(epochs: 10, minimum: 0.2)
    #expect(abs(cosine.factor(progress: 0) - 1) < 1e-15)
    #expect(abs(cosine.factor(progress: 5) - 0.6) < 1e-15)
    #expect(abs(cosine.factor(progress: 10) - 0.2) < 1e-15)
    #expect(abs(cosine.factor(progress: 99) - 0.2) < 1e-15)
  }

  @Test("rise in a line while warming up, and begin after it")
  func warmUp() {
    let schedule = Schedule.exponential(factor: 0.1).warmingUp(epochs: 2)
    #expect(schedule.factor(progress: 0, step: 0.25) == 0.125)
    #expect(schedule.factor(progress: 1, step: 0.25) == 0.625)
    #expect(schedule.factor(progress: 1.75, step: 0.25) == 1)
    #expect(schedule.factor(progress: 2, step: 0.25) == 1)
    #expect(abs(schedule.factor(progress: 3) - 0.1) < 1e-15)
  }

  @Test("on a plateau the rate falls once the loss has not for longer than the patience")
  func plateau() throws {
    // Nothing to learn: the learning rate is 0, so the loss stays.
    let network = try Network(NetworkDraft.perceptron([2, 1]))
    var trainer = try Trainer(
      network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0))
    trainer.schedule = .reduceOnPlateau(factor: 0.5, patience: 1, minimum: 0.3)
    let data = try Samples(
      inputs: .random([4, 2], seed: 1), targets: .random([4, 1], seed: 2))
    var factors: [Double] = []
    trainer.optimizer.learningRate = 1e-30
    try trainer.fit(
      data, epochs: 8, batchSize: 4,
      callbacks: [.epochEnded { factors.append($0.learningRate / 1e-30) }])
    // Epoch 1 is the best; epochs 2 and 3 are no better, so that 4 begins with half the rate.
    #expect(factors.map { ($0 * 100).rounded() } == [100, 100, 100, 50, 50, 30, 30, 30])
  }

  @Test("out of range are refused")
  func ranges() throws {
    let network = try Network(NetworkDraft.perceptron([2, 1]))
    let data = try Samples(
      inputs: .random([4, 2], seed: 1), targets: .random([4, 1], seed: 2))
    for schedule in [
      Schedule.step(epochs: 0), .exponential(factor: 0), .cosine(epochs: 0),
      .reduceOnPlateau(factor: 1), .constant.warmingUp(epochs: -1),
    ] {
      var trainer = try Trainer(
        network, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
      trainer.schedule = schedule
      #expect(throws: TrainingError.self) { try trainer.fit(data, epochs: 1) }
    }
  }
}
