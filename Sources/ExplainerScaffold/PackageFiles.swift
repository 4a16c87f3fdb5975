import Foundation

/// The files of a package, changed all together or not at all.
struct PackageFiles {
  /// A new file, or the new text of one that exists.
  struct Change {
    let path: String
    let text: String
    let isNew: Bool

    var verb: String { isNew ? "made   " : "changed" }
  }

  let root: URL

  func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  func text(_ path: String) throws -> String {
    do {
      return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    } catch {
      throw Refusal("expected \(path) in the package: it cannot be read")
    }
  }

  /// Returns the paths of all Swift files below a folder.
  func sources(in folder: String) -> [String] {
    let files = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
    return (files?.compactMap { $0 as? String } ?? []).filter { $0.hasSuffix(".swift") }.sorted()
      .map { folder + "/" + $0 }
  }

  /// Returns the names in a folder, none if it does not exist.
  func names(in folder: String) -> [String] {
    let path = root.appendingPathComponent(folder).path
    return (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }

  /// Writes all changes; after an error the package is as it was.
  func apply(_ changes: [Change]) throws {
    var undo: [() -> Void] = []
    do {
      for change in changes {
        let file = root.appendingPathComponent(change.path)
        if change.isNew {
          var folder = file.deletingLastPathComponent()
          var missing: [URL] = []
          while !FileManager.default.fileExists(atPath: folder.path) {
            missing.append(folder)
            folder.deleteLastPathComponent()
          }
          if let topmost = missing.last {
            undo.append { try? FileManager.default.removeItem(at: topmost) }
          } else {
            undo.append { try? FileManager.default.removeItem(at: file) }
          }
          try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        } else {
          let before = try Data(contentsOf: file)
          undo.append { try? before.write(to: file, options: .atomic) }
        }
        try Data(change.text.utf8).write(to: file, options: .atomic)
      }
    } catch {
      for step in undo.reversed() { step() }
      throw Refusal("nothing was made: \(error.localizedDescription)")
    }
  }
}
