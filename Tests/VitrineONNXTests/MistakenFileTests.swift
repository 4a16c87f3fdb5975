import Testing
import VitrineONNX

@Suite("Files that are not models")
struct MistakenFileTests {
  @Test("are named for what they are")
  func named() {
    let header = [UInt8]([0x10, 0, 0, 0, 0, 0, 0, 0])
    let cases: [([UInt8], String)] = [
      ([], "the file is empty"),
      (
        Array("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n".utf8),
        "git lfs pull"
      ),
      (Array("<!DOCTYPE html>\n<html>".utf8), "web page"),
      (Array("\n  <HTML lang=en>".utf8), "web page"),
      (Array("hello, world\n".utf8), "text file"),
      (Array("{\"a\": 1}\n".utf8), "text file"),
      ([0x89] + Array("PNG\r\n".utf8) + [0x1a, 0x0a, 0, 0], "PNG picture"),
      ([0xff, 0xd8, 0xff, 0xe0], "JPEG picture"),
      ([0x89] + Array("HDF\r\n".utf8) + [0x1a, 0x0a], "HDF5"),
      (Array("PK".utf8) + [3, 4, 20, 0], "zip archive"),
      ([0x1f, 0x8b, 8, 0], "gzip"),
      (header + Array("{\"a\":{\"dtype\"".utf8), "safetensors"),
      ([0x80, 0x02, 0x8a, 0x0a], "pickle"),
      ([0x93] + Array("NUMPY".utf8) + [1, 0], "NumPy"),
      (Array("GGUF".utf8) + [3, 0, 0, 0], "GGUF"),
      ([0x1c, 0, 0, 0] + Array("TFL3".utf8), "TensorFlow Lite"),
      ([0x1c, 0, 0, 0] + Array("ORTM".utf8), ".ort"),
    ]
    for (bytes, expected) in cases {
      let error = failure(bytes)
      #expect(error?.isMalformed == true && error?.mentions(expected) == true, "\(expected)")
    }
  }

  @Test("are reported with the path and the system's reason if they cannot be read")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    let none = folder.path + "/none.onnx"
    #expect(throws: ONNXError.notFound(path: none)) { try ONNX.graph(contentsOf: none) }
    #expect(throws: ONNXError.notFound(path: "a\0b")) { try ONNX.graph(contentsOf: "a\0b") }
    try #require(folder.pipe("pipe.onnx"))
    for path in [folder.path, folder.path + "/pipe.onnx", "/dev/zero"] {
      let error = #expect(throws: ONNXError.self) { try ONNX.graph(contentsOf: path) }
      guard case .cannotRead(path, _) = error else {
        Issue.record("\(path): \(String(describing: error))")
        continue
      }
    }
    try #require(folder.write("empty.onnx", []))
    #expect(throws: ONNXError.malformed(reason: "the file is empty", offset: nil)) {
      try ONNX.graph(contentsOf: folder.path + "/empty.onnx")
    }
    var limits = ONNXLimits()
    limits.fileBytes = 3
    try #require(folder.write("four.onnx", [1, 2, 3, 4]))
    #expect(throws: ONNXError.limitExceeded(name: "fileBytes", found: 4, limit: 3)) {
      try ONNX.graph(contentsOf: folder.path + "/four.onnx", limits: limits)
    }
  }
}
