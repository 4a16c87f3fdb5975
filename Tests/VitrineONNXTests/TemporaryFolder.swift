#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An empty folder of a test's own, removed with all its content when the test ends.
final class TemporaryFolder {
  let path: String
  private var created: [(path: String, isFolder: Bool)] = []

  struct CannotCreate: Error {}

  init() throws {
    var template = Array("/tmp/vitrine-onnx-XXXXXX".utf8CString)
    let created = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    guard let created else { throw CannotCreate() }
    path = created
  }

  deinit {
    for (path, isFolder) in created.reversed() {
      if isFolder { rmdir(path) } else { unlink(path) }
    }
    rmdir(path)
  }

  func write(_ name: String, _ bytes: [UInt8]) -> Bool {
    let file = register(name)
    guard let stream = fopen(file, "wb") else { return false }
    let written = fwrite(bytes, 1, bytes.count, stream)
    return fclose(stream) == 0 && written == bytes.count
  }

  func folder(_ name: String) -> Bool {
    let folder = path + "/" + name
    created.append((folder, true))
    return mkdir(folder, 0o700) == 0
  }

  func symbolicLink(_ name: String, to target: String) -> Bool {
    symlink(target, register(name)) == 0
  }

  func hardLink(_ name: String, to target: String) -> Bool {
    link(path + "/" + target, register(name)) == 0
  }

  func pipe(_ name: String) -> Bool { mkfifo(register(name), 0o600) == 0 }

  func shorten(_ name: String, to count: Int) -> Bool {
    truncate(path + "/" + name, count) == 0
  }

  private func register(_ name: String) -> String {
    let file = path + "/" + name
    created.append((file, false))
    return file
  }
}
