import VitrineCore
import VitrineReport

/// What a verb works with: the console, the methods, and the wish to stop.
struct Session: Sendable {
  let console: any Console
  /// Those of plugins included, once the flags have been read.
  var catalog: MethodCatalog
  let cancellation: Cancellation
  /// Folders of plugins, separated by colons.
  let pluginFolders: String
  /// Whether messages that are not errors are left out.
  var isQuiet = false
  private let bar = ProgressBar()

  init(
    console: any Console, catalog: MethodCatalog, cancellation: Cancellation, pluginFolders: String
  ) {
    self.console = console
    self.catalog = catalog
    self.cancellation = cancellation
    self.pluginFolders = pluginFolders
  }

  /// Writes data to standard output.
  func write(_ text: String) throws(CommandError) { try console.write(text) }

  /// Tells something worth knowing on standard error, unless `--quiet`.
  func note(_ message: String) {
    guard !isQuiet else { return }
    clearProgress()
    console.report("vitrine: \(message.visible)\n")
  }

  /// Shows how far a run has come and the time left, on a terminal only: the line is written over.
  func show(_ progress: Progress, of task: String) {
    guard !isQuiet, console.reportsToTerminal else { return }
    console.report("\r\u{1B}[K" + bar.line(progress, of: task).visible)
  }

  /// Removes the progress line.
  func clearProgress() {
    guard !isQuiet, console.reportsToTerminal else { return }
    console.report("\r\u{1B}[K")
  }

  /// Call between inputs.
  ///
  /// - Throws: ``CoreError/cancelled`` once the user has asked to stop.
  func checkCancellation() throws(CoreError) {
    if cancellation.isCancelled { throw .cancelled }
  }
}
