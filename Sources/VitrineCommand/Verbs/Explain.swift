import VitrineCore
import VitrineFiles
import VitrineNetwork
import VitrineReport
import VitrineTensor

extension Verb {
  /// `vitrine explain`
  static let explain = Verb(
    "explain",
    summary: "say why a model answers as it does",
    operands: .then(["MODEL"], any: "INPUT"),
    flags: [
      Flag(
        "method", short: "m", .value("NAME"), help: "How to explain; vitrine methods lists them."),
      Flag(
        "set", .repeated("OPTION=VALUE"),
        help: "Set an option of the method; vitrine describe METHOD lists them."),
      Flag(
        "target", short: "t", .value("CLASS|LABEL"), default: "top",
        help: "Which class or output to explain: an index, a name from --labels, or top; a list "
          + "such as 3,5,3 for a class for each sample; weights such as 3:1,5:-1 for a sum of "
          + "several; a position such as 0/12/7 in an output of several axes."),
      Flag(
        "layer", short: "l", .value("NAME"),
        help: "The layer to look at, for methods that take one; vitrine inspect lists them."),
      Flag(
        "score", .choice(["logit", "probability"]), default: "logit",
        help: "Explain the number before or after the final softmax."),
      CommonFlags.labels,
      ModelInputs.flag,
      Flag(
        "output", short: "o", .value("OUT.png|FOLDER"),
        help: "Where the pictures go: a file shows the main one, a folder gets all. Without "
          + "--output, --raw and --json: INPUT-METHOD.png here."),
      Flag(
        "raw", .value("OUT.npy"),
        help: "Write the attribution of all inputs as an array, batch axis first."),
      CommonFlags.json,
    ] + CommonFlags.picture + CommonFlags.plugins + CommonFlags.running,
    examples: [
      Example(
        command:
          "vitrine explain model.onnx cat.png --method gradient-magnitude --preprocess imagenet",
        purpose: "which pixels the top class depends on, as cat-gradient-magnitude.png"),
      Example(
        command: "vitrine explain model.onnx cat.png -m gradient-magnitude -t 281 -o why.png",
        purpose: "the same for class 281, into a file of your choice"),
      Example(
        command: "vitrine explain model.onnx photo.png --method jacobian --output derivatives/",
        purpose: "one picture for each output: d prediction[c] / d input"),
      Example(
        command:
          "vitrine explain model.onnx -m filter-visualization -l conv4 --set channel=7 -o f.png",
        purpose: "what a channel looks for, from noise; --set snapshots=30 adds f-animation.png"),
      Example(
        command: "vitrine explain model.onnx cat.png --input question=words.npy -m saliency",
        purpose: "a model with a second input, which is fed the array"),
      Example(
        command: "vitrine explain model.onnx rows.npy --method gradient-magnitude --json",
        purpose: "an array as it is, the answer for scripts"),
    ],
    notes: [
      "A method that starts from noise, such as filter-visualization, needs no INPUT.",
      "With one input the JSON object holds its answer; with several, `results` lists one for each.",
    ]
  ) { invocation, session in
    let request = try ExplainRequest(
      invocation, catalog: session.catalog,
      defaults: invocation.operands.count > 1 ? [] : [("start", "noise")])
    let settings = try RunSettings(invocation)
    let preparation = try PicturePreparation(invocation)
    let labels = try ClassLabels.given(invocation)
    let paths = Array(invocation.operands.dropFirst())
    guard !paths.isEmpty || request.method.canStartFromNoise else {
      throw CommandError.usage(
        "explain needs INPUT: vitrine explain MODEL INPUT… [options]; see vitrine help explain")
    }
    for flag in ["output", "raw"] {
      try RawOutput.check(
        invocation.text(flag), among: Array(invocation.operands), flag: flag)
    }
    if let raw = invocation.text("raw"), raw == invocation.text("output") {
      throw CommandError.usage("--raw and --output: expected two files, found \(raw) twice")
    }
    var places = try FigurePlaces(
      output: invocation.text("output"), method: request.method.identifier,
      inputs: max(paths.count, 1))
    let wantsFigures =
      invocation.has("output") || !(invocation.has("raw") || invocation.has("json"))
    let modelDigest =
      wantsFigures || invocation.has("json")
      ? ConcurrentValue { try LoadedModel.digest(ofFileAt: invocation.operands[0]) } : nil
    let model = try LoadedModel(
      contentsOf: invocation.operands[0], configuration: settings.configuration)
    let modelInputs = try ModelInputs(
      invocation, for: model, preparation: preparation, note: session.note)
    let port = modelInputs.port
    try checkLabels(labels, model)

    let context = Context(
      seed: settings.seed, memoryLimit: settings.configuration.memoryLimit ?? 1 << 30,
      labels: labels?.names, cancellation: session.cancellation,
      onProgress: { session.show($0, of: request.method.identifier) },
      resolveBaseline: { try preparation.baseline(named: $0, for: $1) })
    let subject = Subject(target: request.target, labels: labels)
    var files = OutputFiles()
    var text = ""
    var reports: [JSON] = []
    var rows: [Tensor] = []
    var isAssumptionTold = !preparation.isDefault
    var samples = 0
    for path in paths.isEmpty ? [nil] : paths.map(Optional.some) {
      try session.checkCancellation()
      let input =
        if let path {
          try LoadedInput(
            contentsOf: path, for: port, preparation: preparation, note: session.note)
        } else {
          try LoadedInput(shapedLike: port)
        }
      if input.picture != nil, !isAssumptionTold {
        session.note("pixels scaled to 0...1, as no --preprocess is given")
        isAssumptionTold = true
      }
      if wantsFigures { try places.prepare(samples: input.samples) }
      let target = try request.target(of: samples..<samples + input.samples)
      samples += input.samples
      let explanation = try request.explainer.explain(
        model.network, at: modelInputs.inputs(with: input.tensor), target: target,
        context: context)
      session.clearProgress()
      if invocation.has("raw") { rows.append(explanation.attribution.tensor) }
      let painter = FigurePainter(
        method: request.method, subject: subject, modelName: model.name, picture: input.picture,
        isBlueFirst: preparation.isBlueFirst)
      for sample in 0..<input.samples {
        let name = input.samples > 1 ? "\(input.name)[\(sample)]" : input.name
        let report = ExplanationReport(
          explanation: explanation, method: request.method, sample: sample, inputName: name,
          inputDigest: input.digest, subject: subject)
        var written: [String] = []
        if wantsFigures {
          try session.checkCancellation()
          let figures = try painter.figures(
            of: explanation, sample: sample,
            mainOnly: request.method.usesTarget && places.takeOneFigure)
          if figures.isEmpty, invocation.has("output") {
            throw CommandError.usage(
              "--output: the attribution of shape \(explanation.attribution.tensor.shape) has no "
                + "height and width, so there is no picture; use --raw or --json")
          }
          let stem = input.samples > 1 ? "\(FileName.stem(of: input.path))-\(sample)" : input.path
          written = try stage(
            figures, of: report, named: stem, modelDigest: modelDigest?.get() ?? "", in: &places,
            &files)
        }
        if invocation.has("json") {
          reports.append(try report.json(files: written))
        } else {
          text += try report.text(files: written)
        }
      }
    }
    try request.checkTarget(against: samples)
    if let raw = invocation.text("raw") {
      try files.stage(try RawOutput.joined(rows).npyBytes(), at: raw)
      text += "  wrote \(raw.visible)\n"
    }
    try session.checkCancellation()
    try files.commit()
    guard invocation.has("json") else { return try session.write(text) }
    try session.write(
      JSON.report(
        [
          "schema": .integer(1), "verb": .string("explain"),
          "method": .string(request.method.identifier),
          "provenance": .object([
            "vitrine": .string(Command.version),
            "model": try model.json(digest: modelDigest?.get()),
            "options": .object(
              request.options.map { JSON.Member(name: $0.name, value: .string($0.value)) }),
            "seed": Int(exactly: settings.seed).map { .integer($0) }
              ?? .string(String(settings.seed)),
            "precision": .string(settings.configuration.precision.rawValue),
            "inputs": modelInputs.json,
            "threads": settings.configuration.threads.map { .integer($0) } ?? .null,
            "raw": invocation.text("raw").map { .string($0) },
          ]),
        ], results: reports
      ).text)
  }

