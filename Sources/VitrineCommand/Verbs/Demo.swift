import VitrineCore
import VitrineFiles
import VitrineReport

extension Verb {
  /// `vitrine demo`
  static let demo = Verb(
    "demo",
    summary: "make a small network from generated pictures and explain it",
    flags: [
      Flag(
        "output", short: "o", .value("FOLDER"), default: "vitrine-demo",
        help: "Where the pictures, the model and index.html go.")
    ] + CommonFlags.running,
    examples: [
      Example(command: "vitrine demo", purpose: "needs nothing; then open vitrine-demo/index.html")
    ]
  ) { invocation, session in
    let settings = try RunSettings(invocation)
    let folder = invocation.text("output") ?? "vitrine-demo"
    let demonstration = try Demonstration(settings: settings, session: session)
    var files = OutputFiles()
    try files.makeFolder(folder)
    for (name, bytes) in try demonstration.files(session) {
      try files.stage(bytes, at: FileName.join(folder, name))
    }
    try session.checkCancellation()
    try files.commit()
    try session.write(demonstration.text(folder: folder))
  }
}
