import VitrineCore
import VitrineData
import VitrineImaging
import VitrineNetwork
import VitrineONNX
import VitrineReport
import VitrineTensor

/// A network made on the spot, explained by every method of the catalog; equal seeds give equal files.
struct Demonstration: Sendable {
  private static let trainingCount = 1000
  private static let testCount = 250
  /// Held-out pictures on which methods are judged; the first of each class is shown.
  private static let judgedCount = 20
  /// A method that sees edges is right to look this many pixels beyond the shape.
  private static let rim = 2

  /// What one method gave.
  private struct Answer: Sendable {
    let method: Method
    /// File names without extension, with their figures.
    let figures: [(name: String, figure: Figure)]
    /// Share of the attribution's summed magnitude that lies on the shape or its rim, 0...1, mean over
    /// the judged pictures; `nil` for methods that draw no map of one score.
    let shareOnShape: Double?
  }

  private let model: ShapeNetwork
  private let correct: Int
  private let judged: [ShapeScene]
  private let predictions: [Prediction]
  private let answers: [Answer]
  private let seed: UInt64

  private static let labels = ClassLabels(names: ShapeScene.Shape.allCases.map(\.name))
  private static let modelName = "shapes.onnx"

  /// Makes and explains the network.
  ///
  /// - Throws: ``CoreError/cancelled`` when interrupted.
  init(settings: RunSettings, session: Session) throws {
    seed = settings.seed
    var generator = RandomGenerator(seed: settings.seed)
    session.show(Progress(done: 0, total: 3, unit: "stages"), of: "demo")
    let scenes = try ShapeScene.scenes(Self.trainingCount + Self.testCount, using: &generator)
    let model = try ShapeNetwork.trained(
      on: Array(scenes.prefix(Self.trainingCount)), configuration: settings.configuration,
      generator: &generator, between: session.checkCancellation)
    self.model = model
    session.show(Progress(done: 1, total: 3, unit: "stages"), of: "demo")

    let unseen = scenes.dropFirst(Self.trainingCount)
    var predictions: [Prediction] = []
    for start in stride(from: unseen.startIndex, to: unseen.endIndex, by: 50) {
      try session.checkCancellation()
      let batch = Array(unseen[start..<min(start + 50, unseen.endIndex)])
      let inputs = try Inputs(ShapeScene.tensor(of: batch), for: model.network)
      predictions += try model.network.predictions(at: inputs, areClasses: nil).compactMap(\.first)
    }
    correct = zip(unseen, predictions).count { $0.shape.rawValue == $1.ranking.first }
    self.predictions = predictions
    let judged = Array(unseen.prefix(Self.judgedCount))
    self.judged = judged
    session.show(Progress(done: 2, total: 3, unit: "stages"), of: "demo")

    let context = Context(
      seed: settings.seed, labels: Self.labels.names, cancellation: session.cancellation)
    answers = try session.catalog.explainers.compactMap { explainer in
      try session.checkCancellation()
      return try Self.answer(of: explainer, on: judged, model.network, context)
    }
    session.clearProgress()
  }

  // MARK: - Explaining

  private static func answer(
    of type: any Explainer.Type, on scenes: [ShapeScene], _ network: Network, _ context: Context
  ) throws -> Answer {
    let method = type.method
    var options: [String: String] = [:]
    let names = Set(method.options.map(\.name))
    if !method.usesTarget, names.contains("layers") { options["layers"] = "edges.relu,parts.relu" }
    // Times differ from run to run, and the demonstration's files must not.
    if names.contains("timing") { options["timing"] = "false" }
    if method.canStartFromNoise {
      options["start"] = "noise"
      if names.contains("layer"), names.contains("channels") {
        (options["layer"], options["channels"]) = ("parts.relu", "0,1,2,3,4,5,6,7")
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
        method: method, labels: labels, modelName: modelName, picture: scene.image)
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
      method: method, figures: figures,
      shareOnShape: try shareOnShape(of: explanation, method, scenes))
  }

