import VitrineCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

extension Callback {
  /// Shows on standard error how far the run has come, the loss of the epoch so far and the time left.
  ///
  /// The line is written over from batch to batch and gone when an epoch ends. Nothing is written if
  /// standard error is no terminal.
  public static func progressBar() -> Callback {
    progressBar(isVisible: isatty(STDERR_FILENO) == 1) { text in
      var text = text
      text.withUTF8 { bytes in
        // A terminal that takes no more bytes is no reason to end the run.
        _ = write(STDERR_FILENO, bytes.baseAddress, bytes.count)
      }
    }
  }

  static func progressBar(isVisible: Bool, show: @escaping (String) -> Void) -> Callback {
    let bar = ProgressBar()
    return .batchEnded { status in
      guard isVisible else { return }
      guard status.batch < status.batches else { return show("\r\u{1B}[K") }
      let progress = Progress(
        done: (status.epoch - 1) * status.batches + status.batch,
        total: status.epochs * status.batches, unit: "batches")
      let loss = (status.training.loss * 1000).rounded() / 1000
      show(
        "\r\u{1B}[K" + bar.line(progress, of: "training")
          + ", epoch \(status.epoch) of \(status.epochs), loss \(loss)")
    }
  }
}
