import VitrineFiles
public import VitrineImaging

/// A log of pictures: one page to scroll through, with what went in and came out at each stage.
///
/// Loading, resizing, augmentation, explanations: whatever is worth a look becomes a record of pictures
/// with a title and a footnote. The page is one file that needs nothing else.
public struct VisualLog: Sendable {
  /// How much a record matters.
  public enum Level: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// For those who look for a mistake.
    case debug
    /// Worth seeing.
    case info
    /// Something may be wrong.
    case warning
    /// Something failed.
    case error

    public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
  }

  /// Pictures that belong together.
  public struct Record: Sendable {
    /// Heading of the record.
    public let title: String
    /// Stands under the title; may be empty.
    public let footnote: String
    /// How important it is.
    public let level: Level
    /// Each with its caption.
    public let pictures: [(image: Image, caption: String)]
  }

  /// Title of the page.
  public let title: String
  /// Records below this level are not kept.
  public let level: Level
  /// In the order they were made.
  public private(set) var records: [Record] = []

  /// Starts a log.
  public init(title: String, level: Level = .info) {
    self.title = title
    self.level = level
  }

  /// Adds a record, unless its level is below the log's.
  ///
  /// - Parameters:
  ///   - title: Heading of the record.
  ///   - pictures: Each with a line of text; may be empty.
  ///   - footnote: Stands under the title; may be empty.
  ///   - level: How important it is.
  public mutating func record(
    _ title: String, _ pictures: [(image: Image, caption: String)], footnote: String = "",
    level: Level = .info
  ) {
    guard level >= self.level else { return }
    records.append(
      Record(title: title, footnote: footnote, level: level, pictures: pictures))
  }

  /// Adds a record of pictures without texts of their own; see the other ``record(_:_:footnote:level:)``.
  public mutating func record(
    _ title: String, _ pictures: [Image], footnote: String = "", level: Level = .info
  ) {
    record(title, pictures.map { ($0, "") }, footnote: footnote, level: level)
  }

  /// Returns the page.
  ///
  /// - Throws: `ImagingError` if a picture cannot be encoded.
  public func html() throws -> String {
    let sections = try records.enumerated().map { number, record in
      Report.Section(
        title: record.title + (record.level > .info ? " (\(record.level))" : ""),
        paragraphs: record.footnote.isEmpty ? [] : [record.footnote],
        cards: try record.pictures.enumerated().map { index, picture in
          Report.Card(
            title: record.pictures.count > 1 ? "\(index + 1) of \(record.pictures.count)" : "",
            picture: try PNG.encode(picture.image), width: picture.image.width,
            height: picture.image.height,
            description: picture.caption.isEmpty
              ? "Picture \(index + 1) of record \(number + 1), \(record.title)" : picture.caption,
            caption: picture.caption)
        })
    }
    let count = records.count == 1 ? "1 record" : "\(records.count) records"
    return Report(title: title, introduction: [count + "."], sections: sections, provenance: [])
      .html
  }

  /// Writes the page, whole or not at all.
  ///
  /// - Throws: `FileError`, `ImagingError`.
  public func write(to path: String) throws {
    try OutputFiles.write(Array(html().utf8), to: path)
  }
}
