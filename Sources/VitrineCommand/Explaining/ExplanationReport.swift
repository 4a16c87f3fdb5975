import VitrineCore
import VitrineReport
import VitrineTensor

/// An explanation of one sample, in words and for scripts.
struct ExplanationReport: Sendable {
  let explanation: Explanation
  let method: Method
  let sample: Int
  /// Name of the input, without its folder.
  let inputName: String
  let inputDigest: String
  /// What was asked for.
  let subject: Subject

  /// Longest list of features or outputs that the text shows.
  private static let mostRows = 20

  private var values: [Double] {
    explanation.values(sample: sample, of: explanation.attribution)
  }

  // MARK: - Words

  /// - Parameter files: What was written for this sample.
  func text(files: [String]) throws -> String {
    var text = headline
    let explained = explanation.explained
    if explained.skippedSoftmax {
      text += "  score read before the softmax, at \(explained.site.description.visible)\n"
    }
    for attribution in explanation.attributions.prefix(Self.mostRows) {
      text += try lines(for: attribution)
    }
    if explanation.attributions.count > Self.mostRows {
      text += "  and \(explanation.attributions.count - Self.mostRows) more\n"
    }
    text += diagnostics
    for warning in explanation.warnings { text += "  warning: \(warning.visible)\n" }
    for file in files { text += "  wrote \(file.visible)\n" }
    return text
  }

  private var headline: String {
    var text = "\(inputName.visible): \(method.identifier)"
    if method.usesTarget, let name = subject.name(of: explanation.explained, sample: sample) {
      text += " of \(name.visible)"
    }
    if let score = explanation.explained.score, values.count == 1 {
      text += ", \(score.rawValue) \(Number.significant(values[0]))"
    }
    return text + "\n"
  }

  private func lines(for attribution: Attribution) throws -> String {
    var text = "  \(attribution.name.visible) \(attribution.tensor.shape)"
    if let maps = try FeatureMaps(attribution, sample: sample), maps.height * maps.width > 1 {
      guard method.usesTarget, attribution.range.isEvidence else {
        return text + bounds(maps.values) + "\n"
      }
      text += maps.reduction.isEmpty ? "\n" : ", \(maps.reduction)\n"
      return text + (try mapTable(maps, isJacobian: attribution.axes.contains(.output)))
    }
    let numbers = try attribution.sampleValues(sample)
    return text + bounds(numbers) + "\n" + (try featureTable(attribution))
  }

  private func bounds(_ values: [Float]) -> String {
    guard let low = values.min(), let high = values.max() else { return "" }
    return ": \(Number.significant(Double(low), 4)) to \(Number.significant(Double(high), 4))"
  }

  /// Which pixels matter most, and how many do not matter at all.
  private func mapTable(_ maps: FeatureMaps, isJacobian: Bool) throws -> String {
    var table = TextTable([
      (isJacobian ? "output" : "", .left), (isJacobian ? "value" : "", .right),
      ("strongest", .right), ("at row, column", .right), ("half of it in", .right),
      ("exactly zero", .right),
    ])
    for (row, output) in explanation.outputIndices(rows: maps.rows).enumerated() {
      let statistics = MapStatistics(try maps.heatMap(row: row))
      guard let peak = statistics.strongest.first else { continue }
      table.add([
        isJacobian ? subject.labels.name(of: output) : "",
        isJacobian && values.indices.contains(row) ? Number.significant(values[row]) : "",
        Number.significant(Double(peak.value), 4), "\(peak.row), \(peak.column)",
        Number.fixed(statistics.halfMassShare * 100, 1) + "% of pixels",
        Number.fixed(statistics.zeroShare * 100, 1) + "% of pixels",
      ])
    }
    return table.text
  }

  /// Features with the largest attributions first; for a Jacobian a column for each output.
  private func featureTable(_ attribution: Attribution) throws -> String {
    guard attribution.axes.last == .feature, method.usesTarget, attribution.range.isEvidence else {
      return ""
    }
    let values = try attribution.sampleValues(sample)
    let features = attribution.tensor.shape.dimensions.last ?? 0
    guard features > 0 else { return "" }
    let rows = values.count / features
    let outputs =
      attribution.axes.contains(.output)
      ? explanation.outputIndices(rows: rows).map { "d prediction[\($0)]" } : ["attribution"]
    let strength = (0..<features).map { feature in
      (0..<rows).reduce(Float(0)) { max($0, values[$1 * features + feature].magnitude) }
    }
    let order = (0..<features).sorted {
      strength[$0] == strength[$1] ? $0 < $1 : strength[$0] > strength[$1]
    }
    let shownRows = min(rows, 8)
    var table = TextTable(
      [("feature", .right)] + outputs.prefix(shownRows).map { ($0, .right) })
    for feature in order.prefix(Self.mostRows) {
      table.add(
        [String(feature)]
          + (0..<shownRows).map { Number.significant(Double(values[$0 * features + feature])) })
    }
    return table.text
  }

