import Testing
import VitrineONNX

@Suite("The protobuf wire reader")
struct ByteCursorTests {
  @Test(
    "reads integers of one to ten bytes, canonical or not",
    arguments: [
      ([0x00], 0), ([0x7f], 127), ([0x80, 0x01], 128), ([0xac, 0x02], 300),
      ([0x80, 0x80, 0x00], 0), ([0xff, 0xff, 0xff, 0xff, 0x0f], 0xffff_ffff),
      (Array(repeating: 0xff, count: 9) + [0x01], UInt64.max),
    ] as [([UInt8], UInt64)])
  func readsVarints(bytes: [UInt8], expected: UInt64) throws {
    var cursor = ByteCursor(ByteSource(bytes))
    #expect(try cursor.varint() == expected)
    #expect(cursor.position == bytes.count)
  }

  @Test(
    "refuses integers of more than 64 bits and integers cut short",
    arguments: [
      Array(repeating: 0xff, count: 9) + [0x02],
      Array(repeating: 0x80, count: 10) + [0x00],
      Array(repeating: 0xff, count: 11),
      [], [0x80], Array(repeating: 0x80, count: 9),
    ] as [[UInt8]])
  func refusesVarints(bytes: [UInt8]) {
    var cursor = ByteCursor(ByteSource([0x08] + bytes))
    #expect(throws: ONNXError.self) {
      let field = try #require(try cursor.nextField())
      try cursor.skip(field)
    }
  }

  @Test("refuses groups, unknown wire types and field number 0, with the offset")
  func refusesKeys() {
    for key: UInt8 in [0x0b, 0x0c, 0x0e, 0x0f, 0x00, 0x02] {
      var cursor = ByteCursor(ByteSource([0x08, 0x01, key, 0x00]))
      var error: ONNXError?
      do throws(ONNXError) {
        while let field = try cursor.nextField() { try cursor.skip(field) }
      } catch let caught {
        error = caught
      }
      guard case .malformed(_, offset: 2) = error else {
        Issue.record("key \(key): \(String(describing: error))")
        continue
      }
    }
  }

  @Test(
    "refuses lengths beyond the end of the enclosing message",
    arguments: [2, 3, 1 << 31, 1 << 63, UInt64.max] as [UInt64])
  func refusesLengths(length: UInt64) throws {
    var inner = ByteWriter()
    inner.key(1, .lengthDelimited)
    inner.varint(length)
    inner.key(1, .varint)
    var outer = ByteWriter()
    outer.data(1, inner.bytes)
    outer.data(2, [0, 0, 0, 0, 0, 0, 0, 0])
    var cursor = ByteCursor(ByteSource(outer.bytes))
    let field = try #require(try cursor.nextField())
    var message = try cursor.message(field)
    let innerField = try #require(try message.nextField())
    #expect(throws: ONNXError.self) { try message.range(innerField) }
    #expect(message.position <= message.end)
  }

  @Test("reads repeated numbers packed, unpacked and mixed")
  func readsRepeated() throws {
    var writer = ByteWriter()
    writer.integer(8, 5)
    writer.integers(8, [-1, 300])
    writer.integer(8, 0)
    writer.float(7, 0.5)
    writer.floats(7, [1.5, -2])
    var cursor = ByteCursor(ByteSource(writer.bytes))
    var integers: [Int64] = []
    var floats: [Float] = []
    while let field = try cursor.nextField() {
      if field.number == 8 {
        try cursor.forEachInteger(field) { (value) throws(ONNXError) in integers.append(value) }
      } else {
        try cursor.forEachFixed(field, UInt32.self) { floats.append(Float(bitPattern: $0)) }
      }
    }
    #expect(integers == [5, -1, 300, 0])
    #expect(floats == [0.5, 1.5, -2])
  }

  @Test("refuses a field of another wire type than its meaning")
  func refusesOtherWireTypes() throws {
    var writer = ByteWriter()
    writer.string(1, "text")
    var cursor = ByteCursor(ByteSource(writer.bytes))
    let field = try #require(try cursor.nextField())
    #expect(throws: ONNXError.self) { try cursor.integer(field) }
    #expect(throws: ONNXError.self) { try cursor.float(field) }
  }

  @Test("refuses names that are not UTF-8 or too long")
  func refusesNames() throws {
    var writer = ByteWriter()
    writer.data(1, [0x61, 0xff])
    var cursor = ByteCursor(ByteSource(writer.bytes))
    var field = try #require(try cursor.nextField())
    #expect(throws: ONNXError.self) { try cursor.name(field, limit: 10) }

    cursor = ByteCursor(ByteSource(writer.bytes))
    field = try #require(try cursor.nextField())
    #expect(throws: ONNXError.limitExceeded(name: "nameBytes", found: 2, limit: 1)) {
      try cursor.name(field, limit: 1)
    }
  }
}
