import Testing
import VitrineFiles
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("The bytes of a model's file, read on demand")
struct ByteSourceTests {
  private let content = (0..<20_011).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

  @Test("are those of the file, in whatever order they are asked for")
  func anyOrder() throws {
    let folder = try TemporaryFolder()
    try #require(folder.write("bytes", content))
    let path = folder.path + "/bytes"
    var generator = SeededGenerator(state: 5)
    for _ in 0..<40 {
      let source = ByteSource(try OpenFile(path), path: path)
      #expect(source.count == content.count)
      for _ in 0..<20 {
        let start = Int.random(in: 0...content.count, using: &generator)
        let end = Int.random(in: start...content.count, using: &generator)
        if start < content.count { #expect(try source.byte(at: start) == content[start]) }
        var copy = [UInt8](repeating: 0, count: end - start)
        try copy.withUnsafeMutableBytes { try source.copy(start..<end, to: $0) }
        #expect(copy == Array(content[start..<end]))
        let seen = try source.withBytes(start..<end) { (bytes) throws(ONNXError) in Array(bytes) }
        #expect(seen == copy)
      }
    }
  }

  @Test("end with an error if the file becomes shorter while it is read")
  func becomesShorter() throws {
    let folder = try TemporaryFolder()
    try #require(folder.write("bytes", content))
    let path = folder.path + "/bytes"
    let source = ByteSource(try OpenFile(path), path: path)
    #expect(try source.byte(at: 0) == content[0])
    try #require(folder.shorten("bytes", to: 5000))
    #expect(try source.byte(at: 4096 - 1) == content[4095])
    let error = ONNXError.cannotRead(path: path, reason: "it became shorter while it was read")
    #expect(throws: error) { try source.byte(at: 20_000) }
    var target = [UInt8](repeating: 0, count: 10_000)
    #expect(throws: error) {
      try target.withUnsafeMutableBytes { try source.copy(0..<10_000, to: $0) }
    }
  }

  @Test("give the same graph as the bytes in memory, small and large tensors mixed")
  func sameGraph() throws {
    var constants: [String: Tensor] = [:]
    for count in [0, 1, 3, 500, 1023, 1024, 1025, 4096, 30_000] {
      constants["f\(count)"] = Tensor((0..<count).map { Float($0) * 0.5 })
      constants["i\(count)"] = Tensor((0..<count).map(Int64.init))
      constants["b\(count)"] = Tensor((0..<count).map { $0.isMultiple(of: 3) })
    }
    let bytes = ONNX.bytes(
      of: Graph(opset: 17, inputs: [], outputs: [], nodes: [], constants: constants))
    let folder = try TemporaryFolder()
    try #require(folder.write("m.onnx", bytes))
    let graph = try ONNX.graph(contentsOf: folder.path + "/m.onnx")
    #expect(graph.constants == constants)
    #expect(try ONNX.graph(bytes: bytes, folder: nil).constants == constants)
  }

  @Test("cut short anywhere are refused as the bytes in memory are")
  func truncatedFiles() throws {
    let bytes = ONNX.bytes(of: try ModelBytes.small())
    let folder = try TemporaryFolder()
    try #require(folder.write("m.onnx", bytes))
    for count in (0..<bytes.count).reversed() {
      try #require(folder.shorten("m.onnx", to: count))
      var found: ONNXError?
      do throws(ONNXError) {
        _ = try ONNX.graph(contentsOf: folder.path + "/m.onnx")
      } catch {
        found = error
      }
      #expect(found == failure(Array(bytes.prefix(count))))
    }
  }
}
