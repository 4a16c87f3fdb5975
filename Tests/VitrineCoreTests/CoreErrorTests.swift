import Testing
import VitrineCore

@Suite("Messages of the core's errors")
struct CoreErrorTests {
  @Test("a message says in one line what was expected and what was found")
  func messages() {
    for (error, message) in [
      (
        CoreError.unknownName(what: "method", name: "x", suggestion: nil, known: ["a", "b"]),
        "unknown method 'x'; expected one of a, b"
      ),
      (
        .invalidOption(
          method: "ig", option: "steps", value: "0", expected: "an integer, at least 1"),
        "option 'steps' of ig: expected an integer, at least 1, found '0'"
      ),
      (
        .elementOutOfRange(element: 10, count: 10, site: "logits"),
        "index 10 is out of range: 'logits' has 10 elements, 0...9"
      ),
      (
        .elementOutOfRange(element: 0, count: 0, site: "logits"),
        "index 0 is out of range: 'logits' has 0 elements"
      ),
      (
        .channelOutOfRange(channel: 0, count: 0, site: "conv"),
        "channel 0 is out of range: 'conv' has 0 channels"
      ),
      (
        .targetCount(expected: 2, found: 3),
        "expected one target, or one for each of the 2 samples, found 3"
      ),
      (
        .missingCapability(method: "ig", needs: "gradients"),
        "ig needs gradients, which this model does not have"
      ),
    ] {
      #expect(error.description == message)
    }
  }
}
