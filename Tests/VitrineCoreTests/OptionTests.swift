import Testing
import VitrineCore

@Suite("Options")
struct OptionTests {
  private let method = Method(
    identifier: "test", summary: "A test.", paper: "none", requirement: .evaluation,
    options: [
      Option("fast", .flag, default: "false", help: "Fast."),
      Option("steps", .integer(1...100), default: "50", help: "Steps."),
      Option("sigma", .number(0...Double.greatestFiniteMagnitude), default: "0.2", help: "Width."),
      Option("rule", .choice(["left", "right"]), default: "left", help: "Rule."),
      Option("window", .integers(1...Int.max), default: nil, help: "Window."),
      Option("layers", .layers, default: nil, help: "Layers."),
      Option("layer", .layer, default: nil, help: "Layer."),
      Option("seed", .integer(Int.min...Int.max), default: nil, help: "Seed."),
    ])

  private func options(_ given: (String, String)...) throws -> Options {
    try Options(given.map { (name: $0.0, value: $0.1) }, for: method)
  }

  @Test("defaults stand for what is not given")
  func defaults() throws {
    let options = try options()
    #expect(options.flag("fast") == false)
    #expect(options.integer("steps") == 50)
    #expect(options.number("sigma") == 0.2)
    #expect(options.choice("rule") == "left")
    #expect(options.integers("window") == nil)
    #expect(options.layers("layers") == nil)
    #expect(options.layer("layer") == nil)
    #expect(options.optionalInteger("seed") == nil)
    #expect(options.texts.map(\.name) == ["fast", "steps", "sigma", "rule"])
  }

  @Test("given texts are decoded by their kind")
  func decoding() throws {
    let options = try options(
      ("fast", "Yes"), ("steps", "1"), ("sigma", "1e-3"), ("rule", "right"), ("window", "16,8"),
      ("layers", "conv1,/features/relu.2"), ("layer", "conv 1"), ("seed", "-7"))
    #expect(options.flag("fast"))
    #expect(options.integer("steps") == 1)
    #expect(options.number("sigma") == 0.001)
    #expect(options.choice("rule") == "right")
    #expect(options.integers("window") == [16, 8])
    #expect(options.layers("layers") == ["conv1", "/features/relu.2"])
    #expect(options.layer("layer") == "conv 1")
    #expect(options.optionalInteger("seed") == -7)
    #expect(options.texts.count == method.options.count)
  }

  @Test("flags have the usual spellings")
  func flags() throws {
    for (text, value) in [
      ("true", true), ("on", true), ("1", true), ("YES", true), ("false", false), ("off", false),
      ("0", false), ("no", false),
    ] {
      #expect(try options(("fast", text)).flag("fast") == value)
    }
  }

  @Test("a text that does not fit is refused with what would")
  func refusals() {
    for (name, text, expected) in [
      ("fast", "maybe", "true or false"), ("fast", "", "true or false"),
      ("steps", "0", "an integer in 1...100"), ("steps", "101", "an integer in 1...100"),
      ("steps", "5.0", "an integer in 1...100"), ("steps", "", "an integer in 1...100"),
      ("steps", "9223372036854775808", "an integer in 1...100"),
      ("sigma", "-1", "a number, at least 0.0"), ("sigma", "nan", "a number, at least 0.0"),
      ("sigma", "inf", "a number, at least 0.0"), ("sigma", "1,5", "a number, at least 0.0"),
      ("rule", "Left", "one of left, right"),
      ("window", "3,", "integers separated by commas, at least 1"),
      ("window", "3,0", "integers separated by commas, at least 1"),
      ("layers", "a,,b", "names of layers or tensors, separated by commas"),
      ("layers", "", "names of layers or tensors, separated by commas"),
      ("layer", "", "the name of a layer or tensor"), ("seed", "x", "an integer"),
    ] {
      #expect(
        throws: CoreError.invalidOption(
          method: "test", option: name, value: text, expected: expected)
      ) { try options((name, text)) }
    }
  }

  @Test("an option may be given once")
  func twice() {
    #expect(
      throws: CoreError.invalidOption(
        method: "test", option: "steps", value: "2", expected: "to be set once")
    ) { try options(("steps", "1"), ("steps", "2")) }
  }

  @Test("an unknown option is refused with the nearest name")
  func unknown() {
    let error = #expect(throws: CoreError.self) { try options(("step", "1")) }
    #expect(error?.description == "unknown option of test 'step'; did you mean 'steps'?")
  }

  @Test("options are equal if their values are, however they are written")
  func equality() throws {
    #expect(try options(("sigma", "0.20"), ("fast", "no")) == options())
    #expect(try options(("sigma", "0.21")) != options())
  }
}
