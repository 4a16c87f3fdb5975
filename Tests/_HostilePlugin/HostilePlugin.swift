import Vitrine
import VitrineCore
import VitrinePluginKit
import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A plugin with everything that comes with Vitrine, and one method that does everything wrong.
///
/// What it does wrong when asked for its methods is in its name: a link to it named `hostile-silent` never
/// answers. One named `hostile-alone` has the bad method only, which `vitrine` takes beside its own.
@main struct HostilePlugin {
  static func main() {
    switch CommandLine.arguments[0].split(separator: "-").last {
    case "silent": while true { sleep(1) }
    case "garbage": raw(Array("I am no plugin\n".utf8), to: STDOUT_FILENO)
    case "old": tell(Message("hello", ["protocol": .integer(0), "methods": .array([])]))
    case "range":
      tell(
        Message(
          "hello",
          [
            "protocol": .integer(1),
            "methods": .array([
              .object([
                "identifier": .string("m"), "summary": .string("S."), "paper": .string("P"),
                "requirement": .string("evaluation"),
                "options": .array([
                  .object([
                    "name": .string("n"), "kind": .string("number"), "help": .string("H."),
                    "range": .array([.integer(2), .integer(1)]),
                  ])
                ]),
              ])
            ]),
          ]))
    case "name":
      tell(
        Message(
          "hello",
          [
            "protocol": .integer(1),
            "methods": .array([
              .object([
                "identifier": .string("../../\u{1B}[31m"), "summary": .string("S."),
                "paper": .string("P"), "requirement": .string("evaluation"),
                "options": .array([]),
              ])
            ]),
          ]))
    case "exit": exit(3)
    case "empty": PluginProcess.main([])
    case "alone": PluginProcess.main([Hostile.self])
    default: PluginProcess.main(MethodCatalog.standard.explainers + [Hostile.self])
    }
  }

  private static func tell(_ message: Message) { raw(message.bytes, to: STDOUT_FILENO) }
}

/// Writes bytes, and waits for the end of the process that reads them.
func raw(_ bytes: [UInt8], to file: Int32) {
  _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
  while true { sleep(1) }
}

/// Does what its option says.
struct Hostile: Explainer {
  enum Mode: String, CaseIterable {
    case well, prints, floods
    case fails, traps, aborts, overflows, loops, sleeps, exits, closes, grandchild
    case memory, file
    case shape, batch, axes, nan, infinity, values, elements, empty, masses
    case garbage
    case hugeHead = "huge-head"
    case hugeBody = "huge-body"
    case json, deep, number
    case tensor
    case bodyShort = "body-short"
    case bodyLong = "body-long"
    case bool, shapeOverflow
    case unknown, question, progress
    case progressFlood = "progress-flood"
    case model, unnamed, cotangent
    case otherSite = "other-site"
  }

  struct Failure: Error, CustomStringConvertible { let description = "as it was told to" }

  static let method = Method(
    identifier: "hostile", summary: "Everything that can be wrong.", paper: "None",
    requirement: .gradients,
    options: [
      Option(
        "mode", .choice(Mode.allCases.map(\.rawValue)), default: Mode.well.rawValue,
        help: "What it does.")
    ])

  let mode: Mode

  init(options: Options) throws { mode = Mode(rawValue: options.choice("mode")) ?? .well }

  /// The line to the host: the copy of standard output that ``PluginProcess`` makes.
  private var line: Int32 { 4 }

  func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    let resolved = try model.resolve(target, at: inputs, context: context)
    let x = inputs.tensors[0].value
    var axes = model.signature.inputs[0].axes
    var attribution = x
    var values = [Double](repeating: 1, count: x.shape[0])
    var elements = resolved.elements
    var name = "attribution"

