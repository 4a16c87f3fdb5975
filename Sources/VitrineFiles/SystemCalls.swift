#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Writes all bytes to a file descriptor, resuming after interruptions and short writes.
///
/// - Returns: `nil`, or the system's error number.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
  bytes.withUnsafeBytes { buffer in
    var offset = 0
    while offset < buffer.count {
      let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
      let written = write(descriptor, rest.baseAddress, rest.count)
      if written < 0 {
        if errno == EINTR { continue }
        return errno
      }
      offset += written
    }
    return nil
  }
}

/// Returns the system's words for an error number, in English whatever the locale.
package func systemMessage(_ number: Int32) -> String {
  switch number {
  case ENOENT: "no such file or directory"
  case EACCES, EPERM: "permission denied"
  case ENOSPC: "no space left on device"
  case EISDIR: "it is a directory"
  case ENOTDIR: "a part of the path is not a directory"
  case EROFS: "the file system is read-only"
  case EEXIST: "it exists already"
  case EIO: "input/output error"
  case EPIPE: "nobody reads it"
  case EFBIG: "the file is too large"
  case EDQUOT: "the disk quota is used up"
  case EMFILE, ENFILE: "too many open files"
  case ENAMETOOLONG: "the name is too long"
  case ELOOP: "too many symbolic links"
  case EBADF: "it is closed"
  default: "system error \(number)"
  }
}
