import Vitrine
import VitrineCore
import VitrineNetwork
import VitrineReport
import VitrineTensor

extension Verb {
  /// `vitrine benchmark`
  static let benchmark = Verb(
    "benchmark",
    summary: "time a model or a method on seeded random input",
    operands: .optional("MODEL"),
    flags: [
      Flag(
        "task", .value("T"), default: "forward", help: "forward, train, or the name of a method."),
      Flag(
        "batch", .value("N"), help: "Samples in one call, 1 by default; in a step of train, 64."),
      Flag("layer", .value("NAME"), help: "The method's layer, or where a forward pass stops."),
      Flag("set", .repeated("OPTION=VALUE"), help: "An option of the method; may be repeated."),
      Flag(
        "target", .value("CLASS"), default: "0",
        help: "The explained class; top costs methods a forward pass more."),
      Flag(
        "layers", .toggle,
        help: "Also list the time of each layer, its speed, and its share of the machine's peak."),
      Flag(
        "machine", .toggle,
        help: "Measure the machine instead: multiply-adds and bytes per second. Takes no MODEL."),
      CommonFlags.json,
    ] + CommonFlags.plugins + CommonFlags.running,
    examples: [
      Example(command: "vitrine benchmark model.onnx", purpose: "forward pass of one sample"),
      Example(
        command: "vitrine benchmark model.onnx --task gradient-magnitude --batch 16 --threads 1",
        purpose: "a method on a batch, on one core"),
      Example(
        command: "vitrine benchmark model.onnx --task train",
        purpose: "an epoch of training, on 60,000 random samples"),
      Example(
        command: "vitrine benchmark model.onnx --layers", purpose: "which layers take the time"),
      Example(
        command: "vitrine benchmark --machine", purpose: "what the processor can do at best"),
    ],
    notes: [
      "Loading and planning are not timed: one call before the clock starts makes the plan. Calls "
        + "repeat for at least one second and at least five times; the median is the figure. One call of "
        + "train is an epoch, so that it takes six epochs at least."
    ]
  ) { invocation, session in
    let settings = try RunSettings(invocation)
    if invocation.has("machine") { return try measureMachine(invocation, settings, session) }
    guard let path = invocation.operands.first else {
      throw CommandError.usage(
        "benchmark needs MODEL, or --machine: vitrine benchmark MODEL [options]; see vitrine help "
          + "benchmark")
    }
    let task = invocation.text("task") ?? "forward"
    let batch = try invocation.integer("batch", in: 1...65_536) ?? (task == "train" ? 64 : 1)
    let model = try LoadedModel(contentsOf: path, configuration: settings.configuration)
    func inputs() throws -> Inputs {
      try randomInputs(model.network, batch: batch, seed: settings.seed)
    }
    let call =
      switch task {
      case "forward": try forward(invocation, model.network, inputs())
      case "train": try training(invocation, model.network, batch: batch, settings, session)
      default:
        try explanation(task, invocation, model.network, inputs(), settings, session)
      }

    try call()
    let timing = try Timing(of: call, session)
    let layers =
      invocation.has("layers")
      ? try LayerProfile(of: call, on: model.network, settings.configuration, session) : nil
    let valueBytes = model.network.workingByteCount
    guard invocation.has("json") else {
      return try session.write(
        "\(task) of \(model.name.visible), batch \(batch): median "
          + "\(Number.significant(timing.median * 1e3)) ms, fastest "
          + "\(Number.significant(timing.fastest * 1e3)) ms of \(timing.count) calls, peak memory "
          + "\(Number.grouped(Timing.peakMemory() >> 20)) MiB"
          + (valueBytes > 0
            ? ", of which values \(Number.fixed(Double(valueBytes) / 0x1p20, 1)) MiB" : "")
          + "\n" + (layers?.text ?? ""))
    }
    try session.write(
      JSON.object([
        "schema": .integer(1), "verb": .string("benchmark"), "task": .string(task),
        "model": try model.json(), "batch": .integer(batch),
        "precision": .string(settings.configuration.precision.rawValue),
        "seed": Int(exactly: settings.seed).map { .integer($0) } ?? .string(String(settings.seed)),
        "median": .number(timing.median), "min": .number(timing.fastest),
        "peak_rss_bytes": .integer(Timing.peakMemory()),
        "working_bytes": valueBytes > 0 ? .integer(valueBytes) : nil,
        "repeats": .integer(timing.count),
        "layers": layers?.json,
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

  /// Returns a call that trains for one epoch.
  private static func training(
    _ invocation: Invocation, _ network: Network, batch: Int, _ settings: RunSettings,
    _ session: Session
  ) throws -> () throws -> Void {
    for flag in ["layer", "set", "target", "layers"] where invocation.has(flag) {
      throw CommandError.usage("--task train takes no --\(flag): leave it out")
    }
    return try TrainingBenchmark(
      network, batch: batch, seed: settings.seed,
      memoryLimit: settings.configuration.memoryLimit, cancellation: session.cancellation
    ).epoch
  }

  /// Returns a call that runs a method of the catalog.
  private static func explanation(
    _ name: String, _ invocation: Invocation, _ network: Network, _ inputs: Inputs,
    _ settings: RunSettings, _ session: Session
  ) throws -> () throws -> Void {
    if (try? session.catalog.entry(named: name)) == nil,
      let near = closestName(to: name, among: ["forward", "train"]) ?? synonyms[name]
    {
      throw CommandError.usage("unknown task '\(name.visible)'; did you mean '\(near)'?")
    }
    let method = try session.catalog.entry(named: name).method
    // Without a choice a Jacobian has all its rows; and what a layer is asked for is no class.
    let isJacobian = method.options.contains { $0.name == "outputs" }
    let target = isJacobian || method.explainsLayer(invocation) ? "top" : "0"
    let request = try ExplainRequest(
      method: name, invocation, catalog: session.catalog, defaults: [("timing", "false")],
      target: target)
    let context = Context(
      seed: settings.seed, memoryLimit: settings.configuration.memoryLimit ?? 1 << 30,
      cancellation: session.cancellation)
    return {
      _ = try request.explainer.explain(
        network, at: inputs, target: request.target, context: context)
    }
  }

  /// What people call the tasks that are no methods.
  private static let synonyms = [
    "predict": "forward", "inference": "forward", "training": "train", "fit": "train",
  ]

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
}

extension Method {
  /// Whether a command line makes it explain a layer in place of a target.
  fileprivate func explainsLayer(_ invocation: Invocation) -> Bool {
    guard let option = options.first(where: { $0.kind == .layer }) else { return false }
    return (invocation.has("layer") && layerOption == option)
      || invocation.texts("set").contains { $0.hasPrefix(option.name + "=") }
  }
}
