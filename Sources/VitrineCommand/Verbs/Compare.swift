import VitrineCore
import VitrineFiles
import VitrineImaging
import VitrineNetwork
import VitrineReport
import VitrineTensor

extension Verb {
  /// `vitrine compare`
  static let compare = Verb(
    "compare",
    summary: "show what several methods say, side by side",
    operands: .atLeast(["MODEL", "INPUT"]),
    flags: [
      Flag(
        "methods", short: "m", .value("A,B,C"),
        help: "Which methods, from left to right; vitrine methods lists them."),
      Flag(
        "set", .repeated("METHOD.OPTION=VALUE"),
        help: "Set an option of one method; without METHOD, of every method that has it."),
      Flag(
        "target", short: "t", .value("CLASS|LABEL"), default: "top",
        help:
          "Which class or output to explain, the same for all methods: an index, a name, or top; a "
          + "list such as 3,5 for a class for each INPUT; otherwise as in vitrine help explain."),
      Flag(
        "layer", short: "l", .value("NAME"),
        help: "The layer to look at, for those methods that take one."),
      Flag(
        "score", .choice(["logit", "probability"]), default: "logit",
        help: "Explain the number before or after the final softmax."),
      CommonFlags.labels,
      ModelInputs.flag,
      Flag(
        "output", short: "o", .value("STRIP.png"),
        help: "Where the picture goes: a row for each input, a column for each method."),
      Flag(
        "report", .value("OUT.html"),
        help: "Write a page with every method's figures, in one file."),
    ] + CommonFlags.picture + CommonFlags.plugins + CommonFlags.running,
    examples: [
      Example(
        command: "vitrine compare model.onnx cat.png -m saliency,jacobian --output strip.png",
        purpose: "two methods on one photo, in one picture"),
      Example(
        command: "vitrine compare model.onnx cat.png -m saliency,activations "
          + "--set activations.layers=conv1",
        purpose: "with a setting of one method; --report compare.html writes a page"),
    ],
    notes: ["Without --output and --report the picture goes to compare.png here."]
  ) { invocation, session in
    let requests = try ComparedMethods(invocation, catalog: session.catalog).requests
    let settings = try RunSettings(invocation)
    let preparation = try PicturePreparation(invocation)
    let labels = try ClassLabels.given(invocation)
    for flag in ["output", "report"] {
      try RawOutput.check(
        invocation.text(flag), among: Array(invocation.operands), flag: flag)
    }
    let model = try LoadedModel(
      contentsOf: invocation.operands[0], configuration: settings.configuration)
    let modelInputs = try ModelInputs(
      invocation, for: model, preparation: preparation, note: session.note)
    let modelDigest = try model.digest()
    let context = Context(
      seed: settings.seed, memoryLimit: settings.configuration.memoryLimit ?? 1 << 30,
      labels: labels?.names, cancellation: session.cancellation,
      onProgress: { session.show($0, of: "compare") },
      resolveBaseline: { try preparation.baseline(named: $0, for: $1) })

    var comparison = Comparison()
    for path in invocation.operands.dropFirst() {
      let input = try LoadedInput(
        contentsOf: path, for: modelInputs.port, preparation: preparation, note: session.note)
      guard input.samples == 1 else {
        throw CommandError.usage(
          "compare shows one sample for each INPUT, found \(input.samples) in \(input.name)")
      }
      let inputs = try modelInputs.inputs(with: input.tensor)
      var row = Comparison.Row(input: input)
      for request in requests {
        try session.checkCancellation()
        let number = comparison.rows.count
        let subject = Subject(target: request.target, labels: labels)
        let target = try request.target(of: number..<number + 1)
        let explanation = try request.explainer.explain(
          model.network, at: inputs, target: target, context: context)
        session.clearProgress()
        let painter = FigurePainter(
          method: request.method, subject: subject, modelName: model.name, picture: input.picture,
          isBlueFirst: preparation.isBlueFirst)
        let report = ExplanationReport(
          explanation: explanation, method: request.method, sample: 0, inputName: input.name,
          inputDigest: input.digest, subject: subject)
        row.cells.append(
          Comparison.Cell(
            request: request, panel: try painter.panel(of: explanation),
            figures: try painter.figures(of: explanation, sample: 0),
            text: try report.text(files: [])))
      }
      comparison.rows.append(row)
    }
    for request in requests { try request.checkTarget(against: comparison.rows.count) }

    var files = OutputFiles()
    let provenance = [
      (name: "Method", value: requests.map(\.method.identifier).joined(separator: ", ")),
      (name: "Model-SHA256", value: modelDigest),
    ]
    let output = invocation.text("output") ?? (invocation.has("report") ? nil : "compare.png")
    if let output {
      try files.stage(
        try comparison.strip(model: model.name, labels: labels).png(provenance), at: output)
    }
    if let page = invocation.text("report") {
      let report = try comparison.report(
        model: model.name, digest: modelDigest, seed: settings.seed, provenance)
      try files.stage(Array(report.html.utf8), at: page)
    }
    try session.checkCancellation()
    let written = files.paths
    try files.commit()
    try session.write(
      comparison.rows.flatMap { $0.cells.map(\.text) }.joined()
        + written.map { "wrote \($0.visible)\n" }.joined())
  }
}

/// The methods that `vitrine compare` is asked for, with their options.
private struct ComparedMethods {
  let requests: [ExplainRequest]

  /// - Throws: ``CommandError`` or ``CoreError`` for methods and options that do not exist.
  init(_ invocation: Invocation, catalog: MethodCatalog) throws {
    guard let text = invocation.text("methods") else {
      throw CommandError.usage(
        "compare needs --methods A,B,C, some of "
          + catalog.methods.map(\.identifier).joined(separator: ", "))
    }
    let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let methods = try names.map { try catalog.entry(named: $0).method }
    var isUsed = Array(repeating: false, count: invocation.texts("set").count)
    requests = try zip(names, methods).map { name, method in
      var given: [String] = []
      for (index, setting) in invocation.texts("set").enumerated() {
        let option = setting.prefix { $0 != "=" }
        let parts = option.split(separator: ".", maxSplits: 1).map(String.init)
        if parts.count == 2, ([method.identifier] + method.aliases).contains(parts[0]) {
          given.append(String(setting.dropFirst(parts[0].count + 1)))
          isUsed[index] = true
        } else if parts.count == 1, method.options.contains(where: { $0.name == parts[0] }) {
          given.append(setting)
          isUsed[index] = true
        }
      }
      return try ExplainRequest(method: name, settings: given, invocation, catalog: catalog)
    }
    if let index = isUsed.firstIndex(of: false) {
      throw CommandError.usage(
        "--set \(invocation.texts("set")[index]): none of \(text) has this option; "
          + "expected METHOD.OPTION=VALUE")
    }
    if invocation.has("layer"), !methods.contains(where: \.takesLayer) {
      throw CommandError.usage("--layer: none of \(text) looks at a layer")
    }
    for flag in ["target", "score"]
    where invocation.has(flag) && !methods.contains(where: \.usesTarget) {
      throw CommandError.usage("--\(flag): none of \(text) explains a score; leave the flag out")
    }
  }
}