  /// Stages the figures of one sample, and returns their paths.
  private static func stage(
    _ figures: [Figure], of report: ExplanationReport, named stem: String, modelDigest: String,
    in places: inout FigurePlaces, _ files: inout OutputFiles
  ) throws -> [String] {
    guard !figures.isEmpty else { return [] }
    let explained = report.explanation.explained
    var provenance = [
      (name: "Method", value: report.method.identifier),
      (name: "Site", value: explained.site.description),
      (name: "Model-SHA256", value: modelDigest),
      (name: "Input-SHA256", value: report.inputDigest),
    ]
    if let target = report.subject.name(of: explained, sample: report.sample, kind: "") {
      provenance.insert((name: "Target", value: target), at: 1)
    }
    let (folder, paths) = try places.paths(of: figures, input: stem)
    try files.makeFolder(folder)
    var written: [String] = []
    for (figure, path) in zip(figures, paths) {
      try files.stage(try figure.png(provenance), at: path)
      written.append(path)
      // What goes with a picture needs a name of its own, which a device does not have.
      for companion in figure.companions where OutputFiles.kind(of: path) != .device {
        let name = FigurePlaces.path(beside: path, suffix: companion.suffix)
        try files.stage(try figure.png(companion, provenance), at: name)
        written.append(name)
      }
    }
    return written
  }

  /// Checks the number of labels against the first output, where its shape is known.
  private static func checkLabels(_ labels: ClassLabels?, _ model: LoadedModel) throws {
    guard let labels, let output = model.network.signature.outputs.first else { return }
    let extents = zip(output.dimensions, output.axes).filter { $1 != .batch }.map(\.0)
    let known = extents.compactMap { $0 }
    guard !known.isEmpty, known.count == extents.count else { return }
    try labels.check(
      classes: known.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue })
  }
}
