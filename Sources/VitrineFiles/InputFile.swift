#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Reads whole files that someone named.
package enum InputFile {
  /// Returns the bytes of a regular file.
  ///
  /// - Parameters:
  ///   - what: What it is to the user, such as `input`, for messages.
  ///   - limit: Most bytes accepted; checked before memory is reserved.
  /// - Throws: ``FileError`` of kind ``FileError/Kind/cannotRead`` if it cannot be opened or read, of
  ///   kind ``FileError/Kind/unfit`` if it is no regular file or too large.
  package static func bytes(at path: String, what: String, limit: Int) throws(FileError) -> [UInt8]
  {
    let (descriptor, size) = try open(path, what: what)
    defer { close(descriptor) }
    guard size <= limit else {
      throw FileError(
        .unfit, "\(what) \(path): expected at most \(limit) bytes, found \(size)")
    }
    var number: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let rest = UnsafeMutableRawBufferPointer(
          rebasing: UnsafeMutableRawBufferPointer(buffer)[count...])
        let found = read(descriptor, rest.baseAddress, rest.count)
        if found < 0, errno == EINTR { continue }
        if found < 0 { number = errno }
        // A file that shrinks while it is read ends here; its reader notices what is missing.
        if found <= 0 { break }
        count += found
      }
    }
    if let number {
      throw FileError(.cannotRead, "cannot read \(what) \(path): \(systemMessage(number))")
    }
    return bytes
  }

  /// Hands the bytes of a regular file to `body`, a mebibyte at a time.
  ///
  /// - Throws: As ``bytes(at:what:limit:)``.
  /// - Complexity: O(size) time, constant memory.
  package static func readPieces(
    of path: String, what: String, _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(FileError) {
    let (descriptor, _) = try open(path, what: what)
    defer { close(descriptor) }
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { piece.deallocate() }
    while true {
      let count = read(descriptor, piece.baseAddress, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else {
        throw FileError(.cannotRead, "cannot read \(what) \(path): \(systemMessage(errno))")
      }
      if count == 0 { return }
      body(UnsafeRawBufferPointer(rebasing: piece[0..<count]))
    }
  }

  private static func open(
    _ path: String, what: String
  ) throws(FileError) -> (descriptor: Int32, size: Int) {
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw FileError(.cannotRead, "cannot open \(what) \(path): \(systemMessage(errno))")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw FileError(
        .unfit, "\(what) \(path): expected a file, found a directory or a device")
    }
    return (descriptor, Int(status.st_size))
  }
}

/// `open(2)`, out of reach of the method of the same name.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