  private static func shareOnShape(
    of explanation: Explanation, _ method: Method, _ scenes: [ShapeScene]
  ) throws -> Double? {
    guard method.usesTarget, explanation.attribution.range.isEvidence,
      !explanation.attribution.axes.contains(.output)
    else { return nil }
    var shares: [Double] = []
    for (index, scene) in scenes.enumerated() {
      guard let maps = try FeatureMaps(explanation.attribution, sample: index) else { return nil }
      let map = try maps.heatMap(row: 0).resized(width: ShapeScene.side, height: ShapeScene.side)
      let total = map.values.reduce(0.0) { $0 + Double($1.magnitude) }
      guard total > 0 else { continue }
      let inside = zip(map.values, scene.mask(margin: rim)).reduce(0.0) {
        $0 + ($1.1 ? Double($1.0.magnitude) : 0)
      }
      shares.append(inside / total)
    }
    return shares.isEmpty ? nil : shares.reduce(0, +) / Double(shares.count)
  }

  /// Mean share of the picture that shape and rim cover: what a map without knowledge would score.
  private var chance: Double {
    let shares = judged.map { scene in
      let mask = scene.mask(margin: Self.rim)
      return Double(mask.count { $0 }) / Double(mask.count)
    }
    return shares.reduce(0, +) / Double(shares.count)
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
    let modelBytes = ONNX.bytes(of: model.graph)
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
      if let share = answer.shareOnShape { paragraphs.append(verdict(share)) }
      sections.append(
        Report.Section(title: answer.method.identifier, paragraphs: paragraphs, cards: cards))
    }
    let report = Report(
      title: "Why did the network say that?",
      introduction: [
        "A small convolutional network, made on the spot from generated pictures, and what "
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
    let rows = answers.compactMap { answer in
      answer.shareOnShape.map { share in
        [
          answer.method.identifier, Number.fixed(share * 100, 1) + "%",
          Number.fixed(share / chance, 1) + " times chance",
        ]
      }
    }
    let table = Report.Table(
      caption:
        "Share of the attribution on the shape or within \(Self.rim) pixels of it, mean over "
        + "\(judged.count) pictures. Shape and rim cover \(Number.fixed(chance * 100, 1))% of the "
        + "picture: that is chance.",
      header: ["method", "on the shape", "against chance"], rows: rows)
    let mistakes = shown.count { $0.scene.shape.rawValue != $0.prediction.ranking.first }
    let remark =
      "The pictures are the first of each class that it has never seen, not chosen."
      + (mistakes > 0 ? " Where it is wrong, the maps below show what misled it." : "")
    return Report.Section(
      title: "What the network sees", paragraphs: [remark], cards: cards,
      tables: rows.isEmpty ? [] : [table])
  }

  private var headline: String {
    "It has \(Number.grouped(model.network.parameterCount)) parameters, learned from "
      + "\(Number.grouped(Self.trainingCount)) pictures of \(Self.labels.names.count) shapes, and names "
      + "\(Number.fixed(Double(correct) / Double(Self.testCount) * 100, 1))% of "
      + "\(Self.testCount) pictures it has never seen correctly "
      + "(guessing: \(100 / Self.labels.names.count)%)."
  }

  private func verdict(_ share: Double) -> String {
    "\(Number.fixed(share * 100, 1))% of its evidence lies on the shape or its rim, "
      + "\(Number.fixed(share / chance, 1)) times what chance would put there."
  }

  // MARK: - What is printed

  func text(folder: String) -> String {
    var text = "A small network, made from generated pictures. " + headline + "\n\n"
    var table = TextTable([("picture", .left), ("answer", .left), ("probability", .right)])
    for (scene, prediction) in shown {
      let answer = prediction.ranking.first ?? 0
      table.add([
        scene.shape.name, Self.labels.names[answer],
        Number.fixed(prediction.values[answer] * 100, 1) + "%",
      ])
    }
    text += table.text + "\nWhere is the evidence? Shape and rim cover "
    text += "\(Number.fixed(chance * 100, 1))% of the picture.\n\n"
    var methods = TextTable([("method", .left), ("on the shape", .right), ("", .left)])
    for answer in answers {
      let share = answer.shareOnShape
      methods.add([
        answer.method.identifier, share.map { Number.fixed($0 * 100, 1) + "%" } ?? "-",
        share.map { Number.fixed($0 / chance, 1) + " times chance" }
          ?? "\(answer.figures.count) pictures",
      ])
    }
    let folder = folder.visible
    return text + methods.text + """

      Open \(FileName.join(folder, "index.html")), or ask yourself:
        vitrine explain \(FileName.join(folder, Self.modelName)) \
      \(FileName.join(folder, "star.png")) --method gradient-magnitude \
      --preprocess unit --labels \(FileName.join(folder, "labels.txt"))

      """
  }
}
