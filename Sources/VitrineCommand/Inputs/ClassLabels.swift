import VitrineFiles
import VitrineReport

/// Names of classes, as a file lists them: one on each line, in the model's order.
struct ClassLabels: Sendable {
  let names: [String]
  private let path: String

  /// Creates labels that belong to a model made here.
  init(names: [String]) {
    self.names = names
    path = "the built-in list"
  }

  /// Reads a labels file: UTF-8, with or without a byte order mark, any line ends; blank lines at the
  /// end do not count.
  ///
  /// - Throws: ``CommandError`` if the file cannot be read, is empty or is no UTF-8.
  init(contentsOf path: String) throws(CommandError) {
    self.path = path
    var bytes: [UInt8]
    do throws(FileError) {
      bytes = try InputFile.bytes(at: path, what: "labels", limit: 64 << 20)
    } catch {
      throw CommandError(error)
    }
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .badData("labels \(path): expected text in UTF-8, found other bytes; convert the file")
    }
    var lines: [String] = []
    var line = String.UnicodeScalarView()
    var isAfterReturn = false
    for scalar in text.unicodeScalars {
      if scalar == "\n", isAfterReturn {
        isAfterReturn = false
      } else if scalar == "\n" || scalar == "\r" {
        lines.append(String(line))
        line = String.UnicodeScalarView()
        isAfterReturn = scalar == "\r"
      } else {
        line.append(scalar)
        isAfterReturn = false
      }
    }
    lines.append(String(line))
    while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
    guard !lines.isEmpty else {
      throw .badData("labels \(path): expected one class name on each line, found none")
    }
    names = lines
  }

  /// Returns the labels of the file that `--labels` names, if it is given.
  ///
  /// - Throws: ``CommandError`` as ``init(contentsOf:)``.
  static func given(_ invocation: Invocation) throws(CommandError) -> ClassLabels? {
    guard let path = invocation.text("labels") else { return nil }
    return try ClassLabels(contentsOf: path)
  }

  /// Checks that there is one name for each class.
  ///
  /// - Throws: ``CommandError`` with both numbers.
  func check(classes: Int) throws(CommandError) {
    guard names.count == classes else {
      throw .usage(
        "--labels: the model has \(classes) outputs, \(path) names \(names.count) classes; "
          + "give the file that belongs to the model",
        code: "labels-mismatch")
    }
  }
}

extension Optional where Wrapped == ClassLabels {
  /// Returns `281 (tabby, tabby cat)`, or the index alone where no name is known.
  func name(of index: Int) -> String {
    guard let names = self?.names, names.indices.contains(index) else { return String(index) }
    return "\(index) (\(names[index]))"
  }

  /// Returns the name alone, `nil` where none is known.
  func label(of index: Int) -> String? {
    guard let names = self?.names, names.indices.contains(index) else { return nil }
    return names[index]
  }
}
