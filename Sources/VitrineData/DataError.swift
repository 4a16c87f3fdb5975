/// Why samples could not be read or made.
public enum DataError: Error, Sendable, Equatable {
  /// The bytes break the rules of their format; `offset` counts from the start of the (uncompressed)
  /// file.
  case malformed(format: String, offset: Int, reason: String)
  /// A table's cell is not what its column needs; rows count from 1 below the header.
  case invalidCell(row: Int, column: String, expected: String, found: String)
  /// A size found in the file is above what is accepted.
  case tooLarge(what: String, found: Int, maximum: Int)
  /// A column, folder or value is not there; the text says what is.
  case notFound(what: String, name: String, known: [String])
  /// A caller's value is outside what is accepted; the text says what is.
  case invalidArgument(String)
}

extension DataError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .malformed(let format, let offset, let reason):
      return "\(format) is damaged at byte \(offset): \(reason); get an intact copy of the file"
    case .invalidCell(let row, let column, let expected, let found):
      return "row \(row), column '\(column)': expected \(expected), found '\(found.prefix(40))'; "
        + "mend the table or leave the column out"
    case .tooLarge(let what, let found, let maximum):
      return "\(what) holds \(found) where at most \(maximum) are accepted; read a part of it"
    case .notFound(let what, let name, let known):
      let list = known.prefix(12).joined(separator: ", ") + (known.count > 12 ? ", …" : "")
      return "no \(what) '\(name)'; there is \(list.isEmpty ? "none" : list)"
    case .invalidArgument(let message):
      return message
    }
  }
}
