import VitrineFiles
import VitrineTensor

/// Rows of text under named columns, as a CSV file has them (RFC 4180).
///
/// Fields may be quoted; a quote inside is doubled; line ends of any system; a byte order mark and an
/// empty last line do not count.
public struct Table: Sendable {
  /// Names, in order.
  public let columns: [String]
  /// As many cells in each row as there are columns.
  public let rows: [[String]]

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: A file.
  ///   - separator: Between fields, one ASCII character.
  /// - Throws: `FileError`, ``DataError``.
  public init(contentsOf path: String, separator: Character = ",") throws {
    try self.init(
      csv: InputFile.bytes(at: path, what: "table", limit: 1 << 30), separator: separator)
  }

  /// Reads a file from its bytes.
  ///
  /// - Throws: ``DataError/malformed(format:offset:reason:)``.
  /// - Complexity: O(bytes).
  public init(csv bytes: [UInt8], separator: Character = ",") throws(DataError) {
    guard let mark = separator.asciiValue, mark != quote, mark != newline, mark != carriageReturn
    else { throw .invalidArgument("expected a separator of one ASCII character") }
    var records = try Self.records(bytes, separator: mark)
    guard !records.isEmpty else {
      throw .malformed(format: "CSV", offset: 0, reason: "expected a header, found nothing")
    }
    let columns = records.removeFirst().cells
    guard Set(columns).count == columns.count else {
      throw .malformed(format: "CSV", offset: 0, reason: "two columns have the same name")
    }
    for record in records where record.cells.count != columns.count {
      throw .malformed(
        format: "CSV", offset: record.offset,
        reason: "expected \(columns.count) cells, found \(record.cells.count)")
    }
    self.columns = columns
    rows = records.map(\.cells)
  }

  // MARK: - Data sets

  /// Returns samples whose target is a class.
  ///
  /// - Parameters:
  ///   - target: The column with the class: any text, or whole numbers from 0 on, which are then the
  ///     class numbers themselves. Texts become classes in the order of their bytes.
  ///   - features: The columns of the inputs, numbers; `nil` for all others.
  /// - Throws: ``DataError`` for a column that is not there or a cell that is no number.
  public func classification(target: String, features: [String]? = nil) throws -> LabeledData {
    let column = try index(of: target)
    let cells = rows.map { $0[column] }
    let numbers = cells.compactMap { Int64($0) }
    let inputs = try inputs(features, besides: [target])
    if numbers.count == cells.count, numbers.allSatisfy({ (0..<100_000).contains($0) }) {
      return try LabeledData(inputs: inputs, targets: Tensor(numbers))
    }
    let classes = Set(cells).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let positions = Dictionary(
      uniqueKeysWithValues: classes.enumerated().map { ($1, Int64($0)) })
    return try LabeledData(
      inputs: inputs, targets: Tensor(cells.compactMap { positions[$0] }), classes: classes)
  }

  /// Returns samples whose targets are numbers, `[sample, output]`.
  ///
  /// - Parameters:
  ///   - targets: The columns of the outputs.
  ///   - features: The columns of the inputs; `nil` for all others.
  /// - Throws: As ``classification(target:features:)``.
  public func regression(targets: [String], features: [String]? = nil) throws -> LabeledData {
    try LabeledData(
      inputs: inputs(features, besides: targets), targets: matrix(targets.map { try index(of: $0) })
    )
  }

  private func inputs(_ features: [String]?, besides others: [String]) throws -> Tensor {
    let names = features ?? columns.filter { !others.contains($0) }
    return try matrix(names.map { try index(of: $0) })
  }

  private func index(of column: String) throws(DataError) -> Int {
    guard let index = columns.firstIndex(of: column) else {
      throw .notFound(what: "column", name: column, known: columns)
    }
    return index
  }

  private func matrix(_ indices: [Int]) throws -> Tensor {
    guard !indices.isEmpty else {
      throw DataError.invalidArgument("expected at least one column, found none")
    }
    var elements: [Float] = []
    elements.reserveCapacity(rows.count * indices.count)
    for (number, row) in rows.enumerated() {
      for index in indices {
        guard let value = Float(row[index].trimmed) else {
          throw DataError.invalidCell(
            row: number + 1, column: columns[index], expected: "a number", found: row[index])
        }
        elements.append(value)
      }
    }
    return try Tensor(elements, shape: [rows.count, indices.count])
  }

  // MARK: - Reading

  private static func records(
    _ bytes: [UInt8], separator: UInt8
  ) throws(DataError) -> [(offset: Int, cells: [String])] {
    var records: [(offset: Int, cells: [String])] = []
    var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while position < bytes.count {
      let start = position
      var cells: [String] = []
      var isEndOfRecord = false
      while !isEndOfRecord {
        cells.append(try cell(bytes, at: &position, separator: separator))
        guard position < bytes.count else { break }
        isEndOfRecord = bytes[position] != separator
        if bytes[position] == carriageReturn, position + 1 < bytes.count,
          bytes[position + 1] == newline
        {
          position += 1
        }
        position += 1
        // A separator at the very end leaves one more empty cell.
        if !isEndOfRecord, position == bytes.count {
          cells.append("")
          break
        }
      }
      if cells != [""] { records.append((start, cells)) }
    }
    return records
  }

  /// Reads one cell and stops at what ends it.
  private static func cell(
    _ bytes: [UInt8], at position: inout Int, separator: UInt8
  ) throws(DataError) -> String {
    let start = position
    var content: [UInt8] = []
    if position < bytes.count, bytes[position] == quote {
      position += 1
      while true {
        guard position < bytes.count else {
          throw .malformed(format: "CSV", offset: start, reason: "a quote is never closed")
        }
        if bytes[position] == quote {
          guard position + 1 < bytes.count, bytes[position + 1] == quote else { break }
          position += 1
        }
        content.append(bytes[position])
        position += 1
      }
      position += 1
      guard position == bytes.count || endsCell(bytes[position], separator) else {
        throw .malformed(
          format: "CSV", offset: position, reason: "expected the end of a cell after a quote")
      }
    } else {
      while position < bytes.count, !endsCell(bytes[position], separator) { position += 1 }
      content = Array(bytes[start..<position])
    }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw .malformed(format: "CSV", offset: start, reason: "expected text in UTF-8")
    }
    return text
  }

  private static func endsCell(_ byte: UInt8, _ separator: UInt8) -> Bool {
    byte == separator || byte == newline || byte == carriageReturn
  }
}

private let quote = UInt8(ascii: "\"")
private let newline = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")

extension String {
  fileprivate var trimmed: Substring {
    let isBlank = { (character: Character) in character == " " || character == "\t" }
    let start = self.drop(while: isBlank)
    return start.dropLast(start.reversed().prefix(while: isBlank).count)
  }
}
