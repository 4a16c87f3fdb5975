import VitrineCore

/// What an explanation is about, in words and for scripts: a class, several, a position, or a layer.
struct Subject: Sendable {
  let target: Target
  let labels: ClassLabels?

  /// Returns `class 281 (tabby, tabby cat)`, `class 3 (cat) - class 5 (dog)`, `position 2/3`, or the
  /// layer of a method that was given one instead of a target; `nil` for a Jacobian, which is of all
  /// outputs.
  ///
  /// - Parameter kind: What stands before the number of a class.
  func name(of explained: Explained, sample: Int, kind: String = "class ") -> String? {
    if case .weighted(let terms) = target.choice, explained.score != nil {
      return terms.enumerated().map { index, term in
        let sign = term.weight < 0 ? (index > 0 ? " - " : "-") : (index > 0 ? " + " : "")
        let factor = term.weight.magnitude
        return sign + (factor == 1 ? "" : "\(Number.significant(factor)) * ")
          + kind + labels.name(of: term.index)
      }.joined()
    }
    guard let element = element(of: explained, sample: sample) else {
      guard explained.score == nil, case .layer = explained.site else { return nil }
      return "\(explained.site)"
    }
    if case .coordinates(let position) = target.choice {
      return "position " + position.map(String.init).joined(separator: "/")
    }
    return kind + labels.name(of: element)
  }

  /// Returns the `target` of a result.
  func json(of explained: Explained, sample: Int) -> JSON {
    if case .weighted(let terms) = target.choice, explained.score != nil {
      return .object([
        "weights": .array(
          terms.map { term in
            .object([
              "index": .integer(term.index), "label": label(of: term.index),
              "weight": .number(term.weight),
            ])
          })
      ])
    }
    guard let element = element(of: explained, sample: sample) else { return .null }
    var position: JSON?
    if case .coordinates(let numbers) = target.choice { position = .integers(numbers) }
    return .object([
      "index": .integer(element), "label": label(of: element), "position": position,
    ])
  }

  private func label(of index: Int) -> JSON { labels.label(of: index).map { .string($0) } ?? .null }

  private func element(of explained: Explained, sample: Int) -> Int? {
    let elements = explained.elements
    // One class for all samples is named once.
    return elements.indices.contains(sample)
      ? elements[sample] : elements.count == 1 ? elements[0] : nil
  }
}
