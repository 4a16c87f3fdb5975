import Foundation
import Testing
import VitrineCommand

@Suite("Text and numbers")
struct TextTests {
  @Test(
    "fixed decimals round halves away from zero and never print a negative zero",
    arguments: [
      (0.0, 3, "0.000"), (0.9385160207748413, 3, "0.939"), (-0.0001, 2, "0.00"),
      (-1.005, 1, "-1.0"), (2.5, 0, "3"), (99.831, 3, "99.831"), (1e20, 2, "1e+20"),
    ])
  func fixed(value: Double, digits: Int, text: String) {
    #expect(Number.fixed(value, digits) == text)
  }

  @Test(
    "significant digits switch to an exponent where that is shorter",
    arguments: [
      (0.0, "0"), (29.581235, "29.5812"), (-0.000123456, "-0.000123456"), (1e-9, "1e-9"),
      (123_456_789, "1.23457e8"), (9.9999999e-7, "1e-6"), (999999.9, "1000000"), (.nan, "nan"),
      (-.infinity, "-inf"), (Double.leastNonzeroMagnitude, "4.94066e-324"), (1.7e308, "1.7e308"),
    ])
  func significant(value: Double, text: String) {
    #expect(Number.significant(value) == text)
  }

  @Test(
    "counts are grouped by three",
    arguments: [(0, "0"), (999, "999"), (-1000, "-1,000"), (1_235_496, "1,235,496")])
  func grouped(value: Int, text: String) {
    #expect(Number.grouped(value) == text)
  }

  @Test(
    "sizes are powers of 1024, and anything else is refused",
    arguments: [
      ("1", 1), ("512M", 512 << 20), ("2GiB", 2 << 30), ("4gb", 4 << 30), ("3K", 3072),
      ("0", nil), ("", nil), ("M", nil), ("-1", nil), ("1.5G", nil), ("99999999999T", nil),
      ("1X", nil),
    ])
  func sizes(text: String, bytes: Int?) {
    #expect(Size.bytes(text) == bytes)
  }

  @Test("JSON keeps the order, escapes every control, and writes null for what is not finite")
  func json() throws {
    let value = JSON.object([
      "b": .string("a\"\\\n\u{1}\u{2028}é"), "a": .numbers([1, .nan, -.infinity, 0.1]),
      "none": nil, "list": .array([.object(["x": .integer(-1)]), .array([])]), "e": .object([]),
    ])
    #expect(
      value.text
        == """
        {
          "b": "a\\"\\\\\\n\\u0001\\u2028é",
          "a": [1.0, null, null, 0.1],
          "list": [
            {
              "x": -1
            },
            []
          ],
          "e": {}
        }

        """)
    let parsed = try JSONSerialization.jsonObject(with: Data(value.text.utf8)) as? [String: Any]
    #expect(parsed?["b"] as? String == "a\"\\\n\u{1}\u{2028}é")
  }

  @Test("file names made from other names stay in their folder, whatever those are")
  func fileNames() {
    for hostile in ["../../etc/passwd", "/", "", ".", "..", "-rf", "a b", "é", "x\n", "con:"] {
      let name = FileName.safe(hostile)
      #expect(!name.isEmpty && !name.hasPrefix(".") && !name.hasPrefix("-"))
      #expect(name.utf8.allSatisfy { $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") })
    }
    #expect(FileName.safe(String(repeating: "x", count: 300)).count == 100)
    #expect(FileName.stem(of: "a/b/kitten.tar.png") == "kitten.tar")
    #expect(FileName.stem(of: ".hidden") == ".hidden")
    #expect(FileName.pathExtension(of: "a.d/B.PNG") == "png")
  }
}
