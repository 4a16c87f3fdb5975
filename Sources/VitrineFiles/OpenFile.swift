#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An open file of the system, closed when nobody needs it any more.
package final class OpenFile: Sendable {
  /// Why the system refused, with its number for the reason.
  package struct Failure: Error {
    package let code: CInt

    package var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
    package var reason: String { String(cString: strerror(code)) }
  }

  package let descriptor: CInt
  package let byteCount: Int
  package let isRegular: Bool
  /// How many names the file has.
  package let linkCount: Int

  /// Opens for reading: never waits for a pipe's other end, never passed on to child processes.
  ///
  /// - Parameters:
  ///   - name: A path if `folder` is `nil`, else the name of an entry of that folder.
  ///   - flags: Further flags of `open`.
  package init(_ name: String, in folder: OpenFile? = nil, flags: CInt = 0) throws(Failure) {
    // To the system the name would end at the zero byte.
    guard !name.utf8.contains(0) else { throw Failure(code: ENOENT) }
    let allFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags
    let descriptor =
      folder.map { openat($0.descriptor, name, allFlags) } ?? open(name, allFlags)
    guard descriptor >= 0 else { throw Failure(code: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw Failure(code: code)
    }
    self.descriptor = descriptor
    byteCount = Int(status.st_size)
    isRegular = status.st_mode & S_IFMT == S_IFREG
    linkCount = Int(status.st_nlink)
  }

  deinit {
    close(descriptor)
  }

  /// Fills memory with the bytes from `offset` on and returns how many there were.
  ///
  /// - Returns: Less than `target.count` only if the file ends before.
  package func read(
    into target: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(Failure) -> Int {
    var done = 0
    while done < target.count {
      let count = min(target.count - done, 1 << 30)
      let part = UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
      let read = pread(descriptor, part.baseAddress, count, off_t(offset + done))
      guard read >= 0 else {
        if errno == EINTR { continue }
        throw Failure(code: errno)
      }
      if read == 0 { break }
      done += read
    }
    return done
  }
}
