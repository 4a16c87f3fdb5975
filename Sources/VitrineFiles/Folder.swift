#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// What lies in a folder.
package enum Folder {
  /// Returns the names of a folder's entries in the order of their bytes; names that are no UTF-8 and
  /// hidden ones are left out.
  ///
  /// - Parameter what: What it is to the user, such as `training set`, for messages.
  /// - Throws: ``FileError`` of kind ``FileError/Kind/cannotRead``.
  /// - Complexity: O(n log n) for n entries.
  package static func names(in path: String, what: String) throws(FileError) -> [String] {
    guard let stream = opendir(path) else {
      throw FileError(.cannotRead, "cannot open \(what) \(path): \(systemMessage(errno))")
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let name, !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Whether a path leads to a folder, symbolic links followed.
  package static func exists(at path: String) -> Bool { OutputFiles.kind(of: path) == .folder }
}
