#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Files that are written together: all of them appear complete, or none does.
///
/// ``stage(_:at:)`` writes to a hidden temporary name in the file's own folder and waits until the
/// bytes are on the disk; ``commit()`` renames. A file that has not been committed is removed by
/// ``discard()``, and so are the folders made for it. A rename replaces a symbolic link instead of
/// following it.
package struct OutputFiles: ~Copyable {
  private var staged: [(temporary: String, final: String)] = []
  private var madeFolders: [String] = []
  private var deviceWrites: [(path: String, bytes: [UInt8])] = []

  package init() {}

  deinit { Self.remove(staged: staged, folders: madeFolders) }

  /// The paths that ``commit()`` makes appear, in order.
  package var paths: [String] { staged.map(\.final) + deviceWrites.map(\.path) }

  /// Makes a folder, with its parents, unless it exists.
  ///
  /// - Throws: ``FileError`` of kind ``FileError/Kind/cannotCreate``.
  package mutating func makeFolder(_ path: String) throws(FileError) {
    if path.isEmpty || Self.kind(of: path) == .folder { return }
    if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      let parent = String(path[..<slash])
      if !parent.isEmpty { try makeFolder(parent) }
    }
    if path.hasSuffix("/") { return }
    guard mkdir(path, 0o777) == 0 else {
      let number = errno
      if number == EEXIST, Self.kind(of: path) == .folder { return }
      throw FileError(.cannotCreate, "cannot make folder \(path): \(systemMessage(number))")
    }
    madeFolders.append(path)
  }

  /// Writes the bytes of a future file beside its final name.
  ///
  /// - Throws: ``FileError`` of kind ``FileError/Kind/cannotCreate`` if no file can be created there, of
  ///   kind ``FileError/Kind/cannotWrite`` if writing fails.
  package mutating func stage(_ bytes: [UInt8], at path: String) throws(FileError) {
    switch Self.kind(of: path) {
    case .folder:
      throw FileError(
        .cannotCreate, "cannot write \(path): expected the name of a file, found a folder")
    case .device:
      // Renaming onto /dev/null would replace the device itself.
      deviceWrites.append((path, bytes))
      return
    case .file, .nothing: break
    }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    var generator = SystemRandomNumberGenerator()
    let suffix = String(generator.next() as UInt64, radix: 36)
    let temporary = folder + ".\(String(name.prefix(40))).\(getpid()).\(suffix).tmp"
    let descriptor = open(
      temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FileError(.cannotCreate, "cannot create \(path): \(systemMessage(errno))")
    }
    staged.append((temporary, path))
    var failure = writeAll(bytes, to: descriptor)
    if failure == nil, fsync(descriptor) != 0 { failure = errno }
    if close(descriptor) != 0, failure == nil { failure = errno }
    if let failure { throw Self.writingFailed(path, failure) }
  }

  /// Gives every staged file its name.
  ///
  /// - Throws: ``FileError`` if a rename fails; files renamed before stay, complete.
  package mutating func commit() throws(FileError) {
    for (path, bytes) in deviceWrites {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else {
        throw FileError(.cannotCreate, "cannot open \(path): \(systemMessage(errno))")
      }
      let failure = writeAll(bytes, to: descriptor)
      close(descriptor)
      if let failure { throw Self.writingFailed(path, failure) }
    }
    deviceWrites = []
    while let (temporary, final) = staged.first {
      guard rename(temporary, final) == 0 else { throw Self.writingFailed(final, errno) }
      staged.removeFirst()
    }
    madeFolders = []
  }

  /// Removes everything that was not committed.
  package mutating func discard() {
    Self.remove(staged: staged, folders: madeFolders)
    staged = []
    madeFolders = []
    deviceWrites = []
  }

  private static func remove(
    staged: [(temporary: String, final: String)], folders: [String]
  ) {
    for (temporary, _) in staged { unlink(temporary) }
    for folder in folders.reversed() { rmdir(folder) }
  }

  /// Writes one file whole or not at all.
  ///
  /// - Throws: As ``stage(_:at:)`` and ``commit()``.
  package static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    var files = OutputFiles()
    try files.stage(bytes, at: path)
    try files.commit()
  }

  private static func writingFailed(_ path: String, _ number: Int32) -> FileError {
    FileError(.cannotWrite, "cannot write \(path): \(systemMessage(number))")
  }

  // MARK: - What is there already

  package enum Kind {
    case nothing, file, folder, device
  }

  /// Returns what a path leads to, symbolic links followed.
  package static func kind(of path: String) -> Kind {
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR { return .folder }
    // /dev/stdout may lead to a regular file, but renaming would replace the link in /dev.
    let isSystemPath = path.hasPrefix("/dev/") && !path.hasPrefix("/dev/shm/")
    if isSystemPath || path.hasPrefix("/proc/") { return .device }
    guard exists else { return .nothing }
    return status.st_mode & S_IFMT == S_IFREG ? .file : .device
  }
}
