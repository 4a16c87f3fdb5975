/// A page of pictures, captions and tables in one file that needs nothing else: no network, no
/// script, no other file.
///
/// Every text is shown as text, whatever it holds; pictures travel inside the page.
public struct Report: Sendable {
  /// A picture with what it shows.
  public struct Card: Sendable {
    /// Its heading.
    public let title: String
    /// The bytes of a PNG file.
    public let picture: [UInt8]
    /// Size in pixels of the page, not of the picture.
    public let width: Int
    /// Size in pixels of the page, not of the picture.
    public let height: Int
    /// What someone who cannot see the picture should know.
    public let description: String
    /// What a reader should see in it.
    public let caption: String

    /// Creates a picture.
    public init(
      title: String, picture: [UInt8], width: Int, height: Int, description: String,
      caption: String
    ) {
      self.title = title
      self.picture = picture
      self.width = width
      self.height = height
      self.description = description
      self.caption = caption
    }
  }

  /// Rows under a header; every row has as many cells as the header.
  public struct Table: Sendable {
    /// What the rows are.
    public let caption: String
    /// Names of the columns.
    public let header: [String]
    /// The first cell of a row is its heading.
    public let rows: [[String]]

    /// Creates a table.
    public init(caption: String, header: [String], rows: [[String]]) {
      self.caption = caption
      self.header = header
      self.rows = rows
    }
  }

  /// A part of the page under its own heading.
  public struct Section: Sendable {
    /// Its heading.
    public let title: String
    /// Text before the pictures.
    public let paragraphs: [String]
    /// Pictures.
    public let cards: [Card]
    /// Tables after the pictures.
    public let tables: [Table]

    /// Creates a part.
    public init(
      title: String, paragraphs: [String] = [], cards: [Card] = [], tables: [Table] = []
    ) {
      self.title = title
      self.paragraphs = paragraphs
      self.cards = cards
      self.tables = tables
    }
  }

  /// Heading and title of the page.
  public let title: String
  /// One or two sentences under the title.
  public let introduction: [String]
  /// In the order of the page.
  public let sections: [Section]
  /// How the page came about: versions, hashes, options.
  public let provenance: [(name: String, value: String)]

  /// Creates a page.
  public init(
    title: String, introduction: [String], sections: [Section],
    provenance: [(name: String, value: String)]
  ) {
    self.title = title
    self.introduction = introduction
    self.sections = sections
    self.provenance = provenance
  }

  /// The page as HTML.
  public var html: String {
    let header = HTML.element(
      .header, [],
      [.element(.h1, [], [.text(title)])]
        + introduction.map { .element(.p, [], [.text($0)]) })
    let body = HTML.element(.main, [], sections.map(\.html))
    let facts = provenance.flatMap { name, value -> [HTML] in
      [.element(.dt, [], [.text(name)]), .element(.dd, [], [.text(value)])]
    }
    let footer = HTML.element(
      .footer, [], [.element(.h2, [], [.text("Provenance")]), .element(.dl, [], facts)])
    return HTML.page(title: title, style: reportStyle, body: [header, body, footer])
  }
}

extension Report.Section {
  var html: HTML {
    var content: [HTML] = [.element(.h2, [], [.text(title)])]
    content += paragraphs.map { .element(.p, [], [.text($0)]) }
    if !cards.isEmpty {
      let isWide = cards.contains { $0.width * 4 > $0.height * 5 }
      content.append(
        .element(.div, [.class(isWide ? "cards wide" : "cards")], cards.map(\.html)))
    }
    content += tables.map(\.html)
    return .element(.section, [], content)
  }
}

extension Report.Card {
  var html: HTML {
    .element(
      .figure, [],
      [
        .element(
          .img, [.png(picture), .width(width), .height(height), .alt(description)]),
        .element(
          .figcaption, [],
          [.element(.strong, [], [.text(title)]), .text(" "), .text(caption)]),
      ])
  }
}

extension Report.Table {
  var html: HTML {
    let head = header.map { HTML.element(.th, [.scope("col")], [.text($0)]) }
    let body = rows.map { row in
      HTML.element(
        .tr, [],
        row.enumerated().map { column, cell in
          column == 0
            ? .element(.th, [.scope("row")], [.text(cell)]) : .element(.td, [], [.text(cell)])
        })
    }
    return .element(
      .div, [.class("scroll")],
      [
        .element(
          .table, [],
          [
            .element(.caption, [], [.text(caption)]),
            .element(.thead, [], [.element(.tr, [], head)]),
            .element(.tbody, [], body),
          ])
      ])
  }
}
