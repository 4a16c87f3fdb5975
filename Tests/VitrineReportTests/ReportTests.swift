import Testing
import VitrineReport

@Suite("Report")
struct ReportTests {
  private func report(_ text: String) -> Report {
    Report(
      title: text, introduction: [text],
      sections: [
        Report.Section(
          title: text, paragraphs: [text],
          cards: [
            Report.Card(
              title: text, picture: [0x89, 0x50, 0x4E, 0x47], width: 4, height: 2,
              description: text, caption: text)
          ],
          tables: [Report.Table(caption: text, header: [text, text], rows: [[text, text]])])
      ],
      provenance: [(text, text)])
  }

  @Test(
    "no text can become markup",
    arguments: [
      "\"><script>alert(1)</script>", "</title><img src=x onerror=alert(1)>", "]]><!--",
      "' onload='x", "javascript:alert(1)", "</style><script>",
    ])
  func hostileText(text: String) {
    let harmless = report("x").html
    let html = report(text).html
    // Same elements, whatever the texts say: markup characters exist in pairs only from us.
    for mark: Character in ["<", ">"] {
      #expect(html.count { $0 == mark } == harmless.count { $0 == mark })
    }
    #expect(!html.contains("<script"))
    #expect(!html.contains("onerror=alert(1)>"))
  }

  @Test("quotes in a description cannot end its attribute")
  func quotes() {
    let html = report("a\"b'c").html
    #expect(html.contains("alt=\"a&quot;b&#39;c\""))
  }

  @Test("controls and marks of direction are written out")
  func controls() {
    let html = report("a\u{202E}b\u{0}c\u{1B}[31m").html
    #expect(html.contains("a\\u{202E}b\\u{0}c\\u{1B}[31m"))
    #expect(html.unicodeScalars.allSatisfy { $0.value >= 0x20 || $0 == "\n" })
  }

  @Test("the page loads nothing and runs nothing")
  func policy() {
    let html = report("x").html
    #expect(html.contains("default-src 'none'; img-src data:; style-src 'sha256-"))
    #expect(!html.contains("http://") && !html.contains("https://"))
    #expect(html.contains("<html lang=\"en\">"))
    #expect(html.contains("src=\"data:image/png;base64,iVBORw==\" width=\"4\" height=\"2\""))
  }

  @Test("the page has one main heading and a name for every column")
  func structure() {
    let html = report("x").html
    #expect(html.occurrences(of: "<h1>") == 1)
    #expect(html.occurrences(of: "<th scope=\"col\">") == 2)
    #expect(html.occurrences(of: "<th scope=\"row\">") == 1)
  }
}

extension String {
  /// Number of times a part occurs.
  fileprivate func occurrences(of part: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.firstRange(of: part) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
