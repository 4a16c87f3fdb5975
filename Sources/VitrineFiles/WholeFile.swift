#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes a file that appears complete or not at all.
package enum WholeFile {
  /// Writes pieces of bytes one behind the other: to a hidden temporary name beside the file, to the
  /// disk, then under the file's name, replacing what is there.
  ///
  /// - Parameter body: Is given a function that appends bytes.
  /// - Throws: ``OpenFile/Failure`` with the system's reason; the temporary file is gone then, and what
  ///   was under the name is as before. What `body` throws.
  package static func write(
    to path: String,
    _ body: ((UnsafeRawBufferPointer) throws(OpenFile.Failure) -> Void) throws(OpenFile.Failure)
      -> Void
  ) throws(OpenFile.Failure) {
    // To the system the name would end at the zero byte.
    guard !path.utf8.contains(0), !path.isEmpty else { throw OpenFile.Failure(code: ENOENT) }
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    guard !name.isEmpty else { throw OpenFile.Failure(code: EISDIR) }
    var generator = SystemRandomNumberGenerator()
    let suffix = String(generator.next() as UInt64, radix: 36)
    let temporary = folder + ".\(String(name.prefix(40))).\(getpid()).\(suffix).tmp"
    let descriptor = open(
      temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OpenFile.Failure(code: errno) }
    do throws(OpenFile.Failure) {
      try body { (bytes) throws(OpenFile.Failure) in try append(bytes, to: descriptor) }
      guard fsync(descriptor) == 0 else { throw OpenFile.Failure(code: errno) }
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
    guard close(descriptor) == 0, rename(temporary, path) == 0 else {
      let code = errno
      unlink(temporary)
      throw OpenFile.Failure(code: code)
    }
  }

  private static func append(
    _ bytes: UnsafeRawBufferPointer, to descriptor: CInt
  ) throws(OpenFile.Failure) {
    var offset = 0
    while offset < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      let written = systemWrite(descriptor, rest.baseAddress, rest.count)
      if written < 0 {
        if errno == EINTR { continue }
        throw OpenFile.Failure(code: errno)
      }
      offset += written
    }
  }
}

/// The system's call, under a name that ``WholeFile/write(to:_:)`` does not hide.
private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}
