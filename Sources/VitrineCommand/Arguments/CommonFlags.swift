import VitrineNetwork

/// Flags that several verbs share.
enum CommonFlags {
  static let json = Flag(
    "json", .toggle, help: "Print one JSON object instead of text, errors included.")
  static let quiet = Flag(
    "quiet", short: "q", .toggle, group: .common, help: "Print errors only on standard error.")
  static let noColor = Flag(
    "no-color", .toggle, group: .common,
    help: "No colour on standard error; the variable NO_COLOR does the same.")
  static let labels = Flag(
    "labels", .value("FILE"), help: "Names of the classes, one on each line, in the model's order.")

  /// Where methods come from that are not built in.
  static let plugins = [
    Flag(
      "plugin", .repeated("PATH"), group: .plugins,
      help: "Add the methods of a plugin, or of every plugin in a folder; the variable "
        + "VITRINE_PLUGINS names folders too."),
    Flag(
      "isolate-plugins", .toggle, group: .plugins,
      help: "Run shared libraries in processes of their own, as programs always are."),
    Flag(
      "plugin-timeout", .value("SECONDS"), default: "60", group: .plugins,
      help:
        "Time that a plugin in a process of its own may take for one explanation, without that of "
        + "the model."),
  ]

  /// How verbs that print only text and need no model behave.
  static let messages = [quiet, noColor]

  /// How a network is run.
  static let running =
    [
      Flag(
        "threads", .value("N"), default: "all cores", group: .common,
        help: "Threads to compute with; results do not depend on it."),
      Flag(
        "seed", .value("N"), default: "0", group: .common,
        help: "Seed of everything random; recorded in the result."),
      Flag(
        "precision", .choice(Network.Precision.allCases.map(\.rawValue)), default: "single",
        group: .common,
        help: "single: float32, fast; exact: float32 with long sums split; double: float64."),
      Flag(
        "memory-limit", .value("SIZE"), group: .common,
        help: "Memory for what is computed, such as 512M or 4G."),
    ] + messages

  /// How a picture becomes the model's input.
  static let picture = [
    Flag(
      "preprocess", .choice(PicturePreparation.presetNames), default: "unit", group: .picture,
      help: "How pixels become numbers: as the model was trained."),
    Flag(
      "resize", .value("N"), group: .picture, help: "Scale the shorter side to N pixels."),
    Flag(
      "crop", .value("N"), group: .picture, help: "Keep the central square of N by N pixels."),
    Flag(
      "interpolation", .choice(["bilinear", "nearest"]), default: "bilinear", group: .picture,
      help: "How --resize makes new pixels."),
    Flag(
      "mean", .value("A,B,C"), group: .picture,
      help: "Subtracted from each channel, after the preset's scaling, in the model's order."),
    Flag(
      "std", .value("A,B,C"), group: .picture,
      help: "Divides each channel after the mean, in the model's order."),
    Flag(
      "channels", .choice(["rgb", "bgr", "gray"]), group: .picture,
      help: "Order of the channels the model reads."),
  ]
}

/// The flags of ``CommonFlags/running``, decoded.
struct RunSettings: Sendable {
  let configuration: Network.Configuration
  let seed: UInt64

  /// - Throws: ``CommandError`` for a value that does not fit.
  init(_ invocation: Invocation) throws(CommandError) {
    var configuration = Network.Configuration()
    if let text = invocation.text("precision"), let value = Network.Precision(rawValue: text) {
      configuration.precision = value
    }
    configuration.threads = try invocation.integer("threads", in: 1...1024)
    if let text = invocation.text("memory-limit") {
      guard let bytes = Size.bytes(text) else {
        throw .usage("--memory-limit: expected a size such as 512M or 4G, found '\(text)'")
      }
      configuration.memoryLimit = bytes
    }
    self.configuration = configuration
    if let text = invocation.text("seed") {
      guard let value = UInt64(text) else {
        throw .usage("--seed: expected an integer of at least 0, found '\(text)'")
      }
      seed = value
    } else {
      seed = 0
    }
  }
}
