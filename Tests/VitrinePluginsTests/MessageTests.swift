import Testing
import VitrineCore
import VitrinePluginKit
import VitrineTensor

@Suite("Messages of plugins")
struct MessageTests {
  private let message: Message

  init() throws {
    var message = Message("test", ["text": .string("ä\"\\\n\u{1}"), "nothing": .null])
    message.fields["numbers"] = .reals([0.1, -1e300, .nan, .infinity, -.infinity])
    message.fields["tensors-here"] = message.add([
      try Tensor([1.5, -2, .nan] as [Float], shape: [1, 3]),
      try Tensor([0.1] as [Double], shape: []), Tensor([.min, .max] as [Int64]),
      Tensor([true, false]), Tensor(zeros: try Shape([0, 4])),
    ])
    self.message = message
  }

  private func decode(
    _ bytes: [UInt8], head: Int = 1 << 16, body: Int = 1 << 16
  ) throws -> [Message] {
    var decoder = MessageDecoder(headLimit: head, bodyLimit: body)
    decoder.append(bytes)
    var messages: [Message] = []
    while let message = try decoder.next() { messages.append(message) }
    return messages
  }

  @Test("a message is read as it was written, whole or byte by byte, and several in a row")
  func roundTrip() throws {
    #expect(try decode(message.bytes) == [message])
    #expect(try decode(message.bytes + message.bytes) == [message, message])
    var decoder = MessageDecoder(headLimit: 1 << 16, bodyLimit: 1 << 16)
    var found: [Message] = []
    for byte in message.bytes {
      decoder.append(CollectionOfOne(byte))
      if let message = try decoder.next() { found.append(message) }
    }
    #expect(found == [message] && decoder.isEmpty)
    #expect(try found[0].member("numbers").reals("numbers")[1...].allSatisfy { !($0 == 0) })
    #expect(try found[0].member("numbers").reals("numbers")[2].isNaN)
  }

  @Test("a message cut short is no message yet, wherever it is cut")
  func cut() throws {
    for length in 0..<message.bytes.count {
      #expect(try decode(Array(message.bytes[..<length])).isEmpty)
    }
  }

  @Test("changed bytes give a message or an error, never a trap")
  func mutations() throws {
    var random = RandomGenerator(seed: 5)
    let bytes = message.bytes
    var outcomes = (messages: 0, errors: 0, waiting: 0)
    for _ in 0..<20_000 {
      var changed = bytes
      for _ in 0...Int(random.next() % 3) {
        changed[Int(random.next() % UInt64(changed.count))] = UInt8(
          truncatingIfNeeded: random.next())
      }
      do {
        let found = try decode(changed)
        if found.isEmpty { outcomes.waiting += 1 } else { outcomes.messages += 1 }
        for message in found {
          _ = try? message.tensors("tensors-here")
          _ = try? message.explanation(of: "m")
          _ = try? message.objective("text")
        }
      } catch {
        #expect(error is MessageError)
        outcomes.errors += 1
      }
    }
    #expect(outcomes.messages > 100 && outcomes.errors > 100)
  }

  @Test("lengths are compared with the limits before anything is kept")
  func limits() throws {
    #expect(throws: MessageError.self) { try decode(message.bytes, head: 10) }
    #expect(throws: MessageError.self) { try decode(message.bytes, body: 10) }
    #expect(throws: MessageError.self) { try decode(Array("VTRX".utf8)) }
  }

  @Test(
    "text that is no JSON is refused",
    arguments: [
      "", "{", "[1,]", "{\"a\":1,\"a\":2}", "{\"a\" 1}", "tru", "01x", "+1", "1e999", "\"\\q\"",
      "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\u12g4\"", "\"a", "nan", "{} {}", "\"\u{1}\"",
      String(repeating: "[", count: 70),
    ])
  func badJSON(text: String) throws {
    #expect(throws: MessageError.self) { try decode(bytes(head: "{\"type\": \(text)}")) }
  }

  @Test("JSON as other writers make it is read")
  func goodJSON() throws {
    let text = """
       {"type" : "t", "a": [ ] , "b":{ }, "c": -0.5E+2,\n "d":"\\u00e4\\ud83d\\ude00\\/\\b", "e":true}
      """
    let found = try #require(try decode(bytes(head: text)).first)
    #expect(found.fields["a"] == .array([]) && found.fields["b"] == .object([:]))
    #expect(found.fields["c"] == .number(-50) && found.fields["e"] == .bool(true))
    #expect(found.fields["d"] == .string("ä😀/\u{8}"))
  }

  private func bytes(head: String) -> [UInt8] {
    var bytes = Message.mark
    withUnsafeBytes(of: UInt32(head.utf8.count).littleEndian) { bytes += $0 }
    return bytes + [UInt8](repeating: 0, count: 8) + Array(head.utf8)
  }

  @Test("targets, objectives, rules and manifests come back as they were")
  func values() throws {
    for target in [
      Target(.top), Target(.index(3), score: .probability, output: "y"),
      Target(.perSample([1, 2])),
      Target(.label("cat")), Target(.coordinates([1, 2])), Target(.weighted([(1, 0.5), (2, -1)])),
    ] {
      #expect(try "\(Target(target.json))" == "\(target)")
    }
    for form in [
      .elements([1, 2]), .weighted([(1, 0.5)]), .channelMean(2), .sum, .mean,
      .cotangent(Tensor([1.0 as Float])),
    ] as [Objective.Form] {
      var message = Message("test")
      let objective = Objective(.layer("l"), form)
      message.fields["objective"] = message.add(objective)
      let found = try decode(message.bytes)[0].objective("objective")
      #expect("\(found)" == "\(objective)")
    }
    let rules = BackwardRules([.init(.kind("Relu"), .guided), .init(.layer("r"), .gradient)])
    #expect(try BackwardRules(rules.json) == rules)
  }
}
