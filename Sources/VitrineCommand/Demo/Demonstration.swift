import VitrineCore
import VitrineData
import VitrineImaging
import VitrineNetwork
import VitrineONNX
import VitrineReport
import VitrineTensor
import VitrineTraining

/// A network made on the spot, explained by every method of the catalog; equal seeds give equal files.
struct Demonstration: Sendable {
  private static let trainingCount = 1000
  private static let testCount = 250
  /// Held-out pictures on which methods are judged; the first of each class is shown.
  private static let judgedCount = 20
  /// A method that sees edges is right to look this many pixels beyond the shape.
  private static let rim = 2

  private static let epochs = 10

  /// What one method gave.
  private struct Answer: Sendable {
    let method: Method
    /// File names without extension, with their figures.
    let figures: [(name: String, figure: Figure)]
    /// Against the masks of the judged pictures; `nil` for methods that draw no map of one score.
    let verdict: Verdict?
  }

  private let network: Network
  private let history: History
  private let correct: Int
  private let judged: [ShapeScene]
  private let predictions: [Prediction]
  private let answers: [Answer]
  /// What maps that know nothing of the network would score, by name.
  private let controls: [(name: String, verdict: Verdict)]
  private let seed: UInt64

  private static let labels = ClassLabels(names: ShapeScene.Shape.allCases.map(\.name))
  private static let modelName = "shapes.onnx"

  /// Makes and explains the network.
  ///
  /// - Throws: ``CoreError/cancelled`` when interrupted.
  init(settings: RunSettings, session: Session) throws {
    seed = settings.seed
    var generator = RandomGenerator(seed: settings.seed)
    let scenes = try ShapeScene.scenes(Self.trainingCount + Self.testCount, using: &generator)
    let data = try ShapeScene.dataSet(of: scenes).split(at: Self.trainingCount)
    let trained = try ShapeNetwork.trained(
      on: data.first, validation: data.rest, epochs: Self.epochs, seed: settings.seed,
      configuration: settings.configuration,
      context: Context(
        cancellation: session.cancellation,
        onProgress: { session.show($0, of: "training") }))
    network = trained.network
    history = trained.history
    let network = trained.network
    session.show(Progress(done: 1, total: 2, unit: "stages"), of: "demo")

    let unseen = scenes.dropFirst(Self.trainingCount)
    var predictions: [Prediction] = []
    for start in stride(from: unseen.startIndex, to: unseen.endIndex, by: 50) {
      try session.checkCancellation()
      let batch = Array(unseen[start..<min(start + 50, unseen.endIndex)])
      let inputs = try Inputs(ShapeScene.tensor(of: batch), for: network)
      predictions += try network.predictions(at: inputs, areClasses: nil).compactMap(\.first)
    }
    correct = zip(unseen, predictions).count { $0.shape.rawValue == $1.ranking.first }
    self.predictions = predictions
    let judged = Array(unseen.prefix(Self.judgedCount))
    self.judged = judged
    let context = Context(
      seed: settings.seed, labels: Self.labels.names, cancellation: session.cancellation)
    answers = try session.catalog.explainers.compactMap { explainer in
      try session.checkCancellation()
      return try Self.answer(of: explainer, on: judged, network, context)
    }
    controls = try Self.controls(on: judged, using: &generator)
    session.clearProgress()
  }

  // MARK: - Explaining

  private static func answer(
    of type: any Explainer.Type, on scenes: [ShapeScene], _ network: Network, _ context: Context
  ) throws -> Answer {
    let method = type.method
    var options: [String: String] = [:]
    let names = Set(method.options.map(\.name))
    if !method.usesTarget, names.contains("layers") {
      options["layers"] = ShapeNetwork.shownLayers.joined(separator: ",")
    }
    // Times differ from run to run, and the demonstration's files must not.
    if names.contains("timing") { options["timing"] = "false" }
    if method.canStartFromNoise {
      options["start"] = "noise"
      if names.contains("layer"), names.contains("channels") {
        (options["layer"], options["channels"]) = ("parts", "0,1,2,3,4,5,6,7")
      }
    }
    let isAboutPictures = method.usesTarget && !method.canStartFromNoise
    let scenes = isAboutPictures ? scenes : Array(scenes.prefix(1))
    let explanation = try type.init(options).explain(
      network, at: Inputs(ShapeScene.tensor(of: scenes), for: network), target: .top,
      context: context)

    var figures: [(name: String, figure: Figure)] = []
    var shown: Set<ShapeScene.Shape> = []
    for (index, scene) in scenes.enumerated() where shown.insert(scene.shape).inserted {
      let painter = FigurePainter(
        method: method, subject: Subject(target: .top, labels: labels), modelName: modelName,
        picture: scene.image)
      let found = try painter.figures(
        of: explanation, sample: index, mainOnly: method.usesTarget)
      for figure in found {
        let suffix = figure.name.map { "-" + $0 } ?? ""
        figures.append((scene.shape.name + "-" + method.identifier + suffix, figure))
      }
      // Several figures for one picture are enough; one for each class otherwise.
      if found.count > 1 { break }
    }
    return Answer(
      method: method, figures: figures, verdict: try verdict(on: explanation, method, scenes))
  }

