#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Where and how often a run is saved, so that it can go on after an interruption of any kind.
///
/// The file is written beside its place and renamed: it is there whole or not at all.
public struct Checkpointing: Sendable, Hashable {
  public let path: String
  /// Saved after every so many epochs.
  public let everyEpochs: Int
  /// Saved after every so many batches, too.
  public let everyBatches: Int?
  /// Whether a run begins from the file if it is there.
  public let resumes: Bool

  public init(
    path: String, everyEpochs: Int = 1, everyBatches: Int? = nil, resumes: Bool = false
  ) {
    self.path = path
    self.everyEpochs = max(1, everyEpochs)
    self.everyBatches = everyBatches.map { max(1, $0) }
    self.resumes = resumes
  }

  var exists: Bool { access(path, F_OK) == 0 }

  func write(_ trainer: Trainer, afterEpoch epoch: Int) throws {
    if epoch % everyEpochs == 0 { try CheckpointFile.write(trainer.checkpointBytes(), to: path) }
  }

  func write(_ trainer: Trainer, afterBatch step: Int) throws {
    if let everyBatches, step % everyBatches == 0 {
      try CheckpointFile.write(trainer.checkpointBytes(), to: path)
    }
  }
}

/// Reading and writing of whole files.
enum CheckpointFile {
  /// Writes bytes to a new file and gives it its name when they are on the disk.
  static func write(_ bytes: [UInt8], to path: String) throws {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? ""
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let temporary = folder + ".\(name).\(getpid()).tmp"
    func failure(_ number: Int32) -> TrainingError {
      .cannotWrite(path: path, reason: String(cString: strerror(number)))
    }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure(errno) }
    var number: Int32 = 0
    bytes.withUnsafeBytes { bytes in
      var done = 0
      while done < bytes.count, number == 0 {
        let count = systemWrite(
          descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
        if count > 0 {
          done += count
        } else if errno != EINTR {
          number = errno
        }
      }
    }
    if number == 0, fsync(descriptor) != 0 { number = errno }
    if close(descriptor) != 0, number == 0 { number = errno }
    if number == 0, rename(temporary, path) != 0 { number = errno }
    if number != 0 {
      unlink(temporary)
      throw failure(number)
    }
  }

  /// Returns the bytes of a regular file.
  static func read(_ path: String, limit: Int) throws -> [UInt8] {
    func failure(_ reason: String) -> TrainingError { .cannotRead(path: path, reason: reason) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw failure("expected a regular file")
    }
    let size = Int(status.st_size)
    guard size <= limit else {
      throw failure("expected at most \(limit) bytes, found \(size)")
    }
    var bytes = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let count = bytes.withUnsafeMutableBytes { buffer in
        systemRead(descriptor, buffer.baseAddress.map { $0 + done }, size - done)
      }
      if count == 0 { throw failure("it became shorter while it was read") }
      if count < 0, errno != EINTR { throw failure(String(cString: strerror(errno))) }
      if count > 0 { done += count }
    }
    return bytes
  }
}

private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}

private func systemRead(
  _ descriptor: Int32, _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int {
  read(descriptor, bytes, count)
}
