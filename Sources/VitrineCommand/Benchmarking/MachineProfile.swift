import VitrineNetwork

/// What the machine can do at best, for each number of threads.
struct MachineProfile: Sendable {
  private struct Row: Sendable {
    let threads: Int
    /// Operations per second: a multiplication with addition counts as two.
    let peak: Double
    let levels: [(level: Machine.Level, footprint: Int, bandwidth: Double)]
  }

  private let rows: [Row]

  /// Measures for 1, 2, 4… threads up to `most`.
  ///
  /// - Complexity: About one and a half seconds for each number of threads, and 512 MiB.
  init(threads most: Int, _ session: Session) throws {
    var counts = Array(sequence(first: 1) { 2 * $0 < most ? 2 * $0 : nil })
    if most > 1 { counts.append(most) }
    rows = try counts.map { threads in
      let peak = Machine.peak(threads: threads)
      let levels = try Machine.Level.allCases.map { level in
        try session.checkCancellation()
        return (
          level, Machine.footprint(of: level, threads: threads),
          Machine.bandwidth(of: level, threads: threads)
        )
      }
      return Row(threads: threads, peak: peak, levels: levels)
    }
  }

  var text: String {
    var table = TextTable(
      [("threads", .right), ("GFLOP/s", .right)]
        + Machine.Level.allCases.map { ("\($0.rawValue) GB/s", .right) })
    for row in rows {
      table.add(
        [String(row.threads), Number.fixed(row.peak * 1e-9, 1)]
          + row.levels.map { Number.fixed($0.bandwidth * 1e-9, 1) })
    }
    let sizes = rows[0].levels.map {
      "\($0.level.rawValue) \(Number.grouped($0.footprint >> 10)) KiB"
    }
    return "\(Machine.instructionSet), \(Machine.threads) cores\n\n" + table.text
      + "\n  float32 multiply-adds, each counted as two operations; bytes read, best of three\n"
      + "  measured with \(sizes.joined(separator: ", ")) on one thread\n"
  }

  var json: JSON {
    .object([
      "instruction_set": .string(Machine.instructionSet), "cores": .integer(Machine.threads),
      "threads": .array(
        rows.map { row in
          .object([
            "threads": .integer(row.threads), "flops": .number(row.peak),
            "bandwidth": .array(
              row.levels.map { level in
                .object([
                  "level": .string(level.level.rawValue),
                  "bytes_per_thread": .integer(level.footprint),
                  "bytes_per_second": .number(level.bandwidth),
                ])
              }),
          ])
        }),
    ])
  }
}

extension Verb {
  /// `vitrine benchmark --machine`
  static func measureMachine(
    _ invocation: Invocation, _ settings: RunSettings, _ session: Session
  ) throws {
    if let model = invocation.operands.first {
      throw CommandError.usage("--machine measures the machine alone; leave out '\(model)'")
    }
    for flag in ["task", "batch", "layer", "layers", "set", "target"] where invocation.has(flag) {
      throw CommandError.usage("--machine measures the machine alone; leave out --\(flag)")
    }
    let profile = try MachineProfile(
      threads: settings.configuration.threads ?? Machine.threads, session)
    guard invocation.has("json") else { return try session.write(profile.text) }
    try session.write(
      JSON.object([
        "schema": .integer(1), "verb": .string("benchmark"), "machine": profile.json,
        "vitrine": .string(Command.version),
      ]).text)
  }
}