  private static func verdict(
    on explanation: Explanation, _ method: Method, _ scenes: [ShapeScene]
  ) throws -> Verdict? {
    guard method.usesTarget, explanation.attribution.range.isEvidence,
      !explanation.attribution.axes.contains(.output)
    else { return nil }
    var maps: [[Float]] = []
    for index in scenes.indices {
      guard let found = try FeatureMaps(explanation.attribution, sample: index) else { return nil }
      maps.append(
        try found.heatMap(row: 0).resized(width: ShapeScene.side, height: ShapeScene.side).values)
    }
    return Verdict(maps: maps, scenes: scenes)
  }

  /// Judges a map of random numbers, and one of the edges in the picture.
  private static func controls(
    on scenes: [ShapeScene], using generator: inout RandomGenerator
  ) throws -> [(name: String, verdict: Verdict)] {
    let random = scenes.map { _ in
      (0..<ShapeScene.side * ShapeScene.side).map { _ in generator.uniformFloat() }
    }
    let edges = try scenes.map { try HeatMap.edges(of: $0.image).values }
    return [
      ("a random map", Verdict(maps: random, scenes: scenes)),
      ("edges of the picture", Verdict(maps: edges, scenes: scenes)),
    ]
  }

  /// How well maps agree with the masks of their pictures, rim included; means over the pictures.
  struct Verdict: Sendable {
    /// See ``MaskAgreement``; 0...1 each.
    let relevanceMass: Double
    let rankAccuracy: Double
    /// Share of the pictures whose strongest pixel lies on the shape or its rim.
    let hits: Double

    init(maps: [[Float]], scenes: [ShapeScene]) {
      let agreements = zip(maps, scenes).map {
        MaskAgreement(map: $0, mask: $1.mask(margin: Demonstration.rim))
      }
      let count = Double(max(1, agreements.count))
      // A map without positive evidence finds nothing.
      relevanceMass = agreements.reduce(0) { $0 + ($1?.relevanceMass ?? 0) } / count
      rankAccuracy = agreements.reduce(0) { $0 + ($1?.rankAccuracy ?? 0) } / count
      hits = Double(agreements.count { $0?.isHit == true }) / count
    }

    /// The numbers as percentages, for a table.
    var cells: [String] {
      [relevanceMass, rankAccuracy, hits].map { Number.fixed($0 * 100, 1) + "%" }
    }
  }

  /// The first judged picture of each class with its prediction.
  private var shown: [(scene: ShapeScene, prediction: Prediction)] {
    ShapeScene.Shape.allCases.compactMap { shape in
      judged.firstIndex { $0.shape == shape }.map { (judged[$0], predictions[$0]) }
    }
  }

  // MARK: - What is written

  /// Returns every file of the demonstration by name.
  func files(_ session: Session) throws -> [(name: String, bytes: [UInt8])] {
    let modelBytes = ONNX.bytes(of: network.graph)
    let digest = SHA256.hexadecimalDigest(of: modelBytes)
    var files: [(name: String, bytes: [UInt8])] = [
      (Self.modelName, modelBytes),
      ("labels.txt", Array((Self.labels.names.joined(separator: "\n") + "\n").utf8)),
    ]
    for (scene, _) in shown {
      files.append((scene.shape.name + ".png", try PNG.encode(scene.image)))
    }
    var sections = [try introduction()]
    for answer in answers {
      try session.checkCancellation()
      var cards: [Report.Card] = []
      for (name, figure) in answer.figures {
        let bytes = try figure.png([
          (name: "Method", value: answer.method.identifier),
          (name: "Model-SHA256", value: digest),
        ])
        files.append((name + ".png", bytes))
        cards.append(
          Report.Card(
            title: figure.title, picture: bytes, width: figure.image.width,
            height: figure.image.height, description: figure.description,
            caption: figure.finding))
      }
      var paragraphs = [answer.method.summary, "Source: \(answer.method.paper)."]
      if let verdict = answer.verdict { paragraphs.append(sentence(verdict)) }
      sections.append(
        Report.Section(title: answer.method.identifier, paragraphs: paragraphs, cards: cards))
    }
    let report = Report(
      title: "Why did the network say that?",
      introduction: [
        "A small convolutional network, trained on the spot on generated pictures, and what "
          + "each method of Vitrine says about its answers.",
        headline,
      ],
      sections: sections,
      provenance: [
        ("Vitrine", Command.version), ("Seed", String(seed)), ("Model SHA-256", digest),
        ("Command", "vitrine demo"),
      ])
    files.append(("index.html", Array(report.html.utf8)))
    return files
  }

