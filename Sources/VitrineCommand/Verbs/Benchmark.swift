import Vitrine
import VitrineCore
import VitrineNetwork
import VitrineReport
import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension Verb {
  /// `vitrine benchmark`
  static let benchmark = Verb(
    "benchmark",
    summary: "time a model or a method on seeded random input",
    operands: .exactly(["MODEL"]),
    flags: [
      Flag("task", .value("T"), default: "forward", help: "forward, or the name of a method."),
      Flag("batch", .value("N"), default: "1", help: "Samples in one call."),
      Flag("layer", .value("NAME"), help: "The method's layer, or where a forward pass stops."),
      Flag("set", .repeated("OPTION=VALUE"), help: "An option of the method; may be repeated."),
      Flag(
        "target", .value("CLASS"), default: "0",
        help: "The explained class; top costs methods a forward pass more."),
      CommonFlags.json,
    ] + CommonFlags.plugins + CommonFlags.running,
    examples: [
      Example(command: "vitrine benchmark model.onnx", purpose: "forward pass of one sample"),
      Example(
        command: "vitrine benchmark model.onnx --task gradient-magnitude --batch 16 --threads 1",
        purpose: "a method on a batch, on one core"),
    ],
    notes: [
      "Loading and planning are not timed: one call before the clock starts makes the plan. Calls "
        + "repeat for at least one second and at least five times; the median is the figure."
    ]
  ) { invocation, session in
    let settings = try RunSettings(invocation)
    let batch = try invocation.integer("batch", in: 1...65_536) ?? 1
    let model = try LoadedModel(
      contentsOf: invocation.operands[0], configuration: settings.configuration)
    let inputs = try randomInputs(model.network, batch: batch, seed: settings.seed)
    let task = invocation.text("task") ?? "forward"
    let call =
      task == "forward"
      ? try forward(invocation, model.network, inputs)
      : try explanation(task, invocation, model.network, inputs, settings, session)

    try call()
    var seconds: [Double] = []
    let clock = ContinuousClock()
    let start = clock.now
    while seconds.count < 5 || clock.now - start < .seconds(1) {
      try session.checkCancellation()
      let duration = try clock.measure(call)
      seconds.append(
        Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18)
    }
    seconds.sort()
    let median = seconds[seconds.count / 2]
    guard invocation.has("json") else {
      return try session.write(
        "\(task) of \(model.name.visible), batch \(batch): median "
          + "\(Number.significant(median * 1e3)) ms, fastest \(Number.significant(seconds[0] * 1e3)) ms "
          + "of \(seconds.count) calls, peak memory \(Number.grouped(peakMemory() >> 20)) MiB\n")
    }
    try session.write(
      JSON.object([
        "schema": .integer(1), "verb": .string("benchmark"), "task": .string(task),
        "model": try model.json(), "batch": .integer(batch),
        "precision": .string(settings.configuration.precision.rawValue),
        "median": .number(median), "min": .number(seconds[0]),
        "peak_rss_bytes": .integer(peakMemory()), "repeats": .integer(seconds.count),
        "vitrine": .string(Command.version),
      ]).text)
  }

  /// Returns a call that evaluates the scores of the first output, or a layer.
  private static func forward(
    _ invocation: Invocation, _ network: Network, _ inputs: Inputs
  ) throws -> () throws -> Void {
    let site: Site
    if let layer = invocation.text("layer") {
      site = network.site(named: layer)
    } else if let output = network.signature.outputs.first {
      site = network.site(of: .logit, output: output.name) ?? .output(output.name)
    } else {
      throw CommandError.usage("the model has no output to compute")
    }
    return { _ = try network.evaluate(inputs, observing: [site]) }
  }

  /// Returns a call that runs a method of the catalog.
  private static func explanation(
    _ name: String, _ invocation: Invocation, _ network: Network, _ inputs: Inputs,
    _ settings: RunSettings, _ session: Session
  ) throws -> () throws -> Void {
    let request = try ExplainRequest(
      method: name, invocation, catalog: .standard, defaults: [("timing", "false")],
      // A Jacobian of one output is only one of its rows, and a channel is no class.
      target: ["jacobian", "filter-visualization"].contains(name) ? "top" : "0")
    let context = Context(
      seed: settings.seed, memoryLimit: settings.configuration.memoryLimit ?? 1 << 30,
      cancellation: session.cancellation)
    return {
      _ = try request.explainer.explain(
        network, at: inputs, target: request.target, context: context)
    }
  }

  /// Returns seeded normal numbers for every input; free extents become 1.
  private static func randomInputs(
    _ network: Network, batch: Int, seed: UInt64
  ) throws -> Inputs {
    var generator = RandomGenerator(seed: seed)
    return Inputs(
      try network.signature.inputs.map { port in
        guard port.dataType.isFloatingPoint else {
          throw CommandError.usage(
            "input '\(port.name)' holds \(port.dataType) elements; only models of real numbers can "
              + "be timed on random input")
        }
        var dimensions = port.dimensions.map { $0 ?? 1 }
        if port.batchAxis == 0, dimensions[0] == 1 { dimensions[0] = batch }
        return (port.name, try generator.normalTensor(Shape(dimensions)))
      })
  }

  private static func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
      getrusage(RUSAGE_SELF, &usage)
      return usage.ru_maxrss
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_maxrss * 1024
    #endif
  }
}
