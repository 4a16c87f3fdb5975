/// Finds the name someone probably meant.
enum Spelling {
  /// Returns the candidate at the smallest edit distance, at most two, or nil.
  static func closest(to name: String, among candidates: [String]) -> String? {
    let name = Array(name.utf8.prefix(64))
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let distance = editDistance(name, Array(candidate.utf8))
      if distance <= 2, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.candidate
  }

  /// Levenshtein distance, keeping one row of the table.
  private static func editDistance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var row = Array(0...second.count)
    for (i, a) in first.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in second.enumerated() {
        let substitution = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substitution, diagonal + 1, row[j] + 1)
      }
    }
    return row[second.count]
  }
}
