import Testing
import VitrineImaging
import VitrineReport

@Suite("The visual log")
struct VisualLogTests {
  private let image = try? Image(width: 2, height: 2, color: .gray)

  @Test("records appear in order with titles, footnotes and pictures; lower levels are left out")
  func records() throws {
    let image = try #require(image)
    var log = VisualLog(title: "Loading", level: .info)
    log.record("raw", [image, image], footnote: "two of many")
    log.record("details", [image], level: .debug)
    log.record("blank <b>", [(image, "nothing & more")], level: .warning)
    #expect(log.records.map(\.title) == ["raw", "blank <b>"])
    let page = try log.html()
    #expect(page.contains("two of many"))
    #expect(page.contains("blank &lt;b&gt; (warning)"))
    #expect(page.contains("nothing &amp; more"))
    #expect(page.components(of: "<img").count == 4)
    let first = try #require(page.range(of: "two of many"))
    let second = try #require(page.range(of: "nothing &amp; more"))
    #expect(first.lowerBound < second.lowerBound)
  }
}

extension String {
  fileprivate func components(of separator: String) -> [Substring] {
    split(separator: separator, omittingEmptySubsequences: false)
  }

  fileprivate func range(of text: String) -> Range<Index>? { firstRange(of: text) }
}
