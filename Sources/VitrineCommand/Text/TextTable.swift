import VitrineReport

/// Rows in aligned columns for a terminal or a pipe; what strangers wrote is made visible.
struct TextTable {
  enum Alignment {
    case left, right
  }

  private let alignments: [Alignment]
  private let hasHeader: Bool
  private var rows: [[String]]

  /// - Parameter columns: Header and alignment of each column; a table without headers starts with
  ///   its first row.
  init(_ columns: [(header: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    let header = columns.map(\.header)
    hasHeader = !header.allSatisfy(\.isEmpty)
    rows = hasHeader ? [header] : []
  }

  /// Adds a row of as many cells as there are columns.
  mutating func add(_ cells: [String]) {
    precondition(cells.count == alignments.count, "a row has one cell for each column")
    rows.append(cells.map(\.visible))
  }

  /// The rows, each on a line of its own after two spaces; columns without a single cell but their
  /// header are left out.
  var text: String {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let isEmpty = alignments.indices.map { column in
      hasHeader && rows.count > 1 && rows.dropFirst().allSatisfy { $0[column].isEmpty }
    }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() where !isEmpty[column] {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += "  " + (alignments[column] == .left ? cell + padding : padding + cell)
      }
      while line.hasSuffix(" ") { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
