import Testing
import VitrineData
import VitrineTensor
import VitrineTestSupport

@Suite("Tables")
struct TableTests {
  @Test("quotes, line ends of all systems and a byte order mark")
  func reading() throws {
    let text = "\u{FEFF}a,\"b \"\"x\"\"\",c\r\n1,\"2,\n3\",\r\n\n4,,6\r7,8,9"
    let table = try Table(csv: Array(text.utf8))
    #expect(table.columns == ["a", "b \"x\"", "c"])
    #expect(table.rows == [["1", "2,\n3", ""], ["4", "", "6"], ["7", "8", "9"]])
  }

  @Test("classes are texts in the order of their bytes, or the numbers themselves")
  func classification() throws {
    let table = try Table(csv: Array("x,y,kind\n1,2,dog\n3,4.5,cat\n5,-6,dog\n".utf8))
    let data = try table.classification(target: "kind")
    #expect(data.classes == ["cat", "dog"])
    #expect(try data.targets.elements(of: Int64.self) == [1, 0, 1])
    #expect(try data.inputs.elements(of: Float.self) == [1, 2, 3, 4.5, 5, -6])
    let numbers = try table.classification(target: "x", features: ["y"])
    #expect(try numbers.targets.elements(of: Int64.self) == [1, 3, 5])
    #expect(numbers.classes.isEmpty)
  }

  @Test("several columns can be the outputs of a regression")
  func regression() throws {
    let table = try Table(csv: Array("a;b;c\n 1 ;2;3\n4;5;6\n".utf8), separator: ";")
    let data = try table.regression(targets: ["c", "a"])
    #expect(data.inputs.shape.dimensions == [2, 1])
    #expect(try data.targets.elements(of: Float.self) == [3, 1, 6, 4])
  }

  @Test("what is wrong is named with its row and column")
  func errors() throws {
    #expect(throws: DataError.self) { try Table(csv: []) }
    #expect(throws: DataError.self) { try Table(csv: Array("a,a\n1,2".utf8)) }
    #expect(throws: DataError.self) { try Table(csv: Array("a,b\n1".utf8)) }
    #expect(throws: DataError.self) { try Table(csv: Array("a,b\n\"1,2".utf8)) }
    #expect(throws: DataError.self) { try Table(csv: Array("a,b\n\"1\"x,2".utf8)) }
    #expect(throws: DataError.self) { try Table(csv: [0x61, 0x0A, 0xFF]) }
    let table = try Table(csv: Array("a,b\n1,no\n".utf8))
    #expect(
      throws: DataError.invalidCell(row: 1, column: "b", expected: "a number", found: "no")
    ) { try table.regression(targets: ["a"]) }
    #expect(throws: DataError.notFound(what: "column", name: "z", known: ["a", "b"])) {
      try table.classification(target: "z")
    }
  }

  @Test("the iris table has 150 flowers of three kinds", .enabled(if: Fixtures.areAvailable))
  func iris() throws {
    let table = try Table(contentsOf: Fixtures.path("data/iris.csv"))
    #expect(table.rows.count == 150)
    let data = try table.classification(target: #require(table.columns.last))
    #expect(data.inputs.shape.dimensions == [150, 4])
    let classes = try data.targets.elements(of: Int64.self)
    #expect((0..<3).allSatisfy { label in classes.count { $0 == label } == 50 })
  }
}