  private var diagnostics: String {
    var table = TextTable([("", .left), ("", .left)])
    for (name, value) in explanation.diagnostics {
      let seconds = name.hasSuffix("-seconds")
      let title = (seconds ? String(name.dropLast(8)) + " time" : name)
        .split(separator: "-").joined(separator: " ")
      let text =
        switch value {
        case .number(let number):
          seconds ? Number.duration(seconds: number) : Number.significant(number)
        case .numbers(let numbers) where numbers.count > Self.mostRows:
          // A table for scripts: people get its size and range.
          "\(numbers.count) numbers, "
            + [numbers.min(), numbers.max()].compactMap(\.self)
            .map { Number.significant($0) }.joined(separator: " to ")
        case .numbers(let numbers):
          numbers.map { Number.significant($0) }.joined(separator: ", ")
        case .text(let text): text
        case .texts(let texts):
          texts.prefix(Self.mostRows).joined(separator: ", ")
            + (texts.count > Self.mostRows ? ", … (\(texts.count))" : "")
        }
      table.add([title, text])
    }
    return table.text
  }

  // MARK: - For scripts

  /// - Parameter files: What was written for this sample.
  func json(files: [String]) throws -> JSON {
    let explained = explanation.explained
    return .object([
      "input": .string(inputName),
      "input_sha256": .string(inputDigest),
      "target": subject.json(of: explained, sample: sample),
      "score": .object([
        "kind": explained.score.map { .string($0.rawValue) } ?? .null,
        "site": .string(explained.site.name),
        "skipped_softmax": .bool(explained.skippedSoftmax),
      ]),
      "values": .numbers(values),
      "attributions": .array(try explanation.attributions.map(json)),
      "diagnostics": .object(
        explanation.diagnostics.map { name, value in
          JSON.Member(name: name.split(separator: "-").joined(separator: "_"), value: json(value))
        }),
      "warnings": .strings(explanation.warnings),
      "outputs_written": .strings(files),
    ])
  }

  private func json(_ diagnostic: Explanation.Diagnostic) -> JSON {
    switch diagnostic {
    case .number(let number): .number(number)
    case .numbers(let numbers): .numbers(numbers)
    case .text(let text): .string(text)
    case .texts(let texts): .strings(texts)
    }
  }

  private func json(_ attribution: Attribution) throws -> JSON {
    let numbers = try attribution.sampleValues(sample)
    let maps = try FeatureMaps(attribution, sample: sample)
    let isMap =
      maps.map {
        $0.height * $0.width > 1 && method.usesTarget && attribution.range.isEvidence
      } ?? false
    return .object([
      "name": .string(attribution.name),
      "shape": .integers(attribution.tensor.shape.dimensions),
      "axes": .strings(attribution.axes.map(\.rawValue)),
      "range": .string(attribution.range.rawValue),
      "minimum": .number(numbers.min().map(Double.init) ?? .nan),
      "maximum": .number(numbers.max().map(Double.init) ?? .nan),
      "sum": .number(numbers.reduce(0.0) { $0 + Double($1) }),
      // Whole arrays are for --raw.
      "values": !isMap && numbers.count <= 1000 ? .numbers(numbers.map(Double.init)) : nil,
      "reduction": isMap ? maps.map { .string($0.reduction) } : nil,
      "maps": isMap ? try maps.map { try json($0) } : nil,
    ])
  }

  private func json(_ maps: FeatureMaps) throws -> JSON {
    .array(
      try explanation.outputIndices(rows: maps.rows).enumerated().map { row, output in
        let statistics = MapStatistics(try maps.heatMap(row: row))
        return .object([
          "output": .integer(output),
          "strongest": .array(
            statistics.strongest.map { pixel in
              .object([
                "row": .integer(pixel.row), "column": .integer(pixel.column),
                "value": .number(Double(pixel.value)),
              ])
            }),
          "half_mass_share": .number(statistics.halfMassShare),
          "zero_share": .number(statistics.zeroShare),
        ])
      })
  }
}

extension Attribution {
  /// Returns the numbers of one sample, in the order of the axes.
  func sampleValues(_ sample: Int) throws -> [Float] {
    var tensor = tensor
    if let batch = axes.firstIndex(of: .batch), tensor.rank > 0 {
      tensor = try tensor.sliced(axis: batch, sample..<sample + 1)
    }
    return try tensor.converted(to: .float32).elements(of: Float.self)
  }
}

extension Attribution.Range {
  /// Whether its numbers say where something matters, and how much.
  var isEvidence: Bool { self == .signed || self == .nonnegative }
}
