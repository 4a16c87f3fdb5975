#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A log that grows by whole records while others read it.
package enum AppendedFile {
  /// Makes an empty file.
  ///
  /// - Throws: ``FileError`` of kind ``FileError/Kind/cannotCreate``, also if there is a file already.
  package static func create(at path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw FileError(.cannotCreate, "cannot create \(path): \(systemMessage(errno))")
    }
    close(descriptor)
  }

  /// Adds a record at the end of a file.
  ///
  /// - Throws: ``FileError`` of kind ``FileError/Kind/cannotWrite``; a part of the record may be there
  ///   then, which readers of logs take for one that is still being written.
  package static func append(_ bytes: [UInt8], to path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FileError(.cannotWrite, "cannot open \(path): \(systemMessage(errno))")
    }
    var failure = writeAll(bytes, to: descriptor)
    if close(descriptor) != 0, failure == nil { failure = errno }
    if let failure {
      throw FileError(.cannotWrite, "cannot write \(path): \(systemMessage(failure))")
    }
  }
}
