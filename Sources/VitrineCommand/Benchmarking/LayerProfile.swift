import VitrineCore
import VitrineNetwork

/// Where the time of a call goes, layer by layer.
struct LayerProfile {
  private let lines: [Line]
  /// Median time of one call, in seconds.
  private let duration: Double
  /// Multiply-adds of the machine in operations per second, an addition and a multiplication each.
  private let peak: Double
  private let threads: Int

  /// Repeats a call that has been made before, for at least half a second and five times.
  ///
  /// - Throws: ``CommandError`` if the network runs without a plan, which has no times.
  init(
    of call: () throws -> Void, on network: Network, _ configuration: Network.Configuration,
    _ session: Session
  ) throws {
    let clock = ContinuousClock()
    let start = clock.now
    var calls: [[LayerTime]] = []
    var durations: [Double] = []
    while calls.count < 5 || clock.now - start < .milliseconds(500) {
      try session.checkCancellation()
      let callStart = clock.now
      calls.append(try network.layerTimes(during: call))
      let elapsed = (clock.now - callStart).components
      durations.append(Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18)
    }
    duration = median(of: durations)
    // Equal calls run equal layers in equal order.
    lines = calls[0].indices.map { layer in
      Line(calls.compactMap { $0.indices.contains(layer) ? $0[layer] : nil })
    }
    guard !lines.isEmpty else {
      throw CommandError.usage(
        "--layers: only networks in float32 are run by plans whose layers can be timed; leave "
          + "--precision double out")
    }
    threads = configuration.threads ?? Machine.threads
    peak = Machine.peak(threads: threads)
  }

  /// One layer in one direction.
  private struct Line {
    let time: LayerTime
    /// Median over the calls.
    let seconds: Double
    /// Operations per second; `nil` for layers without products.
    let speed: Double?

    init(_ calls: [LayerTime]) {
      time = calls[0]
      seconds = median(of: calls.map(\.seconds))
      speed = time.multiplyAdds > 0 && seconds > 0 ? 2 * Double(time.multiplyAdds) / seconds : nil
    }

    var kernels: String {
      time.kernels.sorted { $0.seconds > $1.seconds }.map(\.name).joined(separator: ", ")
    }
  }

  private var total: Double { lines.reduce(0) { $0 + $1.seconds } }

  var text: String {
    var table = TextTable([
      ("layer", .left), ("what", .left), ("time", .right), ("share", .right), ("GFLOP/s", .right),
      ("of peak", .right), ("kernels", .left),
    ])
    for line in lines {
      table.add([
        line.time.layer,
        line.time.kinds + (line.time.isBackward ? ", backward" : ""),
        Number.duration(seconds: line.seconds),
        Number.fixed(line.seconds / duration * 100, 1) + "%",
        line.speed.map { Number.fixed($0 * 1e-9, 1) } ?? "",
        line.speed.map { Number.fixed($0 / peak * 100, 1) + "%" } ?? "", line.kernels,
      ])
    }
    return "\n" + table.text
      + "\n  layers \(Number.duration(seconds: total)) of \(Number.duration(seconds: duration)) a "
      + "call, medians; the rest is outside the network; peak \(Number.fixed(peak * 1e-9, 1)) GFLOP/s on "
      + "\(threads) thread\(threads == 1 ? "" : "s")\n"
      + "  GFLOP/s count the arithmetic that a layer's definition needs: a kernel that needs less "
      + "can exceed the peak\n"
  }

  var json: JSON {
    .object([
      "seconds": .number(duration), "seconds_in_layers": .number(total),
      "peak_flops": .number(peak), "threads": .integer(threads),
      "list": .array(
        lines.map { line in
          .object([
            "layer": .string(line.time.layer), "what": .string(line.time.kinds),
            "backward": .bool(line.time.isBackward), "seconds": .number(line.seconds),
            "share": .number(line.seconds / duration),
            "multiply_adds": .integer(line.time.multiplyAdds),
            "flops": line.speed.map { .number($0) } ?? .null,
            "share_of_peak": line.speed.map { .number($0 / peak) } ?? .null,
            "kernels": .strings(line.time.kernels.map(\.name)),
          ])
        }),
    ])
  }
}

private func median(of numbers: [Double]) -> Double { numbers.sorted()[numbers.count / 2] }
