import VitrineCore
import VitrineFiles
import VitrineNetwork
import VitrineReport
import VitrineTensor

extension Verb {
  /// `vitrine predict`
  static let predict = Verb(
    "predict",
    summary: "say what a model sees in pictures or arrays",
    operands: .atLeast(["MODEL", "INPUT"]),
    flags: [
      CommonFlags.labels,
      ModelInputs.flag,
      Flag(
        "top", .value("K"), default: "5",
        help:
          "How many classes to list. Outputs without a softmax are then read as logits, as with "
          + "--labels."),
      Flag("raw", .value("OUT.npy"), help: "Write the first output of all inputs as an array."),
      CommonFlags.json,
    ] + CommonFlags.picture + CommonFlags.running,
    examples: [
      Example(
        command: "vitrine predict model.onnx cat.png --preprocess imagenet --labels classes.txt",
        purpose: "the five likeliest classes"),
      Example(
        command: "vitrine predict model.onnx photo.jpg --preprocess caffe --resize 256 --crop 224",
        purpose: "a picture of another size"),
      Example(
        command: "vitrine predict model.onnx rows.npy --json",
        purpose: "an array as it is, for scripts"),
    ],
    notes: [
      "If the model ends in a softmax its output is printed. Outputs named like logits, and any "
        + "output with --labels or --top, are turned into probabilities by a softmax, and the text "
        + "says so. Other outputs are printed as the numbers they are."
    ]
  ) { invocation, session in
    let settings = try RunSettings(invocation)
    let preparation = try PicturePreparation(invocation)
    let top = try invocation.integer("top", in: 1...1_000_000)
    let labels = try ClassLabels.given(invocation)
    let model = try LoadedModel(
      contentsOf: invocation.operands[0], configuration: settings.configuration)
    let modelInputs = try ModelInputs(
      invocation, for: model, preparation: preparation, note: session.note)
    let areClasses: Bool? = top != nil || labels != nil ? true : nil
    let paths = Array(invocation.operands.dropFirst())
    try RawOutput.check(invocation.text("raw"), among: [model.path] + paths, flag: "raw")

    var files = OutputFiles()
    var reports: [JSON] = []
    var text = ""
    var rows: [Tensor] = []
    var isAssumptionTold = !preparation.isDefault
    for path in paths {
      try session.checkCancellation()
      let input = try LoadedInput(
        contentsOf: path, for: modelInputs.port, preparation: preparation, note: session.note)
      if input.picture != nil, !isAssumptionTold {
        session.note("pixels scaled to 0...1, as no --preprocess is given")
        isAssumptionTold = true
      }
      let inputs = try modelInputs.inputs(with: input.tensor)
      let samples = try model.network.predictions(at: inputs, areClasses: areClasses)
      for (index, predictions) in samples.enumerated() {
        let name = samples.count > 1 ? "\(input.name)[\(index)]" : input.name
        for prediction in predictions {
          if prediction.meaning != .values || labels != nil {
            try labels?.check(classes: prediction.values.count)
          }
          text += prediction.text(
            of: name, labels: labels, top: top ?? 5, showsOutput: predictions.count > 1)
        }
        reports.append(
          .object([
            "input": .string(name), "input_sha256": .string(input.digest),
            "outputs": .array(predictions.map { $0.json(labels: labels, top: top ?? 5) }),
          ]))
      }
      if invocation.has("raw"), let output = model.network.signature.outputs.first {
        rows.append(try model.network.evaluate(inputs, observing: [.output(output.name)])[0])
      }
    }
    if let raw = invocation.text("raw") {
      try files.stage(try RawOutput.joined(rows).npyBytes(), at: raw)
    }
    try session.checkCancellation()
    try files.commit()
    guard invocation.has("json") else { return try session.write(text) }
    try session.write(
      JSON.report(
        [
          "schema": .integer(1), "verb": .string("predict"), "model": try model.json(),
          "precision": .string(settings.configuration.precision.rawValue),
          "vitrine": .string(Command.version),
          "outputs_written": .strings(invocation.text("raw").map { [$0] } ?? []),
        ], results: reports
      ).text)
  }
}

extension Prediction {
  /// The prediction in words, with a table of classes.
  fileprivate func text(
    of name: String, labels: ClassLabels?, top: Int, showsOutput: Bool
  ) -> String {
    let title = (showsOutput ? "\(name), output '\(output)'" : name).visible
    let best = ranking.first
    guard meaning != .values, let best else {
      var table = TextTable([("index", .right), ("value", .right), ("label", .left)])
      for (index, value) in values.enumerated() {
        table.add([String(index), Number.significant(value), labels.label(of: index) ?? ""])
      }
      return "\(title): \(values.count) number\(values.count == 1 ? "" : "s")\n" + table.text
    }
    let probability = "probability \(Number.fixed(values[best], 3))"
    let name =
      labels.label(of: best).map { "\($0.visible) (class \(best), \(probability))" }
      ?? "class \(best) (\(probability))"
    var text = "\(title): about a \(Number.fixed(values[best] * 100, 3))% chance of \(name)\n"
    if meaning == .softmaxOfLogits {
      text += "  (the model gives logits; these are their softmax)\n"
    }
    var table = TextTable([
      ("class", .right), ("probability", .right), ("logit", .right), ("label", .left),
    ])
    for index in ranking.prefix(top) {
      table.add([
        String(index), Number.fixed(values[index] * 100, 3) + "%",
        logits.map { Number.fixed($0[index], 3) } ?? "", labels.label(of: index) ?? "",
      ])
    }
    return text + table.text
  }

  /// The prediction for scripts: the top classes, and every value.
  fileprivate func json(labels: ClassLabels?, top: Int) -> JSON {
    .object([
      "output": .string(output),
      "kind": .string(meaning.rawValue),
      "top": meaning == .values
        ? nil
        : .array(
          ranking.prefix(top).map { index in
            .object([
              "index": .integer(index),
              "label": labels.label(of: index).map { .string($0) } ?? .null,
              "probability": .number(values[index]),
              "logit": logits.map { .number($0[index]) } ?? .null,
            ])
          }),
      "values": .numbers(values),
    ])
  }
}