  private func introduction() throws -> Report.Section {
    let cards = try shown.map { scene, prediction in
      let image = try scene.image.magnified(by: 6)
      let answer = prediction.ranking.first ?? 0
      return Report.Card(
        title: scene.shape.name, picture: try PNG.encode(image), width: image.width,
        height: image.height, description: "A generated picture of a \(scene.shape.name).",
        caption: "The network says \(Self.labels.names[answer]), "
          + "\(Number.fixed(prediction.values[answer] * 100, 1))%"
          + (answer == scene.shape.rawValue ? "." : ", which is wrong."))
    }
    let rows =
      answers.compactMap { answer in
        answer.verdict.map { [answer.method.identifier] + $0.cells }
      } + controls.map { ["control: " + $0.name] + $0.verdict.cells }
    let table = Report.Table(
      caption:
        "How well the maps agree with where the shape is, or within \(Self.rim) pixels of it: means over "
        + "\(judged.count) pictures. Relevance mass: share of the positive evidence on the shape. Rank "
        + "accuracy: share of the strongest pixels, as many as the shape has, that lie on it. Pointing: "
        + "pictures whose strongest pixel lies on it. The controls know nothing of the network.",
      header: ["method", "relevance mass", "rank accuracy", "pointing"], rows: rows)
    let mistakes = shown.count { $0.scene.shape.rawValue != $0.prediction.ranking.first }
    let remark =
      "The pictures are the first of each class that it has never seen, not chosen."
      + (mistakes > 0 ? " Where it is wrong, the maps below show what misled it." : "")
    return Report.Section(
      title: "What the network sees", paragraphs: [remark], cards: cards,
      tables: rows.isEmpty ? [] : [table])
  }

  private var headline: String {
    let first = history.epochs.first?.training.loss ?? .nan
    let last = history.epochs.last?.training.loss ?? .nan
    return
      "It has \(Number.grouped(network.parameterCount)) parameters, learned in \(Self.epochs) epochs "
      + "from \(Number.grouped(Self.trainingCount)) pictures of \(Self.labels.names.count) shapes (loss "
      + "\(Number.fixed(first, 3)) to \(Number.fixed(last, 3))), and names "
      + "\(Number.fixed(Double(correct) / Double(Self.testCount) * 100, 1))% of "
      + "\(Self.testCount) pictures it has never seen correctly "
      + "(guessing: \(100 / Self.labels.names.count)%)."
  }

  private func sentence(_ verdict: Verdict) -> String {
    let chance = controls.first?.verdict.relevanceMass ?? .nan
    return
      "\(Number.fixed(verdict.relevanceMass * 100, 1))% of its positive evidence lies on the shape or "
      + "its rim, \(Number.fixed(verdict.relevanceMass / chance, 1)) times what a random map puts there."
  }

  // MARK: - What is printed

  func text(folder: String) -> String {
    var text = "A small network, trained on generated pictures. " + headline + "\n\n"
    var table = TextTable([("picture", .left), ("answer", .left), ("probability", .right)])
    for (scene, prediction) in shown {
      let answer = prediction.ranking.first ?? 0
      table.add([
        scene.shape.name, Self.labels.names[answer],
        Number.fixed(prediction.values[answer] * 100, 1) + "%",
      ])
    }
    text += table.text + "\nHow well do the maps agree with where the shapes are?\n\n"
    var methods = TextTable([
      ("method", .left), ("relevance mass", .right), ("rank accuracy", .right),
      ("pointing", .right),
    ])
    for answer in answers {
      methods.add(
        [answer.method.identifier]
          + (answer.verdict?.cells ?? ["\(answer.figures.count) pictures", "-", "-"]))
    }
    for control in controls { methods.add(["control: " + control.name] + control.verdict.cells) }
    let folder = folder.visible
    return text + methods.text + """

      Open \(FileName.join(folder, "index.html")), or ask yourself:
        vitrine explain \(FileName.join(folder, Self.modelName)) \
      \(FileName.join(folder, "star.png")) --method gradient-magnitude \
      --preprocess unit --labels \(FileName.join(folder, "labels.txt"))

      """
  }
}
