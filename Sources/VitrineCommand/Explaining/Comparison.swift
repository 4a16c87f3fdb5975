import VitrineCore
import VitrineImaging
import VitrineReport

/// What several methods say about several inputs.
struct Comparison: Sendable {
  /// What one method says about one input.
  struct Cell: Sendable {
    let request: ExplainRequest
    /// The map alone, over the picture; `nil` if the attribution is none.
    let panel: Image?
    let figures: [Figure]
    let text: String
  }

  struct Row: Sendable {
    let input: LoadedInput
    var cells: [Cell] = []
  }

  var rows: [Row] = []

  /// Returns one picture: a row for each input, the input itself first, then a column for each method.
  func strip(model: String, labels: ClassLabels?) throws -> Figure {
    var lines: [Image] = []
    for row in rows {
      var tiles: [Image] = []
      if let picture = row.input.picture {
        tiles.append(try FigurePainter.panel(picture).titled(row.input.name, size: 2))
      }
      for cell in row.cells {
        guard let panel = cell.panel else {
          throw CommandError.usage(
            "compare: \(cell.request.method.identifier) gives no map with a height and width for "
              + "\(row.input.name), so there is no picture; use --report")
        }
        tiles.append(try panel.titled(cell.request.method.identifier, size: 2))
      }
      lines.append(try Image.strip(tiles, gap: 8))
    }
    let names = rows.first?.cells.map(\.request.method.identifier) ?? []
    let title = names.joined(separator: ", ") + " on " + model
    return Figure(
      name: nil, title: title,
      image: try Image.strip([Image.stack(lines, gap: 8).titled(title, size: 2)], gap: 10),
      finding: "A row for each of \(rows.count) inputs, a column for each method.", scale: 0...1)
  }

  /// Returns a page with a section for each input.
  func report(
    model: String, digest: String, seed: UInt64, _ provenance: [(name: String, value: String)]
  ) throws -> Report {
    let sections = try rows.map { row in
      let cards = try row.cells.flatMap { cell in
        try cell.figures.map { figure in
          Report.Card(
            title: figure.title, picture: try figure.png(provenance), width: figure.image.width,
            height: figure.image.height, description: figure.description, caption: figure.finding)
        }
      }
      let settings = Report.Table(
        caption: "Settings", header: ["method", "options"],
        rows: row.cells.map { cell in
          [
            cell.request.method.identifier,
            cell.request.options.map { "\($0.name)=\($0.value)" }.joined(separator: ", "),
          ]
        })
      return Report.Section(title: row.input.name, cards: cards, tables: [settings])
    }
    return Report(
      title: "What several methods say",
      introduction: ["The same model and inputs, explained by each method."],
      sections: sections,
      provenance: [
        ("Vitrine", Command.version), ("Model", model), ("Model SHA-256", digest),
        ("Seed", String(seed)),
      ] + rows.map { ("Input \($0.input.name) SHA-256", $0.input.digest) })
  }
}

extension FigurePainter {
  /// Sides of panels in a strip, in pixels, are near this.
  private static let panelSide = 280

  /// Returns a picture at the size of a panel.
  static func panel(_ image: Image) throws -> Image {
    let factor = Double(panelSide) / Double(max(image.width, image.height))
    return factor >= 1.5
      ? try image.magnified(by: Int(factor.rounded()))
      : try image.resized(
        width: max(1, Int((Double(image.width) * factor).rounded())),
        height: max(1, Int((Double(image.height) * factor).rounded())))
  }

  /// Returns the main map of an explanation of one sample as a panel, without legend: over the picture if
  /// there is one; of several maps, such as channels or outputs, a grid.
  ///
  /// - Returns: `nil` if the attribution has no height and width.
  func panel(of explanation: Explanation) throws -> Image? {
    let attribution = explanation.attribution
    if !attribution.range.isEvidence {
      return try inputFigure(of: explanation, sample: 0).map { try Self.panel($0.image) }
    }
    guard let maps = try FeatureMaps(attribution, sample: 0), maps.height * maps.width > 1 else {
      return nil
    }
    let signed = attribution.range == .signed
    if maps.rows == 1, method.usesTarget {
      let map = try maps.heatMap(row: 0)
      let scale = try ColorScale.fitted(to: map.values, signed: signed)
      guard let picture else { return try Self.panel(map.rendered(scale: scale)) }
      return try map.overlaid(on: Self.panel(picture), scale: scale)
    }
    let tiles =
      try maps.rows > 1
      ? (0..<min(maps.rows, 64)).map { try maps.heatMap(row: $0) }
      : maps.planes(row: 0).prefix(64 * maps.height * maps.width)
        .split(count: maps.height * maps.width)
        .map { try HeatMap(width: maps.width, height: maps.height, values: $0) }
    let scale = try ColorScale.fitted(to: tiles.flatMap(\.values), signed: signed)
    return try Self.panel(
      Image.grid(tiles.map { try $0.rendered(scale: scale) }, gap: 1))
  }
}

extension ArraySlice {
  /// Returns consecutive pieces of `count` elements; a shorter rest is left out.
  fileprivate func split(count: Int) -> [[Element]] {
    stride(from: startIndex, to: endIndex - count + 1, by: count).map {
      Array(self[$0..<$0 + count])
    }
  }
}
