// Explanations while a network learns: watch its reasons change from epoch to epoch.
//
//     swift run -c release LiveExplanations [FOLDER]
//     tensorboard --logdir FOLDER            (if you have it; FOLDER/index.html needs nothing)

import Vitrine

@main
struct LiveExplanations {
  static func main() throws {
    let folder = CommandLine.arguments.dropFirst().first ?? "live-explanations"

    // 1. Pictures of shapes on textured ground, and a small network.
    var generator = RandomGenerator(seed: 1)
    let scenes = try ShapeScene.scenes(1200, using: &generator)
    let (training, validation) = try ShapeScene.dataSet(of: scenes).split(at: 1000)
    let untrained = try Network(input: [3, ShapeScene.side, ShapeScene.side], seed: 1) {
      for (filters, name) in [(16, "edges"), (32, "parts"), (48, "shapes")] {
        Conv2D(filters, kernel: 3, padding: .same, hasBias: false)
        BatchNorm()
        Activation(.relu, name: name)
        MaxPool2D(2)
      }
      Conv2D(64, kernel: 3, padding: .same, hasBias: false)
      BatchNorm()
      Activation(.relu, name: "figures")
      GlobalAveragePool()
      Dense(5)
    }

    // 2. What shall be watched: six methods by name on three pictures that are not trained with.
    let watched = Array(scenes[1000..<1003])
    var recorder = try ExplanationRecorder(
      methods: [
        ("gradient-magnitude", [:]), ("integrated-gradients", ["steps": "20"]),
        ("occlusion", ["window": "8", "stride": "4"]), ("grad-cam", ["upsample": "true"]),
        ("smoothgrad", ["samples": "10"]), ("guided-backpropagation", [:]),
      ],
      from: .standard, inputs: Inputs(ShapeScene.tensor(of: watched), for: untrained),
      pictures: watched.map(\.image), context: Context(labels: training.classes))
    let events = try EventFile(in: folder)

    // 3. Train; after every other epoch explain, and add to both logs.
    var trainer = try Trainer(
      untrained, loss: .crossEntropy(), optimizer: .adam(learningRate: 4e-3),
      metrics: [.accuracy], seed: 1)
    trainer.schedule = .cosine(epochs: 12)
    try trainer.fit(
      training, validation: validation, epochs: 12, batchSize: 32,
      callbacks: [
        .progressBar(),
        .epochEnded { status in
          let accuracy = status.validation?.metrics[.accuracy] ?? 0
          print("epoch \(status.epoch): accuracy \(accuracy)")
          try events.add(status.training.loss, tag: "loss/training", step: status.epoch)
          try events.add(accuracy, tag: "accuracy/validation", step: status.epoch)
        },
        .epochEnded(every: 2) { status in
          try recorder.record(status.network(), step: status.epoch)
          try recorder.addLatest(to: events)
          try recorder.visualLog(title: "Explanations while training")
            .write(to: folder + "/index.html")
        },
      ])
    print("wrote \(folder)/index.html and \(events.path)")
  }
}
