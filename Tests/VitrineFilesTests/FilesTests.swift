import Testing
import VitrineFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A folder that is removed with all that tests wrote into it.
private struct Scratch: ~Copyable {
  let path: String

  init() {
    var generator = SystemRandomNumberGenerator()
    path = "/tmp/vitrine-files-\(getpid())-\(generator.next() as UInt64)"
    mkdir(path, 0o700)
  }

  var names: [String] { ((try? Folder.names(in: path, what: "scratch folder")) ?? []) }

  deinit {
    for name in names { unlink(path + "/" + name) }
    rmdir(path)
  }
}

@Suite("Files are read whole and written whole")
struct FilesTests {
  @Test("bytes come back as they were written, and no temporary file stays")
  func roundTrip() throws {
    let scratch = Scratch()
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try OutputFiles.write(bytes, to: scratch.path + "/a.bin")
    #expect(try InputFile.bytes(at: scratch.path + "/a.bin", what: "file", limit: 1 << 30) == bytes)
    var pieces: [UInt8] = []
    try InputFile.readPieces(of: scratch.path + "/a.bin", what: "file") { pieces += $0 }
    #expect(pieces == bytes)
    #expect(scratch.names == ["a.bin"])
  }

  @Test("files that are staged but not committed never appear")
  func discarded() throws {
    let scratch = Scratch()
    var files = OutputFiles()
    try files.stage([1, 2, 3], at: scratch.path + "/a")
    try files.stage([4], at: scratch.path + "/b")
    files.discard()
    #expect(scratch.names.isEmpty)
  }

  @Test("a missing file, a folder and a file beyond the limit are refused, each by its kind")
  func refused() throws {
    let scratch = Scratch()
    try OutputFiles.write([1, 2, 3], to: scratch.path + "/a")
    func kind(_ path: String, limit: Int = 10) -> FileError.Kind? {
      do throws(FileError) {
        _ = try InputFile.bytes(at: path, what: "file", limit: limit)
        return nil
      } catch {
        return error.kind
      }
    }
    #expect(kind(scratch.path + "/missing") == .cannotRead)
    #expect(kind(scratch.path) == .unfit)
    #expect(kind("/dev/null") == .unfit)
    #expect(kind(scratch.path + "/a", limit: 2) == .unfit)
    #expect(kind(scratch.path + "/a", limit: 3) == nil)
  }

  @Test("writing to a full device fails and leaves nothing")
  func full() throws {
    #expect(throws: FileError.self) { try OutputFiles.write([1], to: "/dev/full") }
    #expect(throws: FileError.self) { try OutputFiles.write([1], to: "/no/such/folder/a") }
  }

  @Test("a folder lists its entries in the order of their bytes, whatever the locale")
  func listing() throws {
    let scratch = Scratch()
    for name in ["b", "a", "Z", "10", "9", "ä"] {
      try OutputFiles.write([], to: scratch.path + "/" + name)
    }
    #expect(scratch.names == ["10", "9", "Z", "a", "b", "ä"])
    #expect(throws: FileError.self) {
      try Folder.names(in: scratch.path + "/missing", what: "folder")
    }
  }
}