    switch mode {
    case .well: break
    case .prints: print("this is no message")
    case .floods: for _ in 0..<20_000 { fputs(String(repeating: "x", count: 1000) + "\n") }
    case .fails: throw Failure()
    case .traps: _ = [Int]()[x.count]
    case .aborts: abort()
    case .overflows: _ = recursion(x.count)
    case .loops: while true { _ = x.count }
    case .sleeps: while true { sleep(1) }
    case .exits: exit(0)
    case .closes:
      close(line)
      while true { sleep(1) }
    case .grandchild:
      // It keeps the line open after its parent's end.
      var identifier: pid_t = 0
      var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
      posix_spawnp(&identifier, "sleep", nil, nil, &arguments, nil)
      exit(0)
    case .memory:
      var kept: [[UInt8]] = []
      while true { kept.append([UInt8](repeating: 1, count: 64 << 20)) }
    case .file:
      let file = open("/tmp/vitrine-hostile-\(getpid())", O_CREAT | O_WRONLY, 0o600)
      unlink("/tmp/vitrine-hostile-\(getpid())")
      let bytes = [UInt8](repeating: 1, count: 1 << 20)
      while write(file, bytes, bytes.count) > 0 {}
    case .shape: attribution = try Tensor([1, 2, 3] as [Float], shape: [3])
    case .batch:
      attribution = Tensor(zeros: try Shape([x.shape[0] + 1] + x.shape.dimensions.dropFirst()))
    case .axes: axes = []
    case .nan: attribution = Tensor(repeating: Float.nan, shape: x.shape)
    case .infinity: attribution = Tensor(repeating: -Float.infinity, shape: x.shape)
    case .values: values = []
    case .elements: elements = [-1]
    case .empty: attribution = Tensor(zeros: try Shape([x.shape[0], 0]))
    case .masses: name = String(repeating: "n", count: 32 << 20)
    case .garbage: raw(Array("<html>".utf8), to: line)
    case .hugeHead: raw(prefix(head: .max, body: 0), to: line)
    case .hugeBody: raw(prefix(head: 2, body: .max) + Array("{}".utf8), to: line)
    case .json: raw(message("{\"type\": \"explanation\""), to: line)
    case .deep: raw(message(String(repeating: "[", count: 100_000)), to: line)
    case .number: raw(message("{\"type\": 1e999}"), to: line)
    case .tensor:
      raw(
        message(
          """
          {"type": "explanation", "attributions": [{"name": "a", "tensor": 7, "axes": [], \
          "range": "signed"}]}
          """), to: line)
    case .bodyShort: raw(tensorMessage("float32", [1 << 20], bytes: 16), to: line)
    case .bodyLong: raw(tensorMessage("float32", [2], bytes: 16), to: line)
    case .bool: raw(tensorMessage("bool", [1], bytes: 1), to: line)
    case .shapeOverflow: raw(tensorMessage("float64", [1 << 40, 1 << 40], bytes: 16), to: line)
    case .unknown: raw(message("{\"type\": \"please\"}"), to: line)
    case .question: raw(message("{\"type\": \"gradients\", \"sites\": 3}"), to: line)
    case .progress:
      raw(message("{\"type\": \"progress\", \"done\": 2, \"total\": 1, \"unit\": \"\"}"), to: line)
    case .progressFlood: while true { context.progress(1, of: 2, "steps") }
    case .model: _ = try model.evaluate(Inputs([("nonsense", x)]), observing: [resolved.site])
    case .unnamed: _ = try model.evaluate(inputs, observing: [.layer("no such layer")])
    case .cotangent:
      _ = try model.gradients(
        of: Objective(resolved.site, .cotangent(x)), withRespectTo: [.input("input")], at: inputs,
        rules: .gradient)
    case .otherSite:
      _ = try model.gradients(
        of: Objective(resolved.site, .elements([.max, -1])), withRespectTo: [.input("input")],
        at: inputs, rules: .gradient)
    }
    return Explanation(
      method: "hostile",
      attributions: [Attribution(name: name, tensor: attribution, axes: axes, range: .signed)],
      explained: Explained(
        site: resolved.site, score: resolved.score, skippedSoftmax: false, elements: elements,
        values: values))
  }

  private func fputs(_ text: String) {
    _ = Array(text.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  private func recursion(_ depth: Int) -> Int { depth == .min ? 0 : recursion(depth + 1) + 1 }

  private func prefix(head: UInt32, body: UInt64) -> [UInt8] {
    var bytes = Message.mark
    withUnsafeBytes(of: head.littleEndian) { bytes += $0 }
    withUnsafeBytes(of: body.littleEndian) { bytes += $0 }
    return bytes
  }

  private func message(_ head: String) -> [UInt8] {
    prefix(head: UInt32(head.utf8.count), body: 0) + Array(head.utf8)
  }

  private func tensorMessage(_ type: String, _ shape: [Int], bytes: Int) -> [UInt8] {
    let head = "{\"type\": \"values\", \"tensors\": [{\"type\": \"\(type)\", \"shape\": \(shape)}]}"
    return prefix(head: UInt32(head.utf8.count), body: UInt64(bytes)) + Array(head.utf8)
      + [UInt8](repeating: 7, count: bytes)
  }
}
